"""The images that a concept is learned from, drawn by keys; balanced for classification.

Source: paper, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from net2vec.core.chance import generator
from net2vec.data.annotations import Annotations
from net2vec.kernels.sgd.logistic import Draws


@dataclass(frozen=True)
class Sample:
    """The images that one concept is learned and judged on; as many with it as without.

    Attributes:
        draws: the rows of every epoch.
        rows, positive: by split (train, val) the images of its scores.
    """

    draws: Draws
    rows: tuple[Int[Tensor, "train_row"], Int[Tensor, "val_row"]]
    positive: tuple[Bool[Tensor, "train_row"], Bool[Tensor, "val_row"]]


def draw_sample(
    annotations: Annotations, label: int, *, epochs: int, seed: int, dataset: str
) -> Sample:
    """Draw a concept's images, keyed by seed, dataset and concept alone.

    All of the smaller side are taken and as many of the other are drawn without replacement:
    afresh for each epoch and then shuffled, once for each score.

    Args:
        annotations: which image contains what.
        label: the concept.
        epochs: passes to draw for.
        seed: the run's seed.
        dataset: the dataset's digest.
    """
    name = annotations.names[label]
    sides = []
    for train in (True, False):
        inside = annotations.image[annotations.pairs(label, train=train)].astype(np.int64)
        is_outside = annotations.is_train == train
        is_outside[inside] = False
        sides.append((inside, np.flatnonzero(is_outside)))
    draws = _balanced(sides[0], generator(seed, "epochs", dataset, name), epochs, shuffled=True)
    scored = [
        _balanced(side, generator(seed, split, dataset, name), 1, shuffled=False)
        for split, side in zip(("train", "val"), sides, strict=True)
    ]
    return Sample(
        draws,
        rows=(scored[0].rows[0].long(), scored[1].rows[0].long()),
        positive=(scored[0].positive[0], scored[1].positive[0]),
    )


def _balanced(
    sides: Sequence[Int[np.ndarray, "_"]], draw: np.random.Generator, times: int, *, shuffled: bool
) -> Draws:
    size = min(len(side) for side in sides)
    # Half as large as indices usually are: there is a row for every image and epoch.
    rows = np.empty((times, 2 * size), dtype=np.int32)
    positive = np.empty((times, 2 * size), dtype=bool)
    for time in range(times):
        drawn = [
            side if len(side) == size else draw.choice(side, size, replace=False) for side in sides
        ]
        order = np.arange(2 * size)
        if shuffled:
            draw.shuffle(order)
        rows[time] = np.concatenate(drawn)[order]
        positive[time] = order < size
    return Draws(torch.from_numpy(rows), torch.from_numpy(positive))


def limit_images(annotations: Annotations, limit: int, *, seed: int, dataset: str) -> Annotations:
    """Annotations with at most so many images of each label and split.

    Which are drawn is keyed by seed, dataset, concept and split alone. A label is then said not to
    be in images that it is in: do not learn from images without it.

    Args:
        annotations: as they are; the packed masks are shared.
        limit: number of images.
        seed: the run's seed.
        dataset: the dataset's digest.
    """
    kept = []
    for label, name in enumerate(annotations.names):
        for split, train in (("train", True), ("val", False)):
            pairs = annotations.pairs(label, train=train)
            if len(pairs) > limit:
                drawn = generator(seed, "limit", dataset, name, split)
                pairs = drawn.choice(pairs, limit, replace=False)
            kept.append(pairs)
    chosen = np.sort(np.concatenate(kept))  # pairs are in the order of labels, then images
    return replace(
        annotations,
        starts=np.searchsorted(chosen, annotations.starts),
        image=annotations.image[chosen],
        area=annotations.area[chosen],
        row=annotations.row[chosen],
    )
