"""What surfaces look like: grains of materials, and the paints that carry them.

Grains are periodic fields of brightness, made once a process and looked up at a random offset, so
that a paint costs little more than an indexed read of the box it covers.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float, Float32

from net2vec.data.diorama.canvas import RGB, Light, Paint, Stencil, blurred

TILE = 512
_WRAP = TILE - 1  # a power of two less one: indices wrap by a mask

PALETTE: dict[str, RGB] = {
    "black": (34, 34, 38),
    "blue": (46, 92, 178),
    "navy": (34, 48, 92),
    "teal": (58, 128, 136),
    "brown": (118, 80, 50),
    "tan": (184, 150, 108),
    "green": (74, 128, 62),
    "olive": (112, 122, 62),
    "grey": (138, 140, 144),
    "orange": (226, 128, 42),
    "pink": (232, 148, 172),
    "purple": (122, 70, 156),
    "red": (188, 42, 42),
    "maroon": (120, 36, 44),
    "white": (236, 236, 232),
    "cream": (230, 218, 188),
    "yellow": (232, 200, 62),
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


@cache
def grain(name: str) -> Float32[np.ndarray, "y x"]:
    """A periodic field of brightness, about -1 to 1, of shape (TILE, TILE)."""
    y, x = np.mgrid[:TILE, :TILE] * (2 * np.pi / TILE)
    rng = np.random.default_rng(sorted(_GRAINS).index(name))
    field = np.clip(_GRAINS[name](rng, y, x), -2, 2)
    return np.ascontiguousarray(field, dtype=np.float32)


def clouded(
    rng: np.random.Generator, slope: float, stretch: float = 1.0, low: float = 0.0
) -> Float[np.ndarray, "y x"]:
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


def _courses(rows: int, columns: int, shift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Blocks laid in rows, each row shifted: the block's number, and where in it, 0 to 1."""
    v, u = np.mgrid[:TILE, :TILE] * (1 / TILE)
    row = np.floor(v * rows).astype(int)
    along = (u * columns + (row % 2) * shift) % columns
    return row * columns + along.astype(int), (v * rows) % 1, along % 1


def _laid(
    rng: np.random.Generator, rows: int, columns: int, shift: float, rough: float
) -> np.ndarray:
    number, _, _ = _courses(rows, columns, shift)
    return 0.7 * rng.uniform(-1, 1, rows * columns)[number] + rough * clouded(rng, 0.8)


def _joints(rows: int, columns: int, shift: float, width: float) -> np.ndarray:
    _, v, u = _courses(rows, columns, shift)
    near = np.minimum(np.minimum(v, 1 - v) / rows, np.minimum(u, 1 - u) / columns) * TILE
    return np.clip(width + 0.5 - near, 0, 1)


_GRAINS = {
    "noise": lambda rng, y, x: clouded(rng, 1.0) * 0.6,
    "sand": lambda rng, y, x: 0.35 * clouded(rng, 0.4) + 0.5 * clouded(rng, 1.6),
    "grass": lambda rng, y, x: 0.5 * clouded(rng, 0.7, 0.35, 12) + 0.4 * clouded(rng, 1.5),
    "foliage": lambda rng, y, x: (
        np.tanh(1.6 * clouded(rng, 1.3, low=18)) + 0.25 * clouded(rng, 0.2)
    ),
    "stone": lambda rng, y, x: 0.55 * clouded(rng, 1.2) + 0.5 * np.abs(clouded(rng, 1.5)) - 0.4,
    "wood": lambda rng, y, x: (
        0.4 * np.sin(14 * y + 2.5 * clouded(rng, 2.0, 4)) + 0.45 * clouded(rng, 1.0, 9)
    ),
    "water": lambda rng, y, x: 0.8 * clouded(rng, 1.5, 2.6, 10),
    "fabric": lambda rng, y, x: (
        0.45 * np.sin(96 * x) * np.sin(96 * y) + 0.4 * clouded(rng, 1.8) + 0.2 * clouded(rng, 0)
    ),
    "metal": lambda rng, y, x: 0.3 * clouded(rng, 0.6, 9) + 0.5 * np.sin(3 * y + clouded(rng, 2)),
    "brick": lambda rng, y, x: _laid(rng, 32, 12, 0.5, 0.35),
    "brick joints": lambda rng, y, x: _joints(32, 12, 0.5, 1.1),
    "planks": lambda rng, y, x: _laid(rng, 16, 2, 0.7, 0.0) + 0.4 * clouded(rng, 1.0, 9),
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
    base = np.asarray(color, np.float32)

    def paint(
        stencil: Stencil, light: Light, rng: np.random.Generator
    ) -> Float32[np.ndarray, "y x 3"]:
        height, width = stencil.cover.shape
        if not (fade or relief or texture):
            return np.broadcast_to(base, (height, width, 3)).copy()
        u = (np.arange(width, dtype=np.float32) + 0.5) * (1 / width) - 0.5
        v = (np.arange(height, dtype=np.float32)[:, None] + 0.5) * (1 / height) - 0.5
        shade = 1.0 + fade * (light.side * (0.3 + 0.7 * light.strength)) * u - fade * v
        small = min(height, width)
        if relief and small >= 8:
            shade += relief * (0.4 + 0.6 * light.strength) * _bend(stencil.cover, light.side)
        if texture is None or small < 4:
            return shade[..., None] * base
        rows, columns = rng.integers(TILE, size=2).tolist()
        at_y = (rows + np.arange(height) * scale).astype(int) & _WRAP
        at_x = (columns + np.arange(width) * scale).astype(int) & _WRAP
        field = _read(texture, at_y, at_x, upright=upright)
        shade += contrast * field
        colors: Float32[np.ndarray, "y x 3"] = shade[..., None] * base
        if joint is not None:
            share = _read(f"{texture} joints", at_y, at_x, upright=upright)[..., None]
            colors += share * (np.asarray(joint, np.float32) - colors)
        return colors

    return paint


def _read(
    name: str, at_y: np.ndarray, at_x: np.ndarray, *, upright: bool
) -> Float32[np.ndarray, "y x"]:
    if upright:
        return grain(name)[at_x].take(at_y, axis=1).T
    return grain(name)[at_y].take(at_x, axis=1)


def _bend(cover: Float32[np.ndarray, "y x"], side: float) -> Float32[np.ndarray, "y x"]:
    """Brightness of a cushion of that outline lit from above and one side, about -1 to 1."""
    radius = min(8.0, max(1.0, 0.13 * min(cover.shape)))
    step = max(1, round(radius * 0.8))
    height = blurred(cover, radius)
    y, x = np.arange(cover.shape[0]), np.arange(cover.shape[1])
    bend = height.take(np.minimum(y + step, y[-1]), axis=0)
    bend -= height.take(np.maximum(y - step, 0), axis=0)
    across = height.take(np.maximum(x - step, 0), axis=1)
    across -= height.take(np.minimum(x + step, x[-1]), axis=1)
    return np.float32(0.7) * (bend + np.float32(side) * across)


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

    def paint(
        stencil: Stencil, light: Light, rng: np.random.Generator
    ) -> Float32[np.ndarray, "y x 3"]:
        height, width = stencil.cover.shape
        y = np.arange(stencil.top, stencil.top + height, dtype=np.float32) + 0.5
        near = np.clip((y - horizon) / (224.0 - horizon), 0.02, None)[:, None]
        x = np.arange(stencil.left, stencil.left + width, dtype=np.float32) - 112.0
        down, across = rng.integers(TILE, size=2).tolist()
        at_y = (down + 200.0 * scale / near).astype(int) & _WRAP
        at_x = (across + 2 * TILE + x * (scale / near)).astype(int) & _WRAP
        # Grain finer than a pixel averages out.
        amplitude = contrast * np.clip(near * 1.7 / scale, 0.0, 1.0)
        shade = 1.0 + amplitude * grain(texture)[at_y, at_x]
        away = 1.0 - np.clip(near, 0.0, 1.0)
        end = np.asarray(far or mix(color, light.haze, 0.5), np.float32)
        base = np.asarray(color, np.float32)
        colors: Float32[np.ndarray, "y x 3"] = shade[..., None] * (
            base + (away**3)[..., None] * (end - base)
        )
        if joint is not None:
            share = (grain(f"{texture} joints")[at_y, at_x] * np.clip(near * 3, 0, 1))[..., None]
            colors += share * (np.asarray(joint, np.float32) - colors)
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
    ends = np.asarray([top, bottom, cloud], np.float32)

    def paint(
        stencil: Stencil, light: Light, rng: np.random.Generator
    ) -> Float32[np.ndarray, "y x 3"]:
        height, width = stencil.cover.shape
        y = np.arange(stencil.top, stencil.top + height, dtype=np.float32)[:, None]
        down = np.clip(y / max(horizon, 1.0), 0.0, 1.0)
        colors = ends[0] + (down**1.2)[..., None] * (ends[1] - ends[0])
        rows, columns = rng.integers(TILE, size=2).tolist()
        # Clouds near the horizon are farther: flatter and closer together.
        at_y = (rows + y[:, 0] * (0.7 + 1.2 * down[:, 0])).astype(int) & _WRAP
        at_x = (columns + np.arange(width)) & _WRAP
        field = grain("clouds")[np.ix_(at_y, at_x)]
        lower = grain("clouds")[np.ix_((at_y + 10) & _WRAP, at_x)]
        cover = np.clip((field - 1.1 + 2.0 * amount) * 1.4, 0.0, 1.0)
        cover *= 1.0 - 0.5 * down**3
        lit = np.clip(1.0 - 0.1 * np.clip(lower + 0.4, 0.0, None), 0.7, 1.0)
        colors = np.broadcast_to(colors, (height, width, 3))
        return colors + cover[..., None] * (lit[..., None] * ends[2] - colors)

    return paint
