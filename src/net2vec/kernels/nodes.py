"""Learning at a few nodes between four cells, in place of the many pixels there.

Between four cells of the grid, a *square*, z is bilinear and p (1 - p) a smooth function of it, so
a polynomial through m x m Chebyshev nodes stands for it. The mask comes in by sums that are taken
once. With l the nodes' Lagrange polynomials, a the share that a cell has of a pixel y, and t what
multiplies p (1 - p) in the loss's gradient,

    sum_y t(y) a(y) p(y) (1 - p(y)) = sum_n [sum_y t(y) l_n(y)] a(n) p(n) (1 - p(n))

but for the error of interpolation, which falls with the m-th power of how far z ranges over the
square. So steep squares get more nodes: `LEVELS` keeps a p (1 - p) to 5e-6 of its largest value
along either side. Where that takes more nodes than there are pixels, pixels take their place
(`net2vec.kernels.blocks`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from net2vec.kernels.blocks import Strips, entries
from net2vec.kernels.maps import SparseMaps
from net2vec.kernels.upsample import Axis

LEVELS = ((5, 0.5), (8, 1.9), (12, 3.9), (20, 7.7), (32, 13.0))
"""Nodes along a side, and the range of z over a square up to which they are enough."""

# A square that has become too steep gets nodes for a range this much larger than its own.
_AHEAD = 1.5
# Strips whose masks are unpacked at a time.
_PORTION = 256


@dataclass(frozen=True, eq=False)
class NodeGrid:
    """Masks of pixels as squares between four cells of a grid.

    Attributes:
        strips: the masks' strips, one between any two rows of the grid.
        corner: the four cells of each square, those of the upper row first; by rows of squares.
        window: for every column of squares as many columns of pixels, the first ones its own.
    """

    strips: Strips
    corner: Int[Tensor, "four square"]
    window: Int[Tensor, "along pixel"]

    @classmethod
    @lru_cache(maxsize=8)
    def of(cls, grid: tuple[int, int], size: tuple[int, int]) -> NodeGrid | None:
        """The squares of masks of a size over a grid; None where they hold too few pixels."""
        strips = Strips.of(grid, size)
        rows, columns = strips.rows, strips.columns
        squares = rows.cells * columns.cells
        if len(strips) != rows.cells or size[0] * size[1] < 2 * LEVELS[0][0] ** 2 * squares:
            return None
        y, x = torch.arange(rows.cells)[:, None], torch.arange(columns.cells)
        right = (x + 1).clamp(max=grid[1] - 1)
        below = (y + 1).clamp(max=grid[0] - 1)
        corner = [row * grid[1] + column for row in (y, below) for column in (x, right)]
        first = torch.searchsorted(columns.lower, torch.arange(columns.cells))
        widest = int(torch.bincount(columns.lower).max())
        window = (first[:, None] + torch.arange(widest)).clamp(max=size[1] - 1)
        return cls(strips, torch.stack(corner).flatten(1), window)

    @property
    def squares(self) -> int:
        """Squares of an image."""
        return self.corner.shape[1]

    def moments(
        self,
        masks: UInt8[Tensor, "chosen byte"],
        strip: Int[Tensor, "chosen"],
        nodes: int,
    ) -> Float[Tensor, "node2 squares"]:
        """Sums of the nodes' polynomials over the masks in every square of some strips.

        Args:
            masks: packed strips of masks.
            strip: which strip of an image each of them is.
            nodes: nodes along a side.
        """
        window = self.window.flatten().to(masks.device)
        onto = Polynomials.of(self, nodes)
        onto_rows, onto_columns = onto.by_row.to(masks.device), onto.by_column.to(masks.device)
        found = []
        for first in range(0, len(masks), _PORTION):
            chosen = slice(first, first + _PORTION)
            pixels = self.strips.unpack(masks[chosen]).to(torch.float32)
            down = torch.bmm(torch.index_select(onto_rows, 0, strip[chosen]), pixels)
            # Few nodes are slow as columns of a product: they are its rows.
            cut = torch.index_select(down.flatten(0, 1).T.contiguous(), 0, window)
            both = torch.bmm(onto_columns, cut.view(*self.window.shape, -1))
            both = both.view(len(both), nodes, -1, nodes)
            found.append(both.permute(3, 1, 2, 0).reshape(nodes * nodes, -1))
        return torch.cat(found, 1)


@dataclass(frozen=True)
class Polynomials:
    """The nodes' polynomials at the pixels of a grid's squares.

    Attributes:
        by_row: at the rows of every strip.
        by_column: at the columns of every window, 0 where they are another's.
        whole: sums of the products of both over all pixels of each square.
    """

    by_row: Float[Tensor, "strip node row"]
    by_column: Float[Tensor, "along node pixel"]
    whole: Float[Tensor, "node2 square"]

    @classmethod
    @lru_cache(maxsize=32)
    def of(cls, grid: NodeGrid, nodes: int) -> Polynomials:
        """The polynomials of so many nodes along a side."""
        strips, window = grid.strips, grid.window
        rows = _lagrange(strips.rows, nodes)[strips.pixel_row] * strips.exists[:, :, None]
        own = strips.columns.lower[window] == torch.arange(len(window))[:, None]
        own[:, 1:] &= window[:, 1:] > window[:, :-1]
        columns = _lagrange(strips.columns, nodes)[window] * own[:, :, None]
        whole = torch.einsum("sym,axn->mnsa", rows, columns).reshape(nodes**2, -1)
        return cls(
            rows.transpose(1, 2).float().contiguous(),
            columns.transpose(1, 2).float().contiguous(),
            whole.float(),
        )


def _places(nodes: int) -> Float[np.ndarray, "node"]:
    """Chebyshev nodes between 0 and 1."""
    return 0.5 - 0.5 * np.cos((2 * np.arange(nodes) + 1) * np.pi / (2 * nodes))


def _lagrange(axis: Axis, nodes: int) -> Float[Tensor, "out node"]:
    """The nodes' Lagrange polynomials at every output of an axis, each in its own gap."""
    places = _places(nodes)
    at = axis.remainder.numpy() / axis.denominator
    found = np.empty((len(at), nodes))
    for n in range(nodes):
        others = np.delete(places, n)
        found[:, n] = np.prod((at[:, None] - others) / (places[n] - others), axis=1)
    return torch.from_numpy(found)


@dataclass(frozen=True)
class _Group:
    """Squares of equally many nodes.

    Attributes:
        steepest: the range of z up to which the nodes are enough.
        corner: the cells of each square, counted through the block.
        target: sums of l over what multiplies p (1 - p).
        across, down: weight of the farther cell at every node along a side, left to right and
            top to bottom.
        reduce: the weights of both cells, twice.
    """

    steepest: float
    corner: Int[Tensor, "corner"]
    target: Float[Tensor, "node node square"]
    across: Float[Tensor, "node 1"]
    down: Float[Tensor, "node 1 1"]
    reduce: Float[Tensor, "two two node"]

    def corners(self, grid: Float[Tensor, "cell"]) -> Float[Tensor, "two two square"]:
        return torch.index_select(grid, 0, self.corner).view(2, 2, -1)

    def add_back(
        self,
        by_cell: Float[Tensor, "cell"],
        corners: Float[Tensor, "two two square"],
    ) -> None:
        """Add to the cells' gradient what the squares give."""
        left, right = corners[:, :1], corners[:, 1:]
        rows = torch.lerp(left, right, self.across)
        value = torch.lerp(rows[:1], rows[1:], self.down).sigmoid_()
        # target * p * (1 - p) in one pass over memory.
        torch.ops.aten.sigmoid_backward.grad_input(self.target, value, grad_input=value)
        rows = torch.mm(self.reduce[0], value.view(len(value), -1)).view(2, len(value), -1)
        by_cell.scatter_add_(0, self.corner, torch.bmm(self.reduce, rows).view(-1))


class NodeBlock:
    """A mini-batch at the nodes of its squares, but for squares without an active cell.

    Args:
        grid: geometry of the masks.
        maps: thresholded maps of all images.
        masks: their masks, from `Strips.pack`.
        first: the first image of the mini-batch.
        last: the image after the last one.
        moments: sums of l over the masks for all squares, at the first of `LEVELS`.
        background, slope: what multiplies p (1 - p) is `background - slope * mask`.
    """

    def __init__(
        self,
        grid: NodeGrid,
        maps: SparseMaps,
        masks: UInt8[Tensor, "image strip byte"],
        first: int,
        last: int,
        moments: Float[Tensor, "node2 squares"],
        *,
        background: float,
        slope: float,
    ) -> None:
        self.images = last - first
        self._grid, self._masks, self._moments = grid, masks[first:last], moments
        self._background, self._slope = background, slope
        self._filter, self._cell = entries(maps, first, last)
        cells = maps.grid[0] * maps.grid[1]
        corner = grid.corner.to(self._cell.device)
        active = torch.zeros(cells * self.images, dtype=torch.bool, device=self._cell.device)
        active[self._cell] = True
        at_corners = torch.index_select(active.view(-1, cells), 1, corner.flatten())
        reached = at_corners.view(self.images, *corner.shape).any(1)
        self._square = torch.nonzero(reached.flatten())[:, 0]
        self._cells = cells * self.images
        image = torch.div(self._square, grid.squares, rounding_mode="floor")
        self._corner = torch.index_select(corner, 1, self._square % grid.squares) + image * cells
        self._level = torch.zeros_like(self._square)
        self._groups = [self._group(0)]

    def add_gradient(
        self, gradient: Float[Tensor, "filter"], weight: Float[Tensor, "filter"]
    ) -> bool:
        """Add the summed loss's gradient; False, and nothing added, where pixels are cheaper."""
        summed = weight.new_zeros(self._cells)
        summed.scatter_add_(0, self._cell, torch.index_select(weight, 0, self._filter))
        corners = [group.corners(summed) for group in self._groups]
        if any(
            float(_ranges(four).max()) > group.steepest
            for group, four in zip(self._groups, corners, strict=True)
            if four.numel()
        ):
            if not self._regroup(summed):
                return False
            corners = [group.corners(summed) for group in self._groups]
        by_cell = torch.zeros_like(summed)
        for group, four in zip(self._groups, corners, strict=True):
            group.add_back(by_cell, four)
        gradient.scatter_add_(0, self._filter, torch.index_select(by_cell, 0, self._cell))
        return True

    def _regroup(self, summed: Float[Tensor, "cell"]) -> bool:
        """Give steep squares more nodes; False where none are enough or pixels are fewer."""
        corners = torch.index_select(summed, 0, self._corner.flatten()).view(2, 2, -1)
        ranges = _ranges(corners)
        limits = ranges.new_tensor([steepest for _, steepest in LEVELS])
        if not bool((ranges <= limits[-1]).all()):
            return False
        wanted = torch.bucketize(ranges * _AHEAD, limits).clamp(max=len(LEVELS) - 1)
        self._level = torch.maximum(self._level, wanted)
        counts = torch.bincount(self._level, minlength=len(LEVELS)).tolist()
        strips = self._grid.strips
        pixels = self.images * len(strips) * strips.pixels
        if sum(count * nodes**2 for count, (nodes, _) in zip(counts, LEVELS, strict=True)) > pixels:
            return False
        self._groups = [self._group(level) for level, count in enumerate(counts) if count]
        return True

    def _group(self, level: int) -> _Group:
        nodes, steepest = LEVELS[level]
        chosen = torch.nonzero(self._level == level)[:, 0]
        square = self._square[chosen]
        along = len(self._grid.window)
        if level == 0:
            inside = torch.index_select(self._moments, 1, square)
        else:
            strip, place = torch.unique(
                torch.div(square, along, rounding_mode="floor"), return_inverse=True
            )
            masks = self._masks.flatten(0, 1)[strip]
            moments = self._grid.moments(masks, strip % len(self._grid.strips), nodes)
            inside = torch.index_select(moments, 1, place * along + square % along)
        whole = Polynomials.of(self._grid, nodes).whole.to(square.device)
        target = torch.index_select(whole, 1, square % self._grid.squares)
        target.mul_(self._background).sub_(inside, alpha=self._slope)
        share = torch.from_numpy(_places(nodes)).to(target)
        return _Group(
            steepest,
            torch.index_select(self._corner, 1, chosen).flatten(),
            target.view(nodes, nodes, -1),
            share[:, None],
            share[:, None, None],
            torch.stack([1 - share, share]).expand(2, 2, nodes).contiguous(),
        )


def _ranges(corners: Float[Tensor, "two two square"]) -> Float[Tensor, "square"]:
    """How far z ranges over each square: it is bilinear, so its extremes lie in the corners."""
    four = corners.flatten(0, 1)
    return four.amax(0) - four.amin(0)
