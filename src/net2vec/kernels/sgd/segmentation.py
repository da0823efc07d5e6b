"""Learning to segment concepts: SGD on the weights of thresholded, upsampled maps.

Upsampling is linear, so filters are summed on the small grid first and one map is upsampled: on a
CPU to a few nodes between its cells if there are many pixels a cell, otherwise and on a GPU to the
pixels. The gradient takes the same way back, in place and without autograd.

A step of a concept with few images, or of few filters, costs more for its calls than for its
arithmetic: such problems take their steps together, one after the other in memory. The result of
each is the same to the last bit, whatever the others are.

Source: paper, section 3.1.2 and equations 2 and 4. The loss has no logarithm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from net2vec.core.devices import gpu_memory_bytes, policy_of
from net2vec.core.executors import pack_in_order
from net2vec.core.scratch import Scratch
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.node_grid import MaskSums, NodeGrid
from net2vec.kernels.geometry.nodes import BlockIndex, NodeBlock
from net2vec.kernels.geometry.strips import Strips
from net2vec.kernels.sgd.cuda_graphs import in_turn, recorded
from net2vec.kernels.sgd.dense import DenseBatch, count_dense
from net2vec.kernels.sgd.pixels import PixelBatch, count_pixels

IN_MEMORY_IMAGES = 1 << 13
"""Images of problems that are learned in memory, at most: some 50 kB each. Others are on disk."""

# Images whose sums of masks are kept for other choices of filters; some 20 kB each.
_KEPT_IMAGES = 1 << 13
# Masks of problems that take their steps together may use 1/32 of a GPU's memory, a byte a pixel.
_GPU_MEMORY_DIVISOR = 32


@dataclass(frozen=True)
class SegmentationProblem:
    """The images and masks of one concept, on the CPU or on the device that learns it.

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

    def keep_filters(self, kept: Bool[Tensor, "filter"]) -> SegmentationProblem:
        """The same problem with all filters but the kept ones off; it shares the masks."""
        return replace(self, maps=self.maps.keep_filters(kept))

    @property
    def batches(self) -> int:
        """Mini-batches of an epoch."""
        return -(-len(self.maps) // self.batch)

    def bounds(self, number: int) -> tuple[int, int]:
        """The first image of a mini-batch, and the one after its last."""
        return number * self.batch, min((number + 1) * self.batch, len(self.maps))

    @property
    def factors(self) -> tuple[float, float]:
        """The factor of p (1 - p) in the derivative of the loss: the first, less the second in the
        mask.
        """
        # d loss / d z is p (1 - p) times (1 - a) - t, or 1 - 2 t with equal weights.
        return (1 - self.alpha, 1.0) if self.alpha > 0 else (1.0, 2.0)

    @property
    def grid(self) -> NodeGrid | None:
        """The squares whose nodes replace pixels; None if they hold too few pixels."""
        return NodeGrid.of(self.maps.grid, self.strips.size)

    @property
    def pixels(self) -> int:
        """Pixels of a mask, padding included."""
        return len(self.strips) * self.strips.pixels

    @property
    def step(self) -> int:
        """Nodes or pixels of its largest step, at most."""
        images = min(self.batch, len(self.maps))
        grid = self.grid
        if grid is None or not grid.levels:
            return images * self.pixels
        per_image = self.maps.starts.diff()
        # A cell is a corner of four squares.
        reached = (4 * per_image).clamp(max=grid.squares)
        return int(reached.topk(images).values.sum()) * grid.levels[0][0] ** 2


def fit_segmentation(
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
        start: initial weights of each; an inactive filter keeps its own.
        learning_rate: step size, for a loss that is summed over pixels.
        momentum: share of the last step that is taken again.
        epochs: passes over all batches.
        device: where to learn.

    Returns:
        The weights, on the CPU.
    """
    learned = torch.empty_like(start)
    sums = _Sums()
    for group in _groups(problems, device):
        # Those with more batches come first, so that each step is one of the first few problems.
        group.sort(key=lambda i: -problems[i].batches)
        chosen = [problems[i] for i in group]
        weight = start[group].to(device)
        velocity = torch.zeros_like(weight)
        is_large = sum(len(problem.maps) for problem in chosen) > IN_MEMORY_IMAGES
        scratch = Scratch() if is_large and not policy_of(device).is_gpu else None
        with in_turn(device):
            steps = [
                _Step.of(chosen, number, sums, device, scratch)
                for number in range(chosen[0].batches)
            ]
        takes = [partial(step.take, weight, velocity, learning_rate, momentum) for step in steps]
        _repeat(takes, epochs, weight.device)
        learned[group] = weight.cpu()
        del steps, takes  # freed before the next group
    return learned


def _repeat(takes: Sequence[Callable[[], object]], times: int, device: torch.device) -> None:
    """Take steps several times; on a GPU all calls of an epoch are recorded after the first."""

    def epoch() -> None:
        for take in takes:
            take()

    if not policy_of(device).is_gpu or times < 2:
        for _ in range(times):
            epoch()
        return
    epoch()
    with recorded(epoch, device) as replay:
        for _ in range(times - 1):
            replay()


def count_predicted(
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
    if len(problems) > 1 and sum(len(one.maps) for one in problems) > IN_MEMORY_IMAGES:
        # Joining them would copy them.
        pairs = zip(problems, weight, strict=True)
        return [
            one for problem, own in pairs
            for one in count_predicted([problem], own[None], device=device)
        ]  # fmt: skip
    flat = weight.to(device).flatten()
    strips = problems[0].strips
    maps = SparseMaps.joined([problem.maps for problem in problems])
    packed = [problem.masks for problem in problems]
    masks = packed[0] if len(packed) == 1 else torch.cat(packed)
    count = count_dense if policy_of(device).is_gpu else count_pixels
    counts = count(maps, strips, masks, flat)
    images = [len(problem.maps) for problem in problems]
    predicted, hit = (torch.split(part.cpu(), images) for part in counts)
    return list(zip(predicted, hit, strict=True))


def _groups(problems: Sequence[SegmentationProblem], device: torch.device | str) -> list[list[int]]:
    """Indices of problems that take their steps together, those with as many steps first."""
    if policy_of(device).is_gpu:
        limit = gpu_memory_bytes(device) // _GPU_MEMORY_DIVISOR
        sizes = [len(problem.maps) * problem.pixels for problem in problems]
    else:
        # By pixels steps are long, and products of another size may differ in the last bit.
        by_pixel = any(problem.grid is None for problem in problems)
        limit = 0 if by_pixel else policy_of(device).node_step_samples
        sizes = [problem.step for problem in problems]
    order = sorted(range(len(problems)), key=lambda i: (problems[i].batches, sizes[i]))
    return pack_in_order({i: sizes[i] for i in order}, limit)


@dataclass(frozen=True)
class _Step:
    """The step that the first few problems of a group take together.

    Attributes:
        learner: computes the gradient of their mini-batches.
        images: number of images of each mini-batch.
    """

    learner: NodeBlock | PixelBatch | DenseBatch
    images: Float[Tensor, "problem 1"]

    @classmethod
    def of(
        cls,
        problems: Sequence[SegmentationProblem],
        number: int,
        known: _Sums,
        device: torch.device | str,
        scratch: Scratch | None,
    ) -> _Step:
        """The mini-batches with one number in the epoch."""
        chosen = [problem for problem in problems if number < problem.batches]
        bounds = [problem.bounds(number) for problem in chosen]
        images = torch.tensor([last - first for first, last in bounds])
        maps = SparseMaps.joined(
            [one.maps.slice_images(*part) for one, part in zip(chosen, bounds, strict=True)]
        ).to(device)
        masks = [one.masks[slice(*part)] for one, part in zip(chosen, bounds, strict=True)]
        factors = torch.tensor([one.factors for one in chosen]).T.repeat_interleave(images, 1)
        strips, grid = chosen[0].strips, chosen[0].grid
        learner: NodeBlock | PixelBatch | DenseBatch
        if policy_of(device).is_gpu:
            learner = DenseBatch(maps, strips, torch.cat(masks).to(device), *factors)
        elif grid is None:
            learner = PixelBatch(maps, strips, torch.cat(masks), factors[0], factors[1], scratch)
        else:
            problem = torch.arange(len(chosen)).repeat_interleave(images)
            sums, mask = known.of(grid, masks, factors, keeps=scratch is None)
            learner = NodeBlock(maps, sums, BlockIndex(mask, problem), scratch=scratch)
        return cls(learner, images.to(device, torch.float32)[:, None])

    def take(
        self,
        weight: Float[Tensor, "problem filter"],
        velocity: Float[Tensor, "problem filter"],
        learning_rate: float,
        momentum: float,
    ) -> None:
        """Change weights and velocities in place."""
        count = len(self.images)
        weight, velocity = weight[:count], velocity[:count]
        gradient = self.learner.gradient(weight.flatten()).view(count, -1)
        # Each product is rounded before it is added, whatever its alignment in memory.
        velocity.mul_(momentum).add_(gradient.div_(self.images))
        weight.sub_(velocity * learning_rate)


class _Sums:
    """Sums of masks; those of one concept are kept for other choices of filters."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, float], MaskSums] = {}
        self._images = 0

    def of(
        self,
        grid: NodeGrid,
        masks: Sequence[UInt8[Tensor, "_ strip byte"]],
        factors: Float[Tensor, "two image"],
        *,
        keeps: bool,
    ) -> tuple[MaskSums, Int[Tensor, "image"]]:
        """The sums of some masks, each once, and the index of the mask of each image.

        Args:
            grid: geometry of the masks.
            masks: of the images of each problem; choices of filters for a concept share them.
            factors: of each image, see `SegmentationProblem.factors`.
            keeps: whether memory has room for them.
        """
        parts: dict[tuple[int, float], tuple[int, Tensor, Tensor]] = {}
        index = []
        begin = count = 0
        for own in masks:
            its = factors[:, begin : begin + len(own)]
            key = own.data_ptr(), float(its[0, 0])
            if key not in parts:
                parts[key] = count, own, its
                count += len(own)
            index.append(torch.arange(len(own)) + parts[key][0])
            begin += len(own)
        # The key holds the address of the masks, which the caller keeps as long as this object.
        only = next(iter(parts)) if len(parts) == 1 else None
        known = None if only is None else self._known.get(only)
        if known is None or known.images != count:
            _, each, theirs = zip(*parts.values(), strict=True)
            packed = each[0] if len(each) == 1 else torch.cat(each)
            known = MaskSums(grid, packed, *torch.cat(theirs, 1), keeps=keeps)
            if keeps and only is not None and self._images + count <= _KEPT_IMAGES:
                self._known[only] = known
                self._images += count
        return known, torch.cat(index)
