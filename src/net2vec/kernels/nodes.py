"""Learning at a few nodes between four cells, in place of the many pixels there.

Between four cells of the grid, a *square*, z is bilinear and p (1 - p) a smooth function of it, so
a polynomial through m x m Chebyshev nodes stands for it. The mask comes in by sums that are taken
once. With l the nodes' Lagrange polynomials, a the share that a cell has of a pixel y, and t what
multiplies p (1 - p) in the loss's gradient,

    sum_y t(y) a(y) p(y) (1 - p(y)) = sum_n [sum_y t(y) l_n(y)] a(n) p(n) (1 - p(n))

but for the error of interpolation, which falls with the m-th power of how far z ranges over the
square. A log loss asks for the same sums with p in the place of p (1 - p). Steep squares get more
nodes: `LEVELS` bounds the error of a p (1 - p) along either side by 3e-5 of its largest value, at
the worst pixel of the steepest square; its sign changes from pixel to pixel, and weights end where
pixels would take them but for rounding. Squares that are steeper, or would need more nodes than
they have pixels, are taken pixel by pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from net2vec.kernels.blocks import entries
from net2vec.kernels.maps import SparseMaps
from net2vec.kernels.node_grid import MaskSums, Samples

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
class _Group:
    """Squares of a block with the same samples.

    Attributes:
        steepest: the range of z up to which the samples are enough.
        corner: the cells of each square, counted through the block.
        target: sums of the nodes' polynomials over what multiplies p (1 - p).
        down, across, reduce: see `Samples`.
        response: what z and `target` come to at every sample; it may use z's memory.
    """

    steepest: float
    corner: Int[Tensor, "corner"]
    target: Float[Tensor, "row column square"]
    down: Float[Tensor, "row 1 own"]
    across: Float[Tensor, "column own"]
    reduce: Float[Tensor, "two two node"]
    response: Response

    def corners(self, grid: Float[Tensor, "cell"]) -> Float[Tensor, "two two square"]:
        """Z at the squares' corners."""
        return torch.index_select(grid, 0, self.corner).view(2, 2, -1)

    def only(self, stay: Bool[Tensor, "square"]) -> _Group:
        """The group without some squares; of one at nodes."""
        return replace(
            self,
            corner=self.corner.view(4, -1)[:, stay].flatten(),
            target=self.target[:, :, stay],
        )

    def add_back(
        self, by_cell: Float[Tensor, "cell"], corners: Float[Tensor, "two two square"]
    ) -> None:
        """Add to the cells' gradient what the squares give."""
        rows = torch.lerp(corners[:, :1], corners[:, 1:], self.across)
        value = self.response(torch.lerp(rows[:1], rows[1:], self.down), self.target)
        by_cell.scatter_add_(0, self.corner, self._reduced(value).view(-1))

    def _reduced(
        self, value: Float[Tensor, "row column square"]
    ) -> Float[Tensor, "two two square"]:
        if len(self.reduce):
            rows = torch.mm(self.reduce[0], value.view(len(value), -1))
            return torch.bmm(self.reduce, rows.view(2, len(value), -1))
        total = value.sum(0)
        lower = value.mul_(self.down).sum(0)
        rows = torch.stack([total - lower, lower])
        right = (rows * self.across).sum(1)
        return torch.stack([rows.sum(1) - right, right], 1)


class NodeBlock:
    """A mini-batch at the nodes of its squares, but for squares without an active cell.

    Several vectors, each with maps of its own, lie behind each other: calls are few, and what one
    of them reaches does not depend on the others.

    Args:
        maps: for each vector the thresholded maps of all images.
        first: the first image of the mini-batch.
        last: the image after the last one.
        sums: of the mini-batch's masks.
        background, slope: what multiplies the response to z is `background - slope * mask`.
        response: p (1 - p) or p, times that.
    """

    def __init__(
        self,
        maps: Sequence[SparseMaps],
        first: int,
        last: int,
        sums: MaskSums,
        *,
        background: float,
        slope: float,
        response: Response = slope_of_likeness,
    ) -> None:
        self._grid, self._sums, self._response = sums.grid, sums, response
        self._background, self._slope = background, slope
        self._squares = self._grid.squares * (last - first)
        height, width = maps[0].grid
        self._per_image = height * width
        cells = self._per_image * (last - first)
        who, where = zip(*(entries(some, first, last) for some in maps), strict=True)
        self._filter = torch.cat([k + i * maps[i].filters for i, k in enumerate(who)])
        self._cell = torch.cat([cell + i * cells for i, cell in enumerate(where)])
        self._cells = cells * len(maps)
        corner = self._grid.corner.to(self._cell.device)
        active = torch.zeros(self._cells, dtype=torch.bool, device=self._cell.device)
        active[self._cell] = True
        at_corners = torch.index_select(active.view(-1, self._per_image), 1, corner.flatten())
        reached = at_corners.view(-1, *corner.shape).any(1)
        self._square = torch.nonzero(reached.flatten())[:, 0]
        self._level = torch.zeros_like(self._square)
        self._groups = {0: self._group(0, self._square)}

    def add_gradient(
        self, gradient: Float[Tensor, "vector_filter"], weight: Float[Tensor, "vector_filter"]
    ) -> None:
        """Add the gradient of the loss, summed over pixels and images; vectors end to end."""
        summed = weight.new_zeros(self._cells)
        summed.scatter_add_(0, self._cell, torch.index_select(weight, 0, self._filter))
        by_cell = torch.zeros_like(summed)
        for group, corners in self._prepared(summed):
            group.add_back(by_cell, corners)
        gradient.scatter_add_(0, self._filter, torch.index_select(by_cell, 0, self._cell))

    def _prepared(self, summed: Float[Tensor, "cell"]) -> list[tuple[_Group, Tensor]]:
        """All groups, none of them with too steep a square, and z at their corners."""
        found = [(group, group.corners(summed)) for group in self._groups.values()]
        if all(
            group.steepest == inf
            or not four.numel()
            or float(_ranges(four).max()) <= group.steepest
            for group, four in found
        ):
            return found
        self._regroup(summed)
        return [(group, group.corners(summed)) for group in self._groups.values()]

    def _regroup(self, summed: Float[Tensor, "cell"]) -> None:
        """Give squares that have become steep more nodes; none ever gets fewer."""
        corners = torch.index_select(summed, 0, self._corners(self._square)).view(2, 2, -1)
        limits = summed.new_tensor([steepest for _, steepest in self._grid.levels])
        level = torch.maximum(self._level, torch.bucketize(_ranges(corners) * _AHEAD, limits))
        moved = level != self._level
        for number in torch.unique(torch.cat([level[moved], self._level[moved]])).tolist():
            here = level == number
            if not bool(here.any()):
                del self._groups[number]
            elif number == 0:
                self._groups[0] = self._groups[0].only(here[self._level == 0])
            else:
                square = self._square[here]
                self._groups[number] = self._group(number, square)
        self._level = level

    def _corners(self, square: Int[Tensor, "square"]) -> Int[Tensor, "corner"]:
        """The cells of some squares, counted through the block."""
        corner = self._grid.corner.to(square.device)
        image = torch.div(square, self._grid.squares, rounding_mode="floor")
        place = torch.index_select(corner, 1, square % self._grid.squares)
        return (place + image * self._per_image).flatten()

    def _group(self, level: int, square: Int[Tensor, "square"]) -> _Group:
        # All vectors look at the same masks.
        inside = self._sums.at(level, square % self._squares)
        samples = Samples.of(self._grid, level)
        place = square % self._grid.squares
        target = torch.index_select(samples.whole.to(square.device), 1, place)
        down, across = samples.down.to(square.device), samples.across.to(square.device)
        if level == len(self._grid.levels):
            inside = target * inside
            down, across = (
                torch.index_select(down, 2, place),
                torch.index_select(across, 1, place),
            )
        target.mul_(self._background).sub_(inside, alpha=self._slope)
        return _Group(
            (*self._grid.levels, (0, inf))[level][1],
            self._corners(square),
            target.view(len(down), len(across), -1),
            down,
            across,
            samples.reduce.to(square.device),
            self._response,
        )


def _ranges(corners: Float[Tensor, "two two square"]) -> Float[Tensor, "square"]:
    """How far z ranges over each square: it is bilinear, so its extremes lie in the corners."""
    four = corners.flatten(0, 1)
    return four.amax(0) - four.amin(0)
