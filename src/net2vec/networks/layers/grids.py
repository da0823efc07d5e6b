"""The output of a layer as a grid of channels.

Inputs are squares, so grids are squares too, and are recognised by that:

- (image, channel, side, side): outputs of convolutions; taken as they are;
- (image, side, side, channel): Swin's and ConvNeXt's inner layers; the channels are moved;
- (image, token, channel), where the number of tokens, or what is left without the class and
  register tokens in front, is a square: transformers; the tokens become a grid;
- (image, channel), or a grid of one place: a vector, which has no places.

Anything else cannot be probed. A shape determines neither the order of tokens nor which axis has
the
channels are if there are as many as there are rows: such a shape has several `Layout`s, and
`net2vec.networks.layers.layouts` decides between them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from math import isqrt, prod

import torch
from jaxtyping import Int, Shaped
from torch import Tensor, nn

Shape = tuple[int, ...]

CHANNELS_FIRST, CHANNELS_LAST, TOKENS = "channels first", "channels last", "tokens"

# Each a vector or rows of them; a class embedding may be a bare vector. Branches have numbers.
_PREFIX_PARAMETER = re.compile(
    r"((cls|class|dist|distillation|reg)_token|class_embedding|(register|storage)_tokens)(_\d+)?"
)


@dataclass(frozen=True)
class Layout:
    """How an output is a grid.

    Attributes:
        kind: one of `CHANNELS_FIRST`, `CHANNELS_LAST`, `TOKENS`.
        side: of the grid.
        order: of tokens: `rows`; `columns`; `windows`, where one window comes after the other,
            each in rows; or `unrolled`, Hiera's order, where tokens of one place in their units
            stand together (Ryali et al. 2023, arXiv 2306.00989).
        step: side of a window or of a unit.
    """

    kind: str
    side: int
    order: str = "rows"
    step: int = 1

    def vectors(self, output: Tensor) -> Shaped[Tensor, "image vector channel"]:
        """An output's vectors of channels, in the order in which the output has them.

        Args:
            output: with a row for each image.
        """
        if self.kind == TOKENS:
            return output[:, -self.side * self.side :]
        return (output if self.kind == CHANNELS_LAST else output.movedim(1, -1)).flatten(1, 2)

    def vector_numbers(self) -> Int[Tensor, "place"]:
        """Which of the vectors belongs to each place of the grid, the places in rows."""
        return _vector_numbers(self)


def layouts_of(shape: Shape, prefix_tokens: int = 0) -> tuple[Layout, ...]:
    """Every known layout that an output of a shape may have, the usual one first.

    Args:
        shape: the output's shape without the batch.
        prefix_tokens: how many tokens before those of places the network has.
    """
    match shape:
        case _ if 0 in shape:  # such as no channels
            return ()
        case (tokens, _):
            # Some layers have fewer of them: a branch, or those before the tokens are put there.
            fewer = range(1, prefix_tokens)
            counts = dict.fromkeys((tokens - prefix_tokens, tokens, *(tokens - n for n in fewer)))
            sides = [isqrt(n) for n in counts if n > 1 and isqrt(n) ** 2 == n]
            return tuple(layout for side in sides for layout in _orders(side))
        case (one, two, three) if one == two == three > 1:
            return (Layout(CHANNELS_FIRST, one), Layout(CHANNELS_LAST, one))
        case (_, height, width) if height == width > 1:
            return (Layout(CHANNELS_FIRST, height),)
        case (height, width, _) if height == width > 1:
            return (Layout(CHANNELS_LAST, height),)
    return ()


def probed_shape(
    shape: Shape, prefix_tokens: int = 0, *, layout: Layout | None = None
) -> Shape | None:
    """The shape, without the batch, of what `to_grid` makes of an output of a shape.

    Args:
        shape: the output's shape without the batch.
        prefix_tokens: how many tokens before those of places the network has.
        layout: which it has; None for the usual one of the shape.

    Returns:
        (channels, side, side) of a grid, (channels,) of a vector, None of anything else.
    """
    found = layout or next(iter(layouts_of(shape, prefix_tokens)), None)
    if found is not None:
        channels = shape[0 if found.kind == CHANNELS_FIRST else -1]
        return (channels, found.side, found.side)
    match shape:
        case (channels,) | (channels, 1, 1) | (1, 1, channels) if channels:
            return (channels,)
    return None


def to_grid(output: Tensor, prefix_tokens: int = 0, *, layout: Layout | None = None) -> Tensor:
    """A layer's output as (image, channel, y, x) or (image, channel).

    Args:
        output: with a row for each image.
        prefix_tokens: how many tokens before those of places the network has.
        layout: which it has (`Network.layouts`); None for the usual one of the shape, which for
            tokens may be wrong.

    Returns:
        The grid or vector; an output that cannot be probed comes back as it is.
    """
    shape = tuple(output.shape[1:])
    found = layout or next(iter(layouts_of(shape, prefix_tokens)), None)
    if found is None:
        vector = probed_shape(shape, prefix_tokens)
        return output if vector is None else output.reshape(len(output), *vector)
    if found.kind == CHANNELS_FIRST:
        return output
    if found.kind == CHANNELS_LAST:
        return output.movedim(-1, 1)
    tokens = found.vectors(output)
    if found.order != "rows":
        tokens = tokens[:, found.vector_numbers().to(output.device)]
    tokens = tokens.transpose(1, 2)
    return tokens.reshape(len(output), tokens.shape[1], found.side, found.side)


def prefix_tokens_of(module: nn.Module) -> int:
    """How many tokens a transformer puts before those of places, as far as it says so.

    timm's transformers count them. Of others the parameters are counted that are known to become
    such tokens, as they are called in torchvision, transformers, open_clip and the repositories of
    DINOv2 and DINOv3.
    """
    count = getattr(module, "num_prefix_tokens", None)
    if isinstance(count, int):
        return count
    return sum(
        prod(parameter.shape[:-1])
        for name, parameter in module.named_parameters()
        if _PREFIX_PARAMETER.fullmatch(name.rpartition(".")[2])
    )


@cache
def _vector_numbers(layout: Layout) -> Int[Tensor, "place"]:
    side, step = layout.side, layout.step
    index = torch.arange(side * side)
    if layout.order == "columns":
        return index.view(side, side).t().flatten()
    if layout.order == "windows":
        inside = index.view(side // step, side // step, step, step)
        return inside.permute(0, 2, 1, 3).flatten()
    if layout.order == "unrolled":
        units = index.view(-1, side // step, side // step)
        while len(units) > 1:  # the last unrolling first
            apart = units.view(-1, 2, 2, *units.shape[1:])
            units = apart.permute(0, 3, 1, 4, 2).flatten(3).flatten(1, 2)
        return units.flatten()
    return index


@cache
def _orders(side: int) -> tuple[Layout, ...]:
    """The known orders of side * side tokens, without those that are the same at this side."""
    powers = [2**level for level in range(1, side.bit_length()) if side % 2**level == 0]
    every = [
        Layout(TOKENS, side),
        Layout(TOKENS, side, "columns"),
        *(Layout(TOKENS, side, "unrolled", step) for step in powers),
        *(Layout(TOKENS, side, "windows", step) for step in range(2, side) if side % step == 0),
    ]
    different: dict[tuple[int, ...], Layout] = {}
    for layout in every:
        different.setdefault(tuple(_vector_numbers(layout).tolist()), layout)
    return tuple(different.values())
