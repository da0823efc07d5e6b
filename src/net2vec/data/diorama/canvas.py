"""The canvas: one picture and its maps of labels, painted together, far things first.

Every shape is drawn through one stencil. Its antialiased cover blends the paint into the picture;
the same stencil, sampled at the centres of the coarser mask cells, writes the labels. So what
hides a thing in the picture hides it in the masks, and no mask is ever guessed from colours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float, Float32
from PIL import Image, ImageDraw, ImageFilter

from net2vec.data.diorama.labels import NUMBERS

IMAGE_SIZE = 224
MASK_SIZE = 112
_CELL = IMAGE_SIZE // MASK_SIZE  # picture pixels along a mask cell
_FINE = 3  # stencil pixels along a picture pixel
_NEAREST = Image.Resampling.NEAREST

RGB: TypeAlias = tuple[float, float, float]
Channels: TypeAlias = Float32[np.ndarray, "rgb y x"]
"""Colours from 0 to 255; the channel is the first axis, which keeps arithmetic on rows long."""
Points: TypeAlias = Float[np.ndarray, "_ 2"]
MAPS = ("object", "part", "subpart", "material")


@dataclass(frozen=True)
class Light:
    """The light of a picture.

    Attributes:
        side: where the light comes from, -1 (left) to 1 (right).
        strength: 0 for an overcast sky without shadows, 1 for full sun.
        tint: factor on each channel of everything that is lit.
        haze: colour of the air, which far things take on.
    """

    side: float
    strength: float
    tint: RGB
    haze: RGB


@dataclass(frozen=True)
class Stencil:
    """Where one shape lies: a box of the picture and what of it is covered.

    Attributes:
        top, left: first row and column of the box, in picture pixels, multiples of a mask cell.
        cover: share of each pixel that is covered, 0 to 1.
        cells: which mask cells have a covered centre.
    """

    top: int
    left: int
    cover: Float32[np.ndarray, "y x"]
    cells: Bool[np.ndarray, "cell_y cell_x"]

    @property
    def box(self) -> tuple[slice, slice, slice]:
        """Channels, rows and columns in the picture."""
        height, width = self.cover.shape
        return slice(None), slice(self.top, self.top + height), slice(self.left, self.left + width)

    @property
    def cell_box(self) -> tuple[slice, slice]:
        """Rows and columns in the maps of labels."""
        height, width = self.cells.shape
        top, left = self.top // _CELL, self.left // _CELL
        return slice(top, top + height), slice(left, left + width)


Paint: TypeAlias = Callable[[Stencil, Light, np.random.Generator], Channels]
"""Gives the colours of a stencil's whole box."""


@dataclass(frozen=True)
class Stroke:
    """A line through points with a width, all in picture pixels."""

    points: Points
    width: float


class Canvas:
    """A picture in the making.

    Attributes:
        rgb: the picture.
        maps: label numbers by map; 0 is nothing. `subpart` holds parts of parts.
        light: the light that paints see.
        rng: the source of all of this picture's chance.
    """

    def __init__(self, light: Light, rng: np.random.Generator) -> None:
        self.rgb = np.zeros((3, IMAGE_SIZE, IMAGE_SIZE), np.float32)
        self.maps = {name: np.zeros((MASK_SIZE, MASK_SIZE), np.uint16) for name in MAPS}
        self.light = light
        self.rng = rng

    def draw(
        self,
        shapes: Sequence[Points | Stroke],
        paint: Paint,
        *,
        object: str | None = None,
        part: str | None = None,
        subpart: str | None = None,
        material: str | None = None,
        opacity: float = 1.0,
        haze: float = 0.0,
    ) -> None:
        """Paints the union of shapes and writes their labels over what was there.

        Args:
            shapes: polygons and strokes, in picture pixels, y downwards.
            paint: gives the colours.
            object: the label of the object; None paints without touching any label (a highlight, a
                shadow, a pattern on what is already labelled).
            part: the part of the object; None: this place is no part.
            subpart: the part of `part`.
            material: None: this place is of no named material.
            opacity: share of the paint that covers.
            haze: share of the air's colour in the paint.
        """
        stencil = make_stencil(shapes)
        if stencil is None:
            return
        colors = paint(stencil, self.light, self.rng)
        if haze:
            colors += haze * (channels(self.light.haze) - colors)
        under = self.rgb[stencil.box]
        colors -= under
        colors *= stencil.cover if opacity == 1.0 else opacity * stencil.cover
        under += colors
        if object is not None:
            self._label(stencil, (object, part, subpart, material))

    def shade(self, shapes: Sequence[Points | Stroke], darkness: float, blur: float) -> None:
        """Darkens softly, as a cast shadow does, whatever lies there; labels stay.

        Args:
            shapes: where, as in `draw`.
            darkness: share of the light that is taken away in the middle.
            blur: softness of the border in picture pixels.
        """
        stencil = make_stencil(shapes, margin=2 * blur)
        if stencil is not None:
            self.rgb[stencil.box] *= 1 - darkness * blurred(stencil.cover, blur)

    def _label(self, stencil: Stencil, labels: tuple[str | None, ...]) -> None:
        for name, label in zip(MAPS, labels, strict=True):
            self.maps[name][stencil.cell_box][stencil.cells] = NUMBERS[label] if label else 0


def make_stencil(shapes: Sequence[Points | Stroke], margin: float = 0.0) -> Stencil | None:
    """Rasterises the union of shapes; None where it is outside, or smaller than a pixel."""
    outlines = [(s.points, s.width) if isinstance(s, Stroke) else (s, 0.0) for s in shapes]
    margin += max(width for _, width in outlines)
    points = outlines[0][0] if len(outlines) == 1 else np.concatenate([p for p, _ in outlines])
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    if max(high - low) < 1.0:
        return None
    left, top = (_CELL * int(min(max(v, 0), IMAGE_SIZE) // _CELL) for v in low)
    right, bottom = (-_CELL * int(-min(max(v, 0), IMAGE_SIZE) // _CELL) for v in high)
    if right <= left or bottom <= top:
        return None
    fine = Image.new("L", ((right - left) * _FINE, (bottom - top) * _FINE))
    pen = ImageDraw.Draw(fine)
    origin = np.array([left, top])
    for points, width in outlines:
        # Pillow's coordinates are the centres of pixels, ours their upper left corners.
        xy = ((points - origin) * _FINE - 0.5).ravel().tolist()
        if width:
            pen.line(xy, fill=255, width=max(1, round(width * _FINE)), joint="curve")
        else:
            pen.polygon(xy, fill=255)
    cover = np.asarray(fine.reduce(_FINE), np.float32)
    cover *= 1 / 255
    # Pillow's nearest neighbour takes the fine pixel at each cell's centre.
    sampled = fine.resize((fine.width // (_FINE * _CELL), fine.height // (_FINE * _CELL)), _NEAREST)
    return Stencil(top, left, cover, np.asarray(sampled) > 0)


def channels(color: RGB) -> Float32[np.ndarray, "rgb 1 1"]:
    """A colour that spreads over `Channels`."""
    return np.array(color, np.float32)[:, None, None]


def blurred(values: Float32[np.ndarray, "y x"], radius: float) -> Float32[np.ndarray, "y x"]:
    """The mean over a square of half width `radius`, of values in [0, 1] kept to 8 bits."""
    soft = Image.fromarray((values * 255).astype(np.uint8))
    return np.asarray(soft.filter(ImageFilter.BoxBlur(radius)), np.float32) * (1 / 255)
