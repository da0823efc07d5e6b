"""How a mini-batch lies in memory: only the pixels that an active filter can reach.

Between two rows of the grid, upsampled pixels mix two upsampled rows and nothing else: a *strip*. A
strip without an active filter on either row is 0 and has no gradient, so it is never computed.
Where the masks have the size of the grid nothing is upsampled, and only active cells are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from torch import Tensor

from net2vec.kernels.maps import SparseMaps
from net2vec.kernels.upsample import Axis, aligned_axis

_BYTE = 8


@dataclass(frozen=True)
class Strips:
    """Masks of pixels as strips between two rows of a grid, rows padded to whole bytes.

    Attributes:
        rows, columns: the axes.
        lower, upper: the two grid rows of each strip.
        pixel_row: the mask's row that each row of a strip is; 0 where there is none.
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
        padded = -(-size[1] // _BYTE) * _BYTE
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
            _packed(whole),
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
        padded = masks.new_zeros(len(masks), self.rows.outputs, self.across.shape[1])
        padded[:, :, : masks.shape[2]] = masks
        cut = padded[:, self.pixel_row] & self.exists[:, :, None]
        return _packed(cut.cpu())

    def unpack(self, packed: UInt8[Tensor, "chosen byte"]) -> UInt8[Tensor, "chosen row column"]:
        """Strips of packed masks as zeros and ones."""
        return _unpacked(packed, self.across.shape[1])


def _packed(bits: Bool[Tensor, "*batch row column"]) -> UInt8[Tensor, "*batch byte"]:
    """Eight values a byte, the first in the lowest bit."""
    if bits.is_cuda:
        power = 1 << torch.arange(_BYTE, device=bits.device)
        # Rows are whole bytes.
        by_byte = bits.reshape(*bits.shape[:-2], bits.shape[-2] * bits.shape[-1] // _BYTE, _BYTE)
        return (by_byte * power).sum(-1).to(torch.uint8)
    return torch.from_numpy(np.packbits(bits.flatten(-2).numpy(), axis=-1, bitorder="little"))


def _above(value: Float[Tensor, "*shape"], cut: float) -> Bool[Tensor, "*shape"]:
    # NumPy compares several times as fast as PyTorch does on a CPU.
    return value > cut if value.is_cuda else torch.from_numpy(value.numpy() > np.float32(cut))


def _unpacked(
    packed: UInt8[Tensor, "strip byte"], columns: int
) -> UInt8[Tensor, "strip row column"]:
    bits = np.unpackbits(packed.cpu().numpy(), axis=1, bitorder="little")
    rows = bits.shape[1] // columns
    return torch.from_numpy(bits).view(len(packed), rows, columns).to(packed.device)


def _strip_height(in_cell: Int[Tensor, "cell"]) -> int:
    """The height that wastes least: on padding rows, and on the fixed cost of a strip."""
    fixed = 1.5

    def cost(height: int) -> float:
        strips = int((-(-in_cell // height)).sum())
        return strips * (height + fixed)

    return min(range(1, int(in_cell.max()) + 1), key=cost)


@dataclass(frozen=True)
class StripBlock:
    """A block of strips.

    Attributes:
        images: number of images.
        packed: the concept's mask on the strips that have an active filter, eight pixels a byte.
        whole: all pixels of these strips; padding is none.
        height: rows of the grid.
        filter, cell: entries of the maps; cells are counted through the block.
        lower, upper: the two grid rows of each strip, counted through the block.
        both: the two together.
        share, reduce, across, back: see `Strips`; `back` is `across` transposed.
        image: the image of each strip.
    """

    images: int
    packed: UInt8[Tensor, "strip byte"]
    whole: UInt8[Tensor, "strip byte"]
    height: int
    filter: Int[Tensor, "entry"]
    cell: Int[Tensor, "entry"]
    lower: Int[Tensor, "strip"]
    upper: Int[Tensor, "strip"]
    both: Int[Tensor, "two_strips"]
    share: Float[Tensor, "strip row 1"]
    reduce: Float[Tensor, "strip 2 row"]
    across: Float[Tensor, "x column"]
    back: Float[Tensor, "column x"]
    image: Int[Tensor, "strip"]

    @cached_property
    def mask(self) -> UInt8[Tensor, "strip row column"]:
        """The concept's mask, as zeros and ones."""
        return _unpacked(self.packed, len(self.back))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Strips, and the rows and columns of pixels in each."""
        return len(self.image), self.share.shape[1], len(self.back)

    def value(
        self, weight: Float[Tensor, "filter"], room: Float[Tensor, "number"]
    ) -> Float[Tensor, "strip row column"]:
        """z: the weighted sum of the maps, upsampled, on the block's pixels.

        Args:
            weight: a weight a filter.
            room: memory for the result.
        """
        width = len(self.across)
        summed = weight.new_zeros(self.images * self.height * width)
        # `index_select` and `scatter_add_` are faster than indexing and `index_add_`.
        summed.scatter_add_(0, self.cell, torch.index_select(weight, 0, self.filter))
        wide = summed.view(-1, width) @ self.across
        lower = torch.index_select(wide, 0, self.lower)[:, None]
        upper = torch.index_select(wide, 0, self.upper)[:, None]
        out = room[: math.prod(self.shape)].view(self.shape)
        return torch.lerp(lower, upper, self.share, out=out)

    def add_back(
        self, gradient: Float[Tensor, "filter"], by_pixel: Float[Tensor, "strip row column"]
    ) -> None:
        """Add to the weights' gradient what the gradient by pixels gives."""
        rows = by_pixel.new_zeros(self.images * self.height, by_pixel.shape[2])
        rows.index_add_(0, self.both, torch.bmm(self.reduce, by_pixel).flatten(0, 1))
        by_cell = (rows @ self.back).view(-1)
        gradient.scatter_add_(0, self.filter, torch.index_select(by_cell, 0, self.cell))

    @property
    def is_pixel(self) -> Bool[Tensor, "strip row column"]:
        """Where there is a pixel: padding rows and columns are none."""
        return (self.reduce.sum(1) > 0)[:, :, None] & self.across.any(0)

    def total(self, pixels: Float[Tensor, "strip row column"]) -> Float[Tensor, ""]:
        """Sum over all pixels."""
        by_row = pixels @ self.across.any(0).to(pixels.dtype)
        return (by_row * (self.reduce.sum(1) > 0)).sum()

    def counts(
        self, value: Float[Tensor, "strip row column"], cut: float = 0.0
    ) -> tuple[Int[Tensor, "image"], Int[Tensor, "image"]]:
        """Of every image, pixels above a cut, and those of them that the mask contains."""
        predicted = _packed(_above(value, cut)) & self.whole
        hit = predicted & self.packed
        return self._by_image(predicted), self._by_image(hit)

    def _by_image(self, packed: UInt8[Tensor, "strip byte"]) -> Int[Tensor, "image"]:
        by_strip = np.bitwise_count(packed.cpu().numpy()).sum(1, dtype=np.int64)
        total = np.bincount(self.image.cpu().numpy(), by_strip, minlength=self.images)
        return torch.from_numpy(total.astype(np.int64))


@dataclass(frozen=True)
class CellBlock:
    """A block of active cells, where each is a pixel.

    Attributes:
        images: number of images.
        mask: the concept's mask on the cells that have an active filter.
        filter, pixel: entries of the maps; pixels are counted through `mask`.
        image: the image of each pixel.
    """

    images: int
    mask: UInt8[Tensor, "pixel"]
    filter: Int[Tensor, "entry"]
    pixel: Int[Tensor, "entry"]
    image: Int[Tensor, "pixel"]

    @property
    def shape(self) -> tuple[int]:
        """Pixels."""
        return (len(self.mask),)

    def value(
        self, weight: Float[Tensor, "filter"], room: Float[Tensor, "number"]
    ) -> Float[Tensor, "pixel"]:
        """z: the weighted sum of the maps, upsampled, on the block's pixels.

        Args:
            weight: a weight a filter.
            room: memory for the result.
        """
        value = room[: len(self.mask)].zero_()
        return value.scatter_add_(0, self.pixel, torch.index_select(weight, 0, self.filter))

    def add_back(self, gradient: Float[Tensor, "filter"], by_pixel: Float[Tensor, "pixel"]) -> None:
        """Add to the weights' gradient what the gradient by pixels gives."""
        gradient.scatter_add_(0, self.filter, torch.index_select(by_pixel, 0, self.pixel))

    @property
    def is_pixel(self) -> Bool[Tensor, "pixel"]:
        """Where there is a pixel: everywhere."""
        return torch.ones_like(self.mask, dtype=torch.bool)

    def total(self, pixels: Float[Tensor, "pixel"]) -> Float[Tensor, ""]:
        """Sum over all pixels."""
        return pixels.sum()

    def counts(
        self, value: Float[Tensor, "pixel"], cut: float = 0.0
    ) -> tuple[Int[Tensor, "image"], Int[Tensor, "image"]]:
        """Of every image, pixels above a cut, and those of them that the mask contains."""
        on = _above(value, cut)
        return self.sum_by_image(on).cpu(), self.sum_by_image(on * self.mask).cpu()

    def sum_by_image(self, pixels: Shaped[Tensor, "pixel"]) -> Int[Tensor, "image"]:
        """Integer sums over the pixels of every image."""
        total = pixels.long()
        return total.new_zeros(self.images).index_add_(0, self.image, total)


Block = StripBlock | CellBlock
"""Some images of a mini-batch: the pixels that count, and the way from weights to them and back."""


def entries(
    maps: SparseMaps, first: int, last: int
) -> tuple[Int[Tensor, "entry"], Int[Tensor, "entry"]]:
    """Filters and cells that are on in images `first` to `last`; cells counted through these."""
    bounds = maps.starts[first : last + 1]
    images, (height, width) = last - first, maps.grid
    chosen = slice(int(bounds[0]), int(bounds[-1]))
    image = torch.repeat_interleave(
        torch.arange(images, device=bounds.device), bounds[1:] - bounds[:-1]
    )
    return maps.filter[chosen].long(), maps.cell[chosen].long() + image * (height * width)


def lay_out(
    maps: SparseMaps,
    strips: Strips,
    masks: UInt8[Tensor, "image strip byte"],
    first: int,
    last: int,
) -> Block:
    """The block of images `first` to `last`, the last not included.

    Args:
        maps: thresholded maps of all images.
        strips: geometry of the masks.
        masks: their masks, from `Strips.pack`.
        first: the first image.
        last: the image after the last one.
    """
    device = maps.cell.device
    images = last - first
    height, width = maps.grid
    filters, cell = entries(maps, first, last)
    if strips.is_identity:
        pixel, place = torch.unique(cell, return_inverse=True)
        image = torch.div(pixel, height * width, rounding_mode="floor")
        row = torch.div(pixel % (height * width), width, rounding_mode="floor")
        column = pixel % width
        byte = masks[first:last][image, row, torch.div(column, _BYTE, rounding_mode="floor")]
        mask = (byte >> (column % _BYTE)) & 1
        return CellBlock(images, mask.to(torch.uint8), filters, place, image)
    active = torch.zeros(images * height, dtype=torch.bool, device=device)
    active[torch.div(cell, width, rounding_mode="floor")] = True
    active = active.view(images, height)
    lower, upper = strips.lower.to(device), strips.upper.to(device)
    image, strip = torch.nonzero(active[:, lower] | active[:, upper], as_tuple=True)
    low, high = image * height + lower[strip], image * height + upper[strip]
    bytes_of = masks[first:last].flatten(0, 1)
    across = strips.across.to(device)
    return StripBlock(
        images=images,
        packed=torch.index_select(bytes_of, 0, image * len(strips) + strip),
        whole=torch.index_select(strips.whole.to(device), 0, strip),
        height=height,
        filter=filters,
        cell=cell,
        lower=low,
        upper=high,
        both=torch.stack([low, high], 1).flatten(),
        share=torch.index_select(strips.share.to(device), 0, strip)[:, :, None],
        reduce=torch.index_select(strips.reduce.to(device), 0, strip),
        across=across,
        back=across.T.contiguous(),
        image=image,
    )
