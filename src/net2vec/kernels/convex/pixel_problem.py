"""The convex twin of learning to segment: balanced log loss over a concept's pixels.

The model is the paper's, z = sum_k w_k up(B_k), without a bias: where to cut z is another question.
Foreground and background weigh one half each, whatever their number. Pixels that no active filter
reaches have z = 0 and no gradient: they are counted once and never visited again.

Variables are w in double precision; pixels are visited in single precision.
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

from net2vec.kernels.convex.histogram import BINS, bins_of, count_bins
from net2vec.kernels.geometry.blocks import Block, lay_out
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.strips import Strips

# Pixels of a block: fewer cost more calls, more fall out of the caches.
_CPU_BLOCK = 16 * 1024 * 24
_GPU_BLOCK = 1 << 25


class Balance(NamedTuple):
    """What a pixel of each kind weighs."""

    foreground: float
    background: float


@dataclass(frozen=True)
class Part:
    """Images laid out for many passes.

    Attributes:
        blocks: the pixels that an active filter reaches.
        area: pixels of each image's mask.
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
        self.parts = [_lay_out_part(strips, *part) for part in parts]
        blocks = [block for part in self.parts for block in part.blocks]
        room = max((block.mask.numel() for block in blocks), default=0)
        self._value = torch.empty(room, device=self.device)
        self._target = torch.empty(room, device=self.device)

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
        """What the masks alone add to minus the gradient, whatever the weights are."""
        total = torch.zeros(self.filters, device=self.device)
        for block in self._blocks(chosen):
            block.add_back(total, block.mask.float().mul_(balance.foreground))
        return total

    def curvature(self, chosen: Sequence[int], balance: Balance) -> Float[Tensor, "filter"]:
        """The largest that the second derivative along each weight can be, nearly.

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
            lost = softplus(value) - target * value
            total += float(block.total(lost * _weights(target, balance)))
        idle = sum(
            balance.foreground * self.parts[i].idle_foreground
            + balance.background * self.parts[i].idle_background
            for i in chosen
        )
        return total + idle * float(np.log(2))

    def histogram(
        self, weight: Float[Tensor, "filter"], chosen: Sequence[int]
    ) -> Int[np.ndarray, "two bin"]:
        """How many pixels have which probability: all of them, and those in the masks."""
        total, inside = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
        for block in self._blocks(chosen):
            # Places that are no pixels fall to bin 0 and are taken out again.
            is_pixel = block.is_pixel
            place = bins_of(self._probability(block, weight.float()).mul_(is_pixel))
            total += count_bins(place)
            total[0] -= place.numel() - int(is_pixel.sum())
            inside += count_bins(place[block.mask.bool()])
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


def _lay_out_part(
    strips: Strips, maps: SparseMaps, masks: UInt8[Tensor, "image strip byte"]
) -> Part:
    most = _GPU_BLOCK if maps.cell.device.type == "cuda" else _CPU_BLOCK
    images = max(1, most // (len(strips) * strips.pixels))
    blocks = [
        lay_out(maps, strips, masks, first, min(first + images, len(maps)))
        for first in range(0, len(maps), images)
    ]
    bits = torch.from_numpy(np.bitwise_count(masks.cpu().numpy()).astype(np.int64))
    none = torch.zeros(0, dtype=torch.int64)
    counts = [block.counts(torch.ones(block.shape, device=maps.cell.device)) for block in blocks]
    return Part(
        blocks=blocks,
        area=bits.flatten(1).sum(1),
        pixels=strips.rows.outputs * strips.columns.outputs,
        reached=torch.cat([none, *(pixels.cpu() for pixels, _ in counts)]),
        reached_area=torch.cat([none, *(area.cpu() for _, area in counts)]),
    )


def _weights(target: Float[Tensor, "*shape"], balance: Balance) -> Float[Tensor, "*shape"]:
    """What each pixel weighs; in the target's own memory."""
    return target.mul_(balance.foreground - balance.background).add_(balance.background)
