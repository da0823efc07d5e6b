"""Which masks a report wants, and the images once somebody has rendered them.

The report knows neither networks nor datasets. It says which masks it wants (`planning`), and is
handed them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from PIL import Image


@dataclass(frozen=True)
class DecileImage:
    """A validation image at a decile of a concept's non-zero individual IoUs.

    Attributes:
        name: the image's name in the dataset.
        decile: 1 to 10, of the IoUs of all filters by the last fit; the image at 10 is the best.
        iou_single: individual IoU of the best single filter.
        iou: individual IoU of all filters by each fit of the request.
    """

    name: str
    decile: int
    iou_single: float
    iou: tuple[float, ...]


@dataclass(frozen=True)
class DecileRequest:
    """The masks wanted for one concept on one layer of the first run (Fig. 8).

    Attributes:
        layer: the layer's name.
        concept: the concept's name.
        fits: whose masks are shown beside the single filter's; the last chooses the images.
        best_filter: its best single filter.
        score_single: set IoU of that filter on the validation images.
        scores: set IoU of all filters on the validation images, by each fit.
        images: by growing decile.
        large: whether the masks have a strip of their own, besides the concept's card.
    """

    layer: str
    concept: str
    fits: tuple[str, ...]
    best_filter: int
    score_single: float
    scores: tuple[float, ...]
    images: tuple[DecileImage, ...]
    large: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The images to render."""
        return tuple(image.name for image in self.images)


@dataclass(frozen=True)
class MaskedImage:
    """An image and masks of one concept in it, all on one grid of any size.

    Attributes:
        image: the picture, in any size; masks cover all of it.
        truth: the annotation.
        single: where the best single filter finds the concept.
        combined: where all filters together find it, by each fit.
    """

    image: Image.Image
    truth: Bool[np.ndarray, "y x"]
    single: Bool[np.ndarray, "y x"]
    combined: Mapping[str, Bool[np.ndarray, "y x"]]


@dataclass(frozen=True)
class DecileExhibit:
    """A request with its pictures, by image name."""

    request: DecileRequest
    pictures: Mapping[str, MaskedImage]


@dataclass(frozen=True)
class FilterConcept:
    """The images in which a filter finds a concept best (Fig. 4).

    Attributes:
        concept: the concept's name.
        set_iou: of the filter on all validation images.
        images: name and individual IoU, from the highest.
    """

    concept: str
    set_iou: float
    images: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class FilterRequest:
    """The masks wanted for one filter of a layer of the first run (Fig. 1 and 4).

    Attributes:
        layer: the layer's name.
        filter: its index.
        highest: the images that activate it most, of all, with their activation.
        concepts: those it is the best single filter of, or those it finds best.
    """

    layer: str
    filter: int
    highest: tuple[tuple[str, float], ...]
    concepts: tuple[FilterConcept, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The images to render, each once."""
        shown = [*self.highest, *(image for found in self.concepts for image in found.images)]
        return tuple(dict.fromkeys(name for name, _ in shown))


@dataclass(frozen=True)
class ActiveImage:
    """An image and where a filter is active in it.

    Attributes:
        image: the picture, in any size; masks cover all of it.
        active: where the activation, upsampled before it is cut, exceeds the filter's threshold:
            smoother than the masks that are scored, for the eye only.
        truth: the annotation of the request's concepts that the image contains, by name.
    """

    image: Image.Image
    active: Bool[np.ndarray, "y x"]
    truth: Mapping[str, Bool[np.ndarray, "y x"]]


@dataclass(frozen=True)
class FilterExhibit:
    """A request with its pictures, by image name."""

    request: FilterRequest
    pictures: Mapping[str, ActiveImage]


Request = DecileRequest | FilterRequest
Exhibit = DecileExhibit | FilterExhibit
