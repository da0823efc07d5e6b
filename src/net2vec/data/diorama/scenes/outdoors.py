"""Places under the sky, and one under the water."""

from __future__ import annotations

import numpy as np

from net2vec.data.diorama.canvas import RGB, Canvas, Light
from net2vec.data.diorama.materials import dim, ground, mix, pick, sky, surface
from net2vec.data.diorama.objects.pen import ellipse, flat, polygon
from net2vec.data.diorama.scenes.stage import SIZE, Stage, daylight, rows


def _open_air(
    rng: np.random.Generator,
    guest: str | None,
    horizon: tuple[float, float],
    eye: tuple[float, float],
) -> Stage:
    light, heaven = daylight(rng)
    stage = Stage(light, rng, horizon=horizon, eye=eye, guest=guest)
    stage.sky(*heaven)
    return stage


def _grass(stage: Stage) -> RGB:
    green = mix((72, 112, 44), (134, 158, 70), float(stage.rng.random()))
    return mix(green, (188, 166, 92), stage.between(0.5, 0.9)) if stage.chance(0.2) else green


def _sand(stage: Stage) -> RGB:
    return mix((222, 200, 156), pick(stage.rng, "tan orange cream grey"), stage.between(0.0, 0.35))


def _water(stage: Stage) -> RGB:
    deep = pick(stage.rng, "navy teal blue teal grey")
    return mix(deep, stage.canvas.light.haze, stage.between(0.1, 0.35))


def _hills(stage: Stage, y: float, height: float, *, name: str = "mountain") -> None:
    color = mix(pick(stage.rng, "green olive navy grey brown teal"), stage.canvas.light.haze, 0.45)
    paint = surface(color, "noise", contrast=0.12, relief=0.2)
    stage.lay(stage.ridge(y, height, 0.25), paint, name, "stone" if name == "mountain" else None)


def _sea(stage: Stage, top: float, bottom: float) -> None:
    color = _water(stage)
    far = mix(color, stage.canvas.light.haze, 0.35)
    paint = ground(color, "water", stage.horizon - 2, contrast=0.2, scale=0.8, far=far)
    stage.lay(rows(top, bottom), paint, "sea", "water")


def street(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Houses behind a road with its traffic and a pavement."""
    stage = _open_air(rng, guest, (84, 118), (2.4, 4.2))
    h = stage.horizon
    if stage.chance(0.5):
        _hills(stage, h + 6, stage.between(15, 40))
    kerb = h + stage.between(20, 34)
    far_walk = kerb - stage.between(5, 9)
    stage.lay(rows(h + 4, SIZE), ground(_grass(stage), "grass", h), "field", "grass")
    x = stage.between(-50, 0)
    while x < SIZE + 30:
        kind = "building" if stage.chance(0.6) else ("house" if stage.chance(0.7) else "tree")
        width = {"building": 0.6, "house": 1.2, "tree": 0.5}[kind]
        height = stage.between(80, 165) if kind == "building" else stage.between(55, 95)
        foot = far_walk + stage.between(-2, 1)
        stage.put(kind, x + width * height / 2, foot, size=height, mirror=False)
        x += width * height * stage.between(1.0, 1.25)
    stage.perform()
    pave = pick(rng, "grey tan cream")
    walk = ground(pave, "ashlar", h, contrast=0.1, scale=1.5, joint=dim(pave, 0.75))
    stage.lay(rows(far_walk, SIZE), walk, "sidewalk", "stone")
    near = stage.between(186, 214)
    tar = mix((84, 86, 92), (122, 118, 114), float(rng.random()))
    stage.lay(rows(kerb, near), ground(tar, "sand", h, contrast=0.12, scale=1.5), "road")
    for y in (kerb, near):
        stage.mark(rows(y - 0.8, y + 1.2), flat((196, 194, 188)))
    middle = (kerb + near) / 2 - 4
    for x in np.arange(stage.between(-20, 0), SIZE, 44):
        stage.mark(
            polygon((x, middle), (x + 22, middle), (x + 22, middle + 2), (x, middle + 2)),
            flat((232, 228, 206)),
            0.8,
        )
    stage.scatter("streetlight", (0, 2), (kerb - 3, kerb - 1))
    stage.scatter("tree", (0, 2), (kerb - 4, kerb - 1), grow=0.8)
    stage.scatter("person", (0, 3), (kerb - 6, kerb - 1))
    lanes = (kerb + 12, middle - 2), (middle + 16, near - 6)
    for lane in lanes:
        if stage.chance(0.62):
            stage.scatter("car", (1, 2), lane, grow=1.0)
    if guest:
        stage.put(guest, stage.between(60, 164), stage.between(*lanes[0]))
    if stage.chance(0.25):
        stage.scatter("bicycle", (1, 1), lanes[1])
    if stage.chance(0.3):
        stage.scatter("person", (1, 2), (near + 2, near + 12))
    if stage.chance(0.12):
        stage.scatter("dog", (1, 1), (near + 2, near + 10))
    return stage.perform()


def airfield(rng: np.random.Generator, guest: str | None) -> Canvas:
    """An airliner on its runway."""
    stage = _open_air(rng, guest, (86, 122), (3.4, 6.0))
    h = stage.horizon
    if stage.chance(0.6):
        _hills(stage, h + 5, stage.between(10, 34))
    stage.lay(rows(h + 3, SIZE), ground(_grass(stage), "grass", h, scale=1.4), "field", "grass")
    stage.scatter("building", (1, 3), (h + 5, h + 7), size=30.0)
    stage.scatter("tree", (0, 6), (h + 6, h + 9), size=18.0)
    stage.perform()
    top, bottom = h + stage.between(18, 30), stage.between(192, 222)
    stage.lay(rows(top, bottom), ground((128, 128, 128), "sand", h, contrast=0.1), "road")
    for x in np.arange(stage.between(-30, 0), SIZE, 60):
        stage.mark(
            polygon(
                (x, bottom - 12), (x + 30, bottom - 12), (x + 29, bottom - 8), (x - 1, bottom - 8)
            ),
            flat((236, 236, 230)),
            0.9,
        )
    foot = stage.between((top + bottom) / 2, bottom - 14)
    stage.put("airplane", stage.between(80, 144), foot, size=stage.between(40, 62))
    if stage.chance(0.4):
        stage.put("airplane", stage.between(20, 204), top + 4, size=stage.between(18, 26))
    stage.scatter("car", (0, 1), (top + 5, top + 14))
    stage.scatter("person", (0, 2), (bottom - 8, bottom + 8))
    return stage.perform()


def pasture(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Meadows with grazing animals."""
    stage = _open_air(rng, guest, (78, 122), (1.8, 3.6))
    h = stage.horizon
    green = _grass(stage)
    if stage.chance(0.6):
        _hills(stage, h + 8, stage.between(20, 55))
    hill = mix(green, stage.canvas.light.haze, 0.3)
    stage.lay(
        stage.ridge(h + 10, stage.between(4, 22), 0.1),
        surface(hill, "grass", contrast=0.12, relief=0),
        "field",
        "grass",
    )
    stage.lay(rows(h + 6, SIZE), ground(green, "grass", h, contrast=0.3), "field", "grass")
    stage.scatter("tree", (1, 6), (h + 8, h + 22))
    if stage.chance(0.45):
        stage.put("house", stage.between(20, 204), h + stage.between(11, 20))
    if guest:
        stage.put(guest, stage.between(40, 184), h + stage.between(18, 30))
    if stage.chance(0.5):
        y = stage.between(h + 20, h + 40) if stage.chance(0.7) else 214
        stage.put("fence", stage.between(60, 164), y, mirror=False)
    herd = ("cow", "sheep", "horse")[int(rng.integers(3))]
    stage.scatter(herd, (1, 4), (h + 30, 208))
    if stage.chance(0.2):
        stage.scatter(("horse", "cow", "dog")[int(rng.integers(3))], (1, 1), (h + 40, 206))
    if stage.chance(0.3):
        stage.scatter("rock", (1, 2), (h + 30, 212), grow=0.7)
    if stage.chance(0.15):
        stage.scatter("person", (1, 2), (h + 30, 204))
    if stage.chance(0.3):
        stage.scatter("flower", (3, 8), (205, 230), grow=0.8)
    if stage.chance(0.2):
        stage.scatter("bird", (1, 3), (h * 0.6, h * 0.9), size=14.0)
    return stage.perform()


def beach(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Sand, sea and those who enjoy them."""
    stage = _open_air(rng, guest, (70, 112), (1.8, 3.4))
    h = stage.horizon
    if stage.chance(0.45):
        _hills(stage, h + 3, stage.between(10, 36))
    shore = h + stage.between(22, 50)
    _sea(stage, h, shore + 14)
    if guest:
        base = stage.between(30, 194)
        stage.put("rock", base, h + 8, size=16)
        stage.put(guest, base, h + 7, size=stage.between(58, 74), mirror=False)
    stage.scatter("boat", (0, 2), (h + 4, shore - 8), size=stage.between(16, 40))
    stage.perform()
    x = np.linspace(-4, SIZE + 4, 40)
    edge = (
        shore
        + 3 * np.sin(x / stage.between(18, 40) + stage.between(0, 6))
        + stage.between(-0.05, 0.05) * (x - 112)
    )
    border = np.stack([x, edge], axis=1)
    corners = [[SIZE + 4, SIZE], [-4, SIZE]]
    sand = _sand(stage)
    stage.mark(
        np.concatenate([border - (0, 4), corners]),
        surface((240, 244, 244), "noise", contrast=0.1, relief=0),
        0.75,
    )
    stage.lay(
        np.concatenate([border, corners]),
        ground(dim(sand, 0.78), "sand", h, contrast=0.1),
        "ground",
        "sand",
    )
    stage.lay(
        np.concatenate([border + (0, 9), corners]),
        ground(sand, "sand", h, contrast=0.16, far=sand),
        "ground",
        "sand",
    )
    stage.scatter("palm", (0, 2), (shore + 26, 200), grow=0.8)
    if stage.chance(0.5):
        stage.scatter("umbrella", (1, 3), (shore + 18, 204))
    stage.scatter("person", (0, 4), (shore + 12, 212))
    if stage.chance(0.25):
        stage.scatter("rock", (1, 3), (shore + 10, 214), grow=0.7)
    if stage.chance(0.2):
        stage.scatter("dog", (1, 1), (shore + 20, 212))
    if stage.chance(0.4):
        stage.scatter("bird", (1, 3), (h * 0.4, h * 0.9), size=stage.between(9, 24))
    return stage.perform()


def harbor(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Boats before a shore with houses, seen from the quay."""
    stage = _open_air(rng, guest, (66, 104), (3.0, 6.0))
    h = stage.horizon
    _hills(stage, h + 8, stage.between(15, 50), name="mountain" if stage.chance(0.5) else "field")
    _sea(stage, h + 7, SIZE)
    x = stage.between(-10, 30)
    while x < SIZE:
        size = stage.between(18, 34)
        stage.put("house" if stage.chance(0.75) else "tree", x, h + 9, size=size)
        x += size * stage.between(1.0, 1.9)
    if guest:
        stage.put(guest, stage.between(20, 204), h + 10, size=stage.between(60, 84), mirror=False)
    stage.scatter("boat", (2, 5), (h + 22, 190), grow=0.8)
    stage.scatter("boat", (0, 3), (h + 12, h + 20), size=24.0)
    if stage.chance(0.5):
        stage.scatter("bird", (1, 3), (h * 0.3, h), size=stage.between(9, 24))
    stage.perform()
    if stage.chance(0.65):
        quay, wooden = stage.between(192, 208), stage.chance(0.5)
        color = pick(rng, "brown tan") if wooden else pick(rng, "grey tan")
        texture = "planks" if wooden else "ashlar"
        paint = ground(color, texture, h, contrast=0.18, scale=1.2, joint=dim(color, 0.55))
        stage.lay(rows(quay, SIZE), paint, "ground", "wood" if wooden else "stone")
        stage.mark(rows(quay, quay + 2.5), flat(dim(color, 0.6)), 0.8)
        stage.scatter("person", (0, 2), (quay + 6, 222), size=52.0)
        if stage.chance(0.3):
            stage.scatter("bird", (1, 2), (quay + 4, 220), size=18.0)
    return stage.perform()


def forest(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Trees behind trees, a forest floor, perhaps a path."""
    light, heaven = daylight(rng)
    stage = Stage(light, rng, horizon=(96, 128), eye=(1.6, 2.4), guest=guest)
    h = stage.horizon
    stage.sky(*heaven)
    deep = mix((40, 66, 38), light.haze, stage.between(0.15, 0.5))
    stage.lay(
        stage.ridge(h + 8, stage.between(75, 130), 0.35),
        surface(deep, "foliage", contrast=0.3, relief=0),
        "tree",
    )
    mossy = stage.chance(0.55)
    soil = _grass(stage) if mossy else mix((98, 76, 50), (150, 112, 66), float(rng.random()))
    floor = ground(dim(soil, 0.85), "grass" if mossy else "noise", h, contrast=0.35, scale=1.2)
    stage.lay(rows(h + 4, SIZE), floor, "field" if mossy else "ground", "grass" if mossy else None)
    if stage.chance(0.55):
        end, foot, wide = stage.between(80, 144), stage.between(60, 164), stage.between(26, 60)
        path = polygon((end - 3, h + 5), (end + 3, h + 5), (foot + wide, SIZE), (foot - wide, SIZE))
        stage.lay(
            path,
            ground(_sand(stage), "noise", h, contrast=0.2),
            "path",
            "sand" if stage.chance(0.5) else None,
        )
    stage.scatter("tree", (6, 9), (h + 9, h + 20), grow=1.2)
    stage.scatter("tree", (2, 4), (h + 25, h + 50), (-10, 234), grow=1.2)
    if stage.chance(0.4):
        stage.scatter("tree", (1, 2), (h + 60, 205), (-20, 244), grow=1.1)
    if stage.chance(0.45):
        stage.scatter("rock", (1, 3), (h + 25, 215), grow=0.6)
    if stage.chance(0.35):
        stage.scatter("person", (1, 2), (h + 20, 190))
    if stage.chance(0.2):
        stage.scatter("dog", (1, 1), (h + 40, 206))
    if guest:
        stage.put(guest, stage.between(60, 164), stage.between(h + 50, 205))
    if stage.chance(0.25):
        stage.scatter("flower", (2, 6), (200, 228), grow=0.7)
    return stage.perform()


def mountain(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Peaks, mostly with snow, behind a meadow or a lake."""
    stage = _open_air(rng, guest, (110, 146), (1.8, 4.0))
    h = stage.horizon
    haze, rocky = stage.canvas.light.haze, pick(rng, "grey brown navy grey", 20)
    for level, (height, air) in enumerate(
        ((stage.between(70, 105), 0.35), (stage.between(35, 60), 0.15))
    ):
        color = mix(rocky, haze, air)
        ridge = stage.ridge(h + 6, height, 0.32)
        paint = surface(color, "stone", contrast=0.3, scale=0.8, relief=0.25, fade=0.3)
        stage.lay(ridge, paint, "mountain", "stone")
        if level == 0 and stage.chance(0.75):
            crest = np.asarray(ridge)[:49]
            depth = np.clip((h + 6 - crest[:, 1]) * 0.5 - 14, 0, None) * rng.uniform(0.5, 1.3, 49)
            snow = np.concatenate([crest, (crest + np.stack([0 * depth, depth], 1))[::-1]])
            stage.mark(
                snow, surface(mix((246, 248, 252), haze, 0.1), "stone", contrast=0.1, relief=0.4)
            )
    if stage.chance(0.35):
        _sea(stage, h + 5, SIZE)
        bank = stage.between(176, 200)
    else:
        bank = h + 6
    stage.lay(rows(bank, SIZE), ground(_grass(stage), "grass", h), "field", "grass")
    stage.scatter("tree", (3, 9), (max(bank, h + 9), max(bank, h + 9) + 14), grow=0.8)
    if stage.chance(0.3):
        stage.scatter("house", (1, 1), (max(bank, h + 14) + 2, max(bank, h + 14) + 12), grow=0.8)
    stage.scatter("rock", (0, 3), (max(bank, h + 20), 216), grow=0.8)
    if stage.chance(0.3):
        stage.scatter("person", (1, 2), (max(bank, h + 30), 212))
    if stage.chance(0.25):
        stage.scatter("sheep", (1, 3), (max(bank, h + 30), 212))
    if stage.chance(0.25):
        stage.scatter("bird", (1, 2), (h * 0.3, h * 0.8), size=14.0)
    return stage.perform()


def desert(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Dunes, cacti and rocks."""
    stage = _open_air(rng, guest, (80, 126), (1.8, 3.4))
    h = stage.horizon
    sand = mix(_sand(stage), pick(rng, "orange tan red"), stage.between(0.1, 0.4))
    if stage.chance(0.5):
        _hills(stage, h + 6, stage.between(15, 50))
    for height, tone in ((24, 0.82), (12, 1.05)):
        dune = stage.ridge(h + 14, stage.between(0.5, 1.0) * height, 0.05)
        stage.lay(
            dune,
            surface(dim(sand, tone), "sand", contrast=0.06, relief=0.3, fade=0.3),
            "ground",
            "sand",
        )
    stage.lay(
        rows(h + 12, SIZE),
        ground(sand, "sand", h, contrast=0.15, far=dim(sand, 1.05)),
        "ground",
        "sand",
    )
    stage.scatter("cactus", (0, 5), (h + 18, 205))
    stage.scatter("rock", (0, 4), (h + 16, 214))
    if guest:
        stage.put(guest, stage.between(60, 164), stage.between(h + 30, 190))
    if stage.chance(0.2):
        stage.scatter("person", (1, 2), (h + 25, 208))
    if stage.chance(0.2):
        stage.scatter("horse", (1, 1), (h + 30, 204))
    if stage.chance(0.2):
        stage.scatter("bird", (1, 2), (h * 0.4, h * 0.8), size=16.0)
    return stage.perform()


def garden(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Flower beds and a lawn before a house, a fence or a hedge."""
    stage = _open_air(rng, guest, (62, 100), (1.3, 2.2))
    h = stage.horizon
    stage.lay(rows(h + 4, SIZE), ground(_grass(stage), "grass", h, contrast=0.28), "field", "grass")
    if stage.chance(0.6):
        stage.put("house", stage.between(20, 204), h + 14, size=stage.between(70, 105))
    stage.scatter("tree", (1, 4), (h + 10, h + 20))
    if stage.chance(0.5):
        y = h + stage.between(16, 24)
        stage.put("fence", 112, y, size=26, mirror=False)
    stage.perform()
    if stage.chance(0.5):
        x, wide = stage.between(40, 184), stage.between(14, 34)
        path = polygon((x - 3, h + 14), (x + 3, h + 14), (x + wide, SIZE), (x - wide, SIZE))
        paved = pick(rng, "grey tan cream")
        stage.lay(
            path,
            ground(paved, "ashlar", h, contrast=0.14, scale=2, joint=dim(paved, 0.7)),
            "path",
            "stone",
        )
    bed = stage.between(150, 176)
    soil = np.asarray(ellipse(stage.between(70, 154), bed + 30, stage.between(90, 140), 34))
    stage.lay(soil, ground((96, 70, 48), "noise", h, contrast=0.3), "ground")
    stage.scatter("flower", (4, 8), (bed, bed + 18), (4, 220), size=stage.between(44, 62))
    stage.scatter("flower", (2, 6), (bed + 24, 226), (4, 220), size=stage.between(60, 92))
    if stage.chance(0.3):
        stage.scatter("plant", (1, 2), (h + 40, 200), grow=0.8)
    if stage.chance(0.35):
        stage.scatter("bird", (1, 2), (h + 50, 205), size=20.0)
    if stage.chance(0.2):
        stage.scatter("dog", (1, 1), (h + 45, 160))
    if stage.chance(0.2):
        stage.scatter("person", (1, 1), (h + 40, 150))
    if guest:
        stage.put(guest, stage.between(50, 174), stage.between(h + 45, 150))
    return stage.perform()


def aquarium(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Fish over a sandy bottom with corals and weed."""
    del guest
    tone = pick(rng, "blue teal navy blue teal green")
    light = Light(
        float(rng.uniform(-0.6, 0.6)), 0.5, (0.9, 1.0, 1.06), mix(tone, (180, 220, 230), 0.35)
    )
    stage = Stage(light, rng, horizon=(130, 150), eye=(0.8, 1.2), guest=None)
    stage.lay(
        rows(0, SIZE),
        sky(mix(tone, (190, 230, 240), 0.45), dim(tone, 0.75), tone, -1.0, 180),
        "sea",
        "water",
    )
    for x in rng.uniform(-20, SIZE, 4):
        lean = stage.between(-50, 50)
        beam = polygon((x, 0), (x + 16, 0), (x + 30 + lean, 190), (x - 10 + lean, 190))
        stage.mark(beam, flat((226, 246, 250)), 0.07)
    bottom = stage.between(164, 196)
    sand = mix(_sand(stage), tone, 0.3)
    stage.lay(
        stage.ridge(bottom + 8, 10, 0.1), ground(sand, "sand", 140, contrast=0.2), "ground", "sand"
    )
    stage.scatter("rock", (0, 3), (bottom + 4, 214), size=stage.between(18, 44))
    stage.scatter("coral", (1, 4), (bottom + 4, 216), size=stage.between(30, 62))
    stage.scatter("seaweed", (1, 5), (bottom + 2, 218), size=stage.between(40, 90))
    stage.scatter("fish", (2, 4), (50, 190), size=stage.between(34, 56))
    stage.scatter("fish", (0, 7), (30, 170), size=stage.between(12, 24))
    stage.perform()
    for x, y, r in zip(
        rng.uniform(0, SIZE, 9), rng.uniform(10, 190, 9), rng.uniform(0.8, 2.6, 9), strict=True
    ):
        stage.mark(ellipse(x, y, r), surface((226, 244, 248), relief=0.8), 0.45)
    return stage.canvas
