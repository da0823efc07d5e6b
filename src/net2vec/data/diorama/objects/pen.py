"""The pen that objects are drawn with, and the outlines it draws.

An object is drawn in a frame of its own: x to the right, y up, its foot at the origin and its
nominal height 1. The pen places, mirrors, tilts and sizes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi, sin
from typing import TypeAlias

import numpy as np

from net2vec.data.diorama.canvas import Canvas, Paint, Points, Stroke
from net2vec.data.diorama.materials import surface

Outline: TypeAlias = Points | Stroke

_ANGLES = np.arange(32) * (2 * pi / 32)
_CIRCLE = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
# Row k: weights of four neighbours in the coefficient of t ** k between the middle two.
_CATMULL_ROM = 0.5 * np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]])


class Pen:
    """Draws one object on a canvas.

    Attributes:
        canvas: what it draws on.
        object: the label of the object.
        size: the object's nominal height in picture pixels.
        aloft: whether the object is in the air.
        rng: the source of the object's looks: its own where it has a style, so that objects of one
            style look alike, else the canvas's.
    """

    def __init__(
        self,
        canvas: Canvas,
        object: str,
        x: float,
        y: float,
        size: float,
        *,
        mirror: bool = False,
        tilt: float = 0.0,
        haze: float = 0.0,
        aloft: bool = False,
        style: int | None = None,
    ) -> None:
        self.aloft = aloft
        self.canvas, self.object, self.size, self.rng = canvas, object, size, canvas.rng
        if style is not None:
            self.rng = np.random.default_rng(style)
        self._foot = np.array([x, y])
        self._haze = haze
        turn = np.array([[cos(tilt), -sin(tilt)], [sin(tilt), cos(tilt)]])
        flip = np.diag([-1.0 if mirror else 1.0, 1.0])
        # Picture rows count downwards.
        self._frame = size * (np.diag([1.0, -1.0]) @ turn @ flip).T

    def draw(
        self,
        outlines: Outline | Sequence[Outline],
        paint: Paint,
        part: str | None = None,
        *,
        of: str | None = None,
        material: str | None = None,
    ) -> None:
        """Paints the union of outlines as the object, or a part of it, or a part of that.

        Args:
            outlines: polygons and strokes in the object's frame.
            paint: gives the colours.
            part: the part they are.
            of: the larger part that this one belongs to, as a handle to a door.
            material: what they are made of.
        """
        self.canvas.draw(
            self._placed(outlines),
            paint,
            object=self.object,
            part=of or part,
            subpart=part if of else None,
            material=material,
            haze=self._haze,
        )

    def mark(
        self, outlines: Outline | Sequence[Outline], paint: Paint, opacity: float = 1.0
    ) -> None:
        """Paints details on what is labelled, none where finer than pixels."""
        if self.size < 20:
            return
        self.canvas.draw(self._placed(outlines), paint, opacity=opacity, haze=self._haze)

    def shadow(self, width: float, depth: float = 0.08, x: float = 0.0) -> None:
        """Casts the object's shadow on the ground it stands on.

        Args:
            width: of the shadow, in the object's frame.
            depth: half of its height on the picture, likewise.
            x: of its middle, likewise.
        """
        light = self.canvas.light
        away = -light.side * light.strength * width * 0.25
        outline = self._placed(ellipse(x, 0.0, width / 2, depth))
        outline = [
            o + np.array([away * self.size, 0.0]) for o in outline if not isinstance(o, Stroke)
        ]
        darkness = 0.3 + 0.3 * light.strength
        self.canvas.shade(outline, darkness, 1.0 + depth * self.size * 0.35)

    def _placed(self, outlines: Outline | Sequence[Outline]) -> list[Outline]:
        if isinstance(outlines, np.ndarray | Stroke):
            outlines = [outlines]
        return [
            Stroke(o.points @ self._frame + self._foot, o.width * self.size)
            if isinstance(o, Stroke)
            else o @ self._frame + self._foot
            for o in outlines
        ]


def polygon(*points: Sequence[float]) -> Points:
    """A polygon through its corners."""
    return np.array(points, dtype=np.float64)


def box(left: float, bottom: float, right: float, top: float) -> Points:
    """An upright rectangle."""
    return polygon((left, bottom), (right, bottom), (right, top), (left, top))


def ellipse(x: float, y: float, rx: float, ry: float | None = None, turn: float = 0.0) -> Points:
    """An ellipse, turned by `turn` radians; a circle where `ry` is None."""
    points = _CIRCLE * (rx, rx if ry is None else ry)
    if turn:
        points = points @ np.array([[cos(turn), sin(turn)], [-sin(turn), cos(turn)]])
    return np.add(points, (x, y))


def smooth(*points: Sequence[float], steps: int = 6) -> Points:
    """A closed smooth outline (Catmull-Rom) through points, with `steps` corners for each."""
    at = np.array(points, dtype=np.float64)
    near = np.stack([np.roll(at, shift, axis=0) for shift in (1, 0, -1, -2)], axis=1)
    t = (np.arange(steps) / steps)[:, None]
    return np.asarray((t ** np.arange(4) @ _CATMULL_ROM @ near).reshape(-1, 2))


def line(width: float, *points: Sequence[float]) -> Stroke:
    """A line through points."""
    return Stroke(polygon(*points), width)


def limb(width: float, *points: tuple[float, float]) -> list[Outline]:
    """A line with round ends."""
    return [line(width, *points), ellipse(*points[0], width / 2), ellipse(*points[-1], width / 2)]


def flat(color: tuple[float, float, float]) -> Paint:
    """A paint without shading, for small details."""
    return surface(color, fade=0.0, relief=0.0)
