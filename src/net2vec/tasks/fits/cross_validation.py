"""Which training images a concept is judged on while it is not learned from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from net2vec.kernels.convex.presence import Presence, balanced

FOLDS = 5

# Of the larger side so many images are enough to choose by: the smaller side is the bottleneck.
_TIMES = 4
_ENOUGH = 400


@dataclass(frozen=True)
class CrossValidationSplit:
    """Images of a cross-validation, ascending.

    Attributes:
        image: places among the training images.
        positive: whether each contains the concept.
        fold: the fold in which each is held out.
        folds: how many folds there are; below 2 nothing can be held out.
    """

    image: Int[np.ndarray, "held"]
    positive: Bool[np.ndarray, "held"]
    fold: Int[np.ndarray, "held"]
    folds: int


def stretches(images: int, count: int) -> Int[np.ndarray, "image"]:
    """The stretch that each image is in, where images are divided into `count` of about one length.

    Folds of segmentation are stretches of the dataset: neighbours, such as frames of a film, stay
    together. Fewer images than `count` are a stretch each.
    """
    parts = np.array_split(np.arange(images), max(1, min(count, images)))
    return np.repeat(np.arange(len(parts)), [len(part) for part in parts])


def hold_out(positive: Bool[np.ndarray, "image"]) -> CrossValidationSplit:
    """Lay folds over the training images, by which of them contain a concept.

    Each side is cut into stretches of the dataset's order, so that neighbours, such as frames of a
    film, stay together and every fold has both sides. Of a side that is far the larger one, images
    at equal distances are taken, where that halves the work.
    """
    sides = [np.flatnonzero(positive), np.flatnonzero(~positive)]
    smaller = min(len(side) for side in sides)
    most = max(_ENOUGH, _TIMES * smaller)
    if 2 * sum(min(len(side), most) for side in sides) < len(positive):
        sides = [_thinned(side, most) for side in sides]
    folds = min(FOLDS, smaller)
    stretches = [np.arange(len(side)) * max(folds, 1) // max(len(side), 1) for side in sides]
    image, fold = np.concatenate(sides), np.concatenate(stretches)
    order = np.argsort(image)
    image = image[order]
    return CrossValidationSplit(image, positive[image], fold[order], folds)


def _thinned(side: Int[np.ndarray, "image"], most: int) -> Int[np.ndarray, "taken"]:
    return side if len(side) <= most else side[np.arange(most) * len(side) // most]


@dataclass(frozen=True)
class Folded:
    """Concepts side by side, each with a problem for every fold, padded to a fixed shape.

    Attributes:
        problem: each concept without each of its folds.
        held_weight: what held-out images weigh; over all folds each weighs once.
        fold: the fold of each image; -1 where there is none.
        folds: how many each concept has.
    """

    problem: Presence
    held_weight: Float[Tensor, "concept fold image"]
    fold: Int[Tensor, "concept image"]
    folds: Int[Tensor, "concept"]

    @classmethod
    def of(
        cls,
        held: Sequence[CrossValidationSplit],
        inputs: Float[Tensor, "image variable"],
        size: int,
        width: int,
    ) -> Folded:
        """Lay out some concepts.

        Args:
            held: their images.
            inputs: features of all training images.
            size: room for so many concepts.
            width: room for so many images of each; all, if as many as there are.
        """
        everywhere = width == len(inputs)
        image = torch.zeros(size, width, dtype=torch.int64)
        positive = torch.zeros(size, width, dtype=torch.bool)
        fold = torch.full((size, width), -1)
        for row, one in enumerate(held):
            image[row, : len(one.image)] = torch.from_numpy(one.image)
            positive[row, : len(one.image)] = torch.from_numpy(one.positive)
            fold[row, : len(one.image)] = torch.from_numpy(one.fold)
        folds = torch.tensor([one.folds for one in held] + [0] * (size - len(held)))
        image, positive, fold, folds = (
            part.to(inputs.device) for part in (image, positive, fold, folds)
        )
        number = torch.arange(FOLDS, device=inputs.device)[:, None]
        held_out = fold[:, None] == number
        learned = (fold >= 0)[:, None] & ~held_out & (number < folds[:, None, None])
        each = positive[:, None].repeat(1, FOLDS, 1)
        judged = balanced(positive, fold >= 0)[:, None] * held_out
        # Concepts that take all images share one matrix.
        seen = inputs[None] if everywhere else inputs[image]
        return cls(Presence.of(seen, each, balanced(each, learned)), judged, fold, folds)

    def together(self) -> Presence:
        """A problem a concept, over all folds."""
        positive = self.problem.positive[:, :1]
        weight = balanced(positive, (self.fold >= 0)[:, None])
        return replace(self.problem, positive=positive, weight=weight)
