"""The vectors of a concept by a linear discriminant of a layer's activations, and their cuts.

Some steps towards the least log loss follow. The strength of shrinkage is chosen by the set IoU of
held-out images. The cut lies between the best one of the training images, by the rule of the
converged fit, and that of the same images where they were held out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from net2vec.kernels.convex.histogram import best_share
from net2vec.kernels.discriminant.low_rank import LowRankCovariance
from net2vec.kernels.discriminant.maps import BINS, bin_counts, limits_of
from net2vec.kernels.discriminant.moments import (
    Covariance,
    ForegroundSums,
    sum_cells,
)
from net2vec.kernels.discriminant.ridge import Factor, solve_subset
from net2vec.kernels.discriminant.selection import backward_masks, forward_order
from net2vec.kernels.discriminant.steps import descend
from net2vec.kernels.sgd.logistic import largest_weights
from net2vec.tasks.fits.cross_validation import FOLDS, stretches
from net2vec.tasks.fits.lda_images import ConceptImages
from net2vec.tasks.learned import Segmentation

AnyCovariance = Covariance | LowRankCovariance

# Cells of the images that the strength of shrinkage is chosen on.
_CHOICE_CELLS = 1 << 14
# Towards the least log loss, of the vector that is kept and of those that strengths are chosen by.
_STEPS, _CHOICE_STEPS = 8, 3
# Of wide layers, backward elimination begins with so many filters, those of the largest weights.
_MAX_ELIMINATED = 1 << 11
# Added to eigenvalues in whitening, so that directions of hardly any spread are not blown up.
_WHITENING = 1e-2


@dataclass(frozen=True)
class HeldOut:
    """The outcome of holding out training images.

    Attributes:
        factor: of the strength of shrinkage for all training images.
        cut: the best cut of held-out images, in log odds.
        weight: how much it weighs beside the cut of the images that were learned from.
    """

    factor: Factor
    cut: float = 0.0
    weight: float = 0.0


@dataclass(frozen=True)
class Solution:
    """Vectors as weights of standardised activations.

    Attributes:
        vectors: that of all filters, then those of subsets.
        offset: log odds less z, by the vector of all filters.
    """

    vectors: Float64[Tensor, "choice filter"]
    offset: float = 0.0


class ConceptLearner:
    """A concept's moments and the vectors that they give, as weights of standardised activations.

    Args:
        images: the images of the concept.
        covariance: of the layer.
    """

    def __init__(self, images: ConceptImages, covariance: AnyCovariance) -> None:
        self.images = images
        self.covariance = covariance
        self.total = _sum_by_fold(images, np.zeros(len(images.pairs[0]), dtype=np.int64)).total()

    @property
    def strength(self) -> float:
        """The strength of shrinkage."""
        return self.held_out.factor.strength

    def solve(self, sizes: Sequence[int]) -> Solution:
        """Vectors of all filters, then of subsets: by weight, by forward, by backward selection."""
        if not self.total.is_mixed:  # everything is the concept: there is nothing to tell apart
            shape = (1 + 3 * len(sizes), len(self.covariance.mean))
            return Solution(torch.zeros(shape, dtype=torch.float64))
        factor = self.held_out.factor
        full = factor.solve_exactly(self.pattern[None])
        # Alone: products of another shape may be rounded in another way.
        full, value = self._descend(full, factor.solve)
        mean = self._of_activations(full)[0].double() @ (self.total.everywhere / self.total.cells)
        offset = float(value.mean(dtype=torch.float64)) - float(mean)
        if not sizes:
            return Solution(full, offset)
        moments = self.covariance, self.pattern, self.strength
        order, filters = forward_order(*moments, max(sizes)), torch.arange(full.shape[1])
        by_weight = [largest_weights(full[0], size) for size in sizes]
        forward = [torch.isin(filters, order[:size]) for size in sizes]
        begin = torch.nonzero(largest_weights(full[0], _MAX_ELIMINATED))[:, 0]
        backward = backward_masks(*moments, sizes, begin)
        chosen = torch.stack([*by_weight, *forward, *backward])

        def solve_each(difference: Float64[Tensor, "choice filter"]) -> Tensor:
            pairs = zip(difference, chosen, strict=True)
            return torch.stack(
                [solve_subset(self.covariance, one, self.strength, kept) for one, kept in pairs]
            )

        subsets = solve_each(self.pattern.expand(len(chosen), -1))
        return Solution(torch.cat([full, self._descend(subsets, solve_each)[0]]), offset)

    def place(
        self, solution: Solution
    ) -> tuple[Float[Tensor, "choice filter"], Float[Tensor, "choice"], Float[Tensor, "choice"]]:
        """Every vector as weights of activations as they are, its bias and its cut.

        All are as they are stored and used, in single precision. The bias puts 0 midway between the
        means of foreground and background. The first vector is of all filters: its cut is moved
        towards that of held-out images. Subsets, which follow their images less closely, have that
        shift times their share of the filters.
        """
        raw = self._of_activations(solution.vectors)
        # Without background nothing is learned, and every pixel is predicted.
        exact, cuts = torch.zeros(len(raw)).double(), -torch.ones(len(raw)).double()
        if self.total.is_mixed:
            exact = -(raw.double() @ sum(self.total.means())) / 2
            cuts = self.images.best_cuts(raw)
            shift = self.held_out.weight * (self.held_out.cut - solution.offset - cuts[0])
            used = torch.count_nonzero(raw, 1) / torch.count_nonzero(self.covariance.scale)
            cuts = cuts + shift * used
        return raw, exact.float(), (cuts + exact).float()

    def judge(self, solution: Solution) -> list[Segmentation]:
        """Every vector with its bias, its cut and its counts."""
        weight = solution.vectors.float()
        raw, bias, cut = self.place(solution)
        counts = [self.images.count(split, raw, bias, cut) for split in (0, 1)]
        return [
            Segmentation(
                weight[i].numpy(), [split[i] for split in counts], float(bias[i]), float(cut[i])
            )
            for i in range(len(weight))
        ]

    @property
    def pattern(self) -> Float[Tensor, "filter"]:
        """The standardised difference of means (d); 0 where there is no background."""
        if not self.total.is_mixed:
            return torch.zeros_like(self.covariance.mean)
        return self._difference(self.total)

    @property
    def whitened(self) -> Float[Tensor, "filter"]:
        """The pattern with filters made uncorrelated: (S + l I)^-1/2 d, the same l everywhere."""
        return self.covariance.whitened(self.pattern, _WHITENING)

    def _difference(self, sums: ForegroundSums) -> Float[Tensor, "*group filter"]:
        inside, outside = sums.means()
        return (inside - outside) * self.covariance.scale

    def _of_activations(
        self, weight: Float[Tensor, "vector filter"]
    ) -> Float[Tensor, "vector filter"]:
        """Weights of activations as they are, from those of standardised ones."""
        return weight.float() * self.covariance.scale.float()

    def _descend(
        self,
        vectors: Float64[Tensor, "vector filter"],
        precondition: Callable[[Tensor], Tensor],
    ) -> tuple[Float64[Tensor, "vector filter"], Float[Tensor, "vector image cell"]]:
        learned = torch.ones(len(vectors), len(self.images.shares), dtype=torch.bool)
        strength = torch.full((len(vectors),), self.strength, dtype=torch.float64)
        return self._steps_from(self.images, vectors, learned, strength, precondition, _STEPS)

    def _steps_from(
        self,
        images: ConceptImages,
        vectors: Float64[Tensor, "vector filter"],
        learned: Bool[Tensor, "vector image"],
        strength: Float64[Tensor, "vector"],
        precondition: Callable[[Tensor], Tensor],
        steps: int,
    ) -> tuple[Float64[Tensor, "vector filter"], Float[Tensor, "vector image cell"]]:
        return descend(
            vectors,
            images.shares,
            learned.to(images.device),
            strength,
            values=lambda weight: images.values(self._of_activations(weight)),
            sums=lambda value: images.weighted_sums(value) * self.covariance.scale,
            precondition=precondition,
            steps=steps,
        )

    @cached_property
    def held_out(self) -> HeldOut:
        """The strength that is best for held-out images, and their cut.

        It is judged by z of the images of every fold, from the vector that was learned without it.
        """
        factors: Sequence[Factor] = self.covariance.factors
        images = self.images.thinned(max(_CHOICE_CELLS // self.images.cells, 1))
        fold = stretches(len(images.pairs[0]), FOLDS)
        kept = _sum_by_fold(images, fold).without_each()
        folds = len(kept.cells)
        if folds < 2 or not kept.is_mixed:
            return HeldOut(factors[-1])

        def solve_each(difference: Float64[Tensor, "vector filter"]) -> Tensor:
            parts = difference.view(len(factors), folds, -1)
            return torch.cat(
                [factor.solve(part) for factor, part in zip(factors, parts, strict=True)]
            )

        vectors = solve_each(self._difference(kept).repeat(len(factors), 1))
        strength = torch.tensor([one.strength for one in factors], dtype=torch.float64)
        strength = strength.repeat_interleave(folds)
        learned = torch.from_numpy(fold)[None] != torch.arange(folds)[:, None]
        learned = learned.repeat(len(factors), 1)
        _, values = self._steps_from(images, vectors, learned, strength, solve_each, _CHOICE_STEPS)
        by_strength = values.view(len(factors), folds, *values.shape[1:])
        held_out = by_strength[:, torch.from_numpy(fold), torch.arange(len(fold))]
        scores = [_held_out_iou(value, images.shares, fold) for value in held_out]
        best = int(np.argmax(scores))
        # Of fewer images an L2 term of the mean loss has to be stronger, in proportion.
        share = len(fold) / len(self.images.pairs[0])
        factor = self.covariance.factor(factors[best].strength * _half_decade(share))
        return HeldOut(factor, images.best_cut(held_out[best]), share / (1 + share))


def _half_decade(share: float) -> float:
    """The power of the root of 10 that is nearest to a share; few factors serve all concepts."""
    return 10 ** (round(2 * math.log10(share)) / 2)


def _sum_by_fold(images: ConceptImages, fold: Int[np.ndarray, "image"]) -> ForegroundSums:
    """Sums over the training images of each fold."""
    folds, place = int(fold.max(initial=0)) + 1, torch.from_numpy(fold)
    filters = images.recording.filters
    inside, everywhere = torch.zeros(2, folds, filters, dtype=torch.float64)
    for some in images.kept.blocks(len(fold)):
        sums = sum_cells(images.activations(0, some), images.shares[some]).double().cpu()
        inside.index_add_(0, place[some], sums[:, 0])
        everywhere.index_add_(0, place[some], sums[:, 1])
    covered = torch.zeros(folds, dtype=torch.float64)
    covered.index_add_(0, place, images.shares.sum(1, dtype=torch.float64).cpu())
    cells = torch.bincount(place, minlength=folds).double() * images.cells
    return ForegroundSums(inside, everywhere, covered, cells)


def _held_out_iou(
    value: Float[Tensor, "image cell"],
    shares: Float[Tensor, "image cell"],
    fold: Int[np.ndarray, "image"],
) -> float:
    """Set IoU of held-out cells, those of each fold at the best cut of the others."""
    hit = union = 0.0
    counts = bin_counts(value, shares, fold, limits_of(value))
    for held in range(len(counts)):
        share = best_share(np.delete(counts, held, axis=0))
        predicted, inside = counts[held][:, math.ceil(share * BINS) :].sum(1)
        hit += inside
        union += predicted + counts[held, 1].sum() - inside
    return hit / max(union, 1.0)
