"""Appearance of surfaces: colours, and paints that apply them to a shape or to the ground."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float32

from net2vec.data.diorama.canvas import RGB, Channels, Light, Paint, Stencil, blurred, channels
from net2vec.data.diorama.grains import TILE, WRAP, grain, read

PALETTE: dict[str, RGB] = {
    "black": (34.0, 34.0, 38.0),
    "blue": (46.0, 92.0, 178.0),
    "navy": (34.0, 48.0, 92.0),
    "teal": (58.0, 128.0, 136.0),
    "brown": (118.0, 80.0, 50.0),
    "tan": (184.0, 150.0, 108.0),
    "green": (74.0, 128.0, 62.0),
    "olive": (112.0, 122.0, 62.0),
    "grey": (138.0, 140.0, 144.0),
    "orange": (226.0, 128.0, 42.0),
    "pink": (232.0, 148.0, 172.0),
    "purple": (122.0, 70.0, 156.0),
    "red": (188.0, 42.0, 42.0),
    "maroon": (120.0, 36.0, 44.0),
    "white": (236.0, 236.0, 232.0),
    "cream": (230.0, 218.0, 188.0),
    "yellow": (232.0, 200.0, 62.0),
}


def pick(rng: np.random.Generator, names: str, spread: float = 14.0) -> RGB:
    """One of the palette's colours named in `names`, a little off."""
    choices = names.split()
    base = PALETTE[choices[int(rng.integers(len(choices)))]]
    shift = rng.uniform(-spread, spread)
    red, green, blue = (float(v) for v in rng.uniform(-spread, spread, 3) * 0.5 + shift)
    return base[0] + red, base[1] + green, base[2] + blue


def mix(first: RGB, second: RGB, share: float) -> RGB:
    """`share` of the second colour in the first."""
    a, b, c = (p + share * (q - p) for p, q in zip(first, second, strict=True))
    return a, b, c


def dim(color: RGB, factor: float) -> RGB:
    """The colour with its brightness multiplied."""
    return color[0] * factor, color[1] * factor, color[2] * factor


def surface(
    color: RGB,
    texture: str | None = None,
    *,
    contrast: float = 0.15,
    scale: float = 1.0,
    upright: bool = False,
    joint: RGB | None = None,
    fade: float = 0.18,
    relief: float = 0.35,
) -> Paint:
    """A surface that faces the viewer.

    Args:
        color: its colour in plain light.
        texture: the name of its grain.
        contrast: how strong the grain is.
        scale: grain pixels a picture pixel; larger is finer.
        upright: the grain is turned by 90 degrees.
        joint: colour of what fills the joints, for grains that have joints.
        fade: how much the light falls off over the shape, from the lit side and the top.
        relief: how much its border seems to bend away.
    """
    base = channels(color)
    filling = None if joint is None else channels(joint)

    def paint(stencil: Stencil, light: Light, rng: np.random.Generator) -> Channels:
        height, width = stencil.cover.shape
        if not (fade or relief or texture):
            return np.broadcast_to(base, (3, height, width)).copy()
        u = (np.arange(width, dtype=np.float32) + 0.5) * (1 / width) - 0.5
        v = (np.arange(height, dtype=np.float32)[:, None] + 0.5) * (1 / height) - 0.5
        shade = 1.0 + fade * (light.side * (0.3 + 0.7 * light.strength)) * u - fade * v
        small = min(height, width)
        if relief and small >= 8:
            shade += relief * (0.4 + 0.6 * light.strength) * _bend(stencil.cover, light.side)
        if texture is None or small < 4:
            plain: Channels = shade * base
            return plain
        rows, columns = rng.integers(TILE, size=2).tolist()
        at_y = (rows + np.arange(height) * scale).astype(int) & WRAP
        at_x = (columns + np.arange(width) * scale).astype(int) & WRAP
        field = read(texture, at_y, at_x, upright=upright)
        shade += contrast * field
        colors: Channels = shade * base
        if filling is not None:
            colors += read(f"{texture} joints", at_y, at_x, upright=upright) * (filling - colors)
        return colors

    return paint


def _bend(cover: Float32[np.ndarray, "y x"], side: float) -> Float32[np.ndarray, "y x"]:
    """Brightness of a cushion of that outline lit from above and one side, about -1 to 1."""
    radius = min(8.0, max(1.0, 0.13 * min(cover.shape)))
    step = max(1, round(radius * 0.8))
    height = blurred(cover, radius)
    y, x = np.arange(cover.shape[0]), np.arange(cover.shape[1])
    bend: Float32[np.ndarray, "y x"] = height.take(np.minimum(y + step, y[-1]), axis=0)
    bend -= height.take(np.maximum(y - step, 0), axis=0)
    across = height.take(np.maximum(x - step, 0), axis=1)
    across -= height.take(np.minimum(x + step, x[-1]), axis=1)
    bend += np.float32(side) * across
    bend *= np.float32(0.7)
    return bend


def ground(
    color: RGB,
    texture: str,
    horizon: float,
    *,
    contrast: float = 0.25,
    scale: float = 1.0,
    far: RGB | None = None,
    joint: RGB | None = None,
) -> Paint:
    """A level surface seen in perspective, its grain shrinking towards the horizon.

    Args:
        color: its colour near the viewer.
        texture: the name of its grain.
        horizon: row of the horizon, in picture pixels.
        contrast: how strong the grain is near the viewer.
        scale: grain pixels a picture pixel at the lower edge of the picture.
        far: its colour at the horizon, where other than the air's.
        joint: colour of what fills the joints, for grains that have joints.
    """
    base = channels(color)
    filling = None if joint is None else channels(joint)

    def paint(stencil: Stencil, light: Light, rng: np.random.Generator) -> Channels:
        height, width = stencil.cover.shape
        y = np.arange(stencil.top, stencil.top + height, dtype=np.float32) + 0.5
        near = np.clip((y - horizon) / (224.0 - horizon), 0.02, None)[:, None]
        x = np.arange(stencil.left, stencil.left + width, dtype=np.float32) - 112.0
        down, across = rng.integers(TILE, size=2).tolist()
        at_y = (down + 200.0 * scale / near).astype(int) & WRAP
        at_x = (across + 2 * TILE + x * (scale / near)).astype(int) & WRAP
        # Grain finer than a pixel averages out.
        amplitude = contrast * np.clip(near * 1.7 / scale, 0.0, 1.0)
        shade = 1.0 + amplitude * grain(texture)[at_y, at_x]
        away = (1.0 - np.clip(near, 0.0, 1.0)) ** 3
        end = channels(far or mix(color, light.haze, 0.5))
        colors: Channels = shade * (base + away * (end - base))
        if filling is not None:
            share = grain(f"{texture} joints")[at_y, at_x] * np.clip(near * 3, 0.0, 1.0)
            colors += share * (filling - colors)
        return colors

    return paint


def sky(top: RGB, bottom: RGB, cloud: RGB, amount: float, horizon: float) -> Paint:
    """A sky that pales towards the horizon, with clouds.

    Args:
        top: colour at the upper edge of the picture.
        bottom: colour at the horizon.
        cloud: colour of the lit side of clouds.
        amount: 0 for a clear sky, 1 for a closed cover.
        horizon: row of the horizon, in picture pixels.
    """
    zenith, rim, white = channels(top), channels(bottom), channels(cloud)

    def paint(stencil: Stencil, light: Light, rng: np.random.Generator) -> Channels:
        height, width = stencil.cover.shape
        y = np.arange(stencil.top, stencil.top + height, dtype=np.float32)[:, None]
        down = np.clip(y / max(horizon, 1.0), 0.0, 1.0)
        rows, columns = rng.integers(TILE, size=2).tolist()
        # Clouds near the horizon are farther: flatter and closer together.
        at_y = (rows + y[:, 0] * (0.7 + 1.2 * down[:, 0])).astype(int) & WRAP
        at_x = (columns + np.arange(width)) & WRAP
        field = grain("clouds")[np.ix_(at_y, at_x)]
        lower = grain("clouds")[np.ix_((at_y + 10) & WRAP, at_x)]
        cover = np.clip((field - 1.1 + 2.0 * amount) * 1.4, 0.0, 1.0)
        cover *= 1.0 - 0.5 * down**3
        lit = np.clip(1.0 - 0.1 * np.clip(lower + 0.4, 0.0, None), 0.7, 1.0)
        blue = zenith + down**1.2 * (rim - zenith)
        colors: Channels = blue + cover * (lit * white - blue)
        return colors

    return paint
