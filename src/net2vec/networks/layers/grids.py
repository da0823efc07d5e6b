"""The output of a layer as a grid of channels.

A grid has the aspect of the input, a square for a square, and is recognised by that:

- (image, channel, rows, columns): outputs of convolutions; taken as they are;
- (image, rows, columns, channel): Swin's and ConvNeXt's inner layers; the channels are moved;
- (image, token, channel), where the tokens, or what is left without the class and register tokens
  in front, fill a grid of the input's aspect: transformers; the tokens become a grid;
- (image, channel), or a grid of one place: a vector, which has no places.

Anything else cannot be probed. A shape determines neither the order of tokens nor which axis has
the channels if there are as many as there are rows: such a shape has several `Layout`s, and
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

_SQUARE = (1, 1)  # any square

CHANNELS_FIRST, CHANNELS_LAST, TOKENS = "channels first", "channels last", "tokens"

# Each a vector or rows of them; a class embedding may be a bare vector. Branches have numbers.
_PREFIX_PARAMETER = re.compile(
    r"((cls|class|dist|distillation|reg)_token|class_embedding|(register|storage)_tokens)(_\d+)?"
)


@dataclass(frozen=True)
class Layout:
    """The arrangement of an output as a grid of places.

    Attributes:
        kind: one of `CHANNELS_FIRST`, `CHANNELS_LAST`, `TOKENS`.
        rows, columns: of the grid.
        order: of tokens: `rows`; `columns`; `windows`, where one window comes after the other,
            each in rows; or `unrolled`, Hiera's order, where tokens of one place in their units
            stand together (Ryali et al. 2023, arXiv 2306.00989).
        step: side of a window or of a unit.
    """

    kind: str
    rows: int
    columns: int
    order: str = "rows"
    step: int = 1

    def vectors(self, output: Tensor) -> Shaped[Tensor, "image vector channel"]:
        """An output's vectors of channels, in the order in which the output has them.

        Args:
            output: with a row for each image.
        """
        if self.kind == TOKENS:
            return output[:, -self.rows * self.columns :]
        return (output if self.kind == CHANNELS_LAST else output.movedim(1, -1)).flatten(1, 2)

    def vector_numbers(self) -> Int[Tensor, "place"]:
        """Which of the vectors belongs to each place of the grid, the places in rows."""
        return _vector_numbers(self)


def layouts_of(
    shape: Shape, prefix_tokens: int = 0, input_size: tuple[int, int] = _SQUARE
) -> tuple[Layout, ...]:
    """Every known layout that an output of a shape may have, the usual one first.

    Args:
        shape: the output's shape without the batch.
        prefix_tokens: how many tokens before those of places the network has.
        input_size: rows and columns of the network's input.
    """
    match shape:
        case _ if 0 in shape:  # such as no channels
            return ()
        case (tokens, _):
            # Some layers have fewer of them: a branch, or those before the tokens are put there.
            fewer = range(1, prefix_tokens)
            counts = dict.fromkeys((tokens - prefix_tokens, tokens, *(tokens - n for n in fewer)))
            grids = (_grid_of(count, input_size) for count in counts)
            return tuple(layout for grid in grids if grid for layout in _orders(*grid))
        case (one, two, three):
            first = [Layout(CHANNELS_FIRST, two, three)] * _has_aspect(two, three, input_size)
            last = [Layout(CHANNELS_LAST, one, two)] * _has_aspect(one, two, input_size)
            return (*first, *last)
    return ()


def _has_aspect(rows: int, columns: int, input_size: tuple[int, int]) -> bool:
    """Whether a grid may be one of the whole input: its sides are divided alike, and then rounded
    or made smaller by a few places at the edges.
    """
    height, width = input_size
    if min(rows, columns) < 2 or height == width:
        return rows == columns > 1
    return abs(rows * width - columns * height) <= 2 * (height + width)


def _grid_of(count: int, input_size: tuple[int, int]) -> tuple[int, int] | None:
    """The grid of exactly the input's aspect that a number of tokens fills, if there is one."""
    height, width = input_size
    rows = isqrt(max(count, 0) * height // width)
    if min(rows, count) < 2 or count % rows or rows * width != count // rows * height:
        return None
    return rows, count // rows


def probed_shape(
    shape: Shape,
    prefix_tokens: int = 0,
    *,
    layout: Layout | None = None,
    input_size: tuple[int, int] = _SQUARE,
) -> Shape | None:
    """The shape, without the batch, of what `to_grid` makes of an output of a shape.

    Args:
        shape: the output's shape without the batch.
        prefix_tokens: how many tokens before those of places the network has.
        layout: which it has; None for the usual one of the shape.
        input_size: rows and columns of the network's input.

    Returns:
        (channels, rows, columns) of a grid, (channels,) of a vector, None of anything else.
    """
    chosen = layout or next(iter(layouts_of(shape, prefix_tokens, input_size)), None)
    if chosen is not None:
        channels = shape[0 if chosen.kind == CHANNELS_FIRST else -1]
        return (channels, chosen.rows, chosen.columns)
    match shape:
        case (channels,) | (channels, 1, 1) | (1, 1, channels) if channels:
            return (channels,)
    return None


def to_grid(
    output: Tensor,
    prefix_tokens: int = 0,
    *,
    layout: Layout | None = None,
    input_size: tuple[int, int] = _SQUARE,
) -> Tensor:
    """A layer's output as (image, channel, y, x) or (image, channel).

    Args:
        output: with a row for each image.
        prefix_tokens: how many tokens before those of places the network has.
        layout: which it has (`Network.layouts`); None for the usual one of the shape, which for
            tokens may be wrong.
        input_size: rows and columns of the network's input.

    Returns:
        The grid or vector; an output that cannot be probed comes back as it is.
    """
    shape = tuple(output.shape[1:])
    chosen = layout or next(iter(layouts_of(shape, prefix_tokens, input_size)), None)
    if chosen is None:
        vector = probed_shape(shape, prefix_tokens, input_size=input_size)
        return output if vector is None else output.reshape(len(output), *vector)
    if chosen.kind == CHANNELS_FIRST:
        return output
    if chosen.kind == CHANNELS_LAST:
        return output.movedim(-1, 1)
    tokens = chosen.vectors(output)
    if chosen.order != "rows":
        tokens = tokens[:, chosen.vector_numbers().to(output.device)]
    tokens = tokens.transpose(1, 2)
    return tokens.reshape(len(output), tokens.shape[1], chosen.rows, chosen.columns)


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
    rows, columns, step = layout.rows, layout.columns, layout.step
    index = torch.arange(rows * columns)
    if layout.order == "columns":
        return index.view(columns, rows).t().flatten()
    if layout.order == "windows":
        inside = index.view(rows // step, columns // step, step, step)
        return inside.permute(0, 2, 1, 3).flatten()
    if layout.order == "unrolled":
        units = index.view(-1, rows // step, columns // step)
        while len(units) > 1:  # the last unrolling first
            apart = units.view(-1, 2, 2, *units.shape[1:])
            units = apart.permute(0, 3, 1, 4, 2).flatten(3).flatten(1, 2)
        return units.flatten()
    return index


@cache
def _orders(rows: int, columns: int) -> tuple[Layout, ...]:
    """The known orders of a grid's tokens, without those that are the same for this grid."""
    smaller, larger = sorted((rows, columns))
    steps = [n for n in range(2, larger) if rows % n == 0 == columns % n]
    powers = [2**level for level in range(1, smaller.bit_length())]
    every = [
        Layout(TOKENS, rows, columns),
        Layout(TOKENS, rows, columns, "columns"),
        *(
            Layout(TOKENS, rows, columns, "unrolled", step)
            for step in powers
            if rows % step == 0 == columns % step
        ),
        *(Layout(TOKENS, rows, columns, "windows", step) for step in steps),
    ]
    different: dict[tuple[int, ...], Layout] = {}
    for layout in every:
        different.setdefault(tuple(_vector_numbers(layout).tolist()), layout)
    return tuple(different.values())
