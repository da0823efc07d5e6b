"""Answers of the API about images: of the probe dataset, and pictures of the user."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ConceptImages:
    """The images that contain a concept, with its individual IoU in them.

    `pair` numbers them for `masks`. `fits` names the columns of `by_fit`.
    """

    pair: list[int]
    image: list[str]
    split: list[str]
    single: list[float | None]
    fits: list[str]
    by_fit: list[list[float | None]]


@dataclass(frozen=True)
class ImageStatus:
    """Whether pictures, and masks on them, can be had; else why not."""

    pictures: bool
    masks: bool
    reason: str


@dataclass(frozen=True)
class ImageMasks:
    """The masks of a concept in an image, on the run's grid of masks.

    `truth` and `single` are packed bits: base64, eight pixels a byte in row order, the first in the
    lowest bit. `levels` has a byte a pixel: how many of the cuts the pixel's value exceeds, so that
    it is predicted at cut i where its level is above i. `predicted[i]` counts the pixels that are
    predicted at cut i, `shared[i]` those of them that are true; `area` counts the true ones.
    """

    pair: int
    truth: str
    single: str
    levels: str
    area: int
    predicted: list[int]
    shared: list[int]


@dataclass(frozen=True)
class MaskSet:
    """Masks of some images; `cuts` ascend, and the fit's own is at `own`."""

    rows: int
    columns: int
    cuts: list[float]
    own: int
    images: list[ImageMasks]


@dataclass(frozen=True)
class Confusion:
    """Pixels that a concept's mask covers where it is wrong, in some validation images.

    `covered` counts, for each other concept, the pixels of its truth that the mask covers outside
    the truth of this concept; `outside` counts all pixels of its truth outside that. `wrong` counts
    all wrong pixels of the mask, `background` all pixels outside the truth. Counts of several
    answers add up. `total` is the number of validation images.
    """

    first: int
    count: int
    total: int
    concept: list[str]
    covered: list[int]
    outside: list[int]
    wrong: int
    background: int


@dataclass(frozen=True)
class FilterMask:
    """The mask of a filter in an image: its activation, upsampled, above the threshold."""

    image: str
    rows: int
    columns: int
    mask: str


@dataclass(frozen=True)
class FilterMasks:
    """Masks of a filter in some images."""

    masks: list[FilterMask]


@dataclass(frozen=True)
class Activation:
    """The distribution of a filter's activation over the places of some images, evenly chosen.

    `edge` has one number more than `count`.
    """

    images: int
    edge: list[float]
    count: list[int]
    threshold: float | None


@dataclass(frozen=True)
class Uploaded:
    """A picture that was uploaded: the name under which it can be asked about, and its size."""

    picture: str
    width: int
    height: int


@dataclass(frozen=True)
class Found:
    """The concepts found in a picture.

    `probability` is that of `run.classify`, null where the layer has not learned to classify the
    concept; `area` the share of the mask of `run.segment` and `peak` its highest probability, null
    where the layer has not learned to segment it. `score` is the concept's set IoU on validation
    images.
    """

    concept: list[str]
    category: list[str]
    probability: list[float | None]
    area: list[float | None]
    peak: list[float | None]
    score: list[float | None]


@dataclass(frozen=True)
class FoundMap:
    """A concept in a picture as `run.segment` gives it, at the size of the run's masks.

    `mask` is packed bits; `probability` is base64 of little-endian floats of 32 bits in row order.
    """

    rows: int
    columns: int
    mask: str
    probability: str


@dataclass(frozen=True)
class DatasetImages:
    """The images of the probe dataset."""

    image: list[str]
    split: list[str]
