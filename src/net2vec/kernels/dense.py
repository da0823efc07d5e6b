"""Mini-batches on a GPU: every pixel, by products with the two axes of upsampling.

A GPU waits for its calls rather than for its numbers. So nothing is left out here that would have
to be looked for: no strip without an active filter, no square that nodes could stand for. What a
step does is the same every time, and its calls can be recorded (see `net2vec.kernels.replay`).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import pad

from net2vec.kernels.blocks import entries
from net2vec.kernels.maps import SparseMaps
from net2vec.kernels.sparse import ScatteredSum
from net2vec.kernels.strips import Strips

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
            less the second in the mask. Neither is needed to count.
    """

    def __init__(
        self,
        maps: SparseMaps,
        strips: Strips,
        masks: UInt8[Tensor, "image strip byte"],
        background: Float[Tensor, "image"] | None = None,
        slope: Float[Tensor, "image"] | None = None,
    ) -> None:
        device = maps.cell.device
        self._images, self._grid = len(maps), maps.grid
        more = -len(maps) % _PORTION
        filters, cell = entries(maps)
        cells = (len(maps) + more) * maps.grid[0] * maps.grid[1]
        self._to_cells = ScatteredSum.of(filters, cell, cells)
        # Image by image first: a filter may be on in many cells, and each sum is one thread's.
        on = filters * len(maps) + maps.image()
        pairs, pair = torch.unique(on, return_inverse=True)
        self._to_pairs = ScatteredSum.of(cell, pair, len(pairs))
        filter_of = torch.div(pairs, len(maps), rounding_mode="floor")
        every = torch.arange(len(pairs), device=device)
        self._to_filters = ScatteredSum.of(every, filter_of, maps.filters)
        self._down, self._across = strips.rows.matrix().to(device), strips.across.to(device)
        self._inside = pad(strips.unpack_rows(masks), (0, 0, 0, 0, 0, more)).view(torch.bool)
        if background is not None and slope is not None:
            self._targets = [
                pad(part.to(device), (0, more))[:, None, None]
                for part in (background - slope, background)
            ]

    def gradient(self, weight: Float[Tensor, "filter"]) -> Float[Tensor, "filter"]:
        """The gradient of the loss, summed over pixels and images."""
        grid = self._summed(weight)
        back = torch.empty_like(grid)
        for portion in self._portions():
            value = self._upsampled(grid[portion]).sigmoid_()
            target = torch.where(self._inside[portion], *(x[portion] for x in self._targets))
            # target * p * (1 - p) in one pass over memory.
            torch.ops.aten.sigmoid_backward.grad_input(target, value, grad_input=value)
            torch.matmul(self._down.T @ value, self._across.T, out=back[portion])
        return self._to_filters.sums(self._to_pairs.sums(back.flatten()))

    def counts(
        self, weight: Float[Tensor, "filter"]
    ) -> tuple[Int[Tensor, "image"], Int[Tensor, "image"]]:
        """Of every image, pixels predicted (z > 0), and those of them in the mask."""
        grid = self._summed(weight)
        predicted, hit = [], []
        for portion in self._portions():
            on = self._upsampled(grid[portion]) > 0
            predicted.append(on.sum((1, 2)))
            hit.append((on & self._inside[portion]).sum((1, 2)))
        return torch.cat(predicted)[: self._images], torch.cat(hit)[: self._images]

    def _portions(self) -> Iterator[slice]:
        for first in range(0, len(self._inside), _PORTION):
            yield slice(first, first + _PORTION)

    def _summed(self, weight: Float[Tensor, "filter"]) -> Float[Tensor, "image y x"]:
        return self._to_cells.sums(weight).view(-1, *self._grid)

    def _upsampled(self, grid: Float[Tensor, "image y x"]) -> Float[Tensor, "image row column"]:
        """Z, in columns filled up to whole bytes with zeros."""
        value: Tensor = self._down @ (grid @ self._across)
        return value


def count_densely(
    maps: SparseMaps,
    strips: Strips,
    masks: UInt8[Tensor, "image strip byte"],
    weight: Float[Tensor, "filter"],
) -> tuple[Int[Tensor, "image"], Int[Tensor, "image"]]:
    """Of every image, pixels predicted (z > 0), and those of them in the mask."""
    counts = []
    images = max(1, _COUNTED // (len(strips) * strips.pixels))
    for first in range(0, len(maps), images):
        last = min(first + images, len(maps))
        some = maps.stretch(first, last).to(weight.device)
        batch = DenseBatch(some, strips, masks[first:last].to(weight.device))
        counts.append(batch.counts(weight))
    predicted, hit = zip(*counts, strict=True)
    return torch.cat(predicted), torch.cat(hit)
