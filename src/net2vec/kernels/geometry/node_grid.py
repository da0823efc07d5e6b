"""Squares between four cells of a grid, their nodes, and sums of masks at the nodes.

See `net2vec.kernels.geometry.nodes` for the use of nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from torch import Tensor

from net2vec.core.devices import policy_of
from net2vec.kernels.geometry.strips import Strips
from net2vec.kernels.geometry.upsample import Axis

Levels = tuple[tuple[int, float], ...]

LEVELS: Levels = ((6, 1.3), (10, 3.6), (16, 6.8), (28, 13.0))
"""Nodes along a side, and the range of z over a square up to which they are enough."""
LOG_LEVELS: Levels = ((6, 2.5), (10, 5.9), (16, 10.6), (28, 19.5))
"""The same for a log loss, whose p is smoother than p (1 - p), and whose optimum is sought to half
a percent."""

# For squares of fewer pixels, strips of pixels are faster.
_MIN_PIXELS_PER_SQUARE = 50
# Bytes of sums at more nodes than the fewest, up to which they are computed for all squares at once
# and kept.
_KEPT_BYTES = 1 << 23


@dataclass(frozen=True, eq=False)
class NodeGrid:
    """Masks of pixels as squares between four cells of a grid.

    Attributes:
        strips: strips of the masks, one between any two rows of the grid.
        corner: the four cells of each square, those of the upper row first; by rows of squares.
        window: for every column of squares as many columns of pixels, the first ones its own.
        own: whether they are its own.
        levels: nodes along a side that are fewer than the pixels, and how steep a square may be.
    """

    strips: Strips
    corner: Int[Tensor, "four square"]
    window: Int[Tensor, "along pixel"]
    own: Bool[Tensor, "along pixel"]
    levels: Levels

    @classmethod
    @lru_cache(maxsize=8)
    def of(
        cls, grid: tuple[int, int], size: tuple[int, int], levels: Levels = LEVELS
    ) -> NodeGrid | None:
        """The squares of masks of a size over a grid; None where they hold too few pixels."""
        strips = Strips.of(grid, size)
        rows, columns = strips.rows, strips.columns
        squares = rows.cells * columns.cells
        if len(strips) != rows.cells or size[0] * size[1] < _MIN_PIXELS_PER_SQUARE * squares:
            return None
        y, x = torch.arange(rows.cells)[:, None], torch.arange(columns.cells)
        right = (x + 1).clamp(max=grid[1] - 1)
        below = (y + 1).clamp(max=grid[0] - 1)
        corner = [row * grid[1] + column for row in (y, below) for column in (x, right)]
        count = torch.bincount(columns.lower, minlength=columns.cells)
        offset = torch.arange(int(count.max()))
        window = (torch.cumsum(count, 0) - count)[:, None] + offset
        pixels = strips.exists.shape[1] * len(offset)
        return cls(
            strips,
            torch.stack(corner).flatten(1),
            window.clamp(max=size[1] - 1),
            offset < count[:, None],
            tuple(level for level in levels if level[0] ** 2 < pixels),
        )

    @property
    def squares(self) -> int:
        """Squares of an image."""
        return self.corner.shape[1]

    def sums(
        self,
        masks: UInt8[Tensor, "chosen byte"],
        strip: Int[Tensor, "chosen"],
        level: int,
    ) -> Float[Tensor, "node2 squares"]:
        """Sums of the polynomials of the nodes over the masks in every square of some strips.

        Args:
            masks: packed strips of masks.
            strip: which strip of an image each of them is.
            level: which of `levels`.
        """
        samples = Samples.of(self, level)
        window = self.window.flatten().to(masks.device)
        all_rows, by_column = samples.by_row.to(masks.device), samples.by_column.to(masks.device)
        blocks = []
        policy, strips = policy_of(masks.device), len(masks)
        # Products of few columns are computed in other ways: no sum may depend on their number.
        missing = -strips % policy.mask_strip_multiple
        masks, strip = (_pad_rows(part, missing) for part in (masks, strip))
        for first in range(0, len(masks), policy.unpacked_masks):
            chosen = slice(first, first + policy.unpacked_masks)
            pixels = self.strips.unpack(masks[chosen]).to(torch.float32)
            by_row = torch.bmm(torch.index_select(all_rows, 0, strip[chosen]), pixels)
            # Few nodes are slow as columns of a product: they are its rows.
            cut = torch.index_select(by_row.flatten(0, 1).T.contiguous(), 0, window)
            both = torch.bmm(by_column, cut.view(*self.window.shape, -1))
            nodes = both.shape[1]
            both = both.view(len(both), nodes, -1, nodes).permute(3, 1, 2, 0)
            blocks.append(both.reshape(nodes * nodes, -1))
        return torch.cat(blocks, 1)[:, : strips * len(self.window)]

    def pixels(
        self,
        masks: UInt8[Tensor, "chosen byte"],
        strip: Int[Tensor, "square"],
        column: Int[Tensor, "square"],
    ) -> UInt8[Tensor, "pixel square"]:
        """The masks in some squares; smaller squares are padded with the pixels beside them.

        Args:
            masks: packed strips of masks.
            strip: which of these each square is in.
            column: which of the strip's squares it is.
        """
        bits = self.strips.unpack(masks)
        rows, columns = bits.shape[1:]
        row = torch.arange(rows, device=masks.device)[:, None, None] * columns
        window = torch.index_select(self.window.T.contiguous().to(masks.device), 1, column)
        index = row + (window + strip * (rows * columns))
        return torch.index_select(bits.flatten(), 0, index.flatten()).view(-1, len(strip))


@dataclass(frozen=True)
class Samples:
    """The positions in a square at which z is computed: nodes, or its pixels.

    Attributes:
        down, across: weight of the farther cell at every sample along a side, top to bottom and
            left to right; pixels lie differently in every square.
        reduce: the weights of both cells at every node along a side, repeated for the CPU's batched
            product. For pixels this, `by_row` and `by_column` are empty.
        by_row: the polynomials of the nodes at the rows of every strip.
        by_column: the same at the columns of every window, 0 at those of other windows.
        whole: the sums of a mask of all pixels.
    """

    down: Float[Tensor, "row 1 own"]
    across: Float[Tensor, "column own"]
    reduce: Float[Tensor, "two two node"]
    by_row: Float[Tensor, "strip node pixel_row"]
    by_column: Float[Tensor, "along node pixel_column"]
    whole: Float[Tensor, "sample square"]

    @classmethod
    @lru_cache(maxsize=32)
    def of(cls, grid: NodeGrid, level: int) -> Samples:
        """The samples at one of the grid's levels, or, after the last, at the pixels."""
        strips, columns = grid.strips, grid.strips.columns
        exists, own = strips.exists.float(), grid.own.float()
        if level == len(grid.levels):
            share = (columns.remainder / columns.denominator)[grid.window].float()
            none = torch.empty(0, 0, 0)
            return cls(
                strips.share.T[:, None].repeat_interleave(len(own), 2),
                share.T.repeat(1, len(strips)),
                none,
                none,
                none,
                torch.einsum("sy,ax->yxsa", exists, own).flatten(0, 1).flatten(1),
            )
        nodes = grid.levels[level][0]
        share = torch.from_numpy(_chebyshev(nodes)).float()
        by_row = _lagrange(strips.rows, nodes)[strips.pixel_row] * exists[:, :, None]
        by_column = _lagrange(columns, nodes)[grid.window] * own[:, :, None]
        return cls(
            share[:, None, None],
            share[:, None],
            torch.stack([1 - share, share]).expand(2, 2, nodes).contiguous(),
            by_row.transpose(1, 2).float().contiguous(),
            by_column.transpose(1, 2).float().contiguous(),
            torch.einsum("sym,axn->mnsa", by_row, by_column).flatten(0, 1).flatten(1).float(),
        )


def _pad_rows(values: Shaped[Tensor, "number *width"], rows: int) -> Shaped[Tensor, "_ *width"]:
    return torch.cat([values, values.new_zeros(rows, *values.shape[1:])])


def _chebyshev(nodes: int) -> Float[np.ndarray, "node"]:
    """Chebyshev nodes between 0 and 1."""
    return 0.5 - 0.5 * np.cos((2 * np.arange(nodes) + 1) * np.pi / (2 * nodes))


def _lagrange(axis: Axis, nodes: int) -> Float[Tensor, "out node"]:
    """The Lagrange polynomials of the nodes at every output of an axis, each in its own gap."""
    positions = _chebyshev(nodes)
    at = axis.remainder.numpy() / axis.denominator
    weights = np.empty((len(at), nodes))
    for n in range(nodes):
        others = np.delete(positions, n)
        weights[:, n] = np.prod((at[:, None] - others) / (positions[n] - others), axis=1)
    return torch.from_numpy(weights)


class MaskSums:
    """The factor of the response to z at the samples of squares; computed when first used.

    At a pixel it is `background - slope * mask`. At a node it is the sum of that over the pixels,
    each times the polynomial of the node.

    Args:
        grid: geometry of the masks.
        masks: the masks of the images, from `Strips.pack`.
        background, slope: of each image.
        keeps: whether sums are kept for the next time that they are used, some 25 to 100 kB an
            image.
    """

    def __init__(
        self,
        grid: NodeGrid,
        masks: UInt8[Tensor, "image strip byte"],
        background: Float[Tensor, "image"],
        slope: Float[Tensor, "image"],
        *,
        keeps: bool = True,
    ) -> None:
        self.grid, self.images = grid, len(masks)
        self._masks = masks.flatten(0, 1)
        self._strip = torch.arange(len(grid.strips), device=masks.device).repeat(len(masks))
        self._background, self._slope = background.to(masks.device), slope.to(masks.device)
        self._keeps, self._kept = keeps, dict[int, Tensor]()

    def at(self, level: int, square: Int[Tensor, "square"]) -> Float[Tensor, "sample square"]:
        """The factors of some squares, numbered through the images, at one level."""
        levels, along = self.grid.levels, len(self.grid.window)
        if not len(square):
            return self._background.new_zeros(len(Samples.of(self.grid, level).whole), 0)
        if level < len(levels):
            size = 4 * levels[level][0] ** 2 * along * len(self._strip)
            if self._keeps and (level == 0 or size <= _KEPT_BYTES):
                if level not in self._kept:
                    sums = self.grid.sums(self._masks, self._strip, level)
                    all_squares = torch.arange(sums.shape[1], device=square.device)
                    self._kept[level] = self._target(level, all_squares, sums)
                return torch.index_select(self._kept[level], 1, square)
        row = torch.div(square, along, rounding_mode="floor")
        needed, number = torch.unique(row, return_inverse=True)
        masks = torch.index_select(self._masks, 0, needed)
        if level == len(levels):
            pixels = self.grid.pixels(masks, number, square % along)
            return self._target(level, square, pixels)
        sums = self.grid.sums(masks, self._strip[needed], level)
        chosen = torch.index_select(sums, 1, number * along + square % along)
        return self._target(level, square, chosen)

    def _target(
        self, level: int, square: Int[Tensor, "square"], inside: Shaped[Tensor, "sample square"]
    ) -> Float[Tensor, "sample square"]:
        """The factors from sums of masks, whose memory may be overwritten."""
        image = torch.div(square, self.grid.squares, rounding_mode="floor")
        whole = Samples.of(self.grid, level).whole.to(square.device)
        target = torch.index_select(whole, 1, square - image * self.grid.squares)
        if level == len(self.grid.levels):
            inside = target * inside
        return target.mul_(self._background[image]).sub_(inside.mul_(self._slope[image]))
