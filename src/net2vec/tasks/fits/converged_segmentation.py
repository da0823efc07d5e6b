"""Segmenting a concept with the optimum of a convex problem, in the place of a few steps of SGD.

The model is the paper's (section 3.1.2). The loss is the log loss, foreground and background
weighing alike, with an L2 term. Its strength and the cut are chosen by cross-validation over the
training images, on a lattice of some pixels: the strength for the least loss, the cut for
the best set IoU of images that were held out, less half of its standard error. The best cut for the
images that a vector was learned on suits others badly where it fits them too well, and so does one
that a few of them decide. A bias would only move the cut; it is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from net2vec.data.annotations import Annotations
from net2vec.kernels.convex.histogram import SCORE_GROUPS, best_cut
from net2vec.kernels.convex.lasso import entry_order
from net2vec.kernels.convex.lattice import Lattice
from net2vec.kernels.convex.node_problem import NodeProblem
from net2vec.kernels.convex.pixel_problem import Balance, PixelProblem
from net2vec.kernels.convex.solver import ROUGH, STRENGTHS, solve
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.strips import Strips
from net2vec.kernels.sgd.logistic import largest_weights
from net2vec.recording import LayerRecording
from net2vec.tasks.concept import ConceptTask, Counts, grid_of
from net2vec.tasks.fits.cross_validation import FOLDS, stretches
from net2vec.tasks.fits.paper_segmentation import packed_masks
from net2vec.tasks.fits.pixel_lattice import lattice_of
from net2vec.tasks.learned import Segmentation, SegmentedConcept
from net2vec.tasks.single import single_counts

# Choices of filters that are solved side by side, at the most.
_GROUP_LIMIT = 6
# Steps of the L1 path may be wide: scores of its subsets are those of narrower ones.
_FALL = 0.7
# Of the curvature at 0, the share that a filter has anywhere: a lattice may miss it.
_LEAST_CURVATURE = 0.1


def segment_converged(
    recording: LayerRecording,
    annotations: Annotations,
    label: int,
    *,
    best_filter: int,
    subset_sizes: Sequence[int],
    device: torch.device | str = "cpu",
) -> SegmentedConcept:
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
    splits = [annotations.pairs(label, train=train) for train in (True, False)]
    learner = _Learner(
        Strips.of(grid_of(recording), annotations.size),
        [_part(recording, annotations, pairs, device) for pairs in splits],
        lattice_of(recording, annotations, splits[0], device),
    )
    full = learner.learn_all()
    by_weight = [largest_weights(full.vector, size) for size in subset_sizes]
    by_path = learner.path(subset_sizes)
    learned = learner.learn([*by_weight, *by_path], full.vector)
    subsets, path = learned[: len(by_weight)], learned[len(by_weight) :]
    pairs = np.concatenate(splits)
    concept = ConceptTask(annotations, label, best_filter)
    (single,) = single_counts(recording, [concept], [pairs], device)
    return SegmentedConcept.of(
        full.segmentation,
        single,
        pairs,
        subsets=[one.segmentation for one in subsets],
        path=[one.segmentation for one in path],
        l2=learner.l2,
    )


@dataclass(frozen=True)
class _Learned:
    """A solution, in double precision, and what it predicts in single precision."""

    vector: Float[Tensor, "filter"]
    segmentation: Segmentation


class _Learner:
    """A concept's problem on all pixels, by split, and on the lattice of its training images."""

    def __init__(
        self,
        strips: Strips,
        parts: Sequence[tuple[SparseMaps, UInt8[Tensor, "_ strip byte"]]],
        lattice: Lattice,
    ) -> None:
        self.strips = strips
        self.train_maps, self.train_masks = parts[0]
        self.fine = PixelProblem(strips, parts)
        self.lattice = lattice
        images, device = len(lattice.maps), self.fine.device
        self.fold = torch.from_numpy(stretches(images, FOLDS)).to(device)
        self.held_out = self.fold == torch.arange(min(FOLDS, images), device=device)[:, None]
        self.l2 = STRENGTHS[0]

    @property
    def can_hold_out(self) -> bool:
        """Whether there is an image to hold out, and something to judge it by."""
        return len(self.held_out) > 1 and self.lattice.is_mixed

    def learn_all(self) -> _Learned:
        """Solve with all filters, with the L2 strength of the least held-out loss.

        Strengths fall until the loss rises. Where nothing can be held out it is the strongest.
        """
        all_filters = torch.ones(self.fine.filters, dtype=torch.bool, device=self.fine.device)
        at, best = self._zero(1), self._zero(1)
        least = np.inf
        for l2 in STRENGTHS if self.can_hold_out else ():
            at = self._solve_lattice([all_filters], at, l2)
            loss = float(self.lattice.loss(at, self.fold).sum())
            if loss >= least:
                break
            self.l2, best, least = l2, at, loss
        return self._finish([all_filters], best)[0]

    def learn(
        self, kept: Sequence[Bool[Tensor, "filter"]], start: Float[Tensor, "filter"]
    ) -> list[_Learned]:
        """Solve with each of several choices of filters."""
        found: list[_Learned | None] = [None] * len(kept)
        for group in _pack_by_cost(
            [int((self._entries * one).sum()) for one in kept], _GROUP_LIMIT
        ):
            chosen = [kept[i] for i in group]
            at = self._zero(len(chosen)) + start
            if self.can_hold_out:
                at = self._solve_lattice(chosen, at, self.l2)
            for i, learned in zip(group, self._finish(chosen, at), strict=True):
                found[i] = learned
        return [learned for learned in found if learned is not None]

    def path(self, sizes: Sequence[int]) -> list[Bool[Tensor, "filter"]]:
        """For each size the filters that an L1 path on the lattice lets in first."""
        filters = torch.arange(self.fine.filters, device=self.fine.device)
        order = filters
        if sizes and self.lattice.is_mixed:
            counts = torch.ones_like(self.held_out[:1])
            curvature = self.lattice.curvature(counts)
            scale = torch.where(curvature > 0, 1 / curvature.clamp(min=1e-30).sqrt(), 0.0)
            order = entry_order(
                lambda x: self.lattice.gradient(x, counts), scale, max(sizes), fall=_FALL
            )[0]
        return [torch.isin(filters, order[:size]) for size in sizes]

    def _finish(
        self,
        kept: Sequence[Bool[Tensor, "filter"]],
        near: Float[Tensor, "problem filter"],
    ) -> list[_Learned]:
        """From the solutions without each fold to those of all images, with cuts and counts."""
        by_choice = near.view(len(kept), -1, self.fine.filters)
        vectors = self._solve(torch.stack(list(kept)), by_choice.mean(1))
        return [self._judge(*each) for each in zip(vectors, by_choice, strict=True)]

    def _judge(
        self, vector: Float[Tensor, "filter"], near: Float[Tensor, "fold filter"]
    ) -> _Learned:
        """The cut of a solution, chosen by those without each fold, and its counts."""
        if self.can_hold_out:
            groups = min(SCORE_GROUPS, len(self.lattice.maps))
            cut = best_cut(self.lattice.histogram(near, self.fold, groups))
        else:
            cut = best_cut(self.fine.histogram(vector, [0])[None])
        counts = []
        for split, part in enumerate(self.fine.parts):
            predicted, hit = self.fine.counts(vector, cut, split)
            counts.append(Counts(hit.numpy(), (predicted + part.area - hit).numpy()))
        return _Learned(vector, Segmentation(vector.float().cpu().numpy(), counts, cut=cut))

    def _solve(
        self, kept: Bool[Tensor, "choice filter"], start: Float[Tensor, "choice filter"]
    ) -> Float[Tensor, "choice filter"]:
        """The solutions on all pixels of the training images."""
        if self._balance is None:  # everything is the concept: there is nothing to tell apart
            return torch.zeros_like(start)
        l2 = torch.full_like(start, self.l2)
        curvature = self._curvature * kept
        if self.can_hold_out:
            # Near the optimum curvatures are smaller than at 0, of some filters much smaller.
            all_pixels = torch.ones_like(self.held_out[:1]).expand(len(start), -1)
            curvature = _LEAST_CURVATURE * curvature + kept * self.lattice.curvature(
                all_pixels, start
            )
        # Of many steep squares nodes save little, of filters that reach few squares much.
        few = 2 * int((self._entries * kept).sum()) <= int(self._entries.sum())
        if self._nodes is not None and (few or self._nodes.has_levels):
            gradient = self._nodes.gradient_of(list(kept), start)
            return solve(gradient, start, curvature, l2).x
        minima = [
            solve(self._by_pixel, begin[None], along[None], l2[:1]).x
            for along, begin in zip(curvature, start, strict=True)
        ]
        return torch.cat(minima)

    def _by_pixel(self, x: Float[Tensor, "1 filter"]) -> Float[Tensor, "1 filter"]:
        balance = self._balance
        return x if balance is None else self.fine.gradient(x[0], [0], balance)[None]

    @cached_property
    def _balance(self) -> Balance | None:
        return self.fine.balance([0])

    @cached_property
    def _nodes(self) -> NodeProblem | None:
        """The problem at nodes, where these are fewer than pixels."""
        grid = NodeProblem.fits(self.strips, self.train_maps)
        if grid is None or self._balance is None:
            return None
        pull = self.fine.pull([0], self._balance)
        return NodeProblem(grid, self.train_maps, self.train_masks, self._balance, pull)

    @cached_property
    def _entries(self) -> Int[Tensor, "filter"]:
        """Active cells of every filter in the training images."""
        return torch.bincount(self.train_maps.filter.long(), minlength=self.fine.filters)

    @cached_property
    def _curvature(self) -> Float[Tensor, "filter"]:
        balance = self._balance
        return self._zero(1)[0] if balance is None else self.fine.curvature([0], balance)

    def _solve_lattice(
        self,
        kept: Sequence[Bool[Tensor, "filter"]],
        start: Float[Tensor, "problem filter"],
        l2: float,
    ) -> Float[Tensor, "problem filter"]:
        """For each choice of filters the solutions without each fold."""
        counts = ~self.held_out.repeat(len(kept), 1)
        filters = torch.stack(list(kept)).repeat_interleave(len(self.held_out), 0)
        curvature = self._fold_curvature.repeat(len(kept), 1) * filters
        # Losses are sums: fewer images call for as much less of the L2 term.
        strength = l2 * counts.double().mean(1, keepdim=True).expand_as(curvature)
        return solve(
            lambda x: self.lattice.gradient(x, counts), start, curvature, strength, rough=ROUGH
        ).x

    @cached_property
    def _fold_curvature(self) -> Float[Tensor, "fold filter"]:
        return self.lattice.curvature(~self.held_out)

    def _zero(self, choices: int) -> Float[Tensor, "problem filter"]:
        shape = (choices * len(self.held_out), self.fine.filters)
        return torch.zeros(shape, dtype=torch.float64, device=self.fine.device)


def _pack_by_cost(entries: Sequence[int], most: int) -> list[list[int]]:
    """Groups of problems to solve side by side, those of few active cells first.

    Args:
        entries: active cells of each; no group has more than half of the largest number, unless
            it is one problem alone.
        most: problems of a group.
    """
    groups: list[list[int]] = []
    room = 0
    for i in sorted(range(len(entries)), key=lambda i: (entries[i], i)):
        if not groups or entries[i] > room or len(groups[-1]) == most:
            groups.append([])
            room = max(entries) // 2
        groups[-1].append(i)
        room -= entries[i]
    return groups


def _part(
    recording: LayerRecording,
    annotations: Annotations,
    pairs: Int[np.ndarray, "pair"],
    device: torch.device | str,
) -> tuple[SparseMaps, UInt8[Tensor, "pair strip byte"]]:
    """All pixels of a concept in some images."""
    strips = Strips.of(grid_of(recording), annotations.size)
    masks = packed_masks(annotations, strips, pairs, device)
    return recording.maps(annotations.image[pairs], device), masks
