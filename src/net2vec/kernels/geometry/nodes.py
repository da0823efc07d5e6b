"""Learning at a few nodes between four cells, in place of the many pixels there.

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

from net2vec.kernels.geometry.blocks import entries, whole_vectors
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.node_grid import MaskSums, Samples
from net2vec.kernels.geometry.sparse import ScatteredSum, in_order

# A square that has become too steep is prepared for a range this much larger than its own.
_AHEAD = 2.0

Response = Callable[[Tensor, Tensor], Tensor]


def slope_of_likeness(z: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"]) -> Tensor:
    """Target p (1 - p): the derivative of the paper's loss, which has no logarithm."""
    value = z.sigmoid_()
    # In one pass over memory.
    torch.ops.aten.sigmoid_backward.grad_input(target, value, grad_input=value)
    return value


def weighted_probability(z: Float[Tensor, "*shape"], target: Float[Tensor, "*shape"]) -> Tensor:
    """Target p: what a log loss pushes down; what it pulls up does not depend on z."""
    return z.sigmoid_().mul_(target)


@dataclass(frozen=True)
class BlockIndex:
    """What the images of a block show.

    Attributes:
        mask: which mask each has, among those that sums were taken over.
        problem: whose image it is, ascending; problems are learned side by side and none depends
            on another.
    """

    mask: Int[Tensor, "image"]
    problem: Int[Tensor, "image"]


@dataclass(frozen=True)
class _Group:
    """Squares of a block with the same samples, filled up with squares of none.

    Attributes:
        steepest: the range of z up to which the samples are enough.
        square: which of the block's squares each is; -1 for none.
        corner: the cells of each square, counted through the block; for none one past the last.
        to_cells: sums of what squares give to their corners; on a GPU, of every cell, what squares
            of which it is the first, second, third and fourth corner give.
        target: what multiplies the response, see `MaskSums`.
        down, across, reduce: see `Samples`; on a GPU `reduce` is by corner and node.
        response: what z and `target` come to at every sample; it may use z's memory.
    """

    steepest: float
    square: Int[Tensor, "square"]
    corner: Int[Tensor, "four square"]
    to_cells: ScatteredSum | Int[Tensor, "four_cell"]
    target: Float[Tensor, "row column square"]
    down: Float[Tensor, "row 1 own"]
    across: Float[Tensor, "column own"]
    reduce: Float[Tensor, "*two node"]
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
        by_corner = self._reduced(value).reshape(-1)
        if isinstance(self.to_cells, ScatteredSum):
            self.to_cells.add_to(by_cell, by_corner)
        else:
            by_cell += torch.index_select(by_corner, 0, self.to_cells).view(4, -1).sum(0)

    def _reduced(
        self, value: Float[Tensor, "row column square"]
    ) -> Float[Tensor, "two two square"]:
        count = len(value)
        if len(self.reduce) and value.is_cuda:
            return in_order(self.reduce, value.flatten(0, 1)).view(2, 2, -1)
        if len(self.reduce):
            rows = torch.mm(self.reduce[0], value.view(count, -1))
            return torch.bmm(self.reduce, rows.view(2, count, -1))
        total = _sum(value)
        lower = _sum(value.mul_(self.down))
        rows = torch.stack([total - lower, lower], 1)
        right = _sum(rows * self.across[:, None])
        return torch.stack([_sum(rows) - right, right], 1)


class NodeBlock:
    """A mini-batch at the nodes of its squares, but for squares without an active cell.

    Several problems lie behind each other: calls are few, and what one of them reaches does not
    depend on the others, to the last bit.

    Args:
        maps: thresholded maps of the mini-batch; each problem has filters of its own.
        sums: what multiplies the response, by mask.
        shown: what its images show.
        response: p (1 - p) or p, times what multiplies it.
        near: weights near to those of the first gradient, 0 by default: they say how many nodes
            each square should begin with.
    """

    def __init__(
        self,
        maps: SparseMaps,
        sums: MaskSums,
        shown: BlockIndex,
        *,
        response: Response = slope_of_likeness,
        near: Float[Tensor, "filter"] | None = None,
    ) -> None:
        self._grid, self._sums, self._shown, self._response = sums.grid, sums, shown, response
        filters, cell = entries(maps)
        self._per_image = maps.grid[0] * maps.grid[1]
        self._cells = self._per_image * len(maps)
        # The cell past the last stays 0: it is the corner of squares that are none.
        self._to_cells = ScatteredSum.of(filters, cell, self._cells + 1)
        self._to_filters = ScatteredSum.of(cell, filters, maps.filters)
        self._corner = self._grid.corner.to(cell.device)
        active = torch.zeros(self._cells, dtype=torch.bool, device=cell.device)
        active[cell] = True
        at_corners = torch.index_select(active.view(-1, self._per_image), 1, self._corner.flatten())
        reached = at_corners.view(-1, *self._corner.shape).any(1)
        self._square = torch.nonzero(reached.flatten())[:, 0]
        everything = torch.arange(len(self._square), device=cell.device)
        self._level = torch.zeros_like(self._square)
        if near is not None:
            self._level = self._enough(self._to_cells.sums(near), everything)
        self._groups: dict[int, _Group] = {}
        for level in torch.unique(self._level).tolist() or [0]:
            self._groups[level] = self._group(level, everything[self._level == level], None)

    def gradient(self, weight: Float[Tensor, "filter"]) -> Float[Tensor, "filter"]:
        """The gradient of the loss, summed over pixels and images."""
        summed = self._to_cells.sums(weight)
        by_cell = torch.zeros_like(summed)
        for group, corners in self._prepared(summed):
            group.add_back(by_cell, corners)
        return self._to_filters.sums(by_cell)

    def _prepared(self, summed: Float[Tensor, "cell"]) -> list[tuple[_Group, Tensor]]:
        """All groups, none of them with too steep a square, and z at their corners."""
        found = [(group, group.corners(summed)) for group in self._groups.values()]
        ranges = [
            (group, _ranges(four)) for group, four in found if group.steepest < inf and four.numel()
        ]
        # Compared once: reading a value synchronises with the GPU.
        excess = [most.max() - group.steepest for group, most in ranges]
        if not excess or float(excess[0] if len(excess) == 1 else torch.stack(excess).max()) <= 0:
            return found
        steep = [group.square[most > group.steepest] for group, most in ranges]
        self._regroup(summed, torch.cat(steep))
        return [(group, group.corners(summed)) for group in self._groups.values()]

    def _regroup(self, summed: Float[Tensor, "cell"], steep: Int[Tensor, "steep"]) -> None:
        """Give more nodes to steep squares, and to those of the same problems that soon will be.

        None ever gets fewer. When a problem's squares get more is its own affair.
        """
        of_square = self._shown.problem[self._image(self._square)]
        touched = torch.zeros(int(of_square.max()) + 1, dtype=torch.bool, device=steep.device)
        touched[of_square[steep]] = True
        own = torch.nonzero(touched[of_square])[:, 0]
        before = self._level[own]
        level = torch.maximum(before, self._enough(summed, own))
        moved = level != before
        own, before, level = own[moved], before[moved], level[moved]
        self._level[own] = level
        for number in torch.unique(torch.cat([level, before])).tolist():
            group = self._groups.pop(number, None)
            joined = self._group(number, own[level == number], group)
            if len(joined.square):
                self._groups[number] = joined

    def _enough(
        self, summed: Float[Tensor, "cell"], chosen: Int[Tensor, "chosen"]
    ) -> Int[Tensor, "chosen"]:
        """The levels at which some squares have nodes enough, also when they are steeper."""
        corners = torch.index_select(summed, 0, self._corners(chosen).flatten()).view(2, 2, -1)
        limits = summed.new_tensor([steepest for _, steepest in self._grid.levels])
        return torch.bucketize(_ranges(corners) * _AHEAD, limits)

    def _image(self, square: Int[Tensor, "square"]) -> Int[Tensor, "square"]:
        return torch.div(square, self._grid.squares, rounding_mode="floor")

    def _corners(self, chosen: Int[Tensor, "chosen"]) -> Int[Tensor, "four chosen"]:
        """The cells of some of the squares, counted through the block."""
        square = self._square[chosen]
        place = torch.index_select(self._corner, 1, square % self._grid.squares)
        return place + self._image(square) * self._per_image

    def _group(self, level: int, fresh: Int[Tensor, "fresh"], old: _Group | None) -> _Group:
        """The squares of a group that are still at its level, and more of them."""
        square = self._square[fresh]
        image, place = self._image(square), square % self._grid.squares
        samples = Samples.of(self._grid, level)
        target = self._sums.at(level, self._shown.mask[image] * self._grid.squares + place)
        down, across = samples.down.to(square.device), samples.across.to(square.device)
        by_square = level == len(self._grid.levels)
        if by_square:
            down = torch.index_select(down, 2, place)
            across = torch.index_select(across, 1, place)
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
        # One at least is none.
        fill = whole_vectors(len(fresh) + 1) - len(fresh)
        if by_square:
            down, across = pad(down, (0, fill)), pad(across, (0, fill))
        corner = pad(corner, (0, fill), value=self._cells)
        reduce = samples.reduce.to(square.device)
        to_cells: ScatteredSum | Tensor
        if square.is_cuda:
            to_cells = _from_squares(corner, self._cells + 1)
            reduce = torch.kron(reduce[0], reduce[0]) if len(reduce) else reduce
        else:
            to_cells = ScatteredSum.of(None, corner.flatten(), self._cells + 1)
        return _Group(
            (*self._grid.levels, (0, inf))[level][1],
            pad(fresh, (0, fill), value=-1),
            corner,
            to_cells,
            pad(target, (0, fill)),
            down,
            across,
            reduce,
            self._response,
        )


def _from_squares(corner: Int[Tensor, "four square"], cells: int) -> Int[Tensor, "four_cell"]:
    """Which square's corner each cell is, by corner; the last square, which is none, elsewhere."""
    place = torch.arange(corner.numel(), device=corner.device).view(corner.shape)
    found = place[:, -1:].repeat(1, cells).flatten()
    row = torch.arange(0, 4 * cells, cells, device=corner.device)[:, None]
    found[(corner + row).flatten()] = place.flatten()
    return found


def _sum(values: Float[Tensor, "number *shape"]) -> Float[Tensor, "*shape"]:
    if not values.is_cuda:
        return values.sum(0)
    ones = values.new_ones(1, len(values))
    return in_order(ones, values.reshape(len(values), -1)).view(values.shape[1:])


def _ranges(corners: Float[Tensor, "two two square"]) -> Float[Tensor, "square"]:
    """How far z ranges over each square: it is bilinear, so its extremes lie in the corners."""
    four = corners.flatten(0, 1)
    if four.is_cuda:  # one call less
        least, most = torch.aminmax(four, dim=0)
        return most - least
    return four.amax(0) - four.amin(0)
