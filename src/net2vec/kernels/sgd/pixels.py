"""Mini-batches on a CPU by their pixels, those that an active filter can reach."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from net2vec.kernels.geometry.blocks import Block, StripBlock, lay_out, whole_vectors
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.strips import Strips

# Pixels of a block: fewer cost more calls, more fall out of the caches.
_BLOCK = 16 * 1024 * 24
# Where blocks are laid out to be counted once, calls matter more.
_COUNTED = 1 << 20


class PixelBatch:
    """Mini-batches by pixels.

    Args:
        maps: thresholded maps of their images; each problem has filters of its own.
        strips: geometry of the masks.
        masks: the images' masks, from `Strips.pack`.
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
        self._room, self._target = _Room(), _Room()
        self._blocks: list[tuple[Block, Tensor, Tensor]] = []
        first = 0
        for block in _pixel_blocks(maps, strips, masks, _BLOCK):
            images = slice(first, first := first + block.images)
            above, below = (
                torch.index_select(part[images], 0, block.image) for part in (background, slope)
            )
            if isinstance(block, StripBlock):
                above, below = above[:, None, None], below[:, None, None]
            self._blocks.append((block, above, below.neg()))

    def gradient(self, weight: Float[Tensor, "filter"]) -> Float[Tensor, "filter"]:
        """The gradient of the loss, summed over pixels and images."""
        gradient = torch.zeros_like(weight)
        for block, background, slope in self._blocks:
            value = self._room.probability(block, weight)
            # Types are changed first: products of mixed types are slow.
            target = self._target.like(value).copy_(block.mask).mul_(slope).add_(background)
            # target * p * (1 - p) in one pass over memory.
            torch.ops.aten.sigmoid_backward.grad_input(target, value, grad_input=value)
            block.add_back(gradient, value)
        return gradient


def count_pixels(
    maps: SparseMaps,
    strips: Strips,
    masks: UInt8[Tensor, "image strip byte"],
    weight: Float[Tensor, "filter"],
) -> tuple[Int[Tensor, "image"], Int[Tensor, "image"]]:
    """Of every image, pixels predicted (z > 0), and those of them in the mask."""
    room = _Room()
    counts = [
        block.counts(room.value(block, weight))
        for block in _pixel_blocks(maps, strips, masks, _COUNTED)
    ]
    predicted, hit = zip(*counts, strict=True)
    return torch.cat(predicted), torch.cat(hit)


class _Room:
    """Memory for the values of blocks, one at a time."""

    def __init__(self) -> None:
        self._numbers = torch.empty(0)

    def value(self, block: Block, weight: Float[Tensor, "filter"]) -> Tensor:
        """Z on a block's pixels."""
        self._make(math.prod(block.shape))
        return block.value(weight, self._numbers)

    def probability(self, block: Block, weight: Float[Tensor, "filter"]) -> Tensor:
        """The sigmoid of z."""
        value = self.value(block, weight)
        self._numbers[: whole_vectors(value.numel())].sigmoid_()
        return value

    def like(self, value: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Room for as many numbers."""
        self._make(value.numel())
        return self._numbers[: value.numel()].view(value.shape)

    def _make(self, numbers: int) -> None:
        size = whole_vectors(numbers)
        if len(self._numbers) < size:
            self._numbers = self._numbers.new_zeros(size)


def _pixel_blocks(
    maps: SparseMaps,
    strips: Strips,
    masks: UInt8[Tensor, "image strip byte"],
    pixels: int,
) -> Iterator[Block]:
    """The pixels of images, in blocks of equal size as far as they can be."""
    images = len(maps)
    most = max(1, pixels // (len(strips) * strips.pixels))
    block = -(-images // -(-images // most))
    for begin in range(0, images, block):
        end = min(begin + block, images)
        yield lay_out(maps, strips, masks, begin, end)
