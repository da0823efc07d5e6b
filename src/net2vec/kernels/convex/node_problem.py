"""The balanced log loss at a few nodes between four cells: several choices of filters at once.

With a the share of a filter in a pixel y, t the mask and v the weight of the pixel, the gradient is

    sum_y v(y) a(y) (p(y) - t(y)) = sum_n [sum_y v(y) l_n(y)] a(n) p(n) - sum_y v(y) a(y) t(y)

where l_n are the polynomials of the nodes (see `net2vec.kernels.geometry.nodes`). The last sum is
the same for all weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from net2vec.kernels.convex.pixel_problem import Balance
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.node_grid import LOG_LEVELS, MaskSums, NodeGrid
from net2vec.kernels.geometry.nodes import BlockIndex, NodeBlock, weighted_probability
from net2vec.kernels.geometry.strips import Strips

# Images of a block: fewer cost more calls, more fall out of the caches.
_BLOCK_IMAGES = 64
# Bytes of the sums at nodes; problems that would need more use pixels.
_MAX_SUMS_BYTES = 1 << 28


class NodeProblem:
    """A concept's images.

    Args:
        grid: geometry of the masks.
        maps: thresholded maps of the images.
        masks: their masks, from `Strips.pack`.
        balance: weights of foreground and background pixels.
        pull: of every filter, the last sum above.

    Attributes:
        has_levels: whether steep squares get more nodes before they get all of their pixels.
    """

    def __init__(
        self,
        grid: NodeGrid,
        maps: SparseMaps,
        masks: UInt8[Tensor, "image strip byte"],
        balance: Balance,
        pull: Float[Tensor, "filter"],
    ) -> None:
        self._maps, self._pull = maps, pull
        self.has_levels = len(grid.levels) > 1
        bounds = range(0, len(maps), _BLOCK_IMAGES)
        self._bounds = [(first, min(first + _BLOCK_IMAGES, len(maps))) for first in bounds]
        background = pull.new_full((len(maps),), balance.background)
        slope = pull.new_full((len(maps),), balance.background - balance.foreground)
        self._sums = [
            MaskSums(grid, *(part[first:last] for part in (masks, background, slope)))
            for first, last in self._bounds
        ]

    @classmethod
    def fits(cls, strips: Strips, maps: SparseMaps) -> NodeGrid | None:
        """The squares of the grid; None if they hold too few pixels or the sums are too large."""
        grid = NodeGrid.of(maps.grid, strips.size, LOG_LEVELS)
        if grid is None or not grid.levels:
            return None
        size = len(maps) * grid.squares * grid.levels[0][0] ** 2 * 4
        return grid if size <= _MAX_SUMS_BYTES else None

    def gradient_of(
        self, kept: Sequence[Bool[Tensor, "filter"]], near: Float[Tensor, "choice filter"]
    ) -> Callable[[Float[Tensor, "choice filter"]], Float[Tensor, "choice filter"]]:
        """The gradient of the loss without the L2 term, each choice of filters on its own.

        Args:
            kept: the choices.
            near: weights near to those of the first call.
        """
        maps = [self._maps.keep_filters(filters) for filters in kept]
        begin = near.float().flatten()
        blocks = [
            NodeBlock(
                SparseMaps.joined([part.slice_images(*bounds) for part in maps]),
                sums,
                self._index(bounds[1] - bounds[0], len(kept)),
                response=weighted_probability,
                near=begin,
            )
            for bounds, sums in zip(self._bounds, self._sums, strict=True)
        ]

        def gradient(weight: Float[Tensor, "choice filter"]) -> Float[Tensor, "choice filter"]:
            flat = weight.float().flatten()
            total = torch.zeros_like(flat)
            for block in blocks:
                total += block.gradient(flat)
            return (total.view(weight.shape) - self._pull).double()

        return gradient

    def _index(self, images: int, choices: int) -> BlockIndex:
        """All choices of filters share the masks."""
        each = torch.arange(choices, device=self._pull.device)
        mask = torch.arange(images, device=self._pull.device)
        return BlockIndex(mask.repeat(choices), each.repeat_interleave(images))
