"""How a mini-batch lies in memory: only the pixels that an active filter can reach.

Between two rows of the grid, upsampled pixels mix two upsampled rows and nothing else: a *strip*. A
strip without an active filter on either row is 0 and has no gradient, so it is never computed.
Where the masks have the size of the grid nothing is upsampled, and only active cells are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from torch import Tensor

from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.sparse import ScatteredSum, in_order
from net2vec.kernels.geometry.strips import BYTE, Strips, count_bits, pack_bits, unpack_bits

# Numbers that a processor takes at once, several vectors of the widest kind.
_VECTOR = 64


def _above(value: Float[Tensor, "*shape"], cut: float) -> Bool[Tensor, "*shape"]:
    # NumPy compares several times as fast as PyTorch does on a CPU.
    return value > cut if value.is_cuda else torch.from_numpy(value.numpy() > np.float32(cut))


def whole_vectors(numbers: int) -> int:
    """So many numbers, filled up to the widest vectors that a processor computes with.

    What is left at the end of an array is computed in another way, which may differ in the last
    bit; nobody's numbers should hang on who comes after them.
    """
    return -(-numbers // _VECTOR) * _VECTOR


@dataclass(frozen=True)
class StripBlock:
    """A block of strips.

    Attributes:
        images: number of images.
        packed: the concept's mask on the strips that have an active filter, eight pixels a byte.
        whole: all pixels of these strips; padding is none.
        to_cells, to_filters: sums over the maps' entries; cells are counted through the block.
        lower, upper: the two grid rows of each strip, counted through the block.
        to_rows: sums of what strips give to their two rows.
        share, reduce, across, back: see `Strips`; `back` is `across` transposed.
        image: the image of each strip.
    """

    images: int
    packed: UInt8[Tensor, "strip byte"]
    whole: UInt8[Tensor, "strip byte"]
    to_cells: ScatteredSum
    to_filters: ScatteredSum
    lower: Int[Tensor, "strip"]
    upper: Int[Tensor, "strip"]
    to_rows: ScatteredSum
    share: Float[Tensor, "strip row 1"]
    reduce: Float[Tensor, "strip 2 row"]
    across: Float[Tensor, "x column"]
    back: Float[Tensor, "column x"]
    image: Int[Tensor, "strip"]

    @cached_property
    def mask(self) -> UInt8[Tensor, "strip row column"]:
        """The concept's mask, as zeros and ones."""
        return unpack_bits(self.packed, len(self.back))

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
        cells = self.to_cells.sums(weight).view(-1, len(self.across))
        if weight.is_cuda:
            wide = in_order(self.back, cells.T.contiguous()).T.contiguous()
        else:
            # Image by image: products of other shapes may differ in the last bit.
            height = len(cells) // max(self.images, 1)
            by_image = cells.view(self.images, height, len(self.across))
            wide = torch.bmm(by_image, self.across.expand(self.images, -1, -1)).flatten(0, 1)
        lower = torch.index_select(wide, 0, self.lower)[:, None]
        upper = torch.index_select(wide, 0, self.upper)[:, None]
        out = room[: math.prod(self.shape)].view(self.shape)
        return torch.lerp(lower, upper, self.share, out=out)

    def add_back(
        self, gradient: Float[Tensor, "filter"], by_pixel: Float[Tensor, "strip row column"]
    ) -> None:
        """Add to the weights' gradient what the gradient by pixels gives."""
        rows = by_pixel.new_zeros(self.to_rows.places, by_pixel.shape[2])
        if gradient.is_cuda:
            two = self.reduce[:, :, 0, None] * by_pixel[:, None, 0]
            for row in range(1, by_pixel.shape[1]):
                two.addcmul_(self.reduce[:, :, row, None], by_pixel[:, None, row])
            self.to_rows.add_to(rows, two.flatten(0, 1))
            by_cell = in_order(self.across, rows.T.contiguous()).T.contiguous()
        else:
            self.to_rows.add_to(rows, torch.bmm(self.reduce, by_pixel).flatten(0, 1))
            by_cell = rows @ self.back
        self.to_filters.add_to(gradient, by_cell.view(-1))

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
        predicted = pack_bits(_above(value, cut)) & self.whole
        hit = predicted & self.packed
        return self._by_image(predicted), self._by_image(hit)

    def _by_image(self, packed: UInt8[Tensor, "strip byte"]) -> Int[Tensor, "image"]:
        by_strip = count_bits(packed)
        return by_strip.new_zeros(self.images).index_add_(0, self.image, by_strip)


@dataclass(frozen=True)
class CellBlock:
    """A block of active cells, where each is a pixel.

    Attributes:
        images: number of images.
        mask: the concept's mask on the cells that have an active filter.
        to_pixels, to_filters: sums over the maps' entries; pixels are counted through `mask`.
        image: the image of each pixel.
    """

    images: int
    mask: UInt8[Tensor, "pixel"]
    to_pixels: ScatteredSum
    to_filters: ScatteredSum
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
        self.to_pixels.add_to(value, weight)
        return value

    def add_back(self, gradient: Float[Tensor, "filter"], by_pixel: Float[Tensor, "pixel"]) -> None:
        """Add to the weights' gradient what the gradient by pixels gives."""
        self.to_filters.add_to(gradient, by_pixel)

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
        return self.sum_by_image(on), self.sum_by_image(on * self.mask)

    def sum_by_image(self, pixels: Shaped[Tensor, "pixel"]) -> Int[Tensor, "image"]:
        """Integer sums over the pixels of every image."""
        total = pixels.long()
        return total.new_zeros(self.images).index_add_(0, self.image, total)


Block = StripBlock | CellBlock
"""Some images of a mini-batch: the pixels that count, and the way from weights to them and back."""


def entries(maps: SparseMaps) -> tuple[Int[Tensor, "entry"], Int[Tensor, "entry"]]:
    """Filters and cells that are on; cells are counted through the images."""
    height, width = maps.grid
    return maps.filter.long(), maps.cell.long() + maps.image() * (height * width)


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
    filters, cell = entries(maps.slice_images(first, last))
    if strips.is_identity:
        pixel, place = torch.unique(cell, return_inverse=True)
        image = torch.div(pixel, height * width, rounding_mode="floor")
        row = torch.div(pixel % (height * width), width, rounding_mode="floor")
        column = pixel % width
        byte = masks[first:last][image, row, torch.div(column, BYTE, rounding_mode="floor")]
        mask = (byte >> (column % BYTE)) & 1
        return CellBlock(
            images,
            mask.to(torch.uint8),
            ScatteredSum.of(filters, place, len(pixel)),
            ScatteredSum.of(place, filters, maps.filters),
            image,
        )
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
        to_cells=ScatteredSum.of(filters, cell, images * height * width),
        to_filters=ScatteredSum.of(cell, filters, maps.filters),
        lower=low,
        upper=high,
        to_rows=ScatteredSum.of(None, torch.stack([low, high], 1).flatten(), images * height),
        share=torch.index_select(strips.share.to(device), 0, strip)[:, :, None],
        reduce=torch.index_select(strips.reduce.to(device), 0, strip),
        across=across,
        back=across.T.contiguous(),
        image=image,
    )
