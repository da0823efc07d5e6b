"""Rooms."""

from __future__ import annotations

import numpy as np

from net2vec.data.diorama.canvas import Canvas, Light
from net2vec.data.diorama.materials import dim, ground, mix, pick, surface
from net2vec.data.diorama.scenes.stage import SIZE, Stage, strip


def _room(rng: np.random.Generator, guest: str | None, hues: str) -> tuple[Stage, float]:
    """A back wall, a floor and mostly a ceiling.

    Args:
        rng: the picture's source of chance.
        guest: as for every scene.
        hues: colours a plastered wall may have.

    Returns:
        The stage, and the row where the wall meets the floor.
    """
    side = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 0.9))
    outside = mix((214.0, 228.0, 240.0), (246.0, 196.0, 150.0), float(rng.random() ** 2))
    tint = (1.03, 0.99, float(rng.uniform(0.88, 0.98)))
    light = Light(side, float(rng.uniform(0.3, 0.8)), tint, outside)
    stage = Stage(light, rng, horizon=(76.0, 100.0), eye=(1.3, 1.6), guest=guest)
    corner = stage.between(150.0, 174.0)
    _wall(stage, corner, hues)
    _floor(stage, corner)
    stage.mark(surface((232.0, 228.0, 220.0), relief=0.2), strip(corner - 5, corner))
    stage.canvas.shade([strip(corner - 1, corner + 5)], 0.25, 3.0)
    return stage, corner


def _wall(stage: Stage, corner: float, hues: str) -> None:
    kind, material = stage.rng.random(), None
    if kind < 0.15:
        color, material = (158.0, 90.0, 70.0), "brick"
        paint = surface(
            color,
            "brick",
            contrast=0.18,
            scale=1.8,
            joint=(190.0, 182.0, 172.0),
            relief=0.0,
            fade=0.3,
        )
    elif kind < 0.27:
        color, material = pick(stage.rng, "brown tan cream white"), "wood"
        paint = surface(
            color,
            "planks",
            contrast=0.12,
            upright=True,
            joint=dim(color, 0.5),
            relief=0.0,
            fade=0.3,
        )
    else:
        color = mix(pick(stage.rng, hues), (236.0, 230.0, 220.0), 0.3)
        paint = surface(color, "noise", contrast=0.025, relief=0.0, fade=0.35)
    stage.lay(strip(0.0, corner), paint, "wall", material)
    top = corner - 2.6 * stage.metre(corner)
    if top > 2:
        stage.lay(strip(0.0, top), surface((236.0, 234.0, 228.0), relief=0.0), "ceiling")


def _floor(stage: Stage, corner: float) -> None:
    rng, kind = stage.rng, stage.rng.random()
    if kind < 0.6:
        color = mix(pick(rng, "brown tan brown grey cream", 20.0), (150.0, 110.0, 76.0), 0.4)
        texture, material, contrast, joint = "planks", "wood", 0.14, dim(color, 0.5)
    elif kind < 0.85:
        color = pick(rng, "white grey cream teal tan")
        texture, material, contrast, joint = "tiles", "stone", 0.06, dim(color, 0.6)
    else:
        color = pick(rng, "red blue green grey purple cream brown pink")
        texture, material, contrast, joint = "fabric", "fabric", 0.12, None
    far = dim(color, 0.85)
    paint = ground(
        color, texture, stage.horizon, contrast=contrast, scale=1.2, far=far, joint=joint
    )
    stage.lay(strip(corner, SIZE), paint, "floor", material)


def _window(stage: Stage, x: float, corner: float) -> None:
    lift = stage.between(0.8, 1.0)
    stage.put("windowpane", x, corner, lift=lift, grow=1.1, depth=corner - 9)
    if stage.chance(0.65):
        style, width = int(stage.rng.integers(1 << 30)), 0.85 * stage.metre(corner)
        for place in (x - width, x + width):
            stage.put("curtain", place, corner, lift=0.15, depth=corner - 8, style=style)


def _stand_on(stage: Stage, x: float, y: float, height: float, names: str) -> None:
    """Stands up to three things on a table whose top is `height` metres above the floor."""
    choices = names.split()
    for i in range(int(stage.rng.integers(0, 4))):
        name = choices[int(stage.rng.integers(len(choices)))]
        shift = (i - 1) * 0.3 * stage.metre(y)
        grow = 0.5 if name == "plant" else 1.3
        stage.put(name, x + shift, y, lift=height, grow=grow, depth=y + 0.1 + 0.1 * i)


def living_room(rng: np.random.Generator, guest: str | None) -> Canvas:
    """A sofa, a lamp, a window, things on the walls."""
    stage, corner = _room(rng, guest, "cream white yellow green blue pink grey orange teal purple")
    first, second, third = rng.permutation([44.0, 112.0, 180.0]).tolist()
    lift = stage.between(1.4, 1.6)
    if stage.chance(0.6):
        _window(stage, first, corner)
    if stage.chance(0.7):
        stage.put("painting", second, corner, lift=lift, depth=corner - 7, mirror=False)
    if guest:
        stage.put(guest, third, corner, lift=lift + 0.2, depth=corner - 6, mirror=False)
    if stage.chance(0.5):
        x, y, size = (
            stage.between(80.0, 144.0),
            stage.between(210.0, 220.0),
            stage.between(26.0, 42.0),
        )
        stage.put("carpet", x, y, size=size, depth=corner)
    stage.scatter("sofa", (1, 1), (corner + 8, corner + 20), (20.0, 204.0), grow=1.1, chance=0.75)
    if stage.chance(0.4):
        stage.put("cabinet", third, corner + 4, grow=0.6, mirror=False)
        stage.put("television", third, corner + 4, lift=0.64, depth=corner + 5, mirror=False)
    stage.scatter("lamp", (1, 1), (corner + 3, corner + 10), chance=0.6)
    stage.scatter("plant", (1, 2), (corner + 4, corner + 16), (-20.0, 244.0), grow=1.2, chance=0.55)
    if stage.chance(0.5):
        x, y = stage.between(60.0, 164.0), stage.between(196.0, 212.0)
        stage.put("table", x, y, grow=0.6)
        _stand_on(stage, x, y, 0.46, "cup bottle plant cup")
    stage.scatter("chair", (1, 1), (corner + 20, 208.0), (0.0, 224.0), chance=0.35)
    stage.scatter("dog", (1, 1), (corner + 30, 212.0), chance=0.2)
    stage.scatter("person", (1, 1), (corner + 12, 200.0), chance=0.2)
    return stage.perform()


_UNITS = {"cabinet": (1.0, 0.9), "oven": (0.81, 0.9), "refrigerator": (0.92, 1.85)}
"""Width and height of a kitchen's units, in metres."""


def kitchen(rng: np.random.Generator, guest: str | None) -> Canvas:
    """A row of kitchen units, a table, cups and kettles."""
    stage, corner = _room(rng, guest, "white cream yellow green blue grey orange teal")
    metre, style = stage.metre(corner + 4), int(rng.integers(1 << 30))
    if stage.chance(0.5):
        tile = pick(rng, "white teal blue cream green")
        paint = surface(tile, "tiles", contrast=0.06, scale=2.0, joint=dim(tile, 0.7), relief=0.0)
        stage.mark(paint, strip(corner - 1.5 * metre, corner - 0.85 * metre))
    x = stage.between(-20.0, 20.0)
    for name in rng.permutation(["cabinet", "oven", "cabinet", "refrigerator", "cabinet"]).tolist():
        width, height = (metre * side for side in _UNITS[name])
        middle = x + width / 2
        stage.put(name, middle, corner + 4, size=height, mirror=False, style=style)
        if name == "cabinet":
            _above(stage, middle, corner, metre, style)
            _stand_on(stage, middle, corner + 4, 0.9, "cup bottle kettle plant bottle")
        elif name == "oven" and stage.chance(0.6):
            stage.put("kettle", middle, corner + 4, lift=0.9, depth=corner + 5, grow=1.2)
        x += width * 1.02
    if guest:
        x, lift = stage.between(40.0, 184.0), stage.between(1.75, 2.0)
        stage.put(guest, x, corner, lift=lift, depth=corner - 2, mirror=False)
    if stage.chance(0.6):
        x, y = stage.between(60.0, 164.0), stage.between(200.0, 216.0)
        if stage.chance(0.7):
            stage.put("chair", x + stage.between(-60.0, -30.0), y - 6)
        stage.put("table", x, y)
        _stand_on(stage, x, y, 0.77, "cup bottle kettle cup")
    stage.scatter("person", (1, 1), (corner + 14, 204.0), chance=0.25)
    return stage.perform()


def _above(stage: Stage, x: float, corner: float, metre: float, style: int) -> None:
    """Draws a cabinet, a window or nothing above a kitchen unit."""
    kind = stage.rng.random()
    if kind < 0.5:
        size, y = 0.7 * metre, corner - 1.5 * metre
        stage.put("cabinet", x, y, size=size, depth=corner, mirror=False, style=style)
    elif kind < 0.75:
        stage.put("windowpane", x, corner, lift=1.15, size=0.95 * metre, depth=corner - 3)
