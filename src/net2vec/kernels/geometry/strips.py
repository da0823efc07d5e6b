"""Masks over a grid as strips of pixel rows between two rows of cells, packed to bits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from net2vec.kernels.backends import backend_of
from net2vec.kernels.backends.base import BYTE
from net2vec.kernels.geometry.upsample import Axis, aligned_axis


@dataclass(frozen=True)
class Strips:
    """Masks of pixels as strips between two rows of a grid, rows padded to whole bytes.

    Attributes:
        rows, columns: the axes.
        lower, upper: the two grid rows of each strip.
        pixel_row: the row of the mask that each row of a strip is; 0 for padding.
        exists: whether a row of a strip is a row of the mask; strips have equal height.
        share: weight of the upper grid row in each row of a strip.
        reduce: weights with which a strip's rows go back to its two grid rows.
        across: upsampling along a row, 0 for the padding.
        whole: a mask of all pixels, packed.
    """

    rows: Axis
    columns: Axis
    lower: Int[Tensor, "strip"]
    upper: Int[Tensor, "strip"]
    pixel_row: Int[Tensor, "strip row"]
    exists: Bool[Tensor, "strip row"]
    share: Float[Tensor, "strip row"]
    reduce: Float[Tensor, "strip two row"]
    across: Float[Tensor, "x column"]
    whole: UInt8[Tensor, "strip byte"]

    @classmethod
    @lru_cache(maxsize=8)
    def of(cls, grid: tuple[int, int], size: tuple[int, int]) -> Strips:
        """The strips of masks of a size over a grid."""
        rows, columns = aligned_axis(grid[0], size[0]), aligned_axis(grid[1], size[1])
        in_cell = torch.bincount(rows.lower, minlength=rows.cells)
        height = _strip_height(in_cell)
        first = torch.cumsum(in_cell, 0) - in_cell
        strips: list[tuple[int, int]] = []
        for start, count in zip(first.tolist(), in_cell.tolist(), strict=True):
            strips += [
                (start + done, min(height, count - done)) for done in range(0, count, height)
            ]
        start = torch.tensor([strip[0] for strip in strips])
        count = torch.tensor([strip[1] for strip in strips])
        offset = torch.arange(height)
        exists = offset < count[:, None]
        pixel_row = torch.where(exists, start[:, None] + offset, 0)
        share = torch.where(exists, rows.remainder[pixel_row] / rows.denominator, 0.0)
        share = share.to(torch.float32)
        reduce = torch.stack([(1 - share) * exists, share * exists], 1)
        padded = -(-size[1] // BYTE) * BYTE
        across = torch.zeros(grid[1], padded)
        across[:, : size[1]] = columns.matrix().T
        whole = exists[:, :, None] & (torch.arange(padded) < size[1])
        return cls(
            rows,
            columns,
            rows.lower[start],
            rows.upper[start],
            pixel_row,
            exists,
            share,
            reduce,
            across,
            backend_of("cpu").pack_bits(whole.flatten(1)),
        )

    def __len__(self) -> int:
        return len(self.lower)

    @property
    def pixels(self) -> int:
        """Pixels of a strip, padding included."""
        return self.exists.shape[1] * self.across.shape[1]

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the masks."""
        return self.rows.outputs, self.columns.outputs

    @property
    def is_identity(self) -> bool:
        """Whether every pixel is a cell of the grid: each strip is then a row of pixels."""
        same = all(axis.inputs == axis.outputs for axis in (self.rows, self.columns))
        return same and self.exists.shape[1] == 1 and len(self) == self.rows.outputs

    def pack(self, masks: Bool[Tensor, "image y x"]) -> UInt8[Tensor, "image strip byte"]:
        """Masks cut into strips, eight pixels a byte, the first in the lowest bit."""
        rows = backend_of(masks.device).pack_bits(masks)
        exists = (self.exists * 255).to(torch.uint8)[:, :, None].to(masks.device)
        return (rows[:, self.pixel_row.to(masks.device)] & exists).flatten(2)

    def unpack(self, packed: UInt8[Tensor, "chosen byte"]) -> UInt8[Tensor, "chosen row column"]:
        """Strips of packed masks as zeros and ones."""
        columns = self.across.shape[1]
        bits = backend_of(packed.device).unpack_bits(packed)
        return bits.view(len(packed), packed.shape[1] * BYTE // columns, columns)

    def unpack_rows(
        self, packed: UInt8[Tensor, "image strip byte"]
    ) -> UInt8[Tensor, "image y column"]:
        """Masks as zeros and ones, in columns filled up to whole bytes with zeros."""
        rows = self.unpack(packed.flatten(1))
        exists = torch.nonzero(self.exists.flatten())[:, 0].to(packed.device)
        return torch.index_select(rows, 1, exists)


def _strip_height(in_cell: Int[Tensor, "cell"]) -> int:
    """The height that wastes least: on padding rows, and on the fixed cost of a strip."""
    fixed = 1.5

    def cost(height: int) -> float:
        strips = int((-(-in_cell // height)).sum())
        return strips * (height + fixed)

    return min(range(1, int(in_cell.max()) + 1), key=cost)
