"""Learning to segment a concept: SGD on the weights of thresholded, upsampled maps.

Upsampling is linear, so filters are summed on the small grid first and one map is upsampled. The
gradient takes the same way back, in place and without a graph.

Source: paper, section 3.1.2 and equations 2 and 4. The loss has no logarithm.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from net2vec.kernels.blocks import Block, Strips, lay_out
from net2vec.kernels.maps import SparseMaps

# Pixels of a block on a CPU: fewer cost more calls, more fall out of the caches.
_CPU_BLOCK = 16 * 1024 * 24
_GPU_BLOCK = 1 << 25


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
        images = len(maps)
        pixels = _GPU_BLOCK if maps.cell.is_cuda else _CPU_BLOCK
        most = max(1, min(batch, pixels // (len(strips) * strips.pixels)))
        block = -(-batch // -(-batch // most))  # of equal size, as far as they can be
        self._batches: list[list[Block]] = [
            [
                lay_out(maps, strips, masks, first, min(first + block, begin + batch, images))
                for first in range(begin, min(begin + batch, images), block)
            ]
            for begin in range(0, images, batch)
        ]
        room = max((b.mask.numel() for blocks in self._batches for b in blocks), default=0)
        self._value = torch.empty(room, device=maps.cell.device)
        self._target = torch.empty(room, device=maps.cell.device)

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
        offset = start.new_tensor(background)
        weight, velocity = start.clone(), torch.zeros_like(start)
        for _ in range(epochs):
            for blocks in self._batches:
                gradient = torch.zeros_like(weight)
                for block in blocks:
                    value = block.value(weight, self._value).sigmoid_()
                    # d loss / d z is p (1 - p) times (1 - a) - t, or 1 - 2 t with equal weights.
                    target = self._target[: block.mask.numel()].view(block.mask.shape)
                    target.copy_(block.mask)
                    torch.sub(offset, target, alpha=foreground + background, out=target)
                    # target * p * (1 - p) in one pass over memory.
                    torch.ops.aten.sigmoid_backward.grad_input(target, value, grad_input=value)
                    block.add_back(gradient, value)
                images = sum(block.images for block in blocks)
                velocity.mul_(momentum).add_(gradient, alpha=1 / images)
                weight.sub_(velocity, alpha=learning_rate)
        return weight

    def counts(
        self, weight: Float[Tensor, "filter"]
    ) -> tuple[Int[Tensor, "image"], Int[Tensor, "image"]]:
        """Pixels predicted (z > 0), and those of them that the mask contains, for every image."""
        predicted = [torch.zeros(0, dtype=torch.int64)]
        hit = [torch.zeros(0, dtype=torch.int64)]
        for blocks in self._batches:
            for block in blocks:
                on = (block.value(weight, self._value) > 0).to(torch.float32)
                predicted.append(block.sum_by_image(on).cpu())
                hit.append(block.sum_by_image(on * block.mask).cpu())
        return torch.cat(predicted), torch.cat(hit)
