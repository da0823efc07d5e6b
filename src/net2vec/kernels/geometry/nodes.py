"""Gradients from a few nodes between four cells, in place of the many pixels there.

Between four cells of the grid, a *square*, z is bilinear and p (1 - p) a smooth function of it, so
a polynomial through m x m Chebyshev nodes stands for it. The mask comes in by sums that are taken
once. With l the nodes' Lagrange polynomials, a the share that a cell has of a pixel y, and t what
multiplies p (1 - p) in the loss's gradient,

    sum_y t(y) a(y) p(y) (1 - p(y)) = sum_n [sum_y t(y) l_n(y)] a(n) p(n) (1 - p(n))

but for the error of interpolation, which falls with the m-th power of how far z ranges over the
square. A log loss asks for the same sums with p in the place of p (1 - p). Steep squares get more
nodes: `LEVELS` bounds the error of a p (1 - p) along either side by 3e-5 of its largest value, at
the worst pixel of the steepest square, and `LOG_LEVELS` that of a p by 1e-4; its sign changes from
pixel to pixel, and weights end where pixels would take them but for rounding. Squares that are
steeper, or would need more nodes than they have pixels, are taken pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from net2vec.core.scratch import Scratch
from net2vec.kernels.backends import IndexedSum, backend_of
from net2vec.kernels.geometry.blocks import entries, pad_to_vectors
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.node_grid import MaskSums, Samples

# A square that has become too steep gets nodes for this multiple of its range.
_HEADROOM = 2.0

Response = Callable[[Tensor, Tensor], Tensor]


def slope_without_log(z: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"]) -> Tensor:
    """Target p (1 - p): the derivative of the paper's loss, which has no logarithm."""
    value = z.sigmoid_()
    # In one pass over memory.
    torch.ops.aten.sigmoid_backward.grad_input(target, value, grad_input=value)
    return value


def weighted_probability(z: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"]) -> Tensor:
    """Target p: the part of the slope of a log loss that depends on z."""
    return z.sigmoid_().mul_(target)


@dataclass(frozen=True)
class BlockIndex:
    """The mask and the problem of each image of a block.

    Attributes:
        mask: index of its mask among those that sums were taken over.
        problem: index of its problem, ascending; problems are learned side by side and none depends
            on another.
    """

    mask: Int[Tensor, "image"]
    problem: Int[Tensor, "image"]


@dataclass(frozen=True)
class _Group:
    """Squares of a block with the same samples, padded with empty squares.

    Attributes:
        steepest: the range of z up to which the samples are enough.
        square: index of each square in the block; -1 for an empty one.
        corner: the cells of each square, numbered through the block; of an empty one, the cell past
            the last.
        to_cells: sums of what squares give to their corners.
        target: what multiplies the response, see `MaskSums`.
        down, across: see `Samples`.
        reduce: see `Backend.corner_weights`; None for pixels.
        response: computes the result from z and `target` at every sample, in the memory of z.
    """

    steepest: float
    square: Int[Tensor, "square"]
    corner: Int[Tensor, "four square"]
    to_cells: IndexedSum
    target: Float[Tensor, "row column square"]
    down: Float[Tensor, "row 1 own"]
    across: Float[Tensor, "column own"]
    reduce: Float[Tensor, "*two node"] | None
    response: Response

    def corners(self, grid: Float[Tensor, "cell"]) -> Float[Tensor, "two two square"]:
        """Z at the squares' corners."""
        return torch.index_select(grid, 0, self.corner.flatten()).view(2, 2, -1)

    def add_back(
        self, by_cell: Float[Tensor, "cell"], corners: Float[Tensor, "two two square"]
    ) -> None:
        """Add to the cells' gradient what the squares give."""
        rows = torch.lerp(corners[:, :1], corners[:, 1:], self.across)
        value = self.response(torch.lerp(rows[:1], rows[1:], self.down), self.target)
        self.to_cells.add_to(by_cell, self._reduced(value).reshape(-1))

    def _reduced(
        self, value: Float[Tensor, "row column square"]
    ) -> Float[Tensor, "two two square"]:
        backend = backend_of(value.device)
        if self.reduce is not None:
            return backend.reduce_nodes(self.reduce, value)
        total = backend.sum_first(value)
        lower = backend.sum_first(value.mul_(self.down))
        rows = torch.stack([total - lower, lower], 1)
        right = backend.sum_first(rows * self.across[:, None])
        return torch.stack([backend.sum_first(rows) - right, right], 1)


class NodeBlock:
    """A mini-batch at the nodes of its squares; squares without an active cell are skipped.

    Several problems follow each other in memory: calls are few, and the result of one problem does
    not depend on the others, to the last bit.

    Args:
        maps: thresholded maps of the mini-batch; each problem has filters of its own.
        sums: what multiplies the response, by mask.
        index: the mask and the problem of each image.
        response: p (1 - p) or p, times what multiplies it.
        near: weights near to those of the first gradient, 0 by default; the number of nodes that
            each square begins with is chosen for them.
        scratch: holds what is computed once for all gradients, where memory has no room for it.
    """

    def __init__(
        self,
        maps: SparseMaps,
        sums: MaskSums,
        index: BlockIndex,
        *,
        response: Response = slope_without_log,
        near: Float[Tensor, "filter"] | None = None,
        scratch: Scratch | None = None,
    ) -> None:
        self._grid, self._sums, self._index, self._response = sums.grid, sums, index, response
        self._keep: Callable[[Tensor], Tensor] = scratch.put if scratch else lambda values: values
        filters, cell = (self._keep(part) for part in entries(maps))
        self._per_image = maps.grid[0] * maps.grid[1]
        self._cells = self._per_image * len(maps)
        self._backend = backend_of(cell.device)
        # The cell past the last stays 0: it is the corner of empty squares.
        self._to_cells = self._backend.indexed_sum(filters, cell, self._cells + 1)
        self._to_filters = self._backend.indexed_sum(cell, filters, maps.filters)
        self._corner = self._grid.corner.to(cell.device)
        active = torch.zeros(self._cells, dtype=torch.bool, device=cell.device)
        active[cell] = True
        at_corners = torch.index_select(active.view(-1, self._per_image), 1, self._corner.flatten())
        reached = at_corners.view(-1, *self._corner.shape).any(1)
        self._square = self._keep(torch.nonzero(reached.flatten())[:, 0])
        all_squares = torch.arange(len(self._square), device=cell.device)
        self._level = self._keep(torch.zeros_like(self._square))
        if near is not None:
            self._level = self._level_of(self._to_cells.sums(near), all_squares)
        self._groups: dict[int, _Group] = {}
        for level in torch.unique(self._level).tolist() or [0]:
            self._groups[level] = self._group(level, all_squares[self._level == level], None)

    def gradient(self, weight: Float[Tensor, "filter"]) -> Float[Tensor, "filter"]:
        """The gradient of the loss, summed over pixels and images."""
        summed = self._to_cells.sums(weight)
        by_cell = torch.zeros_like(summed)
        for group, corners in self._prepared(summed):
            group.add_back(by_cell, corners)
        return self._to_filters.sums(by_cell)

    def _prepared(self, summed: Float[Tensor, "cell"]) -> list[tuple[_Group, Tensor]]:
        """All groups and z at their corners, after steep squares were given more nodes."""
        groups = [(group, group.corners(summed)) for group in self._groups.values()]
        ranges = [
            (group, _ranges(four))
            for group, four in groups
            if group.steepest < inf and four.numel()
        ]
        # Compared once: reading a value synchronises with the GPU.
        excess = [most.max() - group.steepest for group, most in ranges]
        if not excess or float(excess[0] if len(excess) == 1 else torch.stack(excess).max()) <= 0:
            return groups
        steep = [group.square[most > group.steepest] for group, most in ranges]
        self._regroup(summed, torch.cat(steep))
        return [(group, group.corners(summed)) for group in self._groups.values()]

    def _regroup(self, summed: Float[Tensor, "cell"], steep: Int[Tensor, "steep"]) -> None:
        """Give more nodes to steep squares, and to almost steep ones of the same problems.

        No square ever gets fewer, and those of other problems do not change.
        """
        of_square = self._index.problem[self._image(self._square)]
        touched = torch.zeros(int(of_square.max()) + 1, dtype=torch.bool, device=steep.device)
        touched[of_square[steep]] = True
        own = torch.nonzero(touched[of_square])[:, 0]
        before = self._level[own]
        level = torch.maximum(before, self._level_of(summed, own))
        moved = level != before
        own, before, level = own[moved], before[moved], level[moved]
        self._level[own] = level
        for number in torch.unique(torch.cat([level, before])).tolist():
            group = self._groups.pop(number, None)
            joined = self._group(number, own[level == number], group)
            if len(joined.square):
                self._groups[number] = joined

    def _level_of(
        self, summed: Float[Tensor, "cell"], chosen: Int[Tensor, "chosen"]
    ) -> Int[Tensor, "chosen"]:
        """The levels whose nodes are enough for some squares, also when they get steeper."""
        corners = torch.index_select(summed, 0, self._corners(chosen).flatten()).view(2, 2, -1)
        limits = summed.new_tensor([steepest for _, steepest in self._grid.levels])
        return torch.bucketize(_ranges(corners) * _HEADROOM, limits)

    def _image(self, square: Int[Tensor, "square"]) -> Int[Tensor, "square"]:
        return torch.div(square, self._grid.squares, rounding_mode="floor")

    def _corners(self, chosen: Int[Tensor, "chosen"]) -> Int[Tensor, "four chosen"]:
        """The cells of some of the squares, numbered through the block."""
        square = self._square[chosen]
        cell = torch.index_select(self._corner, 1, square % self._grid.squares)
        return cell + self._image(square) * self._per_image

    def _group(self, level: int, fresh: Int[Tensor, "fresh"], old: _Group | None) -> _Group:
        """The squares of an old group that are still at its level, and those that came to it."""
        square = self._square[fresh]
        image, in_image = self._image(square), square % self._grid.squares
        samples = Samples.of(self._grid, level)
        target = self._sums.at(level, self._index.mask[image] * self._grid.squares + in_image)
        down, across = samples.down.to(square.device), samples.across.to(square.device)
        by_square = level == len(self._grid.levels)
        if by_square:
            down = torch.index_select(down, 2, in_image)
            across = torch.index_select(across, 1, in_image)
        target = target.view(len(down), len(across), -1)
        corner = self._corners(fresh)
        if old is not None:
            is_here = old.square >= 0
            is_here &= self._level[old.square.clamp(min=0)] == level
            stay = torch.nonzero(is_here)[:, 0]
            fresh = torch.cat([old.square[stay], fresh])
            corner = torch.cat([old.corner[:, stay], corner], 1)
            target = torch.cat([torch.index_select(old.target, 2, stay), target], 2)
            if by_square:
                down = torch.cat([torch.index_select(old.down, 2, stay), down], 2)
                across = torch.cat([torch.index_select(old.across, 1, stay), across], 1)
        # At least one square is empty.
        fill = pad_to_vectors(len(fresh) + 1) - len(fresh)
        if by_square:
            down, across = pad(down, (0, fill)), pad(across, (0, fill))
        corner = self._keep(pad(corner, (0, fill), value=self._cells))
        reduce = None
        if not by_square:
            reduce = self._backend.corner_weights(samples.reduce.to(square.device))
        return _Group(
            (*self._grid.levels, (0, inf))[level][1],
            self._keep(pad(fresh, (0, fill), value=-1)),
            corner,
            self._backend.corner_sum(corner, self._cells + 1),
            self._keep(pad(target, (0, fill))),
            down,
            across,
            reduce,
            self._response,
        )


def _ranges(corners: Float[Tensor, "two two square"]) -> Float[Tensor, "square"]:
    """The range of z over each square: it is bilinear, so its extremes lie in the corners."""
    return backend_of(corners.device).span_first(corners.flatten(0, 1))
