"""What views of one dataset share: all that they do not change is the dataset's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from PIL import Image

from net2vec.data.checked import digest_of, image_of
from net2vec.data.left_out import LeftOut, left_out_of
from net2vec.data.protocol import ProbeDataset
from net2vec.data.views.sources import image_sources


class DatasetView:
    """A dataset seen with other annotations, which whoever inherits makes.

    So it makes a digest as well, or it would find what is compiled of the dataset for its own.

    Args:
        dataset: the one that is seen.
    """

    labels: Sequence[str]
    categories: Sequence[str]

    def __init__(self, dataset: ProbeDataset) -> None:
        self._dataset = dataset
        self.name = dataset.name
        self.labels = dataset.labels
        self.categories = tuple(dataset.categories)
        self.images = dataset.images
        self.splits = dataset.splits

    @property
    def sources(self) -> Sequence[str]:
        """Name of the dataset that every image comes from."""
        return image_sources(self._dataset)

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """What the dataset leaves out."""
        return left_out_of(self._dataset)

    def image(self, index: int) -> Image.Image:
        """The image at `index`, as `ProbeDataset.image`."""
        return self._dataset.image(index)

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the image at `index`."""
        return image_size(self._dataset, index)


def digest_view(kind: str, datasets: Sequence[ProbeDataset], settings: object) -> str:
    """Digest of a view: what it does, to which datasets, with which settings."""
    text = json.dumps([kind, [digest_of(d) for d in datasets], settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def image_size(dataset: ProbeDataset, index: int) -> tuple[int, int]:
    """(height, width) of an image, without decoding it where the dataset can tell."""
    if hasattr(dataset, "image_size"):
        size: tuple[int, int] = dataset.image_size(index)
        return size
    width, height = image_of(dataset, index).size
    return height, width
