"""Segmenting a concept with the optimum of a convex problem, in the place of a few steps of SGD.

The model is the paper's (section 3.1.2) with a bias. The loss is the log loss, foreground and
background weighing alike, with an L2 term. Its strength is chosen by cross-validation over the
training images, on a lattice of every fourth pixel; where to cut is chosen on all of their pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from net2vec.data.annotations import Annotations
from net2vec.kernels.balanced import Balance, PixelProblem
from net2vec.kernels.blocks import Strips
from net2vec.kernels.converge import ROUGH, STRENGTHS, solve
from net2vec.kernels.lasso import entry_order
from net2vec.kernels.logistic import largest_weights
from net2vec.kernels.maps import SparseMaps
from net2vec.recording import LayerRecording
from net2vec.tasks.chance import generator
from net2vec.tasks.segment import Segmented, single_counts

FOLDS = 5
# A lattice of every so many rows and columns is enough to choose by: neighbours are alike.
_STRIDE = 4


def segment_converged(
    recording: LayerRecording,
    annotations: Annotations,
    label: int,
    *,
    best_filter: int,
    subset_sizes: Sequence[int],
    seed: int,
    dataset: str,
    device: torch.device | str = "cpu",
) -> Segmented:
    """Learn to segment a concept with all filters of a layer, and with subsets of them.

    Subsets are chosen by two rules, of which each is solved again with its filters alone: the
    largest absolute weights, and the order in which an L1 path lets filters in.

    Args:
        recording: the layer; it must have a grid.
        annotations: the masks.
        label: the concept.
        best_filter: the best single filter, for its individual IoU.
        subset_sizes: numbers of filters to learn again with.
        seed: the run's seed; it decides the folds and nothing else.
        dataset: the dataset's digest.
        device: where to learn.
    """
    train, val = (annotations.pairs(label, train=split) for split in (True, False))
    folds = _folds(train, seed, dataset, annotations.names[label])
    parts = [*folds, val]
    fine = _problem(recording, annotations, parts, device, stride=1)
    coarse = _problem(recording, annotations, folds, device, stride=_STRIDE)
    learner = _Learner(fine, coarse, len(folds))
    l2, found = learner.choose()
    filters = recording.filters
    everything = torch.ones(filters, dtype=torch.bool, device=fine.device)
    full = learner.learn(l2, everything, found)
    by_weight = [largest_weights(full.x[:-1], size) for size in subset_sizes]
    by_path = (
        [
            torch.isin(torch.arange(filters, device=fine.device), order[:size])
            for order in (learner.path(max(subset_sizes)),)
            for size in subset_sizes
        ]
        if subset_sizes
        else []
    )
    subsets = [learner.learn(l2, kept, full.x) for kept in by_weight]
    path = [learner.learn(l2, kept, full.x) for kept in by_path]
    pairs = np.concatenate(parts)
    order = np.argsort(pairs)
    predicted, hit = (np.concatenate(counts)[order] for counts in zip(*full.counts, strict=True))
    single = single_counts(recording, annotations, pairs[order], best_filter)
    area = annotations.area[pairs[order]].astype(np.int64)
    return Segmented(
        weight=full.weight,
        bias=full.bias,
        cut=full.cut,
        l2=l2,
        start_distance=float("nan"),
        score=full.score,
        subset_weight=_stack([one.weight for one in subsets], filters),
        subset_bias=np.array([one.bias for one in subsets]),
        subset_cut=np.array([one.cut for one in subsets]),
        subset_score=_stack([one.score for one in subsets], 2).T,
        path_weight=_stack([one.weight for one in path], filters),
        path_bias=np.array([one.bias for one in path]),
        path_cut=np.array([one.cut for one in path]),
        path_score=_stack([one.score for one in path], 2).T,
        pairs=pairs[order],
        pair_intersection=np.stack([single.intersection, hit]),
        pair_union=np.stack([single.union, predicted + area - hit]),
    )


@dataclass(frozen=True)
class _Learned:
    """A solution: its variables, its cut, and what it predicts.

    Attributes:
        x: weights and bias.
        cut: a pixel is predicted where z + b is above it.
        counts: by part, pixels predicted and hit in every image.
        score: set IoU by split.
    """

    x: Float[Tensor, "variable"]
    cut: float
    counts: Sequence[tuple[Int[np.ndarray, "image"], Int[np.ndarray, "image"]]]
    score: Float[np.ndarray, "split"]

    @property
    def weight(self) -> Float[np.ndarray, "filter"]:
        weight: Float[np.ndarray, "filter"] = self.x[:-1].float().cpu().numpy()
        return weight

    @property
    def bias(self) -> float:
        return float(self.x[-1])


class _Learner:
    """One concept's problem on all pixels, and on the lattice; the last fine part is validation."""

    def __init__(self, fine: PixelProblem, coarse: PixelProblem, folds: int) -> None:
        self.fine = fine
        self.coarse = coarse
        self.train = range(folds)

    def choose(self) -> tuple[float, Float[Tensor, "variable"]]:
        """The L2 strength of the least held-out loss, and the solution on the lattice.

        Strengths fall until the loss rises. With a single image there is nothing to hold out, and
        the strongest is taken.
        """
        best, least = STRENGTHS[0], np.inf
        at = {fold: self._zero() for fold in self.train}
        balance = self.coarse.balance(self.train)
        for l2 in STRENGTHS if len(self.train) > 1 and balance else ():
            lost = 0.0
            for fold in self.train:
                others = [part for part in self.train if part != fold]
                at[fold] = _solve(self.coarse, others, at[fold], l2, close=ROUGH)
                lost += self.coarse.loss(at[fold], [fold], balance)
            if lost >= least:
                break
            best, least = l2, lost
        return best, _solve(self.coarse, self.train, self._zero(), best, close=ROUGH)

    def path(self, wanted: int) -> Int[Tensor, "filter"]:
        """The order in which an L1 path on the lattice lets filters in."""
        balance = self.coarse.balance(self.train)
        if balance is None:
            return torch.arange(self.fine.filters, device=self.fine.device)
        curvature = self.coarse.curvature(self.train, balance)
        scale = torch.where(curvature > 0, 1 / curvature.clamp(min=1e-30).sqrt(), 0.0)
        gradient = _gradient(self.coarse, self.train, balance)
        return entry_order(gradient, scale[None], wanted)[0]

    def learn(
        self, l2: float, kept: Bool[Tensor, "filter"], start: Float[Tensor, "variable"]
    ) -> _Learned:
        """Solve with some filters: on the lattice first, then on all pixels."""
        near = start
        if not bool(kept.all()):
            near = _solve(self.coarse, self.train, start, l2, kept=kept, close=ROUGH)
        x = _solve(self.fine, self.train, near, l2, kept=kept)
        cut = self.fine.best_cut(x, self.train)
        counts = [self.fine.counts(x, cut, part) for part in range(len(self.fine.parts))]
        score = [self._set_iou(counts, self.train), self._set_iou(counts, [len(self.train)])]
        as_arrays = [(predicted.numpy(), hit.numpy()) for predicted, hit in counts]
        return _Learned(x, cut, as_arrays, np.array(score))

    def _set_iou(self, counts: Sequence[tuple[Tensor, Tensor]], parts: Sequence[int]) -> float:
        hit = sum(int(counts[part][1].sum()) for part in parts)
        union = sum(int(counts[part][0].sum()) + self.fine.parts[part].foreground for part in parts)
        return hit / (union - hit) if union > hit else 0.0

    def _zero(self) -> Float[Tensor, "variable"]:
        return torch.zeros(self.fine.filters + 1, dtype=torch.float64, device=self.fine.device)


def _solve(
    problem: PixelProblem,
    parts: Sequence[int],
    start: Float[Tensor, "variable"],
    l2: float,
    *,
    kept: Bool[Tensor, "filter"] | None = None,
    **how: float,
) -> Float[Tensor, "variable"]:
    balance = problem.balance(parts)
    if balance is None:
        # Nothing to tell apart: everything is the concept, or nothing is.
        only = torch.zeros_like(start)
        only[-1] = 1.0 if problem.parts[parts[0]].foreground else -1.0
        return only
    curvature = problem.curvature(parts, balance)
    if kept is not None:
        curvature[:-1] *= kept
    gradient = _gradient(problem, parts, balance)
    strength = torch.tensor([l2], dtype=torch.float64, device=problem.device)
    return solve(gradient, start[None], curvature[None], strength, **how).x[0]


def _gradient(
    problem: PixelProblem, parts: Sequence[int], balance: Balance
) -> Callable[[Tensor], Tensor]:
    return lambda x: problem.gradient(x[0], parts, balance)[None]


def _folds(
    pairs: Int[np.ndarray, "pair"], seed: int, dataset: str, concept: str
) -> list[Int[np.ndarray, "pair"]]:
    """Training images in folds of equal size, as far as they can be."""
    order = generator(seed, "folds", dataset, concept).permutation(len(pairs))
    folds = min(FOLDS, len(pairs))
    return [np.sort(pairs[order[fold::folds]]) for fold in range(folds)]


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
