"""How far a score can be trusted: bootstrap intervals over the validation images.

Images are resampled, and with them the whole numbers that a score is made of: pixels of
intersections and unions (paper, equation 1), or right and wrong answers. Both methods are resampled
together, so that the interval of their difference is that of a paired difference; draws are keyed
by seed and concept, so that layers, networks and fits are paired as well.

Percentiles of resampled scores alone are too narrow for the 10 to 30 images that many concepts
have, and have no width at all where every answer is right or no pixel is found. Two corrections:

- the percentiles are expanded as a t distribution is wider than a normal one (Hesterberg 2015,
  "What Teachers Should Know About the Bootstrap");
- each resample also holds a fraction of an imaginary image, which is right or wrong, by either
  method, by chance, as the prior of Jeffreys or Perks adds to a count: what was never seen in few
  images may still be there.

Both vanish as images grow many. The corrected (BCa) percentiles were tried and cover less for
these sizes. What is covered is the score that the same vector would reach over all images of the
kind the validation images were drawn from; how it would vary had it been learned on others is not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float, Int, Integer
from scipy import stats

DIFFERENCE = "difference"
INTERVAL_COLUMNS = ("concept", "method", "value", "low", "high", "n")
LEVEL = 0.95
DRAWS = 2000

# Imaginary images of a concept, and imaginary trials of each side: the latter is Jeffreys' prior of
# a share, half right and half wrong. By simulation: with less the coverage drops for scores near 0
# and 1, with more the intervals of few images are needlessly wide.
_IMAGES, _TRIALS = 0.25, 1.0
# How single and combined fare in the four kinds of an imaginary image.
_KINDS = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=float)
# Numbers of a matrix of counts held at a time.
_NUMBERS = 1 << 22


def score_intervals(
    arrays: xr.Dataset, *, level: float = LEVEL, draws: int = DRAWS, seed: int = 0
) -> pd.DataFrame:
    """Intervals of every concept's validation scores and of their difference.

    Args:
        arrays: of one layer and task.
        level: the share of such intervals that hold the truth.
        draws: resamples.
        seed: decides the resampling, with the concept's name.

    Returns:
        `concept, method, value, low, high, n`: the methods are `single`, `combined` and
        `difference` (combined - single), `n` counts the images that were resampled. Empty where
        the arrays hold no counts.
    """
    rows = []
    if arrays.attrs.get("task") == "segment" and "pair_intersection" in arrays:
        chosen = np.flatnonzero(arrays["pair_split"].values == "val")
        intersection = arrays["pair_intersection"].transpose("method", "pair").values
        union = arrays["pair_union"].transpose("method", "pair").values
        for concept, place in _by_concept(arrays, "pair_concept", chosen):
            found = iou_intervals(
                intersection[:, place], union[:, place], (seed, concept), level=level, draws=draws
            )
            rows.append((concept, found, len(place)))
    elif arrays.attrs.get("task") == "classify" and "trial_correct" in arrays:
        correct = arrays["trial_correct"].transpose("method", "trial").values.astype(bool)
        positive = arrays["trial_positive"].values.astype(bool)
        everything = np.arange(correct.shape[1])
        for concept, place in _by_concept(arrays, "trial_concept", everything):
            found = accuracy_intervals(
                correct[:, place], positive[place], (seed, concept), level=level, draws=draws
            )
            rows.append((concept, found, len(place)))
    methods = [*arrays["method"].values.tolist(), DIFFERENCE] if rows else []
    return pd.DataFrame(
        [
            (concept, method, *map(float, ends), count)
            for concept, found, count in rows
            for method, ends in zip(methods, found, strict=True)
        ],
        columns=list(INTERVAL_COLUMNS),
    )


def iou_intervals(
    intersection: Integer[np.ndarray, "2 image"],
    union: Integer[np.ndarray, "2 image"],
    key: tuple[int, str],
    *,
    level: float = LEVEL,
    draws: int = DRAWS,
) -> Float[np.ndarray, "3 3"]:
    """Value, low and high of the set IoU by both methods and of their difference.

    The interval always holds the value. Where no pixel is found, it reaches from 0 to what could
    be missed in so few images. One image says nothing of others: from 0 to 1.

    Args:
        intersection: pixels that are predicted and true, by method (single, combined) and image.
        union: pixels that are one or the other.
        key: the seed and the concept; the same for what is to be paired.
        level: the share of such intervals that hold the truth.
        draws: resamples.
    """
    counts = np.concatenate([intersection, union]).T.astype(float)
    images = len(counts)
    total = counts.sum(0)
    # An imaginary image has the mean union, and all or nothing of it is found.
    size = total[2:] / images
    imaginary = np.concatenate([_KINDS * size, np.broadcast_to(size, (4, 2))], axis=1)
    sums = _resampled(counts, imaginary, _IMAGES, draws, _generator(key))
    return _ends(_ratio(total[None]), _ratio(sums), images - 1, images, level)


def accuracy_intervals(
    correct: Bool[np.ndarray, "2 trial"],
    positive: Bool[np.ndarray, "trial"],
    key: tuple[int, str],
    *,
    level: float = LEVEL,
    draws: int = DRAWS,
) -> Float[np.ndarray, "3 3"]:
    """Value, low and high of the accuracy by both methods and of their difference.

    Images with and without the concept are resampled apart: the set is balanced by design. The
    interval always holds the value. Where all are right, it reaches from what could be missed in so
    few images to 1. One image of each says nothing of others: from 0 to 1.

    Args:
        correct: whether a method (single, combined) is right, by trial.
        positive: whether each trial contains the concept.
        key: the seed and the concept; the same for what is to be paired.
        level: the share of such intervals that hold the truth.
        draws: resamples.
    """
    generator = _generator(key)
    imaginary = np.concatenate([_KINDS, np.ones((4, 1))], axis=1)
    values, drawn = [], []
    for side in (True, False):
        right = correct[:, positive == side].T.astype(float)
        if not len(right):
            continue
        counts = np.concatenate([right, np.ones((len(right), 1))], axis=1)
        sums = _resampled(counts, imaginary, _TRIALS, draws, generator)
        drawn.append(sums[:, :2] / sums[:, 2:])
        values.append(right.mean(0, keepdims=True))
    freedom = len(positive) - len(values)
    value, means = np.mean(values, axis=0), np.mean(drawn, axis=0)
    return _ends(value, means, freedom, len(positive), level)


def _ratio(sums: Float[np.ndarray, "draw 4"]) -> Float[np.ndarray, "draw 2"]:
    """Intersections over unions; 0 where a union is empty."""
    ratio: Float[np.ndarray, "draw 2"] = np.zeros((len(sums), 2))
    np.divide(sums[:, :2], sums[:, 2:], out=ratio, where=sums[:, 2:] > 0)
    return ratio


def _resampled(
    counts: Float[np.ndarray, "image quantity"],
    imaginary: Float[np.ndarray, "kind quantity"],
    weight: float,
    draws: int,
    generator: np.random.Generator,
) -> Float[np.ndarray, "draw quantity"]:
    """Sums over resampled images: one product of how often each is drawn with what it counts."""
    images = len(counts)
    # Gamma weights of a sum: the four kinds share `weight` images, as in a Dirichlet prior.
    extra = generator.gamma(weight / len(imaginary), size=(draws, len(imaginary)))
    sums: Float[np.ndarray, "draw quantity"] = extra @ imaginary
    portion = max(1, _NUMBERS // images)
    for first in range(0, draws, portion):
        times = _times_drawn(images, min(portion, draws - first), generator)
        sums[first : first + len(times)] += times @ counts
    return sums


def _times_drawn(
    images: int, draws: int, generator: np.random.Generator
) -> Int[np.ndarray, "draw image"]:
    """How often each image is in each resample of as many images."""
    drawn = generator.integers(images, size=(draws, images))
    drawn += images * np.arange(draws)[:, None]
    times: Int[np.ndarray, "draw image"] = np.bincount(drawn.ravel(), minlength=draws * images)
    return times.reshape(draws, images)


def _ends(
    value: Float[np.ndarray, "1 2"],
    drawn: Float[np.ndarray, "draw 2"],
    freedom: int,
    images: int,
    level: float,
) -> Float[np.ndarray, "3 3"]:
    """Values and expanded percentiles, of both methods and of the difference."""
    values = _with_difference(value)[0]
    if freedom < 1:
        low, high = np.array([0.0, 0.0, -1.0]), np.ones(3)
    else:
        tail = (1 - level) / 2
        # Resampling divides by the images and not by the degrees of freedom.
        reach = np.sqrt(images / freedom) * stats.t.ppf(tail, freedom)
        share = float(stats.norm.cdf(reach))
        low, high = np.quantile(_with_difference(drawn), [share, 1 - share], axis=0)
    return np.stack([values, np.minimum(low, values), np.maximum(high, values)], axis=1)


def _with_difference(scores: Float[np.ndarray, "draw 2"]) -> Float[np.ndarray, "draw 3"]:
    return np.concatenate([scores, scores[:, 1:] - scores[:, :1]], axis=1)


def _generator(key: tuple[int, str]) -> np.random.Generator:
    seed, concept = key
    return np.random.default_rng([seed, *concept.encode()])


def _by_concept(
    arrays: xr.Dataset, name: str, chosen: Int[np.ndarray, "row"]
) -> Sequence[tuple[str, Int[np.ndarray, "_"]]]:
    """Concepts in the order of the arrays, each with its rows among the chosen."""
    rows = pd.Series(arrays[name].values[chosen]).groupby(arrays[name].values[chosen]).indices
    return [
        (str(concept), chosen[rows[concept]])
        for concept in arrays["concept"].values
        if concept in rows
    ]
