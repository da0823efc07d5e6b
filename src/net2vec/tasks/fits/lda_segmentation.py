"""Segmenting a concept by a linear discriminant of a layer's activations.

The strength of shrinkage is chosen by the set IoU of held-out images, the cut on the training
images, by the rule of the converged fit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from net2vec.data.annotations import Annotations
from net2vec.kernels.convex.histogram import best_share
from net2vec.kernels.discriminant.maps import BINS, bin_counts, limits_of
from net2vec.kernels.discriminant.moments import (
    Covariance,
    ForegroundSums,
    central_moments,
    covariance_of_rest,
    sum_cells,
)
from net2vec.kernels.discriminant.ridge import (
    SHRINKAGES,
    RidgeFactor,
    forward_order,
    solve_subset,
)
from net2vec.kernels.sgd.logistic import largest_weights
from net2vec.recording import LayerRecording
from net2vec.tasks.concept import ConceptTask
from net2vec.tasks.fits.cross_validation import FOLDS, stretches
from net2vec.tasks.fits.lda_images import ConceptImages
from net2vec.tasks.learned import Segmentation, SegmentedConcept
from net2vec.tasks.single import single_counts

# Cells whose covariance is taken for a concept of its own.
_OWN_CELLS = 1 << 15
# Added to eigenvalues in whitening, so that directions of hardly any spread are not blown up.
_WHITENING = 1e-2


def segment_discriminant(
    recording: LayerRecording,
    covariance: Covariance,
    annotations: Annotations,
    label: int,
    *,
    best_filter: int,
    subset_sizes: Sequence[int],
    device: torch.device | str = "cpu",
) -> SegmentedConcept:
    """Learn to segment a concept with all filters of a layer, and with subsets of them.

    Subsets are chosen by two rules: the largest absolute weights (of standardised filters), and
    greedy forward selection.

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
    learner = _ConceptLearner(images, _Factors(images, covariance))
    found = learner.judge(learner.solve(subset_sizes))
    pairs = np.concatenate(images.pairs)
    concept = ConceptTask(annotations, label, best_filter)
    (single,) = single_counts(recording, [concept], [pairs], device)
    middle = 1 + len(subset_sizes)
    return SegmentedConcept.of(
        found[0],
        single,
        pairs,
        subsets=found[1:middle],
        path=found[middle:],
        l2=learner.strength,
        pattern=learner.pattern.float().numpy(),
        whitened=learner.whitened.float().numpy(),
    )


def discriminant_scores(
    recording: LayerRecording,
    covariance: Covariance,
    concepts: Sequence[ConceptTask],
    device: torch.device | str = "cpu",
) -> Float[np.ndarray, "concept"]:
    """Set IoU on validation images of `segment_discriminant` with all filters.

    Neighbours that lie in the same images share all that masks do not decide, as null draws of a
    concept do: the covariance, its factors, and the look in which pixels are counted.

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
        factors = _Factors(images, covariance)
        found = []
        for one in masked:
            learner = _ConceptLearner(one, factors)
            found.append(learner.place(learner.solve(())))
        weight, bias, cut = (torch.cat(part) for part in zip(*found, strict=True))
        counts = images.count(1, weight, bias, cut, masked)
        scores += [one.set_iou for one in counts]
    return np.array(scores)


class _Factors:
    """The covariance of a concept's images with all strengths of shrinkage, whatever its masks.

    Args:
        images: the images of the concept.
        covariance: of the layer.
    """

    def __init__(self, images: ConceptImages, covariance: Covariance) -> None:
        self.images = images
        self.covariance = covariance

    @cached_property
    def correlation(self) -> Float32[Tensor, "filter filter"]:
        """Half the covariance that all concepts share, half that of the concept's own images."""
        own = self._own_covariance().add_(self.covariance.correlation)
        return own.float().div_(2)

    @cached_property
    def by_strength(self) -> list[RidgeFactor]:
        """The factors, the strongest last."""
        return [RidgeFactor(self.correlation, strength) for strength in SHRINKAGES]

    def _own_covariance(self) -> Float[Tensor, "filter filter"]:
        """The covariance of standardised activations over training images that have the concept.

        Of many images evenly spread ones are taken. Where most training images have the concept,
        the others are fewer, and their part is taken from the covariance over all.
        """
        images, everything = self.images.training, self.images.all_training
        limit = max(_OWN_CELLS // self.images.cells, 1)
        if len(images) > limit:
            return self._covariance_over(images[np.arange(limit) * len(images) // limit])[1]
        others = np.setdiff1d(everything, images)
        if len(others) >= len(images):
            return self._covariance_over(images)[1]
        mean, second = self._covariance_over(others)
        share = len(others) / len(everything)
        return covariance_of_rest(self.covariance.correlation, mean, second, share)

    def _covariance_over(
        self, images: Int[np.ndarray, "image"]
    ) -> tuple[Float[Tensor, "filter"], Float[Tensor, "filter filter"]]:
        kept, mean = self.images.kept, self.covariance.mean
        blocks = (kept.of(images[some]) for some in kept.blocks(len(images)))
        return self.covariance.standardised(*central_moments(blocks, mean))


class _ConceptLearner:
    """A concept's moments and the vectors that they give, as weights of standardised activations.

    Args:
        images: the images of the concept.
        factors: of the covariance of these images.
    """

    def __init__(self, images: ConceptImages, factors: _Factors) -> None:
        self.images = images
        self.factors = factors
        self.covariance = factors.covariance
        self.fold = stretches(len(images.pairs[0]), FOLDS)
        self.sums = self._sum_by_fold()
        self.total = self.sums.total()
        self.strength = SHRINKAGES[-1]

    def solve(self, sizes: Sequence[int]) -> Float[Tensor, "choice filter"]:
        """Vectors of all filters, of subsets of the largest weights, of forward selection."""
        if not self.total.is_mixed:  # everything is the concept: there is nothing to tell apart
            return torch.zeros(1 + 2 * len(sizes), len(self.covariance.mean), dtype=torch.float64)
        correlation = self.factors.correlation
        factor = self._choose_strength()
        self.strength = factor.strength
        full = factor.solve_exactly(self.pattern)
        order = forward_order(correlation, self.pattern, self.strength, max(sizes, default=0))
        filters = torch.arange(len(full))
        by_weight = [largest_weights(full, size) for size in sizes]
        by_selection = [torch.isin(filters, order[:size]) for size in sizes]
        subsets = [
            solve_subset(correlation, self.pattern, self.strength, kept)
            for kept in (*by_weight, *by_selection)
        ]
        return torch.stack([full, *subsets])

    def place(
        self, vectors: Float[Tensor, "choice filter"]
    ) -> tuple[Float[Tensor, "choice filter"], Float[Tensor, "choice"], Float[Tensor, "choice"]]:
        """Every vector as weights of activations as they are, its bias and its cut.

        All are as they are stored and used, in single precision. The bias puts 0 midway between the
        means of foreground and background.
        """
        raw = self._of_activations(vectors)
        # Without background nothing is learned, and every pixel is predicted.
        exact, cuts = torch.zeros(len(raw)).double(), -torch.ones(len(raw)).double()
        if self.total.is_mixed:
            exact = -(raw.double() @ sum(self.total.means())) / 2
            cuts = self.images.best_cuts(raw)
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
        values, vectors = self.covariance.eigen
        return vectors @ (vectors.T @ self.pattern / (values + _WHITENING).sqrt())

    def _difference(self, sums: ForegroundSums) -> Float[Tensor, "*group filter"]:
        inside, outside = sums.means()
        return (inside - outside) * self.covariance.scale

    def _of_activations(
        self, weight: Float[Tensor, "vector filter"]
    ) -> Float[Tensor, "vector filter"]:
        """Weights of activations as they are, from those of standardised ones."""
        return weight.float() * self.covariance.scale.float()

    def _sum_by_fold(self) -> ForegroundSums:
        images, fold = self.images, torch.from_numpy(self.fold)
        folds = int(self.fold.max(initial=0)) + 1
        inside, everywhere = torch.zeros(2, folds, len(self.covariance.mean), dtype=torch.float64)
        for some in images.kept.blocks(len(fold)):
            sums = sum_cells(images.activations(0, some), images.shares[some]).double().cpu()
            inside.index_add_(0, fold[some], sums[:, 0])
            everywhere.index_add_(0, fold[some], sums[:, 1])
        covered = torch.zeros(folds, dtype=torch.float64)
        covered.index_add_(0, fold, images.shares.sum(1, dtype=torch.float64).cpu())
        cells = torch.bincount(fold, minlength=folds).double() * images.cells
        return ForegroundSums(inside, everywhere, covered, cells)

    def _choose_strength(self) -> RidgeFactor:
        """The strength of the best set IoU on the cells of held-out images, as a factor with it.

        What is judged is the whole procedure: a vector and its cut from all images but a fold.
        """
        kept = self.sums.without_each()
        folds = len(kept.cells)
        if folds < 2 or not kept.is_mixed:
            return self.factors.by_strength[-1]
        difference, factors = self._difference(kept), self.factors.by_strength
        vectors = [factor.solve(difference) for factor in factors]
        values = self.images.values(self._of_activations(torch.cat(vectors)))
        scores = []
        for by_fold in values.view(-1, folds, *values.shape[1:]):
            hit = union = 0.0
            for fold, value in enumerate(by_fold):
                counts = bin_counts(value, self.images.shares, self.fold, limits_of(value))
                share = best_share(np.delete(counts, fold, axis=0))
                predicted, inside = counts[fold][:, math.ceil(share * BINS) :].sum(1)
                hit += inside
                union += predicted + counts[fold, 1].sum() - inside
            scores.append(hit / max(union, 1.0))
        return factors[int(np.argmax(scores))]
