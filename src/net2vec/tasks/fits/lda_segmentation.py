"""Segmenting a concept by a linear discriminant of a layer's activations.

Some steps towards the least log loss follow. The strength of shrinkage is chosen by the set IoU of
held-out images, the cut on the training images, by the rule of the converged fit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

from net2vec.data.annotations import Annotations
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
from net2vec.recording import LayerRecording
from net2vec.tasks.concept import ConceptTask
from net2vec.tasks.fits.cross_validation import FOLDS, stretches
from net2vec.tasks.fits.lda_images import ConceptImages
from net2vec.tasks.learned import Segmentation, SegmentedConcept
from net2vec.tasks.single import single_counts

AnyCovariance = Covariance | LowRankCovariance

# Cells of the images that the strength of shrinkage is chosen on.
_CHOICE_CELLS = 1 << 14
# Towards the least log loss, of the vector that is kept and of those that strengths are chosen by.
_STEPS, _CHOICE_STEPS = 8, 3
# Of wide layers, backward elimination begins with so many filters, those of the largest weights.
_MAX_ELIMINATED = 1 << 11
# Added to eigenvalues in whitening, so that directions of hardly any spread are not blown up.
_WHITENING = 1e-2


def segment_discriminant(
    recording: LayerRecording,
    covariance: AnyCovariance,
    annotations: Annotations,
    label: int,
    *,
    best_filter: int,
    subset_sizes: Sequence[int],
    device: torch.device | str = "cpu",
) -> SegmentedConcept:
    """Learn to segment a concept with all filters of a layer, and with subsets of them.

    Subsets are chosen by three rules: the largest absolute weights (of standardised filters),
    greedy forward selection, and greedy backward elimination.

    Args:
        recording: the layer, which has a grid and whose activations were kept.
        covariance: of the layer.
        annotations: the masks.
        label: the concept.
        best_filter: the best single filter, for its individual IoU.
        subset_sizes: numbers of filters to learn again with.
        device: where maps are computed.

    Raises:
        ValueError: if the activations were not kept.
    """
    images = ConceptImages(recording, annotations, label, device)
    learner = _ConceptLearner(images, covariance)
    found = learner.judge(learner.solve(subset_sizes))
    pairs = np.concatenate(images.pairs)
    concept = ConceptTask(annotations, label, best_filter)
    (single,) = single_counts(recording, [concept], [pairs], device)
    full, *chosen = found
    each = len(subset_sizes)
    return SegmentedConcept.of(
        full,
        single,
        pairs,
        subsets=chosen[:each],
        path=chosen[each : 2 * each],
        backward=chosen[2 * each :],
        l2=learner.strength,
        pattern=learner.pattern.float().numpy(),
        whitened=learner.whitened.float().numpy(),
    )


def discriminant_scores(
    recording: LayerRecording,
    covariance: AnyCovariance,
    concepts: Sequence[ConceptTask],
    device: torch.device | str = "cpu",
) -> Float[np.ndarray, "concept"]:
    """Set IoU on validation images of `segment_discriminant` with all filters.

    Neighbours that lie in the same images share their activations and the look in which pixels are
    counted, as null draws of a concept do.

    Args:
        recording: as for `segment_discriminant`.
        covariance: likewise.
        concepts: with annotations of their own.
        device: where maps are computed.
    """

    def images_of(one: ConceptTask) -> tuple[int, bytes]:
        return one.label, one.annotations.image[one.annotations.pairs(one.label)].tobytes()

    scores: list[float] = []
    for _, some in itertools.groupby(concepts, key=images_of):
        first, *others = some
        images = ConceptImages(recording, first.annotations, first.label, device)
        masked = [images, *(images.with_masks(one.annotations) for one in others)]
        found = []
        for one in masked:
            learner = _ConceptLearner(one, covariance)
            found.append(learner.place(learner.solve(())))
        weight, bias, cut = (torch.cat(part) for part in zip(*found, strict=True))
        counts = images.count(1, weight, bias, cut, masked)
        scores += [one.set_iou for one in counts]
    return np.array(scores)


class _ConceptLearner:
    """A concept's moments and the vectors that they give, as weights of standardised activations.

    Args:
        images: the images of the concept.
        covariance: of the layer.
    """

    def __init__(self, images: ConceptImages, covariance: AnyCovariance) -> None:
        self.images = images
        self.covariance = covariance
        self.total = _sum_by_fold(images, np.zeros(len(images.pairs[0]), dtype=np.int64)).total()
        self.strength = covariance.factors[-1].strength
        # In log odds, and what it weighs beside the cut of the images that were learned from.
        self.held_out_cut, self.held_out_weight = 0.0, 0.0
        # Log odds less z.
        self.offset = 0.0

    def solve(self, sizes: Sequence[int]) -> Float[Tensor, "choice filter"]:
        """Vectors of all filters, then of subsets: by weight, by forward, by backward selection."""
        if not self.total.is_mixed:  # everything is the concept: there is nothing to tell apart
            return torch.zeros(1 + 3 * len(sizes), len(self.covariance.mean), dtype=torch.float64)
        factor = self._hold_out()
        self.strength = factor.strength
        full = factor.solve_exactly(self.pattern[None])
        # Alone: products of another shape may be rounded in another way.
        full, value = self._descend(full, factor.solve)
        mean = self._of_activations(full)[0].double() @ (self.total.everywhere / self.total.cells)
        self.offset = float(value.mean(dtype=torch.float64)) - float(mean)
        if not sizes:
            return full
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
        return torch.cat([full, self._descend(subsets, solve_each)[0]])

    def place(
        self, vectors: Float[Tensor, "choice filter"]
    ) -> tuple[Float[Tensor, "choice filter"], Float[Tensor, "choice"], Float[Tensor, "choice"]]:
        """Every vector as weights of activations as they are, its bias and its cut.

        All are as they are stored and used, in single precision. The bias puts 0 midway between the
        means of foreground and background. The first vector is of all filters: its cut is moved
        towards that of held-out images. Subsets, which follow their images less closely, have that
        shift times their share of the filters.
        """
        raw = self._of_activations(vectors)
        # Without background nothing is learned, and every pixel is predicted.
        exact, cuts = torch.zeros(len(raw)).double(), -torch.ones(len(raw)).double()
        if self.total.is_mixed:
            exact = -(raw.double() @ sum(self.total.means())) / 2
            cuts = self.images.best_cuts(raw)
            shift = self.held_out_weight * (self.held_out_cut - self.offset - cuts[0])
            used = torch.count_nonzero(raw, 1) / torch.count_nonzero(self.covariance.scale)
            cuts = cuts + shift * used
        return raw, exact.float(), (cuts + exact).float()

    def judge(self, vectors: Float[Tensor, "choice filter"]) -> list[Segmentation]:
        """Every vector with its bias, its cut and its counts."""
        weight = vectors.float()
        raw, bias, cut = self.place(vectors)
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

    def _hold_out(self) -> Factor:
        """The factor of the strength that is best for held-out images, whose cut is noted.

        What is judged is z of the images of every fold, by the vector that was learned without it.
        """
        factors: Sequence[Factor] = self.covariance.factors
        images = self.images.thinned(max(_CHOICE_CELLS // self.images.cells, 1))
        fold = stretches(len(images.pairs[0]), FOLDS)
        kept = _sum_by_fold(images, fold).without_each()
        folds = len(kept.cells)
        if folds < 2 or not kept.is_mixed:
            return factors[-1]

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
        self.held_out_cut = images.best_cut(held_out[best])
        # Of fewer images an L2 term of the mean loss has to be stronger, in proportion.
        share = len(fold) / len(self.images.pairs[0])
        self.held_out_weight = share / (1 + share)
        return self.covariance.factor(factors[best].strength * _half_decade(share))


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
