"""Rooms."""

from __future__ import annotations

import numpy as np

from net2vec.data.diorama.canvas import RGB, Canvas, Light
from net2vec.data.diorama.materials import dim, ground, mix, pick, surface
from net2vec.data.diorama.scenes.stage import SIZE, Stage, rows


def _room(rng: np.random.Generator, guest: str | None, walls: str) -> tuple[Stage, float]:
    """A back wall, a floor and a ceiling; returns the stage and the row where wall meets floor."""
    warm = float(rng.random())
    tint = (1.03, 0.99, 0.88 + 0.1 * warm)
    side = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.3, 0.9))
    sky_color: RGB = mix((214, 228, 240), (246, 196, 150), float(rng.random() ** 2))
    stage = Stage(
        Light(side, float(rng.uniform(0.3, 0.8)), tint, sky_color),
        rng,
        horizon=(76, 100),
        eye=(1.3, 1.6),
        guest=guest,
    )
    corner = stage.between(150, 174)
    wall_color = pick(rng, walls)
    kind = rng.random()
    if kind < 0.15:
        wall = surface(
            (158, 90, 70),
            "brick",
            contrast=0.18,
            scale=1.8,
            joint=(190, 182, 172),
            relief=0,
            fade=0.3,
        )
        stage.lay(rows(0, corner), wall, "wall", "brick")
    elif kind < 0.27:
        wall = surface(
            pick(rng, "brown tan cream white"),
            "planks",
            contrast=0.15,
            scale=1.4,
            upright=True,
            joint=(70, 54, 40),
            relief=0,
            fade=0.3,
        )
        stage.lay(rows(0, corner), wall, "wall", "wood")
    else:
        stage.lay(
            rows(0, corner),
            surface(
                mix(wall_color, (236, 230, 220), 0.3), "noise", contrast=0.025, relief=0, fade=0.35
            ),
            "wall",
        )
    top = corner - 2.6 * stage.metre(corner)
    if top > 2:
        stage.lay(rows(0, top), surface((236, 234, 228), relief=0), "ceiling")
    color = mix(pick(rng, "brown tan brown grey cream", 20), (150, 110, 76), 0.4)
    if stage.chance(0.6):
        stage.lay(
            rows(corner, SIZE),
            ground(
                color,
                "planks",
                stage.horizon,
                contrast=0.2,
                scale=1.3,
                far=dim(color, 0.85),
                joint=dim(color, 0.5),
            ),
            "floor",
            "wood",
        )
    elif stage.chance(0.6):
        color = pick(rng, "white grey cream teal tan")
        stage.lay(
            rows(corner, SIZE),
            ground(
                color,
                "tiles",
                stage.horizon,
                contrast=0.06,
                scale=1.2,
                far=dim(color, 0.85),
                joint=dim(color, 0.6),
            ),
            "floor",
            "stone",
        )
    else:
        color = pick(rng, "red blue green grey purple cream brown pink")
        stage.lay(
            rows(corner, SIZE),
            ground(color, "fabric", stage.horizon, contrast=0.12, far=dim(color, 0.85)),
            "floor",
            "fabric",
        )
    stage.mark(rows(corner - 5, corner), surface((232, 228, 220), relief=0.2))
    stage.canvas.shade([rows(corner - 1, corner + 5)], 0.25, 3)
    return stage, corner


def _window(stage: Stage, x: float, corner: float) -> None:
    stage.put("windowpane", x, corner, lift=stage.between(0.8, 1.0), grow=1.1, depth=corner - 9)
    if stage.chance(0.65):
        width = 0.85 * stage.metre(corner)
        for side in (-1, 1):
            stage.put(
                "curtain", x + side * width, corner, lift=0.15, mirror=side > 0, depth=corner - 8
            )


def living_room(rng: np.random.Generator, guest: str | None) -> Canvas:
    """A sofa, a lamp, a window, things on the walls."""
    stage, corner = _room(rng, guest, "cream white yellow green blue pink grey orange teal purple")
    places = rng.permutation([44.0, 112.0, 180.0]).tolist()
    if stage.chance(0.6):
        _window(stage, places[0], corner)
    if stage.chance(0.7):
        stage.put(
            "painting",
            places[1],
            corner,
            lift=stage.between(1.35, 1.6),
            depth=corner - 7,
            mirror=False,
        )
    if guest:
        stage.put(
            guest, places[2], corner, lift=stage.between(1.4, 1.8), depth=corner - 6, mirror=False
        )
    if stage.chance(0.5):
        y = corner + stage.between(14, 26)
        stage.put(
            "carpet",
            stage.between(80, 144),
            SIZE - stage.between(4, 14),
            size=stage.between(26, 42),
            depth=y - 20,
        )
    if stage.chance(0.75):
        stage.put("sofa", stage.between(60, 164), corner + stage.between(8, 20), grow=1.1)
    if stage.chance(0.4):
        x = places[2]
        stage.put("cabinet", x, corner + 4, grow=0.6, mirror=False)
        stage.put("television", x, corner + 4, lift=0.64, depth=corner + 4.5, mirror=False)
    if stage.chance(0.6):
        stage.put("lamp", places[1] + stage.between(-50, 50), corner + stage.between(3, 10))
    if stage.chance(0.55):
        stage.put("plant", float(rng.choice([18, 206])), corner + stage.between(4, 16), grow=1.2)
    if stage.chance(0.5):
        x, y = stage.between(60, 164), stage.between(196, 212)
        stage.put("table", x, y, grow=0.6)
        _on_table(stage, x, y, 0.46, "cup bottle plant cup")
    if stage.chance(0.35):
        stage.put(
            "chair",
            float(rng.choice([30, 190])) + stage.between(-12, 12),
            stage.between(corner + 20, 205),
        )
    if stage.chance(0.2):
        stage.put("dog", stage.between(30, 194), stage.between(corner + 30, 212), grow=0.9)
    if stage.chance(0.2):
        stage.put("person", stage.between(30, 194), stage.between(corner + 12, 200))
    return stage.perform()


def _on_table(stage: Stage, x: float, y: float, height: float, names: str) -> None:
    """Stands up to three things on a table whose top is `height` metres above the floor."""
    choices = names.split()
    for i in range(int(stage.rng.integers(0, 4))):
        name = choices[int(stage.rng.integers(len(choices)))]
        shift = (i - 1) * 0.3 * stage.metre(y)
        grow = 0.5 if name == "plant" else 1.3
        stage.put(name, x + shift, y, lift=height, grow=grow, depth=y + 0.1 + 0.1 * i)


def kitchen(rng: np.random.Generator, guest: str | None) -> Canvas:
    """A row of kitchen units, a table, cups and kettles."""
    stage, corner = _room(rng, guest, "white cream yellow green blue grey orange teal")
    m = stage.metre(corner + 4)
    if stage.chance(0.5):
        tile = pick(rng, "white teal blue cream green")
        low, high = corner - 1.5 * m, corner - 0.85 * m
        stage.mark(
            rows(low, high),
            surface(tile, "tiles", contrast=0.06, scale=2, joint=dim(tile, 0.7), relief=0),
        )
    x, style = stage.between(-20, 20), int(rng.integers(1 << 30))
    units = ["cabinet", "oven", "cabinet", "refrigerator", "cabinet"]
    window_done = False
    for name in (units[i] for i in rng.permutation(len(units))):
        if x > SIZE:
            break
        wide = {"cabinet": 1.0, "oven": 0.81, "refrigerator": 0.92}[name] * m
        tall = {"cabinet": 0.9, "oven": 0.9, "refrigerator": 1.85}[name] * m
        grow = 1.0
        stage.put(name, x + wide / 2, corner + 4, size=tall, grow=grow, mirror=False, style=style)
        if name == "cabinet":
            middle = x + wide / 2
            if stage.chance(0.5):
                stage.put(
                    "cabinet",
                    middle,
                    corner - 1.5 * m,
                    size=0.7 * m,
                    depth=corner,
                    mirror=False,
                    style=style,
                )
            elif not window_done and stage.chance(0.6):
                stage.put("windowpane", middle, corner, lift=1.15, size=0.95 * m, depth=corner - 3)
                window_done = True
            for shift in (-0.3, 0.05, 0.33):
                if stage.chance(0.5):
                    thing = ("cup", "bottle", "kettle", "plant", "bottle")[int(rng.integers(5))]
                    stage.put(
                        thing,
                        middle + shift * m,
                        corner + 4,
                        lift=0.9,
                        grow=0.4 if thing == "plant" else 1.1,
                        depth=corner + 5,
                    )
        elif name == "oven" and stage.chance(0.6):
            stage.put("kettle", x + wide / 2, corner + 4, lift=0.9, depth=corner + 5, grow=1.2)
        x += wide * 1.02
    if guest:
        stage.put(
            guest,
            stage.between(40, 184),
            corner,
            lift=stage.between(1.75, 2.0),
            depth=corner - 2,
            mirror=False,
        )
    if stage.chance(0.6):
        tx, ty = stage.between(60, 164), stage.between(200, 216)
        if stage.chance(0.7):
            stage.put("chair", tx + stage.between(-60, -30), ty - 6)
        stage.put("table", tx, ty)
        _on_table(stage, tx, ty, 0.77, "cup bottle kettle cup")
    if stage.chance(0.25):
        stage.put("person", stage.between(30, 194), stage.between(corner + 14, 204))
    return stage.perform()
