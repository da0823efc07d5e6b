"""Base class of views: datasets with other annotations of the same images."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from PIL import Image

from net2vec.data.annotator_record import AnnotatorRecord
from net2vec.data.checked import digest_of
from net2vec.data.left_out import LeftOut
from net2vec.data.optional import (
    annotators_of,
    image_size,
    image_sources,
    layout_of,
    left_out_of,
    missing_of,
    taken_of,
    unverified_of,
)
from net2vec.data.protocol import ProbeDataset


class DatasetView:
    """A dataset with other annotations; a subclass defines `annotation` and `digest`.

    The digest must differ from that of the dataset, as compiled annotations are cached by it.

    Args:
        dataset: where the images and everything else come from.
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
        self.layout = layout_of(dataset)

    @property
    def sources(self) -> Sequence[str]:
        """By image, the name of the dataset that it comes from."""
        return image_sources(self._dataset)

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """Items that the dataset leaves out."""
        return left_out_of(self._dataset)

    @property
    def taken(self) -> Sequence[tuple[str, str]]:
        """Roles that parts of the dataset's folder were given."""
        return taken_of(self._dataset)

    @property
    def missing(self) -> Sequence[int]:
        """Indices of images that an index names and that are not there."""
        return missing_of(self._dataset)

    @property
    def annotators(self) -> Sequence[AnnotatorRecord]:
        """The models that made its masks."""
        return annotators_of(self._dataset)

    @property
    def unverified(self) -> frozenset[str]:
        """Labels that may be in images that are not annotated with them."""
        return unverified_of(self._dataset)

    def image(self, index: int) -> Image.Image:
        """The image at `index`, as `ProbeDataset.image`."""
        return self._dataset.image(index)

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the image at `index`."""
        return image_size(self._dataset, index)


def digest_view(kind: str, datasets: Sequence[ProbeDataset], settings: object) -> str:
    """Digest of the kind of a view, of its datasets and of its settings."""
    text = json.dumps([kind, [digest_of(d) for d in datasets], settings], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
