"""What a layer puts out, as a grid of channels.

Inputs are squares, so grids are squares too, and by that they are recognised:

- (image, channel, side, side): what convolutions give; taken as it is;
- (image, side, side, channel): Swin's and ConvNeXt's inner layers; the channels are moved;
- (image, token, channel), where the number of tokens, or what is left without the class and
  register tokens in front, is a square: transformers; the tokens become a grid, row by row;
- (image, channel), or a grid of one place: a vector, which has no places.

Anything else cannot be probed.
"""

from __future__ import annotations

from math import isqrt

from torch import Tensor

Shape = tuple[int, ...]


def probed_shape(shape: Shape, prefix_tokens: int = 0) -> Shape | None:
    """The shape, without the batch, of what `to_grid` makes of an output of a shape.

    Args:
        shape: the output's shape without the batch.
        prefix_tokens: how many tokens before those of places the network has.

    Returns:
        (channels, side, side) of a grid, (channels,) of a vector, None of anything else.
    """
    match shape:
        case (channels,):
            return (channels,)
        case (tokens, channels):
            side = _side_of_tokens(tokens, prefix_tokens)
            return (channels, side, side) if side else None
        case (channels, height, width) if height == width:
            return (channels, height, width) if height > 1 else (channels,)
        case (height, width, channels) if height == width:
            return (channels, height, width) if height > 1 else (channels,)
    return None


def to_grid(output: Tensor, prefix_tokens: int = 0) -> Tensor:
    """A layer's output as (image, channel, y, x) or (image, channel).

    An output that cannot be probed comes back as it is.
    """
    shape = tuple(output.shape[1:])
    match probed_shape(shape, prefix_tokens):
        case (channels,):
            return output.reshape(len(output), channels)
        case (channels, side, _) if len(shape) == 2:
            tokens = output[:, -side * side :].transpose(1, 2)
            return tokens.reshape(len(output), channels, side, side)
        case (_, _, _) if shape[1] != shape[2]:
            return output.movedim(-1, 1)
    return output


def prefix_tokens_of(module: object) -> int:
    """How many tokens a transformer puts before those of places, as far as it says so.

    timm's transformers count them; torchvision's have the class token alone.
    """
    count = getattr(module, "num_prefix_tokens", None)
    if isinstance(count, int):
        return count
    return int(isinstance(getattr(module, "class_token", None), Tensor))


def _side_of_tokens(tokens: int, prefix_tokens: int) -> int:
    for places in (tokens - prefix_tokens, tokens):
        if places > 1 and isqrt(places) ** 2 == places:
            return isqrt(places)
    return 0
