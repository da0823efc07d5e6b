"""Pictures of a texture alone, as a texture database has them.

Each texture is a pattern on the plane: it gives the share of a second colour at every point. How
it is turned, sized, bent, coloured and lit is left to chance and common to all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from jaxtyping import Float, Float32

from net2vec.data.diorama.canvas import IMAGE_SIZE, RGB, Channels, channels
from net2vec.data.diorama.grains import TILE, grain
from net2vec.data.diorama.materials import PALETTE, dim, mix, pick

Field: TypeAlias = Float[np.ndarray, "y x"]

_HUES = " ".join(PALETTE)


def texture_picture(name: str, rng: np.random.Generator) -> Channels:
    """A picture full of one texture, colours 0 to 255, not yet clipped.

    Args:
        name: one of `TEXTURES`.
        rng: the source of its size, direction, colours and flaws.
    """
    axis = (np.arange(IMAGE_SIZE, dtype=np.float32) - IMAGE_SIZE / 2) / IMAGE_SIZE
    y, x = axis[:, None], axis[None, :]
    turn, count = rng.uniform(0, 2 * np.pi), rng.uniform(5, 13)
    bend, slant = rng.uniform(0.0, 0.035), rng.uniform(-0.25, 0.25)
    depth = 1 + slant * (x + y)  # a little perspective
    u = count * (np.cos(turn) * x + np.sin(turn) * y) / depth + count * bend * _noise(rng)
    v = count * (np.cos(turn) * y - np.sin(turn) * x) / depth + count * bend * _noise(rng)
    share = np.clip(TEXTURES[name](u, v, rng), 0.0, 1.0)
    first, second = _colors(rng)
    colors = channels(first) * (1 - share) + channels(second) * share
    kind = ("noise", "fabric", "sand", "stone")[int(rng.integers(4))]
    light = 1 + rng.uniform(0.02, 0.1) * _noise(rng, kind)
    light += rng.uniform(-0.4, 0.4) * x + rng.uniform(-0.4, 0.4) * y
    # Raised where the second colour is: a shadow on the side away from the light.
    edge = share - np.roll(share, (2, 2), axis=(0, 1))
    light += rng.uniform(0.0, 0.25) * edge
    return np.asarray(colors * light, np.float32)


def _colors(rng: np.random.Generator) -> tuple[RGB, RGB]:
    """Two colours of clearly different brightness."""
    first, second = pick(rng, _HUES, 24.0), pick(rng, _HUES, 24.0)
    if abs(sum(first) - sum(second)) < 180:
        second = mix(second, (255.0, 255.0, 255.0), 0.75) if sum(first) < 384 else dim(second, 0.35)
    return first, second


def _noise(rng: np.random.Generator, name: str = "clouds") -> Float32[np.ndarray, "y x"]:
    top, left = rng.integers(TILE, size=2).tolist()
    place = np.arange(IMAGE_SIZE)
    return grain(name)[np.ix_((top + place) % TILE, (left + place) % TILE)]


def _step(value: Field, width: float = 0.06) -> Field:
    """0 below 0, 1 above, soft over `width`."""
    return np.clip(value / width + 0.5, 0.0, 1.0)


def _wave(u: Field) -> Field:
    """A triangle wave of period 1, from -0.25 to 0.25."""
    return np.abs((u % 1.0) - 0.5) - 0.25


def _cells(u: Field, v: Field, rng: np.random.Generator, spread: float) -> tuple[Field, Field]:
    """Distance to the nearest and the second nearest of points strewn one a unit square."""
    jitter = 0.5 + spread * (rng.random((32, 32, 2)) - 0.5)
    i, j = np.floor(u).astype(int), np.floor(v).astype(int)
    first, second = np.full(u.shape, 9.0), np.full(u.shape, 9.0)
    for a in (-1, 0, 1):
        for b in (-1, 0, 1):
            point = jitter[(i + a) & 31, (j + b) & 31]
            away = np.hypot(i + a + point[..., 0] - u, j + b + point[..., 1] - v)
            second = np.minimum(second, np.maximum(first, away))
            first = np.minimum(first, away)
    return first, second


def _honeycomb(u: Field, v: Field) -> Field:
    """Distance to the border of the nearest hexagon, 0 to 0.5."""
    step = np.array([1.0, np.sqrt(3.0)])
    best = np.full(u.shape, -9.0)
    for shift in (0.0, 0.5):
        a = (u / step[0] + shift) % 1.0 * step[0] - step[0] / 2
        b = (v / step[1] + shift) % 1.0 * step[1] - step[1] / 2
        reach = np.maximum(np.abs(a), 0.5 * np.abs(a) + np.sqrt(0.75) * np.abs(b))
        best = np.maximum(best, 0.5 - reach)
    return best


def _scales(u: Field, v: Field) -> Field:
    """Overlapping round scales: 0 at a scale's lower border, 1 at its top."""
    best = np.full(u.shape, 0.0)
    row = np.floor(v * 2)
    for k in (1.0, 0.0):
        r = row + k
        across = (u + 0.5 * (r % 2)) % 1.0 - 0.5
        away = np.hypot(across, v - r / 2)
        best = np.where(away < 0.56, 1 - away / 0.56, best)
    return best


def _woven(u: Field, v: Field) -> Field:
    """Warp (light) and weft (dark) that pass over and under each other, with gaps between."""
    on_warp, on_weft = (_step(0.4 - np.abs(t % 1.0 - 0.5), 0.1) for t in (u, v))
    warp = on_warp * (0.55 + 0.45 * np.sin(np.pi * (v % 1.0)))
    weft = on_weft * (0.2 + 0.4 * np.sin(np.pi * (u % 1.0)))
    warp_above = (np.floor(u) + np.floor(v)) % 2 == 0
    over, under, hidden = np.where(warp_above, (warp, weft, on_warp), (weft, warp, on_weft))
    return np.asarray(over + 0.6 * (1.0 - hidden) * under)


def _spiral(u: Field, v: Field, rng: np.random.Generator) -> Field:
    x, y = rng.uniform(-1, 1, 2)
    arms = int(rng.integers(1, 4)) * (1 if rng.random() < 0.5 else -1)
    radius, angle = np.hypot(u - x, v - y), np.arctan2(v - y, u - x) / (2 * np.pi)
    return _step(_wave(radius * 0.8 + arms * angle), 0.08)


TEXTURES: dict[str, Callable[[Field, Field, np.random.Generator], Field]] = {
    "banded": lambda u, v, rng: np.round(2.5 + 2.5 * np.sin(u * 1.3) * np.cos(u * 0.6 + 1)) / 5,
    "blotchy": lambda u, v, rng: _step(_noise(rng) + 0.5 * _noise(rng, "noise"), 0.5),
    "chequered": lambda u, v, rng: _step(_wave(u) * _wave(v), 0.006),
    "cracked": lambda u, v, rng: (
        1 - _step(np.subtract(*_cells(u * 0.8 + 0.3 * _noise(rng), v * 0.8, rng, 1.0)[::-1]) - 0.07)
    ),
    "crosshatched": lambda u, v, rng: (
        np.maximum(
            _step(_wave(2 * u + 0.1 * _noise(rng)) - 0.14, 0.1),
            _step(_wave(2 * v + 0.1 * _noise(rng)) - 0.14, 0.1),
        )
        * (0.65 + 0.5 * _noise(rng, "noise"))
    ),
    "dotted": lambda u, v, rng: _step(
        0.28 - np.hypot(u % 1 - 0.5, (v + 0.5 * (np.floor(u) % 2)) % 1 - 0.5)
    ),
    "flecked": lambda u, v, rng: _step(
        0.3 - _cells(2.4 * u, 2.4 * v, rng, 1.0)[0] + 0.15 * _noise(rng, "noise"), 0.12
    ),
    "grid": lambda u, v, rng: np.maximum(_step(_wave(u) - 0.17), _step(_wave(v) - 0.17)),
    "honeycombed": lambda u, v, rng: (
        _step(_honeycomb(u, v) - 0.07, 0.05) * (0.8 + 0.4 * _honeycomb(u, v))
    ),
    "marbled": lambda u, v, rng: (
        np.abs(np.sin(u * 0.9 + 3.5 * _noise(rng))) ** 0.5 - 0.15 * _noise(rng, "stone")
    ),
    "scaly": lambda u, v, rng: _scales(u, v) ** 0.7,
    "spiralled": _spiral,
    "striped": lambda u, v, rng: _step(_wave(u)),
    "woven": lambda u, v, rng: _woven(u, v),
    "zigzagged": lambda u, v, rng: _step(_wave(u + 1.6 * np.abs(_wave(v * 0.6)) * 2)),
}
"""Share of the second colour at (u, v), whose unit is one repeat of the pattern."""
