"""Learning to segment a concept: SGD on the weights of thresholded, upsampled maps.

Upsampling is linear, so filters are summed on the small grid first and one map is upsampled: to a
few nodes between its cells where there are many pixels to a cell, else to the pixels. The gradient
takes the same way back, in place and without a graph.

Source: paper, section 3.1.2 and equations 2 and 4. The loss has no logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from net2vec.kernels.blocks import Block, lay_out
from net2vec.kernels.maps import SparseMaps
from net2vec.kernels.node_grid import MaskSums, NodeGrid
from net2vec.kernels.nodes import NodeBlock
from net2vec.kernels.strips import Strips

# Pixels of a block on a CPU: fewer cost more calls, more fall out of the caches.
_CPU_BLOCK = 16 * 1024 * 24
# Where blocks are laid out to be counted once, calls matter more.
_CPU_COUNTED = 1 << 20
_GPU_BLOCK = 1 << 25
# Bytes of what subsets share: a concept of very many images takes it again for each of them.
_SHARED = 1 << 28


class SegmentationProblem:
    """One concept's images and masks, for learning and for counting.

    Args:
        maps: thresholded maps of the images that contain the concept, in the dataset's order.
        strips: geometry of the masks.
        masks: the concept's masks, from `Strips.pack`.
        batch: images of a mini-batch.
    """

    def __init__(
        self,
        maps: SparseMaps,
        strips: Strips,
        masks: UInt8[Tensor, "image strip byte"],
        *,
        batch: int,
    ) -> None:
        self._maps, self._strips, self._masks = maps, strips, masks
        self._bounds = [
            (first, min(first + batch, len(maps))) for first in range(0, len(maps), batch)
        ]
        self._sums: dict[int, MaskSums] = {}
        self._laid_out: dict[int, list[Block]] = {}
        self._room = torch.empty(0, device=maps.cell.device)

    def only(self, kept: Bool[Tensor, "filter"]) -> SegmentationProblem:
        """The same problem with all filters but the kept ones off; it shares what masks need."""
        problem = SegmentationProblem(
            self._maps.only(kept.to(self._masks.device)), self._strips, self._masks, batch=1
        )
        problem._bounds, problem._sums = self._bounds, self._sums
        return problem

    def fit(
        self,
        start: Float[Tensor, "filter"],
        *,
        alpha: float,
        learning_rate: float,
        momentum: float,
        epochs: int,
    ) -> Float[Tensor, "filter"]:
        """Weights after `epochs` passes of SGD with momentum over the batches, in order.

        Args:
            start: initial weights; a filter that is off everywhere keeps its own.
            alpha: 1 minus the mean share of the mask that the concept covers. Where it is 0 the
                concept fills every mask and foreground and background both weigh 1.
            learning_rate: step size, for a loss that is summed over pixels.
            momentum: share of the last step that is taken again.
            epochs: passes over all batches.
        """
        weight: Tensor = fit_side_by_side(
            [self],
            start[None],
            alpha=alpha,
            learning_rate=learning_rate,
            momentum=momentum,
            epochs=epochs,
        )[0]
        return weight

    def counts(
        self, weight: Float[Tensor, "filter"]
    ) -> tuple[Int[Tensor, "image"], Int[Tensor, "image"]]:
        """Pixels predicted (z > 0), and those of them that the mask contains, for every image."""
        predicted = [torch.zeros(0, dtype=torch.int64)]
        hit = [torch.zeros(0, dtype=torch.int64)]
        for number in range(len(self._bounds)):
            for block in self._laid_out.get(number) or self._pixels(number, _CPU_COUNTED):
                value = block.value(weight, self._room_for(block))
                for found, count in zip((predicted, hit), block.counts(value), strict=True):
                    found.append(count)
        return torch.cat(predicted), torch.cat(hit)

    def _learner(
        self,
        number: int,
        problems: Sequence[SegmentationProblem],
        background: float,
        slope: float,
    ) -> NodeBlock | _PixelBatch:
        """A mini-batch of problems; what multiplies p (1 - p) is `background - slope * mask`."""
        grid = self._grid
        if grid is None:
            if number not in self._laid_out:
                self._laid_out[number] = list(self._pixels(number, _CPU_BLOCK))
            return _PixelBatch(self._laid_out[number], self._room_for, background, slope)
        first, last = self._bounds[number]
        sums = self._sums.get(number) or MaskSums(grid, self._masks[first:last])
        if (number + 1) * 4 * grid.levels[0][0] ** 2 * grid.squares * (last - first) <= _SHARED:
            self._sums[number] = sums
        maps = [problem._maps for problem in problems]
        return NodeBlock(maps, first, last, sums, background=background, slope=slope)

    @property
    def _grid(self) -> NodeGrid | None:
        return NodeGrid.of(self._maps.grid, self._strips.size)

    def _pixels(self, number: int, pixels: int) -> Iterator[Block]:
        """The pixels of a mini-batch, in blocks of equal size as far as they can be."""
        first, last = self._bounds[number]
        if self._masks.is_cuda:
            pixels = _GPU_BLOCK
        most = max(1, pixels // (len(self._strips) * self._strips.pixels))
        block = -(-(last - first) // -(-(last - first) // most))
        for begin in range(first, last, block):
            yield lay_out(self._maps, self._strips, self._masks, begin, min(begin + block, last))

    def _room_for(self, block: Block) -> Float[Tensor, "number"]:
        if len(self._room) < math.prod(block.shape):
            self._room = torch.empty(math.prod(block.shape), device=self._room.device)
        return self._room


def fit_side_by_side(
    problems: Sequence[SegmentationProblem],
    start: Float[Tensor, "problem filter"],
    *,
    alpha: float,
    learning_rate: float,
    momentum: float,
    epochs: int,
) -> Float[Tensor, "problem filter"]:
    """Weights of several choices of filters for one concept, as `SegmentationProblem.fit` gives.

    Those of few active cells take their steps together, since calls cost them more than numbers do.

    Args:
        problems: one problem, or several that `SegmentationProblem.only` made of one.
        start: initial weights of each.
        alpha: as in `SegmentationProblem.fit`, as are the next three.
        learning_rate: step size.
        momentum: share of the last step that is taken again.
        epochs: passes over all batches.
    """
    foreground, background = (alpha, 1 - alpha) if alpha > 0 else (1.0, 1.0)
    # d loss / d z is p (1 - p) times (1 - a) - t, or 1 - 2 t with equal weights.
    slope = foreground + background
    found = torch.empty_like(start)
    for some in _together(problems):
        first, *_ = chosen = [problems[i] for i in some]
        learners = [
            first._learner(number, chosen, background, slope)
            for number in range(len(first._bounds))
        ]
        weight = start[some].flatten()
        velocity = torch.zeros_like(weight)
        for _ in range(epochs):
            for learner, (begin, end) in zip(learners, first._bounds, strict=True):
                gradient = torch.zeros_like(weight)
                learner.add_gradient(gradient, weight)
                velocity.mul_(momentum).add_(gradient, alpha=1 / (end - begin))
                weight.sub_(velocity, alpha=learning_rate)
        found[some] = weight.view(len(some), -1)
    return found


def _together(problems: Sequence[SegmentationProblem]) -> list[list[int]]:
    """Which problems take their steps together; by pixels each lies in memory on its own."""
    by_pixel = bool(problems) and problems[0]._grid is None
    entries = [len(problem._maps.cell) for problem in problems]
    return alike(entries, 1 if by_pixel else len(problems))


def alike(entries: Sequence[int], most: int) -> list[list[int]]:
    """Groups of problems to take side by side, those of few active cells first.

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


@dataclass(frozen=True)
class _PixelBatch:
    """A mini-batch by pixels.

    Attributes:
        blocks: its images.
        room: gives memory for a block's values.
        background, slope: what multiplies p (1 - p) is `background - slope * mask`.
    """

    blocks: Sequence[Block]
    room: Callable[[Block], Tensor]
    background: float
    slope: float

    def add_gradient(
        self, gradient: Float[Tensor, "filter"], weight: Float[Tensor, "filter"]
    ) -> None:
        """Add the gradient of the loss, summed over pixels and images."""
        for block in self.blocks:
            value = block.value(weight, self.room(block)).sigmoid_()
            target = torch.mul(block.mask, -self.slope).add_(self.background)
            # target * p * (1 - p) in one pass over memory.
            torch.ops.aten.sigmoid_backward.grad_input(target, value, grad_input=value)
            block.add_back(gradient, value)
