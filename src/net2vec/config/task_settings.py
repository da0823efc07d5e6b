"""The settings of the two tasks, and the groups of all settings."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from net2vec.core.fields import Interval, check_fields, declare, documented

SEGMENT_SUBSETS = (1, 2, 4, 8, 16, 32, 64, 128, 160, 192, 224)
CLASSIFY_SUBSETS = (1, 2, 3, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 80, 100, 128)
PROBE, FITTING, STATISTICS, MACHINE = "Probe", "Fits", "Statistics", "Machine"
SEGMENTING, CLASSIFYING = "Fits: segmentation", "Fits: classification"
GROUPS = (PROBE, FITTING, SEGMENTING, CLASSIFYING, STATISTICS, MACHINE)
"""Headings of settings, in the order in which they are listed."""


def count(text: str, group: str, unit: str, default: int | None, low: int = 1, **more: Any) -> Any:
    """Declare a whole number of at least `low`; the other arguments are those of `declare`."""
    return declare(text, group, unit=unit, default=default, limits=Interval(low), **more)


def _rate(text: str, group: str, default: float) -> Any:
    limits = Interval(0, inf, open_low=True, open_high=True)
    return declare(text, group, default=default, limits=limits)


def _momentum(group: str) -> Any:
    text = "Share of the last step that is added to the next"
    return declare(text, group, default=0.9, limits=Interval(0, 1, open_high=True))


def _subsets(group: str, default: tuple[int, ...]) -> Any:
    text = "Numbers of filters to learn again with, separated by commas, or none"
    more = {"noun": "numbers of filters", "usual": "1, 2, 4, ..."}
    return declare(text, group, unit="filters", default=default, limits=Interval(1), **more)


def _subset_layers(group: str, unset: str) -> Any:
    text = "Layers on which subsets of filters are learned: names or globs of probed layers, last, "
    text += "or all"
    return declare(text, group, unit="names", default=(), unset=unset)


@documented
@dataclass(frozen=True)
class SegmentSettings:
    """Learning to segment (paper, section 3.1.2)."""

    learning_rate: float = _rate("Step size; the loss is a sum over pixels", SEGMENTING, 1e-4)
    momentum: float = _momentum(SEGMENTING)
    batch: int = count("Images of a mini-batch", SEGMENTING, "images", 64)
    epochs: int = count("Passes over the training images of a concept", SEGMENTING, "epochs", 30)
    subsets: tuple[int, ...] = _subsets(SEGMENTING, SEGMENT_SUBSETS)
    subset_layers: tuple[str, ...] = _subset_layers(SEGMENTING, "the last")

    def __post_init__(self) -> None:
        check_fields(self, "segment.")


@documented
@dataclass(frozen=True)
class ClassifySettings:
    """Learning to classify (paper, section 3.2)."""

    learning_rate: float = _rate("Step size of the first epochs", CLASSIFYING, 0.1)
    momentum: float = _momentum(CLASSIFYING)
    batch: int = count("Images of a mini-batch", CLASSIFYING, "images", 64)
    epochs: int = count("Passes over a concept's balanced images", CLASSIFYING, "epochs", 30)
    drop_after: int = count(
        "Epochs after which the learning rate is divided by 10", CLASSIFYING, "epochs", 15, low=0
    )
    subsets: tuple[int, ...] = _subsets(CLASSIFYING, CLASSIFY_SUBSETS)
    subset_layers: tuple[str, ...] = _subset_layers(CLASSIFYING, "the last three")

    def __post_init__(self) -> None:
        check_fields(self, "classify.")
