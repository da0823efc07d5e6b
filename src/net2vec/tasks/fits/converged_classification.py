"""Classifying concepts with the optimum of a convex problem, in the place of a few steps of SGD.

The model is the paper's (section 3.2): spatial means, weights, a bias. The loss is the log loss
over all training images, those with the concept and those without weighing one half each, with an
L2 term on weights in units of the features' spread, one for all. Its strength is chosen by
cross-validation: from the strongest down, until the loss of held-out images falls no further by
more than a trifle. Nothing is drawn.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from net2vec.core.devices import policy_of
from net2vec.data.annotations import Annotations
from net2vec.kernels.convex.lasso import entry_order
from net2vec.kernels.convex.presence import Presence, balanced
from net2vec.kernels.convex.solver import solve
from net2vec.kernels.convex.standardised import Standardised
from net2vec.kernels.sgd.logistic import largest_weights
from net2vec.recording import LayerRecording
from net2vec.tasks.fits.cross_validation import FOLDS, Folded, hold_out
from net2vec.tasks.learned import ClassifiedConcept
from net2vec.tasks.samples import Sample

STRENGTHS = (10.0, 1.0, 1e-1, 1e-2, 1e-3)
"""L2 strengths to choose from, from the strongest."""

# Nats, of which knowing nothing loses log 2. A weaker L2 term must save more than this.
_TRIFLE = 0.02
# Under the strongest terms there may be nothing to see yet: so many more are always tried.
_ALWAYS = 2
# How near its optimum a fold is solved, relative and in scaled variables. At 0.1 held-out losses
# under weak L2 terms are off by a few hundredths, and a quarter of the strengths come out too weak.
_FOLD_TOLERANCE = 1e-3


def concepts_together(device: torch.device | str = "cpu") -> int:
    """The number of concepts that are best learned side by side; results do not depend on it."""
    return policy_of(device).converged_concepts


def standardise(
    recording: LayerRecording, annotations: Annotations, device: torch.device | str = "cpu"
) -> Standardised:
    """The features of a layer as they are learned on: made once for all concepts."""
    train = torch.from_numpy(np.flatnonzero(annotations.is_train))
    return Standardised.of(recording.features()[train].to(device))


def classify_converged(
    recording: LayerRecording,
    annotations: Annotations,
    labels: Sequence[int],
    samples: Sequence[Sample],
    *,
    subset_sizes: Sequence[int],
    device: torch.device | str = "cpu",
    features: Standardised | None = None,
) -> list[ClassifiedConcept]:
    """Learn to classify concepts with all filters of a layer, one filter and subsets of them.

    Subsets are chosen by two rules, of which each is solved again with its filters alone, and with
    the strength that was chosen for all: the largest absolute weights, and the order in which an L1
    path lets filters in.

    Args:
        recording: the layer.
        annotations: which image contains what.
        labels: the concepts.
        samples: the balanced sets of images that scores are taken on.
        subset_sizes: numbers of filters, above 1, to learn again with.
        device: where to learn.
        features: what `standardise` makes of the layer; made if not given.
    """
    features = features or standardise(recording, annotations, device)
    images = np.flatnonzero(annotations.is_train)
    positive = np.zeros((len(labels), len(images)), dtype=bool)
    for row, label in enumerate(labels):
        inside = annotations.image[annotations.pairs(label, train=True)]
        positive[row, np.searchsorted(images, inside)] = True
    learner = _Learner(features, positive, device)
    full = learner.learn_all()
    sizes = [1, *(min(size, recording.filters) for size in subset_sizes)]
    by_weight = [largest_weights(full.weight, size) for size in sizes]
    by_path = learner.path(sizes[1:])
    choices = torch.stack([*by_weight, *by_path], 1)
    smaller = learner.learn(choices)
    weight = torch.cat([full.weight[:, None], smaller.weight], 1).float()
    bias = torch.cat([full.bias[:, None], smaller.bias], 1).float()
    means = recording.features(device)
    return [
        ClassifiedConcept.of(
            means,
            sample,
            weight[place].mT,
            bias[place],
            best_filter=int(by_weight[0][place].int().argmax()),
            subsets=len(subset_sizes),
            l2=learner.l2[place],
        )
        for place, sample in enumerate(samples)
    ]


@dataclass(frozen=True)
class _Learned:
    """Weights and biases for features as recorded, in double precision."""

    weight: Float[Tensor, "concept *vector filter"]
    bias: Float[Tensor, "concept *vector"]


class _Learner:
    """Some concepts on a layer."""

    def __init__(
        self,
        features: Standardised,
        positive: Bool[np.ndarray, "concept image"],
        device: torch.device | str,
    ) -> None:
        self.features = features
        room = features.own.shape[0]
        self.positive = torch.zeros(len(positive), room, dtype=torch.bool, device=device)
        self.positive[:, : features.images] = torch.from_numpy(positive).to(device)
        self.used = torch.arange(room, device=device) < features.images
        self.held = [hold_out(row) for row in positive]
        self.l2 = [STRENGTHS[0]] * len(positive)

    def learn_all(self) -> _Learned:
        """Solve with all filters, with the L2 strength of least held-out loss."""
        return _Learned(*self.features.recorded(self._solve_all(self._choose())))

    def learn(self, kept: Bool[Tensor, "concept vector filter"]) -> _Learned:
        """Solve with each of several choices of filters."""
        own = self.features.own
        x = torch.zeros(*kept.shape[:2], own.shape[1], dtype=torch.float64, device=kept.device)
        l2 = torch.tensor(self.l2, device=kept.device)
        size = kept.sum(2)
        for width in sorted(set(size.flatten().tolist())):
            chosen = (size == width).nonzero()
            together = self._together(own.shape[0] * _round_up_size(width + 1, 16))
            for block in chosen.split(together):
                concept, vector = block.T
                column = kept[concept, vector].nonzero()[:, 1].view(-1, width)
                solution = self._solve_few(concept, column, l2[concept], together).double()
                x[concept[:, None], vector[:, None], column] = solution[:, :width]
                x[concept, vector, -1] = solution[:, -1]
        return _Learned(*self.features.recorded(x))

    def path(self, sizes: Sequence[int]) -> list[Bool[Tensor, "concept filter"]]:
        """For each size the filters that an L1 path lets in first."""
        filters, variables = len(self.features.mean), self.features.own.shape[1]
        order = torch.arange(filters, device=self.positive.device).repeat(len(self.held), 1)
        everyone = range(len(self.held)) if sizes else ()
        for block, width in self._blocks(everyone, variables):
            problem = self._folded(block, width, self.features.own).together()
            zero = self.features.own.new_zeros(len(problem.weight), variables)
            curvature = problem.curvature(zero)
            scale = torch.where(curvature > 0, 1 / curvature.clamp(min=1e-30).sqrt(), 0.0)
            found = entry_order(problem.gradient, scale, max(sizes), free=1)
            # Columns that only fill up come last.
            order[block] = found[: len(block), :filters]
        rank = order.argsort(1)
        return [rank < size for size in sizes]

    def _choose(self) -> Float[Tensor, "concept direction_and_one"]:
        """Choose the strengths, and where to begin the solutions."""
        inputs = self.features.turned
        at = inputs.new_zeros(len(self.held), FOLDS, inputs.shape[1])
        start = at[:, 0].clone()
        least = [math.inf] * len(self.held)
        # A concept without images to hold out keeps the strongest.
        looking = [place for place, split in enumerate(self.held) if split.folds > 1]
        for number, l2 in enumerate(STRENGTHS):
            losses = self._held_out_losses(looking, l2, at)
            better = [place for place in looking if losses[place] < least[place] - _TRIFLE]
            for place in better:
                self.l2[place], least[place] = l2, losses[place]
                start[place] = at[place].sum(0) / self.held[place].folds
            if number >= _ALWAYS:
                looking = better
        return start

    def _held_out_losses(
        self,
        places: Sequence[int],
        l2: float,
        at: Float[Tensor, "concept fold direction_and_one"],
    ) -> dict[int, float]:
        """Held-out losses of some concepts; their solutions in `at` are improved in place."""
        lost: dict[int, float] = {}
        for block, width in self._blocks(places, at.shape[2]):
            folded = self._folded(block, width, self.features.turned)
            problem = folded.problem
            begin = _padded(at[block], len(folded.folds)).flatten(0, 1)
            strength = _strengths(torch.full_like(begin[:, 0], l2), begin.shape[1])
            curvature = problem.curvature(begin)
            solution = solve(problem.gradient, begin, curvature, strength, rough=_FOLD_TOLERANCE).x
            losses = problem.loss(solution, folded.held_weight).sum(1).tolist()
            lost.update(zip(block, losses, strict=False))
            at[block] = solution.view(-1, *at.shape[1:])[: len(block)]
        return lost

    def _solve_all(
        self, start: Float[Tensor, "concept direction"]
    ) -> Float[Tensor, "concept variable"]:
        """Solutions over all training images; concepts of one strength together."""
        inputs, own = self.features.turned, self.features.own
        solutions = torch.empty(len(start), own.shape[1], dtype=torch.float64, device=start.device)
        size = concepts_together(start.device) // 2
        order = sorted(range(len(start)), key=lambda place: -self.l2[place])
        for first in range(0, len(order), size):
            block = order[first : first + size]
            positive = _padded(self.positive[block], size)
            l2 = _padded(torch.tensor([self.l2[place] for place in block]), size).to(inputs)
            weight = balanced(positive, self.used.expand_as(positive))
            problem = Presence.of(inputs[None], positive[None], weight[None])
            strength = _strengths(l2, inputs.shape[1])
            begin = _padded(start[block], size)
            ended = solve(problem.gradient, begin, problem.curvature(begin), strength)
            solutions[block] = self.features.unturned(ended.x)[: len(block)]
        return solutions

    def _solve_few(
        self,
        concept: Int[Tensor, "problem"],
        column: Int[Tensor, "problem kept"],
        l2: Float[Tensor, "problem"],
        together: int,
    ) -> Float[Tensor, "problem variable"]:
        """Solutions with a few filters each, the bias last."""
        own, (problems, width) = self.features.own, column.shape
        inputs = own.new_zeros(together, own.shape[0], _round_up_size(width + 1, 16))
        inputs[:problems, :, :width] = own.T[column].mT
        inputs[:problems, :, -1] = own[:, -1]
        positive = _padded(self.positive[concept], together)[:, None]
        weight = balanced(positive, self.used.expand_as(positive))
        problem = Presence.of(inputs, positive, weight)
        strength = _strengths(_padded(l2, together), inputs.shape[2])
        begin = own.new_zeros(together, inputs.shape[2])
        return solve(problem.gradient, begin, problem.curvature(begin), strength).x[: len(concept)]

    def _folded(
        self, concepts: Sequence[int], width: int, inputs: Float[Tensor, "image variable"]
    ) -> Folded:
        size = self._side_by_side(width, inputs.shape[1])
        return Folded.of([self.held[place] for place in concepts], inputs, size, width)

    def _blocks(self, places: Sequence[int], variables: int) -> Iterator[tuple[list[int], int]]:
        """Concepts to hold images out of, side by side, and for how many images there is room."""
        by_width = defaultdict(list)
        for place in places:
            count = len(self.held[place].image)
            everyone = count == self.features.images
            by_width[len(self.used) if everyone else _round_up_size(count, 64)].append(place)
        for width, alike in sorted(by_width.items()):
            size = self._side_by_side(width, variables)
            for first in range(0, len(alike), size):
                yield alike[first : first + size], width

    def _side_by_side(self, width: int, variables: int) -> int:
        """The number of concepts of a cross-validation that are solved side by side."""
        if width == len(self.used):  # one matrix for all
            return concepts_together(self.positive.device) // 2
        return self._together(width * variables)

    def _together(self, numbers: int) -> int:
        """The number of problems, with so many numbers each, that are solved side by side."""
        policy = policy_of(self.positive.device)
        return max(1, min(policy.converged_concepts, policy.converged_inputs // numbers))


def _round_up_size(count: int, step: int) -> int:
    """The next multiple of `step` in a row of few: powers of 2, and half way between."""
    steps = -(-count // step)
    power = 1 << max(steps - 1, 0).bit_length()
    return step * (power * 3 // 4 if power >= 4 and steps <= power * 3 // 4 else power)


def _strengths(l2: Float[Tensor, "problem"], variables: int) -> Float[Tensor, "problem variable"]:
    """The L2 term of every variable; none for a bias, the last."""
    # Problems that only pad a block have none, and are at their optimum with any.
    strength = torch.where(l2 > 0, l2, 1.0)[:, None].repeat(1, variables)
    strength[:, -1] = 0
    return strength


def _padded(values: Tensor, size: int) -> Tensor:
    padded = values.new_zeros(size, *values.shape[1:])
    padded[: len(values)] = values
    return padded
