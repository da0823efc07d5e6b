"""Lists of colours by which masks name classes: `labelmap.txt`, `class_dict.csv` and others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Int, UInt8

from net2vec.data.files import read_lines
from net2vec.errors import DataError

Color = tuple[int, int, int]

_NUMBERS = r"(?P<red>\d{1,3})[\s,;]+(?P<green>\d{1,3})[\s,;]+(?P<blue>\d{1,3})"
_LINES = tuple(
    re.compile(pattern)
    for color in (_NUMBERS, r"#(?P<hex>[0-9a-fA-F]{6})")
    for pattern in (
        rf"{color}[\s:,;=]+(?P<name>.*[^\W\d].*)",  # 64 128 64 Animal
        rf"(?P<name>.*[^\W\d].*?)[\s:,;=]+{color}(?:[:,;\s].*)?",  # road:128,64,128::
    )
)
_NUMBERED = re.compile(r"\d+[\s:,;]+(.*\D.*)")


def read_color_list(path: Path) -> dict[str, Color] | None:
    """Colours by class name; None if the lines are no colours and names.

    A line is a name and a colour in either order, `128 64 128`, `128,64,128` or `#804080`, perhaps
    after a number. A header and lines that begin with `#` and are no colour are passed over.

    Raises:
        DataError: if the file cannot be read, or a colour has two names.
    """
    lines = [line.strip() for line in read_lines(path)]
    parsed = [(line, _parse(line)) for line in lines if line]
    rows = [row for line, row in parsed if row or not line.startswith("#")]
    found = [row for row in rows if row is not None]
    if not found or None in rows[1:]:
        return None
    numbered = [_NUMBERED.fullmatch(name) for name, _ in found]
    if all(numbered):
        pairs = zip(numbered, found, strict=True)
        found = [(match[1], color) for match, (_, color) in pairs if match]
    names: dict[Color, str] = {}
    colors: dict[str, Color] = {}
    for name, color in found:
        if names.setdefault(color, name) != name:
            raise DataError(f"{path}: {show(color)} stands for both {names[color]} and {name}")
        if colors.setdefault(name, color) != color:
            both = f"{show(colors[name])} and {show(color)}"
            raise DataError(f"{path}: {name} has two colours, {both}")
    return colors


def show(color: Color) -> str:
    """A colour as `#804080 (128 64 128)`."""
    return f"{as_hex(color)} ({' '.join(map(str, color))})"


def as_hex(color: Color) -> str:
    """A colour as `#804080`."""
    return f"#{bytes(color).hex()}"


class ColorTable:
    """Labels of colours.

    Args:
        labels: label by colour.
    """

    def __init__(self, labels: Mapping[Color, int]) -> None:
        codes = _code(np.array(list(labels)))
        order = np.argsort(codes)
        self._codes, self._labels = codes[order], np.array(list(labels.values()), np.int32)[order]

    def look_up(
        self, pixels: UInt8[np.ndarray, "y x 3"]
    ) -> tuple[Int[np.ndarray, "y x"], Color | None]:
        """Labels of pixels, and a colour that is not in the table, if any."""
        codes = _code(pixels)
        place = np.minimum(np.searchsorted(self._codes, codes), len(self._codes) - 1)
        unknown = codes[self._codes[place] != codes]
        if unknown.size:
            red, green, blue = int(unknown[0]).to_bytes(3, "big")
            return self._labels[place], (red, green, blue)
        return self._labels[place], None


def _code(pixels: np.ndarray) -> np.ndarray:
    codes: np.ndarray = pixels.astype(np.int64) @ np.array([65536, 256, 1])
    return codes


def _parse(line: str) -> tuple[str, Color] | None:
    for pattern in _LINES:
        if match := pattern.fullmatch(line):
            parts = match.groupdict()
            if "hex" in parts:
                red, green, blue = bytes.fromhex(parts["hex"])
            else:
                red, green, blue = (int(parts[channel]) for channel in ("red", "green", "blue"))
            is_color = max(red, green, blue) < 256
            return (parts["name"].strip(), (red, green, blue)) if is_color else None
    return None
