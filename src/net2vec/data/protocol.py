"""What every probe dataset offers, wherever its images and annotations come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TRAIN, VAL = "train", "val"
SPLITS = (TRAIN, VAL)


@dataclass(frozen=True)
class Plane:
    """One map of labels over an image.

    Attributes:
        category: the category whose labels the map holds, one of the dataset's `categories`.
        labels: integers, shape (height, width), in any resolution; 0 where nothing is annotated,
            else an index into the dataset's `labels`.
    """

    category: str
    labels: NDArray[np.integer]


@dataclass(frozen=True)
class Annotation:
    """All that is annotated in one image.

    Attributes:
        planes: maps of labels. A category may have several (parts of parts), and a label may stand
            in several categories.
        image_labels: (category, label) pairs that hold for the whole image.
    """

    planes: tuple[Plane, ...] = ()
    image_labels: tuple[tuple[str, int], ...] = ()


@runtime_checkable
class ProbeDataset(Protocol):
    """Annotated images. Opening one reads its index alone, never its images.

    Attributes:
        name: a short name for people.
        digest: hexadecimal digest of all that decides what the dataset yields; equal datasets have
            equal digests on every machine, so it holds no path.
        labels: names by label number; `labels[0]` is the empty string and means nothing. Names are
            unique.
        categories: names of the categories, in the dataset's order.
        images: file names, unique, in the dataset's order.
        splits: "train" or "val" for every image.
    """

    @property
    def name(self) -> str:
        """A short name for people."""
        ...

    @property
    def digest(self) -> str:
        """Digest of all that decides what the dataset yields."""
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
            DataError: the file is missing or cannot be decoded.
        """
        ...

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, masks in their own sizes.

        Raises:
            DataError: a mask is missing, cannot be decoded or holds an unknown label.
        """
        ...
