"""Scores on masks by people, where few images have such masks and all have masks by a model.

Prediction-powered inference (Angelopoulos et al. 2023, with the tuning of PPI++): the mean of a
count over all images is that over the few with true masks, plus what the made masks say of how the
few differ from all,

    mean(true, few) + strength * (mean(made, all) - mean(made, few)).

Whatever the errors of the made masks, this is right on average: with strength 1 their mean error
among the few is taken off, with strength 0 they are not used. The strength is that of the least
variance, so that masks that say nothing of the true ones do no harm. The set IoU is the ratio of
the mean intersection to the mean union. The few must be drawn at random from all.

Intervals are by bootstrap over images, those with and without true masks apart, with the
corrections of `net2vec.analysis.intervals`; the strength is held fixed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Integer

from net2vec.analysis.resampling import (
    KINDS,
    generator_of,
    imaginary_images,
    interval_bounds,
    ratio_of_sums,
    times_drawn,
)

LEVEL = 0.95
DRAWS = 2000
# By simulation (benchmarks/honesty.py): with fewer, intervals of few images cover too little.
_IMAGES = 0.25


@dataclass(frozen=True)
class Counts:
    """Pixels by image: intersections with a mask by both methods, then unions.

    An image that does not contain the concept, by that mask, counts nothing.

    Attributes:
        model: with the masks that a model made, of all images.
        true: with the true masks, of the images that have them.
        has_true: which images have them.
    """

    model: Integer[np.ndarray, "image both"]
    true: Integer[np.ndarray, "few both"]
    has_true: Bool[np.ndarray, "image"]

    @property
    def true_images(self) -> int:
        """Number of images whose true mask shows the concept."""
        return int(self.true.any(1).sum())

    @property
    def informative_images(self) -> int:
        """Number of images with true masks of which either mask shows the concept.

        As many errors of the made masks are known; fewer than two true ones tell of no spread.
        """
        either = self.model[self.has_true].any(1) | self.true.any(1)
        return int(either.sum()) if self.true_images > 1 else self.true_images


def corrected_iou(
    counts: Counts, key: tuple[int, str], *, level: float = LEVEL, draws: int = DRAWS
) -> Float[np.ndarray, "score 3"]:
    """Value, low and high of the set IoU on true masks, by both methods, and of the difference.

    Args:
        counts: of a concept.
        key: the seed and the concept; intervals with equal keys are paired.
        level: the share of such intervals that hold the truth.
        draws: resamples.

    Returns:
        Rows for the single filter, the combination and their difference. The values are missing
        where no image with true masks shows the concept; the intervals then are all that is
        possible.
    """
    model, true = counts.model.astype(float), counts.true.astype(float)
    few, rest = model[counts.has_true], model[~counts.has_true]
    shown = counts.true_images
    strength = np.tile(_strength(true, few), 2)
    generator = generator_of(key)

    # What was never seen in few images may still be there: a concept that one of both masks lacks.
    sizes = true[:, 2:].sum(0) / max(shown, 1), model[:, 2:].sum(0) / max(model.any(1).sum(), 1)
    more_true, more_made = (_imagined(generator, draws, size) for size in sizes)
    times_few = times_drawn(len(few), draws, generator) if len(few) else np.zeros((draws, 0))
    times_rest = times_drawn(len(rest), draws, generator) if len(rest) else np.zeros((draws, 0))

    def scores(
        true_sum: Float[np.ndarray, "draw both"],
        few_sum: Float[np.ndarray, "draw both"],
        rest_sum: Float[np.ndarray, "draw both"],
    ) -> Float[np.ndarray, "draw method"]:
        everywhere = (few_sum + rest_sum) / len(model) - few_sum / max(len(few), 1)
        mean = true_sum / max(len(few), 1) + strength * everywhere
        mean[:, 2:] = np.maximum(mean[:, 2:], 0)
        return ratio_of_sums(mean).clip(0, 1)

    value = scores(true.sum(0)[None], few.sum(0)[None], rest.sum(0)[None])
    drawn = scores(times_few @ true + more_true, times_few @ few + more_made, times_rest @ rest)
    intervals = interval_bounds(
        value, drawn, counts.informative_images - 1, counts.informative_images, level
    )
    if not shown:
        intervals[:, 0] = np.nan
    return intervals


def _imagined(
    generator: np.random.Generator, draws: int, size: Float[np.ndarray, "method"]
) -> Float[np.ndarray, "draw both"]:
    """Counts of imaginary images of a mean union by method, all or nothing of which is found."""
    unions = np.broadcast_to(size, (len(KINDS), 2))
    counts: Float[np.ndarray, "draw both"] = imaginary_images(
        _IMAGES, draws, generator
    ) @ np.concatenate([KINDS * size, unions], 1)
    return counts


def _strength(
    true: Float[np.ndarray, "few both"], model: Float[np.ndarray, "few both"]
) -> Float[np.ndarray, "method"]:
    """By method, how much of the made masks' difference is used: the slope of the true residuals
    of a ratio over the made ones, in 0 to 1.
    """
    ratio = ratio_of_sums(true.sum(0)[None])
    residual, made_residual = (
        each[:, :2] - ratio * each[:, 2:] - (each[:, :2] - ratio * each[:, 2:]).mean(0)
        for each in (true, model)
    )
    slope: Float[np.ndarray, "method"] = np.zeros(2)
    variance = (made_residual**2).sum(0)
    np.divide((residual * made_residual).sum(0), variance, out=slope, where=variance > 0)
    return slope.clip(0, 1)
