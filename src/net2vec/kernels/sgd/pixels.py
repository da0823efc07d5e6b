"""Mini-batches on a CPU by their pixels, those that an active filter can reach."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from net2vec.core.devices import policy_of
from net2vec.core.scratch import Scratch
from net2vec.kernels.geometry.blocks import Block, block_of, pad_to_vectors
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.strips import Strips

# Where blocks are laid out to be counted once, calls cost more than cache misses.
_COUNTED_PIXELS = 1 << 20


class PixelBatch:
    """Mini-batches by pixels.

    Args:
        maps: thresholded maps of their images; each problem has filters of its own.
        strips: geometry of the masks.
        masks: the masks of the images, from `Strips.pack`.
        background, slope: of each image; see `SegmentationProblem.factors`.
        scratch: holds the blocks, where memory has no room for them.
    """

    def __init__(
        self,
        maps: SparseMaps,
        strips: Strips,
        masks: UInt8[Tensor, "image strip byte"],
        background: Float[Tensor, "image"],
        slope: Float[Tensor, "image"],
        scratch: Scratch | None = None,
    ) -> None:
        self._value, self._target = _Workspace(), _Workspace()
        self._blocks: list[tuple[Block, Tensor, Tensor]] = []
        first = 0
        for block in _blocks_of(maps, strips, masks, policy_of("cpu").pixel_block):
            images = slice(first, first := first + block.images)
            factors = block.by_pixel(background[images]), block.by_pixel(slope[images]).neg()
            if scratch is not None:
                block = scratch.put_fields(block)
                # A cached property, which is unpacked in memory at its first use.
                vars(block)["mask"] = scratch.put(block.mask)
            self._blocks.append((block, *factors))

    def gradient(self, weight: Float[Tensor, "filter"]) -> Float[Tensor, "filter"]:
        """The gradient of the loss, summed over pixels and images."""
        gradient = torch.zeros_like(weight)
        for block, background, slope in self._blocks:
            buffer = self._value.of(block)
            value = block.value(weight, buffer)
            buffer[: pad_to_vectors(value.numel())].sigmoid_()
            # Types are changed first: products of mixed types are slow.
            target = self._target.of(block)[: value.numel()].view(value.shape)
            target.copy_(block.mask).mul_(slope).add_(background)
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
    """By image, the number of pixels predicted (z > 0), and of those in the mask."""
    workspace = _Workspace()
    counts = [
        block.counts(block.value(weight, workspace.of(block)))
        for block in _blocks_of(maps, strips, masks, _COUNTED_PIXELS)
    ]
    predicted, hit = zip(*counts, strict=True)
    return torch.cat(predicted), torch.cat(hit)


class _Workspace:
    """Memory for a value a pixel, of one block at a time."""

    def __init__(self) -> None:
        self._buffer = torch.empty(0)

    def of(self, block: Block) -> Float[Tensor, "number"]:
        """Memory for a block, in whole vectors."""
        size = pad_to_vectors(math.prod(block.shape))
        if len(self._buffer) < size:
            self._buffer = self._buffer.new_zeros(size)
        return self._buffer


def _blocks_of(
    maps: SparseMaps,
    strips: Strips,
    masks: UInt8[Tensor, "image strip byte"],
    pixels: int,
) -> Iterator[Block]:
    """The pixels of images, in blocks of equal size as far as they can be."""
    images = len(maps)
    limit = max(1, pixels // (len(strips) * strips.pixels))
    size = -(-images // -(-images // limit))
    for first in range(0, images, size):
        last = min(first + size, images)
        yield block_of(maps.slice_images(first, last), strips, masks[first:last])
