"""The stage: a place seen by a camera, with things standing about in it.

The camera looks level, so a thing whose foot is at row `y` is seen at (y - horizon) / eye picture
pixels a metre: sizes, distances and the horizon always fit together.
"""

from __future__ import annotations

import numpy as np

from net2vec.data.diorama.canvas import RGB, Canvas, Light, Paint, Points
from net2vec.data.diorama.materials import sky
from net2vec.data.diorama.objects import OBJECTS, Pen
from net2vec.data.diorama.objects.pen import Outline, polygon

SIZE = 224.0

_METRES = {
    "airplane": 5.5, "bicycle": 1.05, "bird": 0.4, "boat": 7.0, "bottle": 0.3, "building": 14.0,
    "bus": 3.1, "cabinet": 1.1, "cactus": 2.4, "car": 1.5, "carpet": 0.8, "chair": 0.95,
    "clock": 0.4, "coral": 0.5, "cow": 1.5, "cup": 0.11, "curtain": 2.0, "dog": 0.65, "fence": 1.1,
    "fish": 0.25, "flower": 0.6, "horse": 1.8, "house": 6.0, "kettle": 0.28, "lamp": 1.5,
    "lighthouse": 16.0, "oven": 0.9, "painting": 0.6, "palm": 6.0, "person": 1.75, "plant": 0.9,
    "refrigerator": 1.8, "rock": 0.9, "seaweed": 0.9, "sheep": 0.9, "sofa": 0.9,
    "streetlight": 4.5, "table": 0.75, "television": 0.75, "tree": 7.0, "umbrella": 2.2,
    "windmill": 11.0, "windowpane": 1.2,
}  # fmt: skip
"""Usual height of each object, in metres."""


class Stage:
    """A scene in the making.

    Attributes:
        canvas: what it is painted on.
        rng: the picture's source of chance.
        horizon: row of the horizon, in picture pixels.
        eye: height of the camera above the ground, in metres.
        guest: a rare object that this picture has to show, if any.
    """

    def __init__(
        self,
        light: Light,
        rng: np.random.Generator,
        *,
        horizon: tuple[float, float],
        eye: tuple[float, float],
        guest: str | None,
    ) -> None:
        self.canvas, self.rng, self.guest = Canvas(light, rng), rng, guest
        self.horizon = float(rng.uniform(*horizon))
        self.eye = float(rng.uniform(*eye))
        self._waiting: list[tuple[float, Pen]] = []

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        """A number drawn evenly."""
        return float(self.rng.uniform(low, high))

    def metre(self, y: float) -> float:
        """Picture pixels a metre for what stands at row `y`."""
        return max(y - self.horizon, 1.0) / self.eye

    def put(
        self,
        name: str,
        x: float,
        y: float,
        *,
        lift: float = 0.0,
        size: float | None = None,
        grow: float = 1.0,
        mirror: bool | None = None,
        depth: float | None = None,
        style: int | None = None,
    ) -> None:
        """Stands an object on the stage; `perform` draws it.

        Args:
            name: which object.
            x: column of its foot.
            y: row of the ground it stands on.
            lift: how far above that ground its foot is, in metres.
            size: its height in picture pixels, where not the one its distance gives.
            grow: factor on its height.
            mirror: whether it looks the other way; None leaves it to chance.
            depth: row that decides what it hides, where not `y`.
            style: objects of the same style look alike; None leaves the looks to chance.
        """
        if size is None:
            size = _METRES[name] * self.metre(y) * self.between(0.88, 1.12)
        flipped = self.chance(0.5) if mirror is None else mirror
        away = float(np.exp(-(y - self.horizon) / 16.0)) if y > self.horizon else 0.0
        pen = Pen(
            self.canvas,
            name,
            x,
            y - lift * self.metre(y),
            size * grow,
            mirror=flipped,
            haze=0.55 * away,
            aloft=y < self.horizon,
            style=style,
        )
        self._waiting.append((y if depth is None else depth, pen))

    def scatter(
        self,
        name: str,
        count: tuple[int, int],
        rows: tuple[float, float],
        columns: tuple[float, float] = (8.0, 216.0),
        *,
        chance: float = 1.0,
        size: float | None = None,
        grow: float = 1.0,
    ) -> None:
        """Stands several of one object at random places.

        Args:
            name: which object.
            count: fewest and most of them.
            rows: highest and lowest row of their feet.
            columns: leftmost and rightmost column.
            chance: probability that there are any.
            size: as for `put`.
            grow: as for `put`.
        """
        if not self.chance(chance):
            return
        number = int(self.rng.integers(count[0], count[1] + 1))
        # Spread over the columns, so that they seldom stand in one another.
        width = (columns[1] - columns[0]) / max(number, 1.0)
        for i in self.rng.permutation(number).tolist():
            x = columns[0] + (i + self.between(0.15, 0.85)) * width
            self.put(name, x, self.between(*rows), size=size, grow=grow)

    def perform(self) -> Canvas:
        """Draws all that stands on the stage, far things first."""
        for _, pen in sorted(self._waiting, key=lambda waiting: waiting[0]):
            OBJECTS[pen.object](pen)
        self._waiting.clear()
        return self.canvas

    def lay(
        self,
        outline: Outline,
        paint: Paint,
        name: str,
        material: str | None = None,
        *,
        haze: float = 0.0,
    ) -> None:
        """Paints a part of the place itself, outline in picture pixels."""
        self.canvas.draw([outline], paint, object=name, material=material, haze=haze)

    def mark(self, paint: Paint, *outlines: Outline, opacity: float = 1.0) -> None:
        """Paints on the place without a label, outlines in picture pixels."""
        self.canvas.draw(outlines, paint, opacity=opacity)

    def sky(self, top: RGB, bottom: RGB, cloud: RGB, amount: float) -> None:
        """Hangs the sky, down to a little below the horizon."""
        down = self.horizon + 16  # hidden by what stands on the horizon
        self.lay(strip(0.0, down), sky(top, bottom, cloud, amount, down), "sky")

    def ridge(self, y: float, height: float, rough: float, *, down: float = 12.0) -> Points:
        """The outline of hills, about `height` above row `y` and down to `down` rows below it."""
        x = np.linspace(-8, SIZE + 8, 49)
        waves = sum(
            a * np.sin(x / SIZE * f * 6.28 + p)
            for a, f, p in zip(
                (1.0, 0.5, rough, 0.6 * rough, 0.4 * rough),
                self.rng.uniform((0.3, 0.9, 2, 5, 9), (0.9, 2, 4, 9, 16)),
                self.rng.uniform(0, 6.28, 5),
                strict=True,
            )
        )
        crest = np.minimum(y - height * (0.55 + 0.3 * np.asarray(waves)), y)
        base = [[SIZE + 8, y + down], [-8.0, y + down]]
        return np.concatenate([np.stack([x, crest], axis=1), base])


def strip(top: float, bottom: float) -> Outline:
    """The full width of the picture between two rows."""
    return polygon((-2.0, top), (SIZE + 2, top), (SIZE + 2, bottom), (-2.0, bottom))
