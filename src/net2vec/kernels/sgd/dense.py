"""Mini-batches on a GPU: every pixel, by products with the two axes of upsampling.

A GPU waits for its calls rather than for its numbers. So nothing is left out here that would have
to be looked for: no strip without an active filter, no square that nodes could stand for. What a
step does is the same every time, and its calls can be recorded
(see `net2vec.kernels.sgd.cuda_graphs`).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from net2vec.kernels.geometry.blocks import entries
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.sparse import ScatteredSum
from net2vec.kernels.geometry.strips import Strips

# Images of a product, which is filled up: one of another shape may be computed in another way. The
# pixels of so many stay in a large second-level cache.
_PORTION = 256
# Pixels of masks that are unpacked at a time to be counted once.
_COUNTED = 1 << 27


class DenseBatch:
    """Mini-batches of problems, one behind the other, by their pixels.

    Args:
        maps: thresholded maps of their images; each problem has filters of its own.
        strips: geometry of the masks.
        masks: the images' masks, from `Strips.pack`.
        background, slope: of each image what multiplies p (1 - p) in the loss's slope: the first,
            less the second in the mask.
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
        on = filters * len(maps) + maps.image()
        pairs, pair = torch.unique(on, return_inverse=True)
        self._to_pairs = ScatteredSum.of(cell, pair, len(pairs))
        filter_of = torch.div(pairs, len(maps), rounding_mode="floor")
        every = torch.arange(len(pairs), device=device)
        self._to_filters = ScatteredSum.of(every, filter_of, maps.filters)

    def gradient(self, weight: Float[Tensor, "filter"]) -> Float[Tensor, "filter"]:
        """The gradient of the loss, summed over pixels and images."""
        grid = self._upsampled.summed(weight)
        back = torch.empty_like(grid)
        down, across = self._upsampled.down, self._upsampled.across
        for portion in self._upsampled.portions():
            value = self._upsampled.pixels(grid[portion])
            inside = self._inside[portion]
            # Of images that are none z is 0, and has no gradient.
            own = value[: len(inside)].sigmoid_()
            target = torch.where(inside, *(part[portion] for part in self._targets))
            # target * p * (1 - p) in one pass over memory.
            torch.ops.aten.sigmoid_backward.grad_input(target, own, grad_input=own)
            torch.matmul(down.T @ value, across.T, out=back[portion])
        return self._to_filters.sums(self._to_pairs.sums(back.flatten()))


def count_dense(
    maps: SparseMaps,
    strips: Strips,
    masks: UInt8[Tensor, "image strip byte"],
    weight: Float[Tensor, "filter"],
) -> tuple[Int[Tensor, "image"], Int[Tensor, "image"]]:
    """Of every image, pixels predicted (z > 0), and those of them in the mask."""
    predicted, hit = [], []
    images = max(1, _COUNTED // (len(strips) * strips.pixels))
    for first in range(0, len(maps), images):
        last = min(first + images, len(maps))
        upsampled = _Upsampled(maps.slice_images(first, last).to(weight.device), strips)
        rows = strips.unpack_rows(masks[first:last].to(weight.device)).view(torch.bool)
        grid = upsampled.summed(weight)
        for portion in upsampled.portions():
            inside = rows[portion]
            on = upsampled.pixels(grid[portion])[: len(inside)] > 0
            predicted.append(on.sum((1, 2)))
            hit.append((on & inside).sum((1, 2)))
    return torch.cat(predicted), torch.cat(hit)


class _Upsampled:
    """Maps of some images as z at their pixels, filled up with images to whole products.

    Attributes:
        down, across: upsampling along the axes; columns are filled up to whole bytes with zeros.
    """

    def __init__(self, maps: SparseMaps, strips: Strips) -> None:
        device = maps.cell.device
        self._grid = maps.grid
        self._images = -(-len(maps) // _PORTION) * _PORTION
        cells = self._images * maps.grid[0] * maps.grid[1]
        self._to_cells = ScatteredSum.of(*entries(maps), cells)
        self.down: Float[Tensor, "row y"] = strips.rows.matrix().to(device)
        self.across: Float[Tensor, "x column"] = strips.across.to(device)

    def summed(self, weight: Float[Tensor, "filter"]) -> Float[Tensor, "image y x"]:
        """The weighted sum of the maps, on the grid."""
        return self._to_cells.sums(weight).view(-1, *self._grid)

    def portions(self) -> Iterator[slice]:
        """The images of each product."""
        for first in range(0, self._images, _PORTION):
            yield slice(first, first + _PORTION)

    def pixels(self, grid: Float[Tensor, "image y x"]) -> Float[Tensor, "image row column"]:
        """Z at the pixels of a portion, from its sums on the grid."""
        value: Tensor = self.down @ (grid @ self.across)
        return value
