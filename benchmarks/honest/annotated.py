"""Do corrected intervals hold the score on true masks? Worlds with biased annotators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from net2vec.analysis.correction import Counts, corrected_iou

LEAST = 0.93
"""Coverage that intervals must have, of 95 % that are claimed."""
IMAGES = 500
FEW = (20, 50, 150)
_POPULATION = 40_000
_LINE = 60  # pixels of an image, which is a line of them


@dataclass(frozen=True)
class Annotator:
    """How masks are made of the true ones.

    Attributes:
        misses: share of the images with the concept in which it is not seen.
        invents: share of the other images in which it is seen.
        grows: by how many pixels a mask is larger on either side.
        leans: share of the images in which it sees what the network sees.
    """

    misses: float = 0.0
    invents: float = 0.0
    grows: int = 0
    leans: float = 0.0


ANNOTATORS = {
    "misses a third": Annotator(misses=0.33, grows=1),
    "invents": Annotator(invents=0.15),
    "draws too small": Annotator(misses=0.05, grows=-3),
    "sees what the network sees": Annotator(misses=0.1, invents=0.1, grows=2, leans=0.7),
    "says nothing": Annotator(misses=0.7, invents=0.3, grows=4),
}
SHARES = (0.1, 0.4)
"""Of the images that contain the concept."""


def corrected(
    few: tuple[int, ...], repeats: int
) -> Iterator[tuple[str, int, np.ndarray, np.ndarray]]:
    """What, images with true masks, coverage and mean width by (single, combined, difference)."""
    for name, annotator in ANNOTATORS.items():
        for share in SHARES:
            rng = np.random.default_rng(0)
            _, true = draw(rng, annotator, share, _POPULATION)
            shared, joined = np.split(true.sum(0), 2)
            truth = shared / joined
            wanted = np.append(truth, truth[1] - truth[0])
            for number in few:
                bounds = np.array(
                    [_interval(rng, annotator, share, number, world) for world in range(repeats)]
                )
                low, high = bounds[..., 1], bounds[..., 2]
                inside = (low <= wanted + 1e-12) & (wanted <= high + 1e-12)
                what = f"{name}; concept in {share:.0%}; IoU {truth[0]:.2f} and {truth[1]:.2f}"
                yield what, number, inside.mean(0), (high - low).mean(0)


def _interval(
    rng: np.random.Generator, annotator: Annotator, share: float, few: int, world: int
) -> np.ndarray:
    made, true = draw(rng, annotator, share, IMAGES)
    has_true = np.arange(IMAGES) < few
    return corrected_iou(Counts(made, true[has_true], has_true), (world, str(annotator)))


def draw(
    rng: np.random.Generator, annotator: Annotator, share: float, images: int
) -> tuple[np.ndarray, np.ndarray]:
    """Counts with made and with true masks [image, intersections and unions by two methods]."""
    place = np.arange(_LINE)

    def line(begin: np.ndarray, end: np.ndarray) -> np.ndarray:
        return (place >= begin[:, None]) & (place < end[:, None])

    begin = rng.integers(0, _LINE - 6, images)
    end = np.minimum(begin + 3 + rng.geometric(0.08, images), _LINE)
    there = rng.random(images) < share
    true = line(begin, end) & there[:, None]
    # The network's masks: shifted, and of other places as well.
    predicted = []
    for spread, false in ((7, 0.5), (3, 0.2)):
        shift = rng.normal(0, spread, images).round().astype(int)
        other = rng.integers(0, _LINE, images)
        wrong = line(other, other + 8) & (rng.random(images) < false)[:, None]
        predicted.append((line(begin + shift, end + shift) & there[:, None]) | wrong)
    seen = np.where(
        there, rng.random(images) >= annotator.misses, rng.random(images) < annotator.invents
    )
    made = line(begin - annotator.grows, end + annotator.grows)
    leaning = rng.random(images) < annotator.leans
    made = np.where(leaning[:, None], made | predicted[1], made) & seen[:, None]

    def counts(mask: np.ndarray) -> np.ndarray:
        contains = mask.any(1)
        shared = [(mask & each).sum(1) for each in predicted]
        joined = [(mask | each).sum(1) * contains for each in predicted]
        return np.stack([*shared, *joined], 1)

    return counts(made), counts(true)
