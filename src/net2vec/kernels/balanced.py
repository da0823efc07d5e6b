"""The convex twin of learning to segment: balanced log loss over a concept's pixels.

The model is the paper's, z = b + sum_k w_k up(B_k), with a bias. Foreground and background weigh
one half each, whatever their number. Pixels that no active filter reaches have z = b: they are
counted once and never visited again.

Variables are x = (w, b), in double precision; pixels are visited in single precision.
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

from net2vec.kernels.blocks import Block, Strips, lay_out
from net2vec.kernels.maps import SparseMaps

# Pixels of a block: fewer cost more calls, more fall out of the caches.
_CPU_BLOCK = 16 * 1024 * 24
_GPU_BLOCK = 1 << 25
# Probabilities are told apart this finely where a cut is looked for.
_BINS = 1 << 13
# Where everything is to be predicted.
_LOWEST = -30.0


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
        parts: Sequence[tuple[SparseMaps, UInt8[Tensor, "image strip byte"]]],
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
        self, x: Float[Tensor, "variable"], chosen: Sequence[int], balance: Balance
    ) -> Float[Tensor, "variable"]:
        """Gradient of the loss over some parts, without the L2 term."""
        weight, bias = x[:-1].float(), float(x[-1])
        by_filter = torch.zeros_like(weight)
        by_bias = torch.zeros((), dtype=x.dtype, device=x.device)
        for block in self._blocks(chosen):
            error = self._probability(block, weight, bias)
            target = self._target[: error.numel()].view(error.shape)
            target.copy_(block.mask)
            error.sub_(target)
            error.mul_(_weights(target, balance))
            block.add_back(by_filter, error)
            by_bias += block.total(error)
        for i in chosen:
            part, p = self.parts[i], _sigmoid(bias)
            by_bias += balance.foreground * part.idle_foreground * (p - 1)
            by_bias += balance.background * part.idle_background * p
        return torch.cat([by_filter.to(x.dtype), by_bias[None]])

    def curvature(self, chosen: Sequence[int], balance: Balance) -> Float[Tensor, "variable"]:
        """The largest that the second derivative along each variable can be, nearly.

        It is a quarter of the mean of the squared feature; the feature stands for its square.
        """
        by_filter = torch.zeros(self.filters, device=self.device)
        for block in self._blocks(chosen):
            block.add_back(by_filter, _weights(block.mask.float(), balance))
        return torch.cat([by_filter, by_filter.new_ones(1)]).double() / 4

    def loss(self, x: Float[Tensor, "variable"], chosen: Sequence[int], balance: Balance) -> float:
        """The loss over some parts, without the L2 term."""
        weight, bias = x[:-1].float(), float(x[-1])
        total = 0.0
        for block in self._blocks(chosen):
            value = block.value(weight, self._value).add_(bias)
            target = block.mask.float()
            total += float(
                block.total((softplus(value) - target * value) * _weights(target, balance))
            )
        for i in chosen:
            part = self.parts[i]
            total += balance.foreground * part.idle_foreground * np.logaddexp(0, -bias)
            total += balance.background * part.idle_background * np.logaddexp(0, bias)
        return total

    def best_cut(self, x: Float[Tensor, "variable"], chosen: Sequence[int]) -> float:
        """Where to cut z + b for the best set IoU over some parts, to 1/8192 of probability."""
        weight, bias = x[:-1].float(), float(x[-1])
        total, inside = np.zeros(_BINS, np.int64), np.zeros(_BINS, np.int64)
        for block in self._blocks(chosen):
            # Places that are no pixels fall to bin 0, which every cut but the lowest leaves out.
            is_pixel = block.is_pixel
            place = self._probability(block, weight, bias).mul_(is_pixel)
            place = place.mul_(_BINS).clamp_(max=_BINS - 1).to(torch.int16)
            total += _count(place)
            inside += _count(place[block.mask.bool()])
            total[0] -= place.numel() - int(is_pixel.sum())
        idle = min(int(_sigmoid(bias) * _BINS), _BINS - 1)
        for i in chosen:
            inside[idle] += self.parts[i].idle_foreground
            total[idle] += self.parts[i].idle_foreground + self.parts[i].idle_background
        hit, predicted = np.cumsum(inside[::-1])[::-1], np.cumsum(total[::-1])[::-1]
        iou = hit / np.maximum(predicted + inside.sum() - hit, 1)
        # Any cut between two neighbouring values is as good: the middle is the safest.
        first = int(np.argmax(iou))
        last = first + int(np.argmin(np.append(iou[first:] == iou[first], False))) - 1
        share = (first + last) / 2 / _BINS
        return float(np.log(share / (1 - share))) if share > 0 else _LOWEST

    def counts(
        self, x: Float[Tensor, "variable"], cut: float, part: int
    ) -> tuple[Int[Tensor, "image"], Int[Tensor, "image"]]:
        """Pixels predicted (z + b > cut), and those of them in the mask, of a part's images."""
        weight, least = x[:-1].float(), cut - float(x[-1])
        here = self.parts[part]
        predicted, hit = torch.zeros_like(here.area), torch.zeros_like(here.area)
        first = 0
        for block in here.blocks:
            on = (block.value(weight, self._value) > least).to(torch.float32)
            images = slice(first, first + block.images)
            predicted[images] = block.sum_by_image(on).to(predicted.device)
            hit[images] = block.sum_by_image(on * block.mask).to(hit.device)
            first += block.images
        if least < 0:
            predicted += here.pixels - here.reached
            hit += here.area - here.reached_area
        return predicted, hit

    def _blocks(self, chosen: Sequence[int]) -> Iterator[Block]:
        for i in chosen:
            yield from self.parts[i].blocks

    def _probability(self, block: Block, weight: Tensor, bias: float) -> Tensor:
        return block.value(weight, self._value).add_(bias).sigmoid_()


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
    ones = [
        block.sum_by_image(torch.ones_like(block.mask, dtype=torch.float32)).cpu()
        for block in blocks
    ]
    inside = [block.sum_by_image(block.mask.float()).cpu() for block in blocks]
    return Part(
        blocks=blocks,
        area=bits.flatten(1).sum(1),
        pixels=strips.rows.outputs * strips.columns.outputs,
        reached=torch.cat([none, *ones]),
        reached_area=torch.cat([none, *inside]),
    )


def _weights(target: Float[Tensor, "*shape"], balance: Balance) -> Float[Tensor, "*shape"]:
    """What each pixel weighs; in the target's own memory."""
    return target.mul_(balance.foreground - balance.background).add_(balance.background)


def _sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


def _count(places: Int[Tensor, "*shape"]) -> Int[np.ndarray, "bin"]:
    flat = places.flatten()
    if flat.device.type == "cuda":
        counts: np.ndarray = torch.bincount(flat, minlength=_BINS).cpu().numpy()
        return counts
    return np.bincount(flat.numpy(), minlength=_BINS)
