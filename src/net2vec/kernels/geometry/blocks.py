"""The layout of a block of images in memory: only the pixels that an active filter can reach.

Between two rows of the grid, upsampled pixels mix two upsampled rows and nothing else: a *strip*. A
strip without an active filter on either row is 0 and has no gradient, so it is never computed.
Where the masks have the size of the grid nothing is upsampled, and only active cells are computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from torch import Tensor

from net2vec.kernels.backends import Backend, IndexedSum, backend_of
from net2vec.kernels.backends.base import BYTE
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.strips import Strips

# Several of the widest vectors that a processor computes with.
_VECTOR_VALUES = 64


def pad_to_vectors(count: int) -> int:
    """A number of values, rounded up to whole vectors of a processor.

    The rest at the end of an array is computed in another way, which may differ in the last bit; no
    value should depend on how many follow it.
    """
    return -(-count // _VECTOR_VALUES) * _VECTOR_VALUES


@dataclass(frozen=True)
class StripBlock:
    """A block of strips.

    Attributes:
        images: number of images.
        packed: the concept's mask on the strips that have an active filter, eight pixels a byte.
        whole: all pixels of these strips, without padding.
        to_cells, to_filters: sums over the maps' entries; cells are numbered through the block.
        lower, upper: the two grid rows of each strip, numbered through the block.
        to_rows: sums of what strips give to their two rows.
        share, reduce, across, back: see `Strips`; `back` is `across` transposed.
        image: the image of each strip.
        height: rows of the grid.
    """

    images: int
    packed: UInt8[Tensor, "strip byte"]
    whole: UInt8[Tensor, "strip byte"]
    to_cells: IndexedSum
    to_filters: IndexedSum
    lower: Int[Tensor, "strip"]
    upper: Int[Tensor, "strip"]
    to_rows: IndexedSum
    share: Float[Tensor, "strip row 1"]
    reduce: Float[Tensor, "strip 2 row"]
    across: Float[Tensor, "x column"]
    back: Float[Tensor, "column x"]
    image: Int[Tensor, "strip"]
    height: int

    @cached_property
    def mask(self) -> UInt8[Tensor, "strip row column"]:
        """The concept's mask, as zeros and ones."""
        return self._backend.unpack_bits(self.packed).view(self.shape)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Strips, and the rows and columns of pixels in each."""
        return len(self.image), self.share.shape[1], len(self.back)

    def value(
        self, weight: Float[Tensor, "filter"], workspace: Float[Tensor, "number"]
    ) -> Float[Tensor, "strip row column"]:
        """z: the weighted sum of the maps, upsampled, on the block's pixels.

        Args:
            weight: a weight a filter.
            workspace: memory for the result.
        """
        cells = self.to_cells.sums(weight).view(self.images, self.height, len(self.across))
        wide = self._backend.times_by_image(cells, self.across)
        lower = torch.index_select(wide, 0, self.lower)[:, None]
        upper = torch.index_select(wide, 0, self.upper)[:, None]
        out = workspace[: math.prod(self.shape)].view(self.shape)
        return torch.lerp(lower, upper, self.share, out=out)

    def add_back(
        self, gradient: Float[Tensor, "filter"], by_pixel: Float[Tensor, "strip row column"]
    ) -> None:
        """Add to the gradient of the weights what the gradient by pixels gives."""
        rows = by_pixel.new_zeros(self.images * self.height, by_pixel.shape[2])
        self.to_rows.add_to(rows, self._backend.reduce_strips(self.reduce, by_pixel))
        self.to_filters.add_to(gradient, self._backend.times(rows, self.back).view(-1))

    @property
    def is_pixel(self) -> Bool[Tensor, "strip row column"]:
        """A mask of the values that are pixels, not padding rows or columns."""
        return (self.reduce.sum(1) > 0)[:, :, None] & self.across.any(0)

    def total(self, pixels: Float[Tensor, "strip row column"]) -> Float[Tensor, ""]:
        """Sum over all pixels."""
        by_row = pixels @ self.across.any(0).to(pixels.dtype)
        return (by_row * (self.reduce.sum(1) > 0)).sum()

    def counts(
        self, value: Float[Tensor, "strip row column"], cut: float = 0.0
    ) -> tuple[Int[Tensor, "image"], Int[Tensor, "image"]]:
        """By image, the number of pixels above a cut, and of those that the mask contains."""
        predicted = self._backend.pack_bits(self._backend.greater(value, cut).flatten(1))
        predicted &= self.whole
        return self._by_image(predicted), self._by_image(predicted & self.packed)

    def by_pixel(self, by_image: Float[Tensor, "image"]) -> Float[Tensor, "strip 1 1"]:
        """Factors of images as those of their pixels."""
        return torch.index_select(by_image, 0, self.image)[:, None, None]

    @property
    def _backend(self) -> Backend:
        return backend_of(self.packed.device)

    def _by_image(self, packed: UInt8[Tensor, "strip byte"]) -> Int[Tensor, "image"]:
        by_strip = self._backend.count_bits(packed)
        return by_strip.new_zeros(self.images).index_add_(0, self.image, by_strip)


@dataclass(frozen=True)
class CellBlock:
    """A block of active cells, where each is a pixel; methods as of `StripBlock`.

    Attributes:
        images: number of images.
        mask: the concept's mask on the cells that have an active filter.
        to_pixels, to_filters: sums over the maps' entries; pixels are numbered through `mask`.
        image: the image of each pixel.
    """

    images: int
    mask: UInt8[Tensor, "pixel"]
    to_pixels: IndexedSum
    to_filters: IndexedSum
    image: Int[Tensor, "pixel"]

    @property
    def shape(self) -> tuple[int]:
        """Pixels."""
        return (len(self.mask),)

    def value(
        self, weight: Float[Tensor, "filter"], workspace: Float[Tensor, "number"]
    ) -> Float[Tensor, "pixel"]:
        """z: the weighted sum of the maps on the block's pixels."""
        value = workspace[: len(self.mask)].zero_()
        self.to_pixels.add_to(value, weight)
        return value

    def add_back(self, gradient: Float[Tensor, "filter"], by_pixel: Float[Tensor, "pixel"]) -> None:
        """Add to the gradient of the weights what the gradient by pixels gives."""
        self.to_filters.add_to(gradient, by_pixel)

    @property
    def is_pixel(self) -> Bool[Tensor, "pixel"]:
        """A mask of the values that are pixels: all of them."""
        return torch.ones_like(self.mask, dtype=torch.bool)

    def total(self, pixels: Float[Tensor, "pixel"]) -> Float[Tensor, ""]:
        """Sum over all pixels."""
        return pixels.sum()

    def counts(
        self, value: Float[Tensor, "pixel"], cut: float = 0.0
    ) -> tuple[Int[Tensor, "image"], Int[Tensor, "image"]]:
        """By image, the number of pixels above a cut, and of those that the mask contains."""
        on = backend_of(value.device).greater(value, cut)
        return self._by_image(on), self._by_image(on * self.mask)

    def by_pixel(self, by_image: Float[Tensor, "image"]) -> Float[Tensor, "pixel"]:
        """Factors of images as those of their pixels."""
        return torch.index_select(by_image, 0, self.image)

    def _by_image(self, pixels: Shaped[Tensor, "pixel"]) -> Int[Tensor, "image"]:
        total = pixels.long()
        return total.new_zeros(self.images).index_add_(0, self.image, total)


Block = StripBlock | CellBlock
"""Some images of a mini-batch: the pixels that count, and the way from weights to them and back."""


def entries(maps: SparseMaps) -> tuple[Int[Tensor, "entry"], Int[Tensor, "entry"]]:
    """Active filters and cells; cells are numbered through the images."""
    height, width = maps.grid
    return maps.filter.long(), maps.cell.long() + maps.image() * (height * width)


def block_of(maps: SparseMaps, strips: Strips, masks: UInt8[Tensor, "image strip byte"]) -> Block:
    """The block of some images.

    Args:
        maps: thresholded maps of the images.
        strips: geometry of the masks.
        masks: their masks, from `Strips.pack`.
    """
    if strips.is_identity:
        return _cell_block(maps, masks)
    device, images = maps.cell.device, len(maps)
    backend = backend_of(device)
    height, width = maps.grid
    filters, cell = entries(maps)
    active = torch.zeros(images * height, dtype=torch.bool, device=device)
    active[torch.div(cell, width, rounding_mode="floor")] = True
    active = active.view(images, height)
    lower, upper = strips.lower.to(device), strips.upper.to(device)
    image, strip = torch.nonzero(active[:, lower] | active[:, upper], as_tuple=True)
    low, high = image * height + lower[strip], image * height + upper[strip]
    across = strips.across.to(device)
    rows = torch.stack([low, high], 1).flatten()
    return StripBlock(
        images=images,
        packed=torch.index_select(masks.flatten(0, 1), 0, image * len(strips) + strip),
        whole=torch.index_select(strips.whole.to(device), 0, strip),
        to_cells=backend.indexed_sum(filters, cell, images * height * width),
        to_filters=backend.indexed_sum(cell, filters, maps.filters),
        lower=low,
        upper=high,
        to_rows=backend.indexed_sum(None, rows, images * height),
        share=torch.index_select(strips.share.to(device), 0, strip)[:, :, None],
        reduce=torch.index_select(strips.reduce.to(device), 0, strip),
        across=across,
        back=across.T.contiguous(),
        image=image,
        height=height,
    )


def _cell_block(maps: SparseMaps, masks: UInt8[Tensor, "image row byte"]) -> CellBlock:
    backend = backend_of(maps.cell.device)
    height, width = maps.grid
    filters, cell = entries(maps)
    cells, index = torch.unique(cell, return_inverse=True)
    image = torch.div(cells, height * width, rounding_mode="floor")
    row = torch.div(cells % (height * width), width, rounding_mode="floor")
    column = cells % width
    byte = masks[image, row, torch.div(column, BYTE, rounding_mode="floor")]
    return CellBlock(
        len(maps),
        ((byte >> (column % BYTE)) & 1).to(torch.uint8),
        backend.indexed_sum(filters, index, len(cells)),
        backend.indexed_sum(index, filters, maps.filters),
        image,
    )
