"""Do the intervals hold the truth as often as they say? Draws from populations that are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from net2vec.analysis.intervals import accuracy_intervals, iou_intervals

LEAST = 0.90
"""Coverage that intervals of 10 images and more must have, of 95 % that are claimed."""
FEWEST = 10
_POPULATION = 1_000_000

Pixels = tuple[np.ndarray, np.ndarray]  # intersections and unions [method, image]


def found_by(rng: np.random.Generator, images: int, share: np.ndarray, extra: np.ndarray) -> Pixels:
    """Masks of very unequal sizes, of which a share is found, and other pixels in proportion."""
    area = np.exp(rng.normal(6, 1, images)).clip(5, 12769)
    return (area * share).astype(int), (area * (1 + extra)).astype(int)


def hardly(rng: np.random.Generator, images: int) -> Pixels:
    """Nothing is found in most images."""
    single = rng.beta(0.5, 4, images) * (rng.random(images) < 0.35)
    combined = rng.beta(0.8, 3, images) * (rng.random(images) < 0.7)
    return found_by(rng, images, np.stack([single, combined]), rng.gamma(0.6, 1, (2, images)))


def somewhat(rng: np.random.Generator, images: int) -> Pixels:
    single = rng.beta(1, 2, images)
    combined = np.clip(single + rng.normal(0.15, 0.15, images), 0, 1)
    return found_by(rng, images, np.stack([single, combined]), rng.gamma(1, 0.5, (2, images)))


def well(rng: np.random.Generator, images: int) -> Pixels:
    share = np.stack([rng.beta(5, 2, images), rng.beta(8, 1.5, images)])
    return found_by(rng, images, share, rng.gamma(1, 0.2, (2, images)))


POPULATIONS: dict[str, Callable[[np.random.Generator, int], Pixels]] = {
    "hardly": hardly, "somewhat": somewhat, "well": well
}  # fmt: skip
ACCURACIES = [(0.5, 0.5), (0.6, 0.75), (0.8, 0.97), (0.97, 0.995), (0.97, 1.0)]
"""Of the single filter and of the combination."""


def set_iou(sizes: list[int], repeats: int) -> Iterator[tuple[str, int, np.ndarray, np.ndarray]]:
    """What, images, coverage and mean width by (single, combined, difference)."""
    for name, draw in POPULATIONS.items():
        rng = np.random.default_rng(0)
        shared, joined = (counts.sum(1) for counts in draw(rng, _POPULATION))
        truth = shared / joined
        for images in sizes:
            found = [
                iou_intervals(*draw(rng, images), (0, f"{name} {number}"))
                for number in range(repeats)
            ]
            what = f"set IoU {truth[0]:.2f} and {truth[1]:.2f}"
            yield what, images, *_covered(found, truth)


def accuracy(sizes: list[int], repeats: int) -> Iterator[tuple[str, int, np.ndarray, np.ndarray]]:
    """The same for accuracy; `images` are those with the concept, and as many without."""
    for right in ACCURACIES:
        rng = np.random.default_rng(0)
        for images in sizes:
            found = []
            for number in range(repeats):
                # What is easy for one method is easy for the other, in half of the images.
                ease = rng.random((2, 2 * images))
                ease[1] = np.where(rng.random(2 * images) < 0.5, ease[0], ease[1])
                correct = ease < np.array(right)[:, None]
                positive = np.arange(2 * images) < images
                found.append(accuracy_intervals(correct, positive, (0, f"{right} {number}")))
            what = f"accuracy {right[0]:.2f} and {right[1]:.3g}"
            yield what, images, *_covered(found, np.array(right))


def _covered(found: list[np.ndarray], truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = np.moveaxis(np.array(found), 2, 0)[1:]
    wanted = np.append(truth, truth[1] - truth[0])
    inside = (low <= wanted + 1e-12) & (wanted <= high + 1e-12)
    return inside.mean(0), (high - low).mean(0)
