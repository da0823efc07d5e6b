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


class Pen:
    """Draws one object on a canvas.

    Attributes:
        canvas: what it draws on.
        object: the label of the object.
        size: the object's nominal height in picture pixels.
        rng: the canvas's source of chance.
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
    ) -> None:
        self.canvas, self.object, self.size, self.rng = canvas, object, size, canvas.rng
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
        on: str | None = None,
        material: str | None = None,
    ) -> None:
        """Paints the union of outlines as the object, or a part of it, or a part on a part.

        Args:
            outlines: polygons and strokes in the object's frame.
            paint: gives the colours.
            part: the part they are.
            on: a part of the part that lies there already, which stays.
            material: what they are made of.
        """
        self.canvas.draw(
            self._placed(outlines),
            paint,
            object=self.object,
            part=part,
            subpart=on,
            material=material,
            haze=self._haze,
        )

    def mark(
        self, outlines: Outline | Sequence[Outline], paint: Paint, opacity: float = 1.0
    ) -> None:
        """Paints details on what is labelled already."""
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


def polygon(*points: tuple[float, float]) -> Points:
    """A polygon through its corners."""
    return np.array(points, dtype=np.float64)


def box(left: float, bottom: float, right: float, top: float) -> Points:
    """An upright rectangle."""
    return polygon((left, bottom), (right, bottom), (right, top), (left, top))


def ellipse(x: float, y: float, rx: float, ry: float | None = None, turn: float = 0.0) -> Points:
    """An ellipse, turned by `turn` radians; a circle where `ry` is None."""
    angle = np.arange(36) * (2 * pi / 36)
    points = np.stack([rx * np.cos(angle), (rx if ry is None else ry) * np.sin(angle)], axis=1)
    turned = points @ np.array([[cos(turn), sin(turn)], [-sin(turn), cos(turn)]])
    return np.asarray(turned + (x, y), dtype=np.float64)


def smooth(*points: tuple[float, float], steps: int = 6) -> Points:
    """A closed smooth outline through points (Catmull-Rom)."""
    p1 = np.array(points, dtype=np.float64)
    p0, p2, p3 = np.roll(p1, 1, axis=0), np.roll(p1, -1, axis=0), np.roll(p1, -2, axis=0)
    t = (np.arange(steps) / steps)[None, :, None]
    a, b, c, d = (p[:, None, :] for p in (p0, p1, p2, p3))
    curve = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
    return np.asarray(curve.reshape(-1, 2), dtype=np.float64)


def line(width: float, *points: tuple[float, float]) -> Stroke:
    """A line through points."""
    return Stroke(polygon(*points), width)


def limb(width: float, *points: tuple[float, float]) -> list[Outline]:
    """A line with round ends."""
    return [line(width, *points), ellipse(*points[0], width / 2), ellipse(*points[-1], width / 2)]


def flat(color: tuple[float, float, float]) -> Paint:
    """A paint without shading, for small details."""
    return surface(color, fade=0.0, relief=0.0)
