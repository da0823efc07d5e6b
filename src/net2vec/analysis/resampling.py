"""Resampling of images, and intervals from resampled scores.

The corrections of plain percentiles are those that `net2vec.analysis.intervals` explains.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

KINDS = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=float)
"""How single and combined fare in the four kinds of an imaginary image."""


def ratio_of_sums(sums: Float[np.ndarray, "draw both"]) -> Float[np.ndarray, "draw method"]:
    """Intersections over unions; 0 where a union is empty."""
    shared, joined = np.split(sums, 2, axis=1)
    ratio: Float[np.ndarray, "draw method"] = np.zeros(shared.shape)
    np.divide(shared, joined, out=ratio, where=joined > 0)
    return ratio


def imaginary_images(
    weight: float, draws: int, generator: np.random.Generator
) -> Float[np.ndarray, "draw kind"]:
    """How much of each kind of imaginary image is in each resample: `weight` images in all."""
    # Gamma weights of a sum, as in a Dirichlet prior.
    return generator.gamma(weight / len(KINDS), size=(draws, len(KINDS)))


def times_drawn(
    images: int, draws: int, generator: np.random.Generator
) -> Int[np.ndarray, "draw image"]:
    """How often each image is in each resample of as many images."""
    drawn = generator.integers(images, size=(draws, images))
    drawn += images * np.arange(draws)[:, None]
    times: Int[np.ndarray, "draw image"] = np.bincount(drawn.ravel(), minlength=draws * images)
    return times.reshape(draws, images)


def interval_bounds(
    value: Float[np.ndarray, "1 method"],
    drawn: Float[np.ndarray, "draw method"],
    freedom: int,
    images: int,
    level: float,
) -> Float[np.ndarray, "score 3"]:
    """Values and expanded percentiles, of every method and of the difference."""
    from scipy import stats  # takes a second to load

    values = with_difference(value)[0]
    if freedom < 1:
        low, high = np.zeros(len(values)), np.ones(len(values))
        low[2] = -1.0
    else:
        tail = (1 - level) / 2
        # Resampling divides by the images and not by the degrees of freedom.
        reach = np.sqrt(images / freedom) * stats.t.ppf(tail, freedom)
        share = float(stats.norm.cdf(reach))
        low, high = np.quantile(with_difference(drawn), [share, 1 - share], axis=0)
    return np.stack([values, np.minimum(low, values), np.maximum(high, values)], axis=1)


def with_difference(
    scores: Float[np.ndarray, "draw method"],
) -> Float[np.ndarray, "draw score"]:
    """The scores with the second method less the first inserted after both."""
    return np.insert(scores, 2, scores[:, 1] - scores[:, 0], axis=1)


def generator_of(key: tuple[int, str]) -> np.random.Generator:
    """The generator of a key, a seed and a concept; resamples of equal keys are paired."""
    seed, concept = key
    return np.random.default_rng([seed, *concept.encode()])
