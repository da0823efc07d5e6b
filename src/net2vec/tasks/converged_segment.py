"""Segmenting a concept with the optimum of a convex problem, in the place of a few steps of SGD.

The model is the paper's (section 3.1.2). The loss is the log loss, foreground and background
weighing alike, with an L2 term. Its strength and the cut are chosen by cross-validation over the
training images, on a lattice of every fourth pixel: the strength for the least loss, the cut for
the best set IoU of images that were held out. The best cut for the images that a vector was learned
on suits others badly where it fits them too well. A bias would only move the cut; it is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from net2vec.data.annotations import Annotations
from net2vec.kernels.balanced import Balance, PixelProblem, best_cut
from net2vec.kernels.blocks import Strips
from net2vec.kernels.converge import STRENGTHS, solve
from net2vec.kernels.lasso import entry_order
from net2vec.kernels.logistic import largest_weights
from net2vec.kernels.maps import SparseMaps
from net2vec.recording import LayerRecording
from net2vec.tasks.segment import Segmented, single_counts

FOLDS = 5
STRIDES = (4, 2)
"""A lattice of every so many rows and columns is enough to choose by: neighbours are alike."""

# Pixels of the concept that a lattice should have.
_ENOUGH = 250


def segment_converged(
    recording: LayerRecording,
    annotations: Annotations,
    label: int,
    *,
    best_filter: int,
    subset_sizes: Sequence[int],
    device: torch.device | str = "cpu",
) -> Segmented:
    """Learn to segment a concept with all filters of a layer, and with subsets of them.

    Subsets are chosen by two rules, of which each is solved again with its filters alone: the
    largest absolute weights, and the order in which an L1 path lets filters in. Nothing is drawn.

    Args:
        recording: the layer; it must have a grid.
        annotations: the masks.
        label: the concept.
        best_filter: the best single filter, for its individual IoU.
        subset_sizes: numbers of filters to learn again with.
        device: where to learn.
    """
    train, val = (annotations.pairs(label, train=split) for split in (True, False))
    # Folds are stretches of the dataset: neighbours, such as frames of a film, stay together.
    folds = np.array_split(train, min(FOLDS, len(train)))
    area = annotations.area[train].sum(dtype=np.int64)
    stride = max(STRIDES, key=lambda step: (area >= step**2 * _ENOUGH, -step))
    fine = _problem(recording, annotations, [train, val], device, stride=1)
    coarse = _problem(recording, annotations, folds, device, stride=stride)
    learner = _Learner(fine, coarse)
    filters = recording.filters
    everything = torch.ones(filters, dtype=torch.bool, device=fine.device)
    l2, start = learner.choose()
    full = learner.learn(l2, everything, start)
    by_weight = [largest_weights(full.vector, size) for size in subset_sizes]
    by_path = learner.path(subset_sizes)
    subsets = [learner.learn(l2, kept, full.vector) for kept in by_weight]
    path = [learner.learn(l2, kept, full.vector) for kept in by_path]
    pairs = np.concatenate([train, val])
    order = np.argsort(pairs)
    predicted, hit = (np.concatenate(counts)[order] for counts in zip(*full.counts, strict=True))
    single = single_counts(recording, annotations, pairs[order], best_filter)
    areas = annotations.area[pairs[order]].astype(np.int64)
    return Segmented(
        weight=full.weight,
        bias=0.0,
        cut=full.cut,
        l2=l2,
        start_distance=float("nan"),
        score=full.score,
        subset_weight=_stack([one.weight for one in subsets], filters),
        subset_bias=np.zeros(len(subsets)),
        subset_cut=np.array([one.cut for one in subsets]),
        subset_score=_stack([one.score for one in subsets], 2).T,
        path_weight=_stack([one.weight for one in path], filters),
        path_bias=np.zeros(len(path)),
        path_cut=np.array([one.cut for one in path]),
        path_score=_stack([one.score for one in path], 2).T,
        pairs=pairs[order],
        pair_intersection=np.stack([single.intersection, hit]),
        pair_union=np.stack([single.union, predicted + areas - hit]),
    )


@dataclass(frozen=True)
class _Learned:
    """A solution, its cut, and what it predicts.

    Attributes:
        vector: the weights, in double precision.
        cut: a pixel is predicted where z is above it.
        counts: by split, pixels predicted and hit in every image.
        score: set IoU by split.
    """

    vector: Float[Tensor, "filter"]
    cut: float
    counts: Sequence[tuple[Int[np.ndarray, "image"], Int[np.ndarray, "image"]]]
    score: Float[np.ndarray, "split"]

    @property
    def weight(self) -> Float[np.ndarray, "filter"]:
        weight: Float[np.ndarray, "filter"] = self.vector.float().cpu().numpy()
        return weight


class _Learner:
    """One concept's problem on all pixels, by split, and on the training lattice, by fold."""

    def __init__(self, fine: PixelProblem, coarse: PixelProblem) -> None:
        self.fine = fine
        self.coarse = coarse
        self.folds = range(len(coarse.parts))
        self.balance = coarse.balance(self.folds)

    @property
    def can_hold_out(self) -> bool:
        """Whether there is an image to hold out, and something to judge it by."""
        return len(self.folds) > 1 and self.balance is not None

    def choose(self) -> tuple[float, Float[Tensor, "filter"]]:
        """The L2 strength of the least held-out loss, and the solution on the lattice.

        Strengths fall until the loss rises. Where nothing can be held out it is the strongest.
        """
        best, least = STRENGTHS[0], np.inf
        everything = torch.ones(self.fine.filters, dtype=torch.bool, device=self.fine.device)
        at = [self._zero() for _ in self.folds]
        for l2 in STRENGTHS if self.balance is not None and self.can_hold_out else ():
            at = self._without_each(l2, everything, at)
            lost = sum(
                self.coarse.loss(x, [fold], self.balance)
                for fold, x in zip(self.folds, at, strict=True)
            )
            if lost >= least:
                break
            best, least = l2, lost
        start = _solve(self.coarse, self.folds, best, everything, self._zero(), rough=True)
        return best, start

    def path(self, sizes: Sequence[int]) -> list[Bool[Tensor, "filter"]]:
        """For each size the filters that an L1 path on the lattice lets in first."""
        filters = torch.arange(self.fine.filters, device=self.fine.device)
        if not sizes:
            return []
        order = filters
        if self.balance is not None:
            curvature = self.coarse.curvature(self.folds, self.balance)
            scale = torch.where(curvature > 0, 1 / curvature.clamp(min=1e-30).sqrt(), 0.0)
            gradient = _gradient(self.coarse, self.folds, self.balance)
            order = entry_order(gradient, scale[None], max(sizes))[0]
        return [torch.isin(filters, order[:size]) for size in sizes]

    def learn(
        self, l2: float, kept: Bool[Tensor, "filter"], start: Float[Tensor, "filter"]
    ) -> _Learned:
        """Solve with some filters; the cut is the best for images held out from the folds."""
        if not bool(kept.all()):
            start = _solve(self.coarse, self.folds, l2, kept, start, rough=True)
        vector = _solve(self.fine, [0], l2, kept, start)
        if self.can_hold_out:
            held_out = self._without_each(l2, kept, [start for _ in self.folds])
            histograms = [
                self.coarse.histogram(x, [fold])
                for fold, x in zip(self.folds, held_out, strict=True)
            ]
            cut = best_cut(np.sum(histograms, axis=0))
        else:
            cut = best_cut(self.fine.histogram(vector, [0]))
        counts = [self.fine.counts(vector, cut, split) for split in (0, 1)]
        score = []
        for (predicted, hit), part in zip(counts, self.fine.parts, strict=True):
            shared = int(hit.sum())
            union = int(predicted.sum()) + part.foreground - shared
            score.append(shared / union if union else 0.0)
        as_arrays = [(predicted.numpy(), hit.numpy()) for predicted, hit in counts]
        return _Learned(vector, cut, as_arrays, np.array(score))

    def _without_each(
        self,
        l2: float,
        kept: Bool[Tensor, "filter"],
        starts: Sequence[Float[Tensor, "filter"]],
    ) -> list[Float[Tensor, "filter"]]:
        """For each fold the solution on all others."""
        found = []
        for fold, start in zip(self.folds, starts, strict=True):
            others = [part for part in self.folds if part != fold]
            found.append(_solve(self.coarse, others, l2, kept, start, rough=True))
        return found

    def _zero(self) -> Float[Tensor, "filter"]:
        return torch.zeros(self.fine.filters, dtype=torch.float64, device=self.fine.device)


def _solve(
    problem: PixelProblem,
    parts: Sequence[int],
    l2: float,
    kept: Bool[Tensor, "filter"],
    start: Float[Tensor, "filter"],
    *,
    rough: bool = False,
) -> Float[Tensor, "filter"]:
    balance = problem.balance(parts)
    if balance is None:  # everything is the concept, or nothing is: there is nothing to tell apart
        return torch.zeros_like(start)
    curvature = problem.curvature(parts, balance) * kept
    gradient = _gradient(problem, parts, balance)
    strength = torch.full_like(curvature, l2)
    return solve(gradient, start[None], curvature[None], strength[None], rough=rough).x[0]


def _gradient(
    problem: PixelProblem, parts: Sequence[int], balance: Balance
) -> Callable[[Tensor], Tensor]:
    return lambda weight: problem.gradient(weight[0], parts, balance)[None]


def _problem(
    recording: LayerRecording,
    annotations: Annotations,
    parts: Sequence[Int[np.ndarray, "pair"]],
    device: torch.device | str,
    *,
    stride: int,
) -> PixelProblem:
    """The pixels of a concept, or a lattice of them."""
    size, grid = annotations.size, recording.grid
    if grid is None:
        raise ValueError(f"layer {recording.layer} has no grid")
    rows, columns = (_lattice(length, stride) for length in size)
    lattice = (len(rows), len(columns))
    same = grid == size
    strips = Strips.of(lattice if same else grid, lattice)
    laid_out = []
    for pairs in parts:
        maps = recording.maps(annotations.image[pairs])
        if same and stride > 1:
            maps = _thinned(maps, rows, columns)
        packed = [
            strips.pack(torch.from_numpy(annotations.masks_of(some)[:, rows][:, :, columns]))
            for some in _portions(pairs)
        ]
        laid_out.append((maps.to(device), torch.cat(packed).to(device)))
    return PixelProblem(strips, laid_out)


def _lattice(length: int, stride: int) -> Int[np.ndarray, "chosen"]:
    """Evenly spread rows, the first and the last among them, a `stride` apart or nearly."""
    return np.round(np.linspace(0, length - 1, max(1, -(-length // stride)))).astype(int)


def _thinned(
    maps: SparseMaps, rows: Int[np.ndarray, "row"], columns: Int[np.ndarray, "column"]
) -> SparseMaps:
    """Maps on some rows and columns of the grid."""
    height, width = maps.grid
    place = np.full((height, width), -1)
    place[np.ix_(rows, columns)] = np.arange(len(rows) * len(columns)).reshape(len(rows), -1)
    cell = torch.from_numpy(place.ravel())[maps.cell.long()]
    stay = cell >= 0
    before = torch.cat([stay.new_zeros(1, dtype=torch.int64), torch.cumsum(stay, 0)])
    grid = (len(rows), len(columns))
    return SparseMaps(
        before[maps.starts], maps.filter[stay], cell[stay].to(maps.cell.dtype), grid, maps.filters
    )


def _portions(pairs: Int[np.ndarray, "pair"]) -> Iterator[Int[np.ndarray, "pair"]]:
    for first in range(0, max(len(pairs), 1), 256):
        yield pairs[first : first + 256]


def _stack(arrays: Sequence[np.ndarray], width: int) -> np.ndarray:
    return np.stack(arrays) if arrays else np.zeros((0, width), dtype=np.float32)
