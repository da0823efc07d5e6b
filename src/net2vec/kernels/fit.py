"""Learning to segment a concept: SGD on the weights of thresholded, upsampled maps.

Upsampling is linear, so filters are summed on the small grid first and one map is upsampled. That
map is computed in *strips*: the rows of pixels between two rows of the grid, which mix two
upsampled rows and nothing else. A strip without an active filter on either row is 0 and has no
gradient; it is never computed. The gradient takes the same way back, and no graph is kept.

Source: paper, section 3.1.2 and equations 2 and 4. The loss has no logarithm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from net2vec.kernels.upsample import Axis, aligned_axis

_BYTE = 8
# Pixels of a block on a CPU: a few single-precision buffers of them fit the second-level cache.
_CPU_BLOCK = 16 * 1024 * 12
_GPU_BLOCK = 1 << 25


@dataclass(frozen=True)
class SparseMaps:
    """Thresholded maps of some images: who is on, and where.

    Attributes:
        starts: for every image its first entry, and at the end the number of entries.
        filter, cell: one entry a (image, filter, cell of the grid) that is on.
        grid: height and width of the grid.
        filters: number of filters (K).
    """

    starts: Int[Tensor, "image_and_end"]
    filter: Int[Tensor, "entry"]
    cell: Int[Tensor, "entry"]
    grid: tuple[int, int]
    filters: int

    def __len__(self) -> int:
        return len(self.starts) - 1

    def image(self) -> Int[Tensor, "entry"]:
        """The image of every entry."""
        counts = self.starts[1:] - self.starts[:-1]
        return torch.repeat_interleave(torch.arange(len(self), device=counts.device), counts)

    def only(self, kept: Bool[Tensor, "filter"]) -> SparseMaps:
        """The same maps with all filters but the kept ones off."""
        stay = kept[self.filter.long()]
        before = torch.cat([stay.new_zeros(1, dtype=torch.int64), torch.cumsum(stay, 0)])
        return SparseMaps(
            before[self.starts], self.filter[stay], self.cell[stay], self.grid, self.filters
        )

    def alone(self, chosen: int) -> SparseMaps:
        """The maps of one filter, as those of a layer with a single filter."""
        kept = torch.zeros(self.filters, dtype=torch.bool, device=self.cell.device)
        kept[chosen] = True
        maps = self.only(kept)
        return SparseMaps(maps.starts, torch.zeros_like(maps.filter), maps.cell, maps.grid, 1)

    def to(self, device: torch.device | str) -> SparseMaps:
        """The maps on a device."""
        starts, filters, cell = (x.to(device) for x in (self.starts, self.filter, self.cell))
        return SparseMaps(starts, filters, cell, self.grid, self.filters)

    def dense(self) -> Bool[Tensor, "image filter y x"]:
        """The maps as a dense array."""
        height, width = self.grid
        active = torch.zeros(
            len(self), self.filters, height * width, dtype=torch.bool, device=self.cell.device
        )
        active[self.image(), self.filter.long(), self.cell.long()] = True
        return active.view(len(self), self.filters, height, width)


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

    @classmethod
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
        )

    def __len__(self) -> int:
        return len(self.lower)

    @property
    def pixels(self) -> int:
        """Pixels of a strip, padding included."""
        return self.exists.shape[1] * self.across.shape[1]

    def pack(self, masks: Bool[Tensor, "image y x"]) -> UInt8[Tensor, "image strip byte"]:
        """Masks cut into strips, eight pixels a byte, the first in the lowest bit."""
        padded = masks.new_zeros(len(masks), self.rows.outputs, self.across.shape[1])
        padded[:, :, : masks.shape[2]] = masks
        cut = padded[:, self.pixel_row] & self.exists[:, :, None]
        packed = np.packbits(cut.cpu().flatten(2).numpy(), axis=-1, bitorder="little")
        return torch.from_numpy(packed)


def _strip_height(in_cell: Int[Tensor, "cell"]) -> int:
    """The height that wastes least: on padding rows, and on the fixed cost of a strip."""
    fixed = 1.5

    def cost(height: int) -> float:
        strips = int((-(-in_cell // height)).sum())
        return strips * (height + fixed)

    return min(range(1, int(in_cell.max()) + 1), key=cost)


@dataclass(frozen=True)
class _Block:
    """Some images of a mini-batch, with the strips that have an active filter."""

    images: int
    filter: Int[Tensor, "entry"]
    cell: Int[Tensor, "entry"]
    lower: Int[Tensor, "strip"]
    upper: Int[Tensor, "strip"]
    both: Int[Tensor, "two_strips"]
    share: Float[Tensor, "strip row 1"]
    reduce: Float[Tensor, "strip 2 row"]
    bytes: Int[Tensor, "byte"]
    image: Int[Tensor, "strip"]


class SegmentationProblem:
    """One concept's images and masks, laid out for many passes.

    Args:
        maps: thresholded maps of the images that contain the concept, in the dataset's order.
        strips: geometry of the masks.
        masks: the concept's masks, from `Strips.pack`.
        batch: images of a mini-batch.
    """

    def __init__(
        self,
        maps: SparseMaps,
        strips: Strips,
        masks: UInt8[Tensor, "image strip byte"],
        *,
        batch: int,
    ) -> None:
        self.images = len(maps)
        self.filters = maps.filters
        self._grid = maps.grid
        self._across = strips.across.to(maps.cell.device)
        self._lanes = strips.exists.shape[1]
        pixels = _GPU_BLOCK if maps.cell.is_cuda else _CPU_BLOCK
        block = max(1, min(batch, pixels // (len(strips) * strips.pixels)))
        self._batches = [
            [
                _layout(maps, strips, masks, start, min(start + block, begin + batch, self.images))
                for start in range(begin, min(begin + batch, self.images), block)
            ]
            for begin in range(0, self.images, batch)
        ]
        most = max((len(b.lower) for blocks in self._batches for b in blocks), default=0)
        shape = (most, self._lanes, self._across.shape[1])
        self._value = torch.empty(shape, device=maps.cell.device)
        self._target = torch.empty(shape, device=maps.cell.device)

    def fit(
        self,
        start: Float[Tensor, "filter"],
        *,
        alpha: float,
        learning_rate: float,
        momentum: float,
        epochs: int,
    ) -> Float[Tensor, "filter"]:
        """Weights after `epochs` passes of SGD with momentum over the batches, in order.

        Args:
            start: initial weights; a filter that is off everywhere keeps its own.
            alpha: 1 minus the mean share of the mask that the concept covers. Where it is 0 the
                concept fills every mask and foreground and background both weigh 1.
            learning_rate: step size, for a loss that is summed over pixels.
            momentum: share of the last step that is taken again.
            epochs: passes over all batches.
        """
        foreground, background = (alpha, 1 - alpha) if alpha > 0 else (1.0, 1.0)
        # d loss / d z = ((1 - a) - t) p (1 - p): the bracket, for every byte of mask pixels. With
        # equal weights it is 1 - 2 t.
        factors = _byte_table(-foreground, background).to(start)
        weight, velocity = start.clone(), torch.zeros_like(start)
        for _ in range(epochs):
            for number, blocks in enumerate(self._batches):
                gradient = torch.zeros_like(weight)
                for block in blocks:
                    self._add_gradient(gradient, weight, block, factors)
                count = self._batch_images(number)
                velocity.mul_(momentum).add_(gradient, alpha=1 / count)
                weight.sub_(velocity, alpha=learning_rate)
        return weight

    def counts(
        self, weight: Float[Tensor, "filter"]
    ) -> tuple[Int[Tensor, "image"], Int[Tensor, "image"]]:
        """Pixels predicted (z > 0), and those of them that the mask contains, for every image."""
        table = _byte_table(1.0, 0.0).to(weight)
        predicted: list[Tensor] = []
        hit: list[Tensor] = []
        for block in self._blocks():
            value = self._upsampled(weight, block)
            on = (value > 0).to(torch.float32)
            # Padding rows repeat others: only the weights say that they are no pixels.
            exists = block.reduce.sum(1)
            truth = self._masks(block, table)
            for total, pixels in ((predicted, on), (hit, on * truth)):
                strip = (pixels.sum(2) * exists).sum(1).round().long()
                total.append(strip.new_zeros(block.images).index_add_(0, block.image, strip))
        empty = torch.zeros(0, dtype=torch.int64)
        return torch.cat([*predicted, empty]), torch.cat([*hit, empty])

    def _batch_images(self, number: int) -> int:
        return sum(block.images for block in self._batches[number])

    def _blocks(self) -> Iterator[_Block]:
        for blocks in self._batches:
            yield from blocks

    def _masks(
        self, block: _Block, table: Float[Tensor, "256 8"]
    ) -> Float[Tensor, "strip row column"]:
        target = self._target[: len(block.lower)]
        torch.index_select(table, 0, block.bytes, out=target.view(-1, _BYTE))
        return target

    def _upsampled(
        self, weight: Float[Tensor, "filter"], block: _Block
    ) -> Float[Tensor, "strip row column"]:
        """z: the weighted sum of the maps, upsampled, on the block's strips."""
        height, width = self._grid
        summed = weight.new_zeros(block.images * height * width)
        summed.index_add_(0, block.cell, weight[block.filter])
        wide = summed.view(-1, width) @ self._across
        value = self._value[: len(block.lower)]
        lower = wide[block.lower][:, None]
        upper = wide[block.upper][:, None]
        return torch.lerp(lower, upper, block.share, out=value)

    def _add_gradient(
        self,
        gradient: Float[Tensor, "filter"],
        weight: Float[Tensor, "filter"],
        block: _Block,
        factors: Float[Tensor, "256 8"],
    ) -> None:
        if len(block.lower) == 0:
            return
        height, width = self._grid
        value = self._upsampled(weight, block).sigmoid_()
        target = self._masks(block, factors)
        # target * p * (1 - p) in one pass over memory.
        torch.ops.aten.sigmoid_backward.grad_input(target, value, grad_input=value)
        rows = torch.bmm(block.reduce, value).view(-1, value.shape[2]) @ self._across.T
        back = weight.new_zeros(block.images * height, width).index_add_(0, block.both, rows)
        gradient.index_add_(0, block.filter, back.view(-1)[block.cell])


def _layout(
    maps: SparseMaps,
    strips: Strips,
    masks: UInt8[Tensor, "image strip byte"],
    first: int,
    last: int,
) -> _Block:
    device = maps.cell.device
    height, width = maps.grid
    images = last - first
    bounds = maps.starts[first : last + 1]
    entries = slice(int(bounds[0]), int(bounds[-1]))
    counts = bounds[1:] - bounds[:-1]
    image = torch.repeat_interleave(torch.arange(images, device=device), counts)
    cell = maps.cell[entries].long() + image * (height * width)
    active = torch.zeros(images * height, dtype=torch.bool, device=device)
    active[torch.div(cell, width, rounding_mode="floor")] = True
    active = active.view(images, height)
    lower, upper = strips.lower.to(device), strips.upper.to(device)
    image, strip = torch.nonzero(active[:, lower] | active[:, upper], as_tuple=True)
    low, high = image * height + lower[strip], image * height + upper[strip]
    return _Block(
        images=images,
        filter=maps.filter[entries].long(),
        cell=cell,
        lower=low,
        upper=high,
        both=torch.stack([low, high], 1).flatten(),
        share=strips.share.to(device)[strip][:, :, None],
        reduce=strips.reduce.to(device)[strip],
        bytes=masks[first:last][image, strip].to(torch.int32).flatten(),
        image=image,
    )


def _byte_table(on: float, off: float) -> Float[Tensor, "256 8"]:
    """For every byte of eight mask pixels, `on` where a bit is set and `off` where not."""
    bits = (torch.arange(256)[:, None] >> torch.arange(_BYTE)) & 1
    return torch.where(bits == 1, on, off)
