"""Sizes of images as users write them: a side of a square, or width x height."""

from __future__ import annotations

import re

from net2vec.errors import ConfigError

Size = int | tuple[int, int]
"""The side of a square in pixels, or (width, height)."""

_SIZE = re.compile(r"(\d{1,6})(?:[x×](\d{1,6}))?")


def parse_size(text: int | str, name: str) -> Size:
    """A size from `518` or `320x240`, which is width x height; equal sides are a square.

    Args:
        text: the size.
        name: what it is of, for messages.

    Raises:
        ConfigError: it is something else, or a side is 0.
    """
    match = _SIZE.fullmatch(str(text).replace(" ", ""))
    if match is None or "0" in {(side or "1").lstrip("0") or "0" for side in match.groups()}:
        raise ConfigError(
            f"{name} must be a number of pixels, or WIDTHxHEIGHT as in 320x240, got {text!r}"
        )
    width, height = (int(side or match[1]) for side in match.groups())
    return width if width == height else (width, height)


def width_and_height(size: Size) -> tuple[int, int]:
    """The width and height in pixels."""
    return (size, size) if isinstance(size, int) else size


def show_size(size: Size) -> str:
    """A size as `320 x 240`, width first."""
    return " x ".join(map(str, width_and_height(size)))
