"""How far a score can be trusted: bootstrap intervals over the validation images.

Images are resampled, and with them the whole numbers that a score is made of: pixels of
intersections and unions (paper, equation 1), or right and wrong answers. All methods are resampled
together, so that the interval of a difference is that of a paired difference; draws are keyed by
seed and concept, so that layers, networks and fits are paired as well.

Percentiles of resampled scores alone are too narrow for the 10 to 30 images that many concepts
have, and have no width at all where every answer is right or no pixel is found. Two corrections:

- the percentiles are expanded as a t distribution is wider than a normal one (Hesterberg 2015,
  "What Teachers Should Know About the Bootstrap");
- each resample also holds a fraction of an imaginary image, which is right or wrong, by either
  method, by chance, as the prior of Jeffreys or Perks adds to a count: what was never seen in few
  images may still be there. A subset of filters fares there as the combination does.

Both vanish as images grow many. The corrected (BCa) percentiles were tried and cover less for
these sizes. What is covered is the score that the same vector would reach over all images of the
kind the validation images were drawn from; how it would vary had it been learned on others is not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float, Int, Integer, Shaped

from net2vec.analysis.resampling import (
    KINDS,
    generator_of,
    imaginary_images,
    interval_bounds,
    ratio_of_sums,
    times_drawn,
)
from net2vec.analysis.sufficiency import BACKWARD, DIFFERENCE, PATH, SUBSET, score_columns
from net2vec.results import LAYER_TASK, RunTable, TableInput

INTERVAL_COLUMNS = ("concept", "method", "filters", "value", "low", "high", "n")
LEVEL = 0.95
DRAWS = 2000

# Imaginary images of a concept, and imaginary trials of each side: the latter is Jeffreys' prior of
# a share, half right and half wrong. By simulation: with less the coverage drops for scores near 0
# and 1, with more the intervals of few images are needlessly wide.
_IMAGES, _TRIALS = 0.25, 1.0
# Numbers of a matrix of counts held at a time.
_NUMBERS = 1 << 22


def score_intervals(arrays: xr.Dataset, *, seed: int = 0) -> pd.DataFrame:
    """Intervals of every concept's validation scores and of their difference.

    Args:
        arrays: of one layer and task.
        seed: decides the resampling, with the concept's name.

    Returns:
        `concept, method, filters, value, low, high, n`: the methods are `single`, `combined`,
        `difference` (combined - single) and, where their counts were kept, `subset`, `path` and
        `backward`, with a row for each size; `filters` is the number that a method uses, and `n`
        counts the images that were resampled. Empty where the arrays hold no counts.
    """
    rows = []
    if arrays.attrs.get("task") == "segment" and "pair_intersection" in arrays:
        chosen = np.flatnonzero(arrays["pair_split"].values == "val")
        intersection = _by_method(arrays, "pair_intersection")
        union = _by_method(arrays, "pair_union")
        for concept, place in _by_concept(arrays, "pair_concept", chosen):
            shared, joined = _of(intersection, place), _of(union, place)
            intervals = iou_intervals(shared, joined, (seed, concept))
            rows.append((concept, intervals, len(place)))
    elif arrays.attrs.get("task") == "classify" and "trial_correct" in arrays:
        right = _by_method(arrays, "trial_correct")
        positive = arrays["trial_positive"].values.astype(bool)
        all_trials = np.arange(len(positive))
        for concept, place in _by_concept(arrays, "trial_concept", all_trials):
            correct = _of(right, place).astype(bool)
            intervals = accuracy_intervals(correct, positive[place], (seed, concept))
            rows.append((concept, intervals, len(place)))
    methods = _methods(arrays) if rows else []
    return pd.DataFrame(
        [
            (concept, *method, *map(float, ends), count)
            for concept, intervals, count in rows
            for method, ends in zip(methods, intervals, strict=True)
        ],
        columns=list(INTERVAL_COLUMNS),
    )


def iou_intervals(
    intersection: Integer[np.ndarray, "method image"],
    union: Integer[np.ndarray, "method image"],
    key: tuple[int, str],
    *,
    level: float = LEVEL,
    draws: int = DRAWS,
) -> Float[np.ndarray, "score 3"]:
    """Value, low and high of the set IoU by every method and of a difference.

    The interval always holds the value. Where no pixel is found, it reaches from 0 to what could
    be missed in so few images. One image allows no estimate for others: from 0 to 1.

    Args:
        intersection: pixels that are predicted and true, by method and image; the methods are the
            single filter, the combination and any number of subsets.
        union: pixels that are one or the other.
        key: the seed and the concept; intervals with equal keys are paired.
        level: the share of such intervals that hold the truth.
        draws: resamples.

    Returns:
        Rows for the single filter, the combination, their difference, and the subsets.
    """
    counts = np.concatenate([intersection, union]).T.astype(float)
    images, methods = len(counts), len(union)
    total = counts.sum(0)
    generator = generator_of(key)
    extra = imaginary_images(_IMAGES, draws, generator)
    size = total[methods:] / images
    sums = _resampled(counts, _imagined_pixels(extra, size), generator)
    return interval_bounds(
        ratio_of_sums(total[None]), ratio_of_sums(sums), images - 1, images, level
    )


def accuracy_intervals(
    correct: Bool[np.ndarray, "method trial"],
    positive: Bool[np.ndarray, "trial"],
    key: tuple[int, str],
    *,
    level: float = LEVEL,
    draws: int = DRAWS,
) -> Float[np.ndarray, "score 3"]:
    """Value, low and high of the accuracy by every method and of a difference.

    Images with and without the concept are resampled apart: the set is balanced by design. The
    interval always holds the value. Where all are right, it reaches from what could be missed in so
    few images to 1. One image of each allows no estimate for others: from 0 to 1.

    Args:
        correct: whether a method is right, by trial; the methods are the single filter, the
            combination and any number of subsets.
        positive: whether each trial contains the concept.
        key: the seed and the concept; intervals with equal keys are paired.
        level: the share of such intervals that hold the truth.
        draws: resamples.

    Returns:
        Rows for the single filter, the combination, their difference, and the subsets.
    """
    generator = generator_of(key)
    values, drawn = [], []
    for side in (True, False):
        right = correct[:, positive == side].T.astype(float)
        if not len(right):
            continue
        counts = np.concatenate([right, np.ones((len(right), 1))], axis=1)
        extra = imaginary_images(_TRIALS, draws, generator)
        sums = _resampled(counts, _imagined_trials(extra, len(correct)), generator)
        drawn.append(sums[:, :-1] / sums[:, -1:])
        values.append(right.mean(0, keepdims=True))
    freedom = len(positive) - len(values)
    value, means = np.mean(values, axis=0), np.mean(drawn, axis=0)
    return interval_bounds(value, means, freedom, len(positive), level)


def _imagined_pixels(
    extra: Float[np.ndarray, "draw kind"], size: Float[np.ndarray, "method"]
) -> Float[np.ndarray, "draw both"]:
    """Pixels of imaginary images: each method's mean union, all or nothing of which is found."""
    parts = []
    # One method at a time in the column of the combination: the last bits of a product depend on
    # its shape, and the interval of a method must not depend on which others there are.
    for method in range(1, len(size)):
        two = size[[0, method]]
        parts.append(
            extra @ np.concatenate([KINDS * two, np.broadcast_to(two, (len(KINDS), 2))], axis=1)
        )
    pixels = np.stack(parts, axis=2)  # draw, (intersection of both, union of both), method
    single, others = pixels[:, ::2, :1], pixels[:, 1::2]
    both: Float[np.ndarray, "draw both"] = np.concatenate([single, others], axis=2).reshape(
        len(extra), -1
    )
    return both


def _imagined_trials(
    extra: Float[np.ndarray, "draw kind"], methods: int
) -> Float[np.ndarray, "draw quantity"]:
    """Counts of imaginary trials: right answers by every method, and trials."""
    sums = extra @ np.concatenate([KINDS, np.ones((len(KINDS), 1))], axis=1)
    trials: Float[np.ndarray, "draw quantity"] = sums[:, [0, *[1] * (methods - 1), 2]]
    return trials


def _resampled(
    counts: Float[np.ndarray, "image quantity"],
    imagined: Float[np.ndarray, "draw quantity"],
    generator: np.random.Generator,
) -> Float[np.ndarray, "draw quantity"]:
    """Sums over resampled images: the product of how often each is drawn with its counts."""
    images, draws = len(counts), len(imagined)
    sums = imagined.copy()
    portion = max(1, _NUMBERS // images)
    for first in range(0, draws, portion):
        times = times_drawn(images, min(portion, draws - first), generator)
        sums[first : first + len(times)] += times @ counts
    return sums


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


def _by_method(arrays: xr.Dataset, name: str) -> list[Shaped[np.ndarray, "method image"]]:
    """Counts by image: of both methods, and of subsets by every rule that there is."""
    beside = [arrays[f"{rule}_{name}"] for rule in _rules(arrays, name)]
    return [
        arrays[name].transpose("method", ...).values,
        *(each.transpose("subset_size", ...).values for each in beside),
    ]


def _of(
    counts: Sequence[Shaped[np.ndarray, "_ image"]], place: Int[np.ndarray, "row"]
) -> Shaped[np.ndarray, "method row"]:
    """The counts of some images by all methods."""
    return np.concatenate([each[:, place] for each in counts])


def _methods(arrays: xr.Dataset) -> list[tuple[str, int]]:
    """Each interval's method and number of filters, in the order of `_by_method`."""
    single, combined = arrays["method"].values.tolist()
    every, sizes = arrays.sizes["filter"], arrays["subset_size"].values.tolist()
    name = "pair_union" if arrays.attrs["task"] == "segment" else "trial_correct"
    methods = [(single, 1), (combined, every), (DIFFERENCE, every)]
    return methods + [(rule, size) for rule in _rules(arrays, name) for size in sizes]


def _rules(arrays: xr.Dataset, name: str) -> list[str]:
    """The rules of choosing filters for which counts by image are stored."""
    return [rule for rule in (SUBSET, PATH, BACKWARD) if f"{rule}_{name}" in arrays]


INTERVALS = RunTable(
    name="intervals",
    title="How far every concept's scores can be trusted: bootstrap intervals over the images",
    columns=(*LAYER_TASK, *INTERVAL_COLUMNS),
    keys=(*LAYER_TASK, "concept", "method", "filters"),
    made_of=TableInput.ARRAYS,
    make=score_intervals,
    values=("value",),
    seeded=score_columns,
    every_fit=True,
)
