"""View of some images of a dataset."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from PIL import Image

from net2vec.data.left_out import LeftOut, count_left_out
from net2vec.data.optional import image_size, image_sources, left_out_of, missing_of
from net2vec.data.protocol import SPLITS, Annotation, ProbeDataset
from net2vec.data.splits import SplitRule
from net2vec.data.views.view import DatasetView, digest_view
from net2vec.errors import DataError


class SelectedDataset(DatasetView):
    """Some images of a dataset, with all of its labels.

    Args:
        dataset: where images and annotations come from.
        indices: the images to keep, ascending.
        reason: why the others are left out.
    """

    def __init__(self, dataset: ProbeDataset, indices: Sequence[int], reason: str) -> None:
        super().__init__(dataset)
        self._indices = list(indices)
        self.images = tuple(dataset.images[index] for index in indices)
        self.splits = tuple(dataset.splits[index] for index in indices)
        selected = set(indices)
        others = [name for index, name in enumerate(dataset.images) if index not in selected]
        self._left_out = list(count_left_out("images", {reason: others}))

    @cached_property
    def digest(self) -> str:
        """Digest of the dataset's digest and the images."""
        return digest_view("selected", [self._dataset], self.images)

    @property
    def sources(self) -> Sequence[str]:
        """By image, the name of the dataset that it comes from."""
        sources = image_sources(self._dataset)
        return [sources[index] for index in self._indices]

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """Items that the dataset leaves out, and the other images."""
        return [*left_out_of(self._dataset), *self._left_out]

    @property
    def missing(self) -> Sequence[int]:
        """None."""
        return ()

    def image(self, index: int) -> Image.Image:
        """The image at `index`, as `ProbeDataset.image`."""
        return self._dataset.image(self._indices[index])

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the image at `index`."""
        return image_size(self._dataset, self._indices[index])

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        return self._dataset.annotation(self._indices[index])


class ResplitDataset(SelectedDataset):
    """A dataset whose images are split otherwise; images of neither split are left out.

    Args:
        dataset: where images and annotations come from.
        rule: the other splits. It sees an image in a folder of the name of its present split, too.

    Raises:
        DataError: if no image is in a split that the rule states.
    """

    def __init__(self, dataset: ProbeDataset, rule: SplitRule) -> None:
        rule.check_used(dataset.images, dataset.name)
        splits = [
            rule.stated_split(image) or rule.split_of(f"{split}/") or rule.draw(image)
            for image, split in zip(dataset.images, dataset.splits, strict=True)
        ]
        used = [index for index, split in enumerate(splits) if split in SPLITS]
        super().__init__(dataset, used, "of another split than stated")
        self.splits = tuple(splits[index] for index in used)

    @cached_property
    def digest(self) -> str:
        """Digest of the dataset's digest, the images and their splits."""
        return digest_view("resplit", [self._dataset], [self.images, self.splits])


def without_missing(dataset: ProbeDataset) -> ProbeDataset:
    """The dataset without the images that an index names and that are not there.

    Raises:
        DataError: if no image is there.
    """
    missing = set(missing_of(dataset))
    if not missing:
        return dataset
    present = [index for index in range(len(dataset.images)) if index not in missing]
    if not present:
        raise DataError(f"{dataset.name}: none of its {len(missing)} images is there")
    return SelectedDataset(dataset, present, "named by an index, but not there")
