"""The protocol of probe datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from net2vec.vocabulary import SPLITS as SPLITS

TRAIN, VAL = SPLITS


@dataclass(frozen=True)
class Plane:
    """A label map of an image.

    Attributes:
        category: category of the labels, one of the dataset's `categories`.
        labels: integers of shape (height, width), in any resolution; 0 for pixels without
            annotation, else an index into the dataset's `labels`.
    """

    category: str
    labels: NDArray[np.integer]


@dataclass(frozen=True)
class Annotation:
    """The annotation of an image.

    Attributes:
        planes: label maps. A category may have several (parts of parts), and a label may occur in
            several categories.
        image_labels: (category, label) pairs that apply to the whole image.
    """

    planes: tuple[Plane, ...] = ()
    image_labels: tuple[tuple[str, int], ...] = ()


@runtime_checkable
class ProbeDataset(Protocol):
    """Annotated images. Opening a dataset reads its index but no images.

    Optional attributes are described in `net2vec.data.optional`.

    Attributes:
        name: a short name to show.
        digest: digest of everything that determines the images and annotations. Equal datasets
            have equal digests on every machine, so it must not depend on paths.
        labels: unique names by label number; `labels[0]` is the empty string, for no label.
        categories: names of the categories, in the dataset's order.
        images: file names, unique, in the dataset's order.
        splits: "train" or "val" for every image.
    """

    @property
    def name(self) -> str:
        """A short name to show."""
        ...

    @property
    def digest(self) -> str:
        """Digest of everything that determines the images and annotations."""
        ...

    @property
    def labels(self) -> Sequence[str]:
        """Names by label number."""
        ...

    @property
    def categories(self) -> Sequence[str]:
        """Names of the categories."""
        ...

    @property
    def images(self) -> Sequence[str]:
        """File names."""
        ...

    @property
    def splits(self) -> Sequence[str]:
        """The split of every image."""
        ...

    def image(self, index: int) -> Image.Image:
        """The image at `index`, mode RGB, in its own size.

        Raises:
            DataError: if the file is missing or cannot be decoded.
        """
        ...

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, masks in their own sizes.

        Raises:
            DataError: if a mask is missing, cannot be decoded or contains an unknown label.
        """
        ...
