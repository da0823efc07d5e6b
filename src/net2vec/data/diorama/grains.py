"""Grains: periodic fields of brightness that make a surface look like its material.

Each is made once a process; paints look it up at a random place, so that a texture costs little
more than an indexed read of the box it covers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float32, Int

TILE = 512
WRAP = TILE - 1  # a power of two less one: indices wrap by a mask

Field: TypeAlias = Float[np.ndarray, "y x"]


@cache
def grain(name: str) -> Float32[np.ndarray, "y x"]:
    """A periodic field of brightness, about -1 to 1, of shape (TILE, TILE)."""
    y, x = np.mgrid[:TILE, :TILE] * (2 * np.pi / TILE)
    rng = np.random.default_rng(sorted(_GRAINS).index(name))
    field = np.clip(_GRAINS[name](rng, y, x), -2, 2)
    return np.ascontiguousarray(field, dtype=np.float32)


def clouded(
    rng: np.random.Generator, slope: float, stretch: float = 1.0, low: float = 0.0
) -> Field:
    """Periodic noise of unit variance whose amplitude falls as frequency ** -slope.

    Args:
        rng: the source of the noise.
        slope: 0 is white; larger is smoother.
        stretch: how many times longer than high its features are.
        low: frequencies below this are left out, in waves a tile.
    """
    fy = np.fft.fftfreq(TILE)[:, None] * TILE / stretch
    fx = np.fft.rfftfreq(TILE)[None, :] * TILE * stretch
    frequency = np.hypot(fy, fx)
    gain = np.where(frequency > low, np.maximum(frequency, 1.0) ** -slope, 0.0)
    gain[0, 0] = 0.0
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((TILE, TILE))) * gain)
    return np.asarray(field / field.std())


def _courses(rows: int, columns: int, shift: float) -> tuple[np.ndarray, Field, Field]:
    """Blocks laid in rows, each row shifted: the block's number, and where in it, 0 to 1."""
    v, u = np.mgrid[:TILE, :TILE] * (1 / TILE)
    row = np.floor(v * rows).astype(int)
    along = (u * columns + (row % 2) * shift) % columns
    return row * columns + along.astype(int), (v * rows) % 1, along % 1


def _laid(rng: np.random.Generator, rows: int, columns: int, shift: float, rough: float) -> Field:
    number, _, _ = _courses(rows, columns, shift)
    field: Field = 0.7 * rng.uniform(-1, 1, rows * columns)[number] + rough * clouded(rng, 0.8)
    return field


def _joints(rows: int, columns: int, shift: float, width: float) -> Field:
    _, v, u = _courses(rows, columns, shift)
    near = np.minimum(np.minimum(v, 1 - v) / rows, np.minimum(u, 1 - u) / columns) * TILE
    return np.asarray(np.clip(width + 0.5 - near, 0, 1))


_GRAINS: dict[str, Callable[[np.random.Generator, Field, Field], Field]] = {
    "noise": lambda rng, y, x: clouded(rng, 1.0) * 0.6,
    "sand": lambda rng, y, x: 0.35 * clouded(rng, 0.4) + 0.5 * clouded(rng, 1.6),
    "grass": lambda rng, y, x: 0.5 * clouded(rng, 0.7, 0.35, 12.0) + 0.4 * clouded(rng, 1.5),
    "foliage": lambda rng, y, x: (
        np.tanh(1.6 * clouded(rng, 1.3, low=18.0)) + 0.25 * clouded(rng, 0.2)
    ),
    "stone": lambda rng, y, x: 0.55 * clouded(rng, 1.2) + 0.5 * np.abs(clouded(rng, 1.5)) - 0.4,
    "wood": lambda rng, y, x: (
        0.4 * np.sin(14 * y + 2.5 * clouded(rng, 2.0, 4.0)) + 0.45 * clouded(rng, 1.0, 9.0)
    ),
    "water": lambda rng, y, x: 0.8 * clouded(rng, 1.5, 2.6, 10.0),
    "fabric": lambda rng, y, x: (
        0.45 * np.sin(96 * x) * np.sin(96 * y) + 0.4 * clouded(rng, 1.8) + 0.2 * clouded(rng, 0.0)
    ),
    "metal": lambda rng, y, x: (
        0.3 * clouded(rng, 0.6, 9.0) + 0.5 * np.sin(3 * y + clouded(rng, 2.0))
    ),
    "brick": lambda rng, y, x: _laid(rng, 32, 12, 0.5, 0.35),
    "brick joints": lambda rng, y, x: _joints(32, 12, 0.5, 1.1),
    "planks": lambda rng, y, x: _laid(rng, 16, 2, 0.7, 0.0) + 0.4 * clouded(rng, 1.0, 9.0),
    "planks joints": lambda rng, y, x: _joints(16, 2, 0.7, 0.4),
    "ashlar": lambda rng, y, x: _laid(rng, 16, 9, 0.4, 0.6),
    "ashlar joints": lambda rng, y, x: _joints(16, 9, 0.4, 1.3),
    "shingles": lambda rng, y, x: _laid(rng, 32, 22, 0.5, 0.2),
    "shingles joints": lambda rng, y, x: _joints(32, 22, 0.5, 0.9),
    "tiles": lambda rng, y, x: _laid(rng, 16, 16, 0.0, 0.1),
    "tiles joints": lambda rng, y, x: _joints(16, 16, 0.0, 0.8),
    "sensor": lambda rng, y, x: rng.standard_normal((TILE, TILE)),
    "clouds": lambda rng, y, x: clouded(rng, 1.7, 1.6) * 0.7,
}


def read(
    name: str, at_y: Int[np.ndarray, " y"], at_x: Int[np.ndarray, " x"], *, upright: bool = False
) -> Float32[np.ndarray, "y x"]:
    """A grain at the crossings of rows and columns; `upright` swaps the grain's own two axes."""
    field: Float32[np.ndarray, "y x"] = (
        grain(name)[at_x].take(at_y, axis=1).T if upright else grain(name)[at_y].take(at_x, axis=1)
    )
    return field
