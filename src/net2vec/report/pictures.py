"""Masks over photographs: a translucent fill with an outline, and the truth as a cased line."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from PIL import Image, ImageColor
from scipy import ndimage

from net2vec.report.figures.style import LIGHT

SINGLE_COLOR, COMBINED_COLOR = LIGHT.single, "#2f9be6"
"""Fills of the two predictions: apart in hue for the colour-blind, apart in lightness in grey."""

LARGE, SMALL = 288, 208
"""Longer sides of pictures in pixels: those with a strip of their own, and those of cards."""
_FILL = 0.45


def draw_masks(
    image: Image.Image,
    predicted: Bool[np.ndarray, "y x"],
    truth: Bool[np.ndarray, "y x"],
    *,
    color: str,
    side: int = LARGE,
) -> Image.Image:
    """A picture with a predicted mask filled in a colour and the true mask outlined.

    Args:
        image: the photograph, in any size.
        predicted: the mask to fill; it covers the whole image, on a grid of its own.
        truth: the mask to outline, in white between two dark lines, so that it shows on anything.
        color: of the fill and its outline.
        side: the longer side of the result, in pixels.

    Returns:
        An RGB image in the aspect of `image`.
    """
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    canvas = np.array(image.convert("RGB").resize(size, Image.Resampling.LANCZOS), dtype=float)
    filled, outlined = _resize(predicted, size), _resize(truth, size)
    tint = np.array(ImageColor.getrgb(color), dtype=float)
    _paint(canvas, filled, tint, _FILL)
    _paint(canvas, filled & ~_erode(filled, 3), tint, 1.0)
    outer = _erode(outlined, 1)
    inner = _erode(outer, 4)
    _paint(canvas, outlined & ~_erode(inner, 1), np.array([20.0, 20.0, 20.0]), 0.75)
    _paint(canvas, outer & ~inner, np.array([255.0, 255.0, 255.0]), 1.0)
    return Image.fromarray(canvas.round().astype(np.uint8))


def _resize(mask: Bool[np.ndarray, "y x"], size: tuple[int, int]) -> Bool[np.ndarray, "row column"]:
    return np.asarray(Image.fromarray(mask).resize(size, Image.Resampling.NEAREST))


def _erode(mask: Bool[np.ndarray, "y x"], width: int) -> Bool[np.ndarray, "y x"]:
    """A mask without its outermost pixels, `width` deep. The border of the picture is no edge."""
    eroded: Bool[np.ndarray, "y x"] = ndimage.binary_erosion(mask, iterations=width, border_value=1)
    return eroded


def _paint(
    canvas: Float[np.ndarray, "y x 3"],
    where: Bool[np.ndarray, "y x"],
    color: Float[np.ndarray, "3"],
    opacity: float,
) -> None:
    canvas[where] = canvas[where] * (1 - opacity) + color * opacity
