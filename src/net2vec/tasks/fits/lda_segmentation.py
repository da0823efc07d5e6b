"""Segmenting a concept by a linear discriminant of a layer's activations.

A cell is a block of the image, and counts as foreground by the share of it that the mask covers. Z
is interpolated between the centres of the cells; the paper's fits keep corners aligned. The
strength of shrinkage is chosen by the set IoU of held-out images, the cut on the training images,
by the rule of the converged fit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from net2vec.data.annotations import Annotations
from net2vec.kernels.convex.histogram import best_share
from net2vec.kernels.discriminant.maps import (
    BINS,
    count_pixels,
    grid_values,
    histogram,
    lattice_values,
    limits_of,
    value_of,
)
from net2vec.kernels.discriminant.moments import (
    Covariance,
    ForegroundSums,
    central_moments,
    sum_cells,
)
from net2vec.kernels.discriminant.ridge import STRENGTHS, forward_order, solve, solve_subset
from net2vec.kernels.geometry.upsample import block_means
from net2vec.kernels.sgd.logistic import largest_weights
from net2vec.recording import LayerRecording
from net2vec.recording.activations import KeptActivations
from net2vec.tasks.concept import ConceptTask, Counts, grid_of
from net2vec.tasks.fits.pixel_lattice import lattice_axes
from net2vec.tasks.learned import Segmentation, SegmentedConcept
from net2vec.tasks.single import single_counts

FOLDS = 5
# Stretches of the training images that say how much a score is a matter of a few of them.
_GROUPS = 16
# Values of a block of images. Blocks of the covariance are of fixed images, so a change of this
# number changes rounding.
_BLOCK_VALUES = 1 << 23
# Values of the training images of a concept that are kept in memory between looks, at most.
_LOADED_VALUES = 1 << 26
# Cells whose covariance is taken for a concept of its own.
_OWN_CELLS = 1 << 15
# Added to eigenvalues in whitening, so that directions of hardly any spread are not blown up.
_WHITENING = 1e-2
# Images whose pixels are counted at a time: their maps stay in the caches.
_COUNTED_IMAGES = 16


@dataclass(frozen=True)
class LayerActivations:
    """A layer whose activations were kept.

    Attributes:
        recording: the layer, which has a grid.
        kept: its activations.
    """

    recording: LayerRecording
    kept: KeptActivations

    @classmethod
    def of(cls, recording: LayerRecording) -> LayerActivations:
        """A layer's activations.

        Raises:
            ValueError: they were not kept.
        """
        if recording.activations is None:
            raise ValueError(f"the activations of layer {recording.layer} were not kept")
        return cls(recording, recording.activations)

    def blocks(self, images: int) -> Iterator[slice]:
        """Slices of a number of images that are read together."""
        _, cells, filters = self.kept.shape
        size = max(1, _BLOCK_VALUES // (cells * filters))
        for first in range(0, images, size):
            yield slice(first, min(first + size, images))

    def covariance(self, is_train: Bool[np.ndarray, "image"]) -> Covariance:
        """The covariance over the cells of all training images."""
        images = np.flatnonzero(is_train)
        near = torch.from_numpy(self.recording.means[images].mean(0, dtype=np.float64))
        blocks = (self.kept.of(images[some]) for some in self.blocks(len(images)))
        return Covariance.of(*central_moments(blocks, near))


def segment_discriminant(
    layer: LayerActivations,
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
        layer: the layer's activations.
        covariance: of the layer.
        annotations: the masks.
        label: the concept.
        best_filter: the best single filter, for its individual IoU.
        subset_sizes: numbers of filters to learn again with.
        device: where maps are computed.
    """
    learner = _ConceptLearner(layer, covariance, annotations, label, torch.device(device))
    found = learner.judge(learner.solve(subset_sizes))
    middle = 1 + len(subset_sizes)
    pairs = np.concatenate(learner.pairs)
    concept = ConceptTask(annotations, label, best_filter)
    (single,) = single_counts(layer.recording, [concept], [pairs], device)
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


class _ConceptLearner:
    """A concept's moments and maps.

    Vectors are weights of standardised activations.
    """

    def __init__(
        self,
        layer: LayerActivations,
        covariance: Covariance,
        annotations: Annotations,
        label: int,
        device: torch.device,
    ) -> None:
        self.layer = layer
        self.covariance = covariance
        self.annotations = annotations
        self.device = device
        self.grid = grid_of(layer.recording)
        self.pairs = [annotations.pairs(label, train=train) for train in (True, False)]
        images = len(self.pairs[0])
        # Folds are stretches of the dataset: neighbours, such as frames of a film, stay together.
        self.fold = _stretches(images, FOLDS)
        self.group = _stretches(images, _GROUPS)
        few = images * self.grid[0] * self.grid[1] * layer.recording.filters <= _LOADED_VALUES
        self._loaded: Tensor | None = None
        if few:
            self._loaded = layer.kept.of(annotations.image[self.pairs[0]]).to(device)
        self.sums, self.shares = self._sums()
        self.total = self.sums.total()
        self.strength = STRENGTHS[-1]

    def solve(self, sizes: Sequence[int]) -> Float[Tensor, "choice filter"]:
        """Vectors of all filters, of subsets of the largest weights, of forward selection."""
        if not self.total.is_mixed:  # everything is the concept: there is nothing to tell apart
            return torch.zeros(1 + 2 * len(sizes), len(self.covariance.mean), dtype=torch.float64)
        correlation = (self.covariance.correlation + self._own_correlation()) / 2
        self.strength = self._choose_strength(correlation)
        full = solve(correlation, self.pattern, self.strength)
        order = forward_order(correlation, self.pattern, self.strength, max(sizes, default=0))
        filters = torch.arange(len(full))
        by_weight = [largest_weights(full, size) for size in sizes]
        by_selection = [torch.isin(filters, order[:size]) for size in sizes]
        return torch.stack(
            [full]
            + [
                solve_subset(correlation, self.pattern, self.strength, kept)
                for kept in (*by_weight, *by_selection)
            ]
        )

    def judge(self, vectors: Float[Tensor, "choice filter"]) -> list[Segmentation]:
        """The cut of every vector, chosen on training images, and its counts."""
        weight = vectors.float()
        # Everything is counted as it is stored and used, in single precision.
        exact = self._bias(weight)
        bias, cut = exact.float(), (self._cuts(weight) + exact).float()
        counts = [self._count(weight, bias, cut, split) for split in (0, 1)]
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

    def _bias(self, weight: Float[Tensor, "vector filter"]) -> Float[Tensor, "vector"]:
        """The bias that puts 0 midway between the means of foreground and background."""
        if not self.total.is_mixed:
            return torch.zeros(len(weight), dtype=torch.float64)
        inside, outside = self.total.means()
        return -(self._of_activations(weight).double() @ (inside + outside)) / 2

    def _of_activations(
        self, weight: Float[Tensor, "*vector filter"]
    ) -> Float[Tensor, "*vector filter"]:
        """What activations are multiplied by, from the weights of standardised ones."""
        return weight.float() * self.covariance.scale.float()

    def _sums(self) -> tuple[ForegroundSums, Float[Tensor, "image cell"]]:
        """The sums of every fold, and the share of the mask in every cell."""
        pairs, cells = self.pairs[0], self.grid[0] * self.grid[1]
        folds = int(self.fold.max(initial=0)) + 1
        inside, everywhere = torch.zeros(2, folds, len(self.covariance.mean), dtype=torch.float64)
        shares = torch.empty(len(pairs), cells, device=self.device)
        for some in self.layer.blocks(len(pairs)):
            shares[some] = block_means(self._masks(pairs[some]), self.grid).flatten(1)
            activations = self._activations(0, some)
            fold = torch.from_numpy(self.fold[some])
            sums = sum_cells(activations, shares[some]).double().cpu()
            inside.index_add_(0, fold, sums[:, 0])
            everywhere.index_add_(0, fold, sums[:, 1])
        images = torch.from_numpy(np.bincount(self.fold, minlength=folds))
        covered = torch.zeros(folds, dtype=torch.float64)
        covered.index_add_(0, torch.from_numpy(self.fold), shares.sum(1, dtype=torch.float64).cpu())
        return ForegroundSums(inside, everywhere, covered, images.double() * cells), shares

    def _own_correlation(self) -> Float[Tensor, "filter filter"]:
        """The covariance of standardised activations over the training images of the concept.

        Of many images evenly spread ones are taken.
        """
        images = np.arange(len(self.pairs[0]))
        limit = max(_OWN_CELLS // (self.grid[0] * self.grid[1]), 1)
        if len(images) > limit:
            images = images[:limit] * len(images) // limit
        blocks = (self._activations(0, images[some]) for some in self.layer.blocks(len(images)))
        own = central_moments(blocks, self.covariance.mean)[1]
        return own * self.covariance.scale[:, None] * self.covariance.scale

    def _choose_strength(self, correlation: Float[Tensor, "filter filter"]) -> float:
        """The strength of the best set IoU on the cells of held-out images.

        What is judged is the whole procedure: a vector and its cut from all images but a fold.
        """
        kept = self.sums.without_each()
        folds = len(kept.cells)
        if folds < 2 or not kept.is_mixed:
            return STRENGTHS[-1]
        difference = self._difference(kept)
        vectors = torch.cat([solve(correlation, difference, strength) for strength in STRENGTHS])
        scores = []
        for values in self._values(vectors).view(-1, folds, *self.shares.shape):
            hit = union = 0.0
            for fold, value in enumerate(values):
                counts = self._histograms(value, self.shares, self.fold)
                rest = np.delete(counts, fold, axis=0)
                predicted = counts[fold][:, math.ceil(best_share(rest)[0] * BINS) :]
                hit += predicted[1].sum()
                union += predicted[0].sum() + counts[fold][1].sum() - predicted[1].sum()
            scores.append(hit / max(union, 1.0))
        return STRENGTHS[int(np.argmax(scores))]

    def _cuts(self, vectors: Float[Tensor, "choice filter"]) -> Float[Tensor, "choice"]:
        """For every vector the cut of z with the best set IoU on training images."""
        pairs, size = self.pairs[0], self.annotations.size
        if not self.total.is_mixed:
            return -torch.ones(len(vectors), dtype=torch.float64)
        axes = lattice_axes(self.layer.recording, self.annotations, pairs)
        rows, columns = lattice = (torch.tensor(axes[0]), torch.tensor(axes[1]))
        masks = torch.cat(
            [
                self._masks(pairs[some])[:, rows][:, :, columns]
                for some in self.layer.blocks(len(pairs))
            ]
        )
        cuts = []
        for value in self._values(vectors):
            at_pixels = lattice_values(value.view(-1, *self.grid), size, lattice)
            share, _ = best_share(self._histograms(at_pixels, masks, self.group))
            cuts.append(value_of(share, limits_of(at_pixels)))
        return torch.tensor(cuts, dtype=torch.float64)

    def _values(
        self, vectors: Float[Tensor, "vector filter"]
    ) -> Float[Tensor, "vector image cell"]:
        """Z on the grid of all training images."""
        weights = self._of_activations(vectors).to(self.device)
        values = torch.empty(len(vectors), *self.shares.shape, device=self.device)
        for some in self.layer.blocks(len(self.shares)):
            values[:, some] = (self._activations(0, some) @ weights.T).movedim(-1, 0)
        return values

    def _histograms(
        self,
        values: Float[Tensor, "image *place"],
        shares: Shaped[Tensor, "image *place"],
        group: Int[np.ndarray, "image"],
    ) -> Float[np.ndarray, "group two bin"]:
        """Histograms of z by group of images."""
        limits = limits_of(values)
        bounds = np.searchsorted(group, np.arange(group.max(initial=0) + 2))
        return np.stack(
            [
                histogram(values[first:last], shares[first:last], limits)
                for first, last in itertools.pairwise(bounds)
            ]
        )

    def _count(
        self,
        weight: Float[Tensor, "vector filter"],
        bias: Float[Tensor, "vector"],
        cut: Float[Tensor, "vector"],
        split: int,
    ) -> list[Counts]:
        """For every vector what it predicts in the images of a split."""
        pairs = self.pairs[split]
        size, hit = np.zeros((2, len(weight), len(pairs)), dtype=np.int64)
        weight = self._of_activations(weight)
        weight, bias, cut = (part.to(self.device) for part in (weight, bias, cut))
        for some in self.layer.blocks(len(pairs)):
            values = grid_values(self._activations(split, some), weight)
            values = values.reshape(*values.shape[:2], *self.grid)
            for first in range(0, len(values), _COUNTED_IMAGES):
                here = slice(first, first + _COUNTED_IMAGES)
                at = slice(some.start + first, some.start + first + len(values[here]))
                masks = self._masks(pairs[at])
                for i in range(len(weight)):
                    found = count_pixels(values[here, i], bias[i], cut[i], masks)
                    size[i, at], hit[i, at] = (part.cpu().numpy() for part in found)
        area = self.annotations.area[pairs].astype(np.int64)
        return [Counts(*each) for each in zip(hit, size + area - hit, strict=True)]

    def _activations(
        self, split: int, some: slice | Int[np.ndarray, "image"]
    ) -> Float[Tensor, "image cell filter"]:
        """The activations of some of the images of a split."""
        if split == 0 and self._loaded is not None:
            return self._loaded[some if isinstance(some, slice) else torch.from_numpy(some)]
        images = self.annotations.image[self.pairs[split][some]]
        return self.layer.kept.of(images).to(self.device)

    def _masks(self, pairs: Int[np.ndarray, "pair"]) -> Bool[Tensor, "pair row column"]:
        return torch.from_numpy(self.annotations.masks_of(pairs)).to(self.device)


def _stretches(images: int, count: int) -> Int[np.ndarray, "image"]:
    """The stretch of each image, where images are divided into some of about equal length."""
    parts = np.array_split(np.arange(images), max(1, min(count, images)))
    return np.repeat(np.arange(len(parts)), [len(part) for part in parts])
