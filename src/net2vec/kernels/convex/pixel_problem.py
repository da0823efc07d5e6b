"""The convex counterpart of learning to segment: balanced log loss over the pixels of a concept.

The model is that of the paper, z = sum_k w_k up(B_k), without a bias; the cut of z is chosen
afterwards. Foreground and background weigh one half each, whatever their number. Pixels that no
active filter reaches have z = 0 and no gradient: they are counted once and then skipped.

Weights are in double precision, pixels in single precision.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn.functional import softplus

from net2vec.core.devices import policy_of
from net2vec.kernels.backends import backend_of
from net2vec.kernels.convex.histogram import BINS, bins_of
from net2vec.kernels.geometry.blocks import Block, block_of
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.strips import Strips


class Balance(NamedTuple):
    """Weights of a foreground and of a background pixel."""

    foreground: float
    background: float


@dataclass(frozen=True)
class Part:
    """Images as blocks in memory, for many passes.

    Attributes:
        blocks: the pixels that an active filter reaches.
        area: pixels of the mask of each image.
        pixels: pixels of an image.
        reached, reached_area: of each image, pixels that are reached, and those in its mask.
    """

    blocks: Sequence[Block]
    area: Int[Tensor, "image"]
    pixels: int
    reached: Int[Tensor, "image"]
    reached_area: Int[Tensor, "image"]

    @property
    def foreground(self) -> int:
        """Pixels of masks."""
        return int(self.area.sum())

    @property
    def background(self) -> int:
        """Other pixels."""
        return self.pixels * len(self.area) - self.foreground

    @property
    def idle_foreground(self) -> int:
        """Pixels of masks that no active filter reaches."""
        return self.foreground - int(self.reached_area.sum())

    @property
    def idle_background(self) -> int:
        """Other pixels that no active filter reaches."""
        return self.pixels * len(self.area) - int(self.reached.sum()) - self.idle_foreground


class PixelProblem:
    """A concept's pixels in parts, such as folds, each a set of images.

    Args:
        strips: geometry of the masks.
        parts: of each part its thresholded maps and its masks, from `Strips.pack`.
    """

    def __init__(
        self,
        strips: Strips,
        parts: Sequence[tuple[SparseMaps, UInt8[Tensor, "_ strip byte"]]],
    ) -> None:
        self.filters = parts[0][0].filters
        self.device = parts[0][0].cell.device
        self.parts = [_part_of(strips, *part) for part in parts]
        blocks = [block for part in self.parts for block in part.blocks]
        size = max((block.mask.numel() for block in blocks), default=0)
        self._value = torch.empty(size, device=self.device)
        self._target = torch.empty(size, device=self.device)

    def balance(self, chosen: Sequence[int]) -> Balance | None:
        """Weights of foreground and background; None where there is only one of them."""
        foreground = sum(self.parts[i].foreground for i in chosen)
        background = sum(self.parts[i].background for i in chosen)
        if not foreground or not background:
            return None
        return Balance(0.5 / foreground, 0.5 / background)

    def gradient(
        self, weight: Float[Tensor, "filter"], chosen: Sequence[int], balance: Balance
    ) -> Float[Tensor, "filter"]:
        """Gradient of the loss over some parts, without the L2 term."""
        weight = weight.float()
        gradient = torch.zeros_like(weight)
        for block in self._blocks(chosen):
            error = self._probability(block, weight)
            target = self._target[: error.numel()].view(error.shape)
            target.copy_(block.mask)
            error.sub_(target)
            error.mul_(_weights(target, balance))
            block.add_back(gradient, error)
        return gradient.double()

    def pull(self, chosen: Sequence[int], balance: Balance) -> Float[Tensor, "filter"]:
        """The part of minus the gradient that does not depend on the weights."""
        total = torch.zeros(self.filters, device=self.device)
        for block in self._blocks(chosen):
            block.add_back(total, block.mask.float().mul_(balance.foreground))
        return total

    def curvature(self, chosen: Sequence[int], balance: Balance) -> Float[Tensor, "filter"]:
        """An approximate upper bound of the second derivative along each weight.

        It is a quarter of the mean of the squared feature; the feature stands for its square.
        """
        total = torch.zeros(self.filters, device=self.device)
        for block in self._blocks(chosen):
            block.add_back(total, _weights(block.mask.float(), balance))
        return total.double() / 4

    def loss(
        self, weight: Float[Tensor, "filter"], chosen: Sequence[int], balance: Balance
    ) -> float:
        """The loss over some parts, without the L2 term."""
        total = 0.0
        for block in self._blocks(chosen):
            value = block.value(weight.float(), self._value)
            target = block.mask.float()
            loss = softplus(value) - target * value
            total += float(block.total(loss * _weights(target, balance)))
        idle = sum(
            balance.foreground * self.parts[i].idle_foreground
            + balance.background * self.parts[i].idle_background
            for i in chosen
        )
        return total + idle * float(np.log(2))

    def histogram(
        self, weight: Float[Tensor, "filter"], chosen: Sequence[int]
    ) -> Int[np.ndarray, "two bin"]:
        """Numbers of pixels by probability: all of them, and those in the masks."""
        total, inside = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
        for block in self._blocks(chosen):
            # Padding falls into bin 0 and is subtracted again.
            is_pixel = block.is_pixel
            index = bins_of(self._probability(block, weight.float()).mul_(is_pixel))
            bincount = backend_of(index.device).bincount
            total += bincount(index.flatten(), BINS)
            total[0] -= index.numel() - int(is_pixel.sum())
            inside += bincount(index[block.mask.bool()], BINS)
        for i in chosen:
            inside[BINS // 2] += self.parts[i].idle_foreground
            total[BINS // 2] += self.parts[i].idle_foreground + self.parts[i].idle_background
        return np.stack([total, inside])

    def counts(
        self, weight: Float[Tensor, "filter"], cut: float, part: int
    ) -> tuple[Int[Tensor, "image"], Int[Tensor, "image"]]:
        """Pixels predicted (z > cut), and those of them in the mask, of a part's images."""
        here = self.parts[part]
        predicted, hit = torch.zeros_like(here.area), torch.zeros_like(here.area)
        first = 0
        for block in here.blocks:
            images = slice(first, first + block.images)
            value = block.value(weight.float(), self._value)
            predicted[images], hit[images] = block.counts(value, cut)
            first += block.images
        if cut < 0:
            predicted += here.pixels - here.reached
            hit += here.area - here.reached_area
        return predicted, hit

    def _blocks(self, chosen: Sequence[int]) -> Iterator[Block]:
        for i in chosen:
            yield from self.parts[i].blocks

    def _probability(self, block: Block, weight: Float[Tensor, "filter"]) -> Tensor:
        return block.value(weight, self._value).sigmoid_()


def _part_of(strips: Strips, maps: SparseMaps, masks: UInt8[Tensor, "image strip byte"]) -> Part:
    device = maps.cell.device
    images = max(1, policy_of(device).pixel_block // (len(strips) * strips.pixels))
    bounds = [(n, min(n + images, len(maps))) for n in range(0, len(maps), images)]
    blocks = [block_of(maps.slice_images(*some), strips, masks[slice(*some)]) for some in bounds]
    none = torch.zeros(0, dtype=torch.int64)
    counts = [block.counts(torch.ones(block.shape, device=device)) for block in blocks]
    return Part(
        blocks=blocks,
        area=backend_of("cpu").count_bits(masks.cpu().flatten(1)),
        pixels=strips.rows.outputs * strips.columns.outputs,
        reached=torch.cat([none, *(pixels.cpu() for pixels, _ in counts)]),
        reached_area=torch.cat([none, *(area.cpu() for _, area in counts)]),
    )


def _weights(target: Float[Tensor, "*shape"], balance: Balance) -> Float[Tensor, "*shape"]:
    """The weight of each pixel, in the memory of the target."""
    return target.mul_(balance.foreground - balance.background).add_(balance.background)
