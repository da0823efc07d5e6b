"""Learning to segment concepts: SGD on the weights of thresholded, upsampled maps.

Upsampling is linear, so filters are summed on the small grid first and one map is upsampled: to a
few nodes between its cells where there are many pixels to a cell, else to the pixels. The gradient
takes the same way back, in place and without a graph.

A step of a concept in few images, or of few filters, costs more calls than numbers: such problems
take their steps together, one behind the other in memory. What each of them learns is the same to
the last bit whoever is beside it.

Source: paper, section 3.1.2 and equations 2 and 4. The loss has no logarithm.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from net2vec.kernels.blocks import Block, StripBlock, lay_out, whole_vectors
from net2vec.kernels.maps import SparseMaps
from net2vec.kernels.node_grid import MaskSums, NodeGrid
from net2vec.kernels.nodes import NodeBlock, Shown
from net2vec.kernels.strips import Strips

# Pixels of a block on a CPU: fewer cost more calls, more fall out of the caches.
_CPU_BLOCK = 16 * 1024 * 24
# Where blocks are laid out to be counted once, calls matter more.
_CPU_COUNTED = 1 << 20
_GPU_BLOCK = 1 << 25
# Images whose masks' sums are kept for other choices of filters; some 20 kB each.
_KEPT_IMAGES = 1 << 13
# Nodes or pixels of a step that problems take together: no more than a block.
_CPU_TOGETHER = 1 << 19
_GPU_TOGETHER = _GPU_BLOCK


@dataclass(frozen=True)
class SegmentationProblem:
    """One concept's images and masks, on the CPU or where it is learned.

    Attributes:
        maps: thresholded maps of the images that contain the concept, in the dataset's order.
        strips: geometry of the masks.
        masks: the concept's masks, from `Strips.pack`.
        batch: images of a mini-batch.
        alpha: 1 minus the mean share of the mask that the concept covers. Where it is 0 the
            concept fills every mask and foreground and background both weigh 1.
    """

    maps: SparseMaps
    strips: Strips
    masks: UInt8[Tensor, "image strip byte"]
    batch: int
    alpha: float

    def only(self, kept: Bool[Tensor, "filter"]) -> SegmentationProblem:
        """The same problem with all filters but the kept ones off; it shares the masks."""
        return replace(self, maps=self.maps.only(kept))

    @property
    def batches(self) -> int:
        """Mini-batches of an epoch."""
        return -(-len(self.maps) // self.batch)

    def bounds(self, number: int) -> tuple[int, int]:
        """The first image of a mini-batch, and the one after its last."""
        return number * self.batch, min((number + 1) * self.batch, len(self.maps))

    @property
    def factors(self) -> tuple[float, float]:
        """What multiplies p (1 - p) in the loss's slope: the first, less the second in the mask."""
        # d loss / d z is p (1 - p) times (1 - a) - t, or 1 - 2 t with equal weights.
        return (1 - self.alpha, 1.0) if self.alpha > 0 else (1.0, 2.0)

    @property
    def grid(self) -> NodeGrid | None:
        """The squares whose nodes stand for pixels; None where there are too few pixels."""
        return NodeGrid.of(self.maps.grid, self.strips.size)

    @cached_property
    def size(self) -> int:
        """Nodes or pixels of its largest step, at the most."""
        images = min(self.batch, len(self.maps))
        grid = self.grid
        if grid is None or not grid.levels:
            return images * len(self.strips) * self.strips.pixels
        per_image = self.maps.starts.diff()
        # A cell is a corner of four squares.
        reached = (4 * per_image).clamp(max=grid.squares)
        return int(reached.topk(images).values.sum()) * grid.levels[0][0] ** 2


def fit_side_by_side(
    problems: Sequence[SegmentationProblem],
    start: Float[Tensor, "problem filter"],
    *,
    learning_rate: float,
    momentum: float,
    epochs: int,
    device: torch.device | str = "cpu",
) -> Float[Tensor, "problem filter"]:
    """Weights after `epochs` passes of SGD with momentum over each problem's batches, in order.

    Args:
        problems: concepts of a layer, or choices of filters for them.
        start: initial weights of each; a filter that is off everywhere keeps its own.
        learning_rate: step size, for a loss that is summed over pixels.
        momentum: share of the last step that is taken again.
        epochs: passes over all batches.
        device: where to learn.

    Returns:
        The weights, on the CPU.
    """
    found = torch.empty_like(start)
    sums = _Sums(device)
    for some in _together(problems, device):
        # Who has more batches comes first: those that have one at a place are then the first few.
        some.sort(key=lambda i: -problems[i].batches)
        chosen = [problems[i] for i in some]
        weight = start[some].to(device)
        velocity = torch.zeros_like(weight)
        steps = [_Step.of(chosen, n, sums, device) for n in range(chosen[0].batches)]
        for _ in range(epochs):
            for step in steps:
                step.take(weight, velocity, learning_rate, momentum)
        found[some] = weight.cpu()
    return found


def count_side_by_side(
    problems: Sequence[SegmentationProblem],
    weight: Float[Tensor, "problem filter"],
    *,
    device: torch.device | str = "cpu",
) -> list[tuple[Int[Tensor, "_"], Int[Tensor, "_"]]]:
    """Pixels predicted (z > 0), and those of them in the mask, for every image of each problem.

    Args:
        problems: concepts of a layer, or choices of filters for them.
        weight: the weights of each.
        device: where to count.
    """
    if not any(len(problem.maps) for problem in problems):
        return [(torch.zeros(0, dtype=torch.int64),) * 2 for _ in problems]
    flat = weight.to(device).flatten()
    strips = problems[0].strips
    maps = SparseMaps.joined([problem.maps for problem in problems])
    masks = torch.cat([problem.masks for problem in problems])
    room = _Room(device)
    counts = [
        block.counts(room.value(block, flat))
        for block in _pixel_blocks(maps, strips, masks, device, _CPU_COUNTED)
    ]
    images = [len(problem.maps) for problem in problems]
    predicted, hit = (
        torch.split(torch.cat(part).cpu(), images) for part in zip(*counts, strict=True)
    )
    return list(zip(predicted, hit, strict=True))


def _together(
    problems: Sequence[SegmentationProblem], device: torch.device | str
) -> list[list[int]]:
    """Which problems take their steps together: those of equally many, few of them at a time."""
    if torch.device(device).type == "cuda":
        most = _GPU_TOGETHER
    else:
        # By pixels steps are long, and products of another size may differ in the last bit.
        most = 0 if any(problem.grid is None for problem in problems) else _CPU_TOGETHER
    groups: list[list[int]] = []
    room = 0
    order = sorted(range(len(problems)), key=lambda i: (problems[i].batches, problems[i].size, i))
    for i in order:
        size = problems[i].size
        if not groups or size > room:
            groups.append([])
            room = most
        groups[-1].append(i)
        room -= size
    return groups


@dataclass(frozen=True)
class _Step:
    """The step that the first few problems of a group take together.

    Attributes:
        learner: their mini-batches.
        images: of each problem, images of its mini-batch.
    """

    learner: NodeBlock | _PixelBatch
    images: Float[Tensor, "problem 1"]

    @classmethod
    def of(
        cls,
        problems: Sequence[SegmentationProblem],
        number: int,
        known: _Sums,
        device: torch.device | str,
    ) -> _Step:
        """The mini-batches at one place of the epoch."""
        chosen = [problem for problem in problems if number < problem.batches]
        bounds = [problem.bounds(number) for problem in chosen]
        images = torch.tensor([last - first for first, last in bounds])
        maps = SparseMaps.joined(
            [one.maps.stretch(*part) for one, part in zip(chosen, bounds, strict=True)]
        ).to(device)
        # Choices of filters for one concept share its masks.
        masks: dict[tuple[int, float], tuple[int, Tensor, tuple[float, float]]] = {}
        first, mask = 0, []
        for one, part in zip(chosen, bounds, strict=True):
            key = id(one.masks), one.alpha
            if key not in masks:
                masks[key] = first, one.masks[slice(*part)], one.factors
                first += part[1] - part[0]
            begin, own, _ = masks[key]
            mask.append(torch.arange(begin, begin + len(own)))
        shown = Shown(torch.cat(mask), torch.arange(len(chosen)).repeat_interleave(images))
        strips = chosen[0].strips
        parts = [own for _, own, _ in masks.values()]
        factors = torch.cat(
            [torch.tensor(two)[:, None].expand(2, len(own)) for _, own, two in masks.values()], 1
        )
        grid = chosen[0].grid
        learner: NodeBlock | _PixelBatch
        if grid is None:
            order = shown.mask
            learner = _PixelBatch(maps, strips, torch.cat(parts)[order], *factors[:, order])
        else:
            sums = known.of(grid, parts, factors)
            learner = NodeBlock(maps, sums, shown.to(maps.cell.device))
        return cls(learner, images.to(device, torch.float32)[:, None])

    def take(
        self,
        weight: Float[Tensor, "problem filter"],
        velocity: Float[Tensor, "problem filter"],
        learning_rate: float,
        momentum: float,
    ) -> None:
        """Change weights and velocities in place."""
        now = slice(len(self.images))
        gradient = self.learner.gradient(weight[now].flatten()).view(len(self.images), -1)
        # Each product is rounded before it is added, wherever it stands in memory.
        velocity[now] *= momentum
        velocity[now] += gradient.div_(self.images)
        weight[now] -= velocity[now] * learning_rate


class _Sums:
    """Sums of masks; those of one concept are kept for its other choices of filters."""

    def __init__(self, device: torch.device | str) -> None:
        self._device = device
        self._known: dict[tuple[int, float], MaskSums] = {}
        self._images = 0

    def of(
        self,
        grid: NodeGrid,
        masks: Sequence[UInt8[Tensor, "_ strip byte"]],
        factors: Float[Tensor, "two image"],
    ) -> MaskSums:
        """The sums of some concepts' masks in a mini-batch; see `SegmentationProblem.factors`."""
        first = masks[0]
        key = first.data_ptr(), float(factors[0, 0])
        known = self._known.get(key) if len(masks) == 1 else None
        if known is not None and known.images == len(first):
            return known
        made = MaskSums(grid, torch.cat(list(masks)).to(self._device), *factors)
        if len(masks) == 1 and self._images + len(first) <= _KEPT_IMAGES:
            self._known[key] = made
            self._images += len(first)
        return made


class _PixelBatch:
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
        device = maps.cell.device
        self._room, self._target = _Room(device), _Room(device)
        self._blocks: list[tuple[Block, Tensor, Tensor]] = []
        first = 0
        for block in _pixel_blocks(maps, strips, masks, device, _CPU_BLOCK):
            images = slice(first, first := first + block.images)
            above, below = (
                torch.index_select(part[images].to(device), 0, block.image)
                for part in (background, slope)
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


class _Room:
    """Memory for the values of blocks, one at a time."""

    def __init__(self, device: torch.device | str) -> None:
        self._numbers = torch.empty(0, device=device)

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
    device: torch.device | str,
    pixels: int,
) -> Iterator[Block]:
    """The pixels of images, in blocks of equal size as far as they can be."""
    if torch.device(device).type == "cuda":
        pixels = _GPU_BLOCK
    images = len(maps)
    most = max(1, pixels // (len(strips) * strips.pixels))
    block = -(-images // -(-images // most))
    for begin in range(0, images, block):
        end = min(begin + block, images)
        yield lay_out(
            maps.stretch(begin, end).to(device), strips, masks[begin:end].to(device), 0, end - begin
        )
