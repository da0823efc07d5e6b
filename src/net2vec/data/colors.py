"""The basic colour term of each pixel.

The eleven terms are those that nearly all languages with a full set share (Berlin and Kay, 1969).
The rule sets limits of lightness, chroma and hue in CIE LCh (D65): chroma separates greys from
colours, hue separates the families, and lightness divides a family, so that dark orange is brown
and light red is pink.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Float, UInt8

COLOR_NAMES = (
    *("black", "blue", "brown", "green", "grey", "orange"),
    *("pink", "purple", "red", "white", "yellow"),
)
"""The eleven basic colour terms, alphabetically; `name_colors` counts them from 1."""

_BITS = 5  # of each channel: a step of 8 in 255 is about 3 in CIELAB, below the rule's accuracy
_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
_WHITE_D65 = np.array([0.95047, 1.0, 1.08883])


def name_colors(rgb: UInt8[np.ndarray, "y x 3"]) -> UInt8[np.ndarray, "y x"]:
    """Names every pixel of an sRGB picture.

    Args:
        rgb: the picture, 8 bits a channel, of which the five high bits are used.

    Returns:
        For each pixel 1 + the index in `COLOR_NAMES`, 1 to 11.
    """
    red, green, blue = ((rgb[..., channel] >> (8 - _BITS)).astype(np.intp) for channel in range(3))
    return _table()[red, green, blue]


def name_lch(lightness: np.ndarray, chroma: np.ndarray, hue: np.ndarray) -> np.ndarray:
    """The rule itself, on CIE LCh coordinates of any common shape.

    Args:
        lightness: L*, 0 to 100.
        chroma: C*, 0 for grey, about 130 for the purest colours of sRGB.
        hue: h in degrees, 0 <= h < 360: red 40, orange 70, yellow 100, green 136, blue 306.

    Returns:
        1 + the index in `COLOR_NAMES`, dtype uint8.
    """
    light, dark = lightness >= 66, lightness < 46
    # Conditions by name; the first that holds applies.
    rules = (
        ("black", (lightness < 14) | ((lightness < 24) & (chroma < 12))),
        ("white", (lightness >= 88) & (chroma < 15)),
        ("grey", chroma < np.where(lightness < 40, 8, 10)),
        ("brown", (hue >= 20) & (hue < 55) & (lightness < 55) & (chroma < 38)),
        ("pink", ((hue < 45) | (hue >= 338)) & (light | ((chroma < 45) & ~dark))),
        ("purple", (hue >= 338) & (lightness < 40)),
        ("pink", (hue >= 350) & (lightness >= 50) & (chroma < 75)),
        ("red", (hue < 47) | (hue >= 338)),
        ("brown", (hue < 62) & (lightness < 52)),
        (
            "brown",
            (hue >= 47) & (hue < 94) & ((lightness < 58) | ((chroma < 36) & (lightness < 79))),
        ),
        ("pink", (hue < 62) & light & (chroma < 32)),
        ("orange", hue < 77),
        ("yellow", (hue < 100) | ((hue < 113) & (lightness >= 62))),
        ("green", hue < 192),
        ("blue", hue < 309),
        ("pink", light),
        ("purple", np.ones_like(lightness, dtype=bool)),
    )
    numbers = [1 + COLOR_NAMES.index(name) for name, _ in rules]
    return np.select([where for _, where in rules], numbers).astype(np.uint8)


def srgb_to_lch(rgb: Float[np.ndarray, "*shape 3"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lightness, chroma and hue in degrees (CIE 1976, D65) of sRGB values in [0, 1]."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _WHITE_D65
    delta = 6 / 29
    f = np.where(xyz > delta**3, np.cbrt(xyz), xyz / (3 * delta**2) + 4 / 29)
    a, b = 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])
    return 116 * f[..., 1] - 16, np.hypot(a, b), np.degrees(np.arctan2(b, a)) % 360


@cache
def _table() -> UInt8[np.ndarray, "red green blue"]:
    """The name of each cell of the quantised colour cube, evaluated at its centre."""
    levels = (np.arange(1 << _BITS) + 0.5) / (1 << _BITS)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1)
    return name_lch(*srgb_to_lch(cube))
