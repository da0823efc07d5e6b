"""Mini-batches on a GPU: every pixel, by products with the two axes of upsampling.

A GPU waits for calls rather than for arithmetic, so nothing is skipped that would have to be
searched for: neither strips without an active filter nor squares that nodes could stand for. A step
does the same every time, so that its calls can be recorded (see
`net2vec.kernels.sgd.cuda_graphs`).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from net2vec.kernels.backends import backend_of
from net2vec.kernels.geometry.blocks import entries
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.strips import Strips

# Images of a product, which is padded: one of another shape may be computed in another way. The
# pixels of so many stay in a large second-level cache.
_CHUNK_IMAGES = 256
# Pixels of masks that are unpacked at a time to be counted once.
_COUNTED_PIXELS = 1 << 27


class DenseBatch:
    """Mini-batches of problems, one after the other, by their pixels.

    Args:
        maps: thresholded maps of their images; each problem has filters of its own.
        strips: geometry of the masks.
        masks: the masks of the images, from `Strips.pack`.
        background, slope: of each image; see `SegmentationProblem.factors`.
    """

    def __init__(
        self,
        maps: SparseMaps,
        strips: Strips,
        masks: UInt8[Tensor, "image strip byte"],
        background: Float[Tensor, "image"],
        slope: Float[Tensor, "image"],
    ) -> None:
        device = maps.cell.device
        self._upsampled = _Upsampled(maps, strips)
        self._inside = strips.unpack_rows(masks).view(torch.bool)
        self._targets = [
            part.to(device)[:, None, None] for part in (background - slope, background)
        ]
        filters, cell = entries(maps)
        # Image by image first: a filter may be on in many cells, and each sum is one thread's.
        backend = backend_of(device)
        pairs, pair = torch.unique(filters * len(maps) + maps.image(), return_inverse=True)
        self._to_pairs = backend.indexed_sum(cell, pair, len(pairs))
        filter_of = torch.div(pairs, len(maps), rounding_mode="floor")
        self._to_filters = backend.indexed_sum(None, filter_of, maps.filters)

    def gradient(self, weight: Float[Tensor, "filter"]) -> Float[Tensor, "filter"]:
        """The gradient of the loss, summed over pixels and images."""
        grid = self._upsampled.summed(weight)
        back = torch.empty_like(grid)
        down, across = self._upsampled.down, self._upsampled.across
        for chunk in self._upsampled.chunks():
            value = self._upsampled.pixels(grid[chunk])
            inside = self._inside[chunk]
            # Padding images have z = 0 and no active filter, so that they give no gradient.
            own = value[: len(inside)].sigmoid_()
            target = torch.where(inside, *(part[chunk] for part in self._targets))
            # target * p * (1 - p) in one pass over memory.
            torch.ops.aten.sigmoid_backward.grad_input(target, own, grad_input=own)
            torch.matmul(down.T @ value, across.T, out=back[chunk])
        return self._to_filters.sums(self._to_pairs.sums(back.flatten()))


def count_dense(
    maps: SparseMaps,
    strips: Strips,
    masks: UInt8[Tensor, "image strip byte"],
    weight: Float[Tensor, "filter"],
) -> tuple[Int[Tensor, "image"], Int[Tensor, "image"]]:
    """By image, the number of pixels predicted (z > 0), and of those in the mask."""
    predicted, hit = [], []
    images = max(1, _COUNTED_PIXELS // (len(strips) * strips.pixels))
    for first in range(0, len(maps), images):
        last = min(first + images, len(maps))
        upsampled = _Upsampled(maps.slice_images(first, last).to(weight.device), strips)
        rows = strips.unpack_rows(masks[first:last].to(weight.device)).view(torch.bool)
        grid = upsampled.summed(weight)
        for chunk in upsampled.chunks():
            inside = rows[chunk]
            on = upsampled.pixels(grid[chunk])[: len(inside)] > 0
            predicted.append(on.sum((1, 2)))
            hit.append((on & inside).sum((1, 2)))
    return torch.cat(predicted), torch.cat(hit)


class _Upsampled:
    """Maps of some images as z at their pixels, padded with images to whole products.

    Attributes:
        down, across: upsampling along the axes; columns are padded to whole bytes with zeros.
    """

    def __init__(self, maps: SparseMaps, strips: Strips) -> None:
        device = maps.cell.device
        self._grid = maps.grid
        self._images = -(-len(maps) // _CHUNK_IMAGES) * _CHUNK_IMAGES
        cells = self._images * maps.grid[0] * maps.grid[1]
        self._to_cells = backend_of(device).indexed_sum(*entries(maps), cells)
        self.down: Float[Tensor, "row y"] = strips.rows.matrix().to(device)
        self.across: Float[Tensor, "x column"] = strips.across.to(device)

    def summed(self, weight: Float[Tensor, "filter"]) -> Float[Tensor, "image y x"]:
        """The weighted sum of the maps, on the grid."""
        return self._to_cells.sums(weight).view(-1, *self._grid)

    def chunks(self) -> Iterator[slice]:
        """The images of each product."""
        for first in range(0, self._images, _CHUNK_IMAGES):
            yield slice(first, first + _CHUNK_IMAGES)

    def pixels(self, grid: Float[Tensor, "image y x"]) -> Float[Tensor, "image row column"]:
        """Z at the pixels of a chunk, from its sums on the grid."""
        value: Tensor = self.down @ (grid @ self.across)
        return value
