"""Places on land, under the sky."""

from __future__ import annotations

import numpy as np

from net2vec.data.diorama.canvas import Canvas
from net2vec.data.diorama.materials import dim, ground, mix, pick, surface
from net2vec.data.diorama.objects.pen import box, ellipse, flat, polygon
from net2vec.data.diorama.scenes.stage import SIZE, Stage, strip
from net2vec.data.diorama.scenes.surroundings import (
    daylight,
    fill_sea,
    grass_color,
    open_air,
    raise_hills,
    sand_color,
)


def street(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Houses behind a road with its traffic and a pavement."""
    stage = open_air(rng, guest, (84.0, 118.0), (2.4, 4.2))
    h = stage.horizon
    if stage.chance(0.5):
        raise_hills(stage, h + 6, stage.between(15.0, 40.0))
    kerb = h + stage.between(20.0, 34.0)
    far_walk = kerb - stage.between(5.0, 9.0)
    stage.lay(strip(h + 4, kerb), ground(grass_color(stage), "grass", h), "field", "grass")
    x = stage.between(-50.0, 0.0)
    while x < SIZE + 30:
        kind = "building" if stage.chance(0.6) else ("house" if stage.chance(0.7) else "tree")
        width = {"building": 0.6, "house": 1.2, "tree": 0.5}[kind]
        height = stage.between(80.0, 165.0) if kind == "building" else stage.between(55.0, 95.0)
        foot = far_walk + stage.between(-2.0, 1.0)
        stage.put(kind, x + width * height / 2, foot, size=height, mirror=False)
        x += width * height * stage.between(1.0, 1.25)
    stage.perform()
    pave = pick(rng, "grey tan cream")
    walk = ground(pave, "ashlar", h, contrast=0.1, scale=1.5, joint=dim(pave, 0.75))
    stage.lay(strip(far_walk, SIZE), walk, "sidewalk", "stone")
    near = stage.between(186.0, 214.0)
    tar = mix((84.0, 86.0, 92.0), (122.0, 118.0, 114.0), float(rng.random()))
    stage.lay(strip(kerb, near), ground(tar, "sand", h, contrast=0.12, scale=1.5), "road")
    stage.mark(flat((196.0, 194.0, 188.0)), *(strip(y - 0.8, y + 1.2) for y in (kerb, near)))
    middle = (kerb + near) / 2 - 4
    dashes = np.arange(stage.between(-20.0, 0.0), SIZE, 44)
    stripe = [box(x, middle, x + 22, middle + 2) for x in dashes]
    stage.mark(flat((232.0, 228.0, 206.0)), *stripe, opacity=0.8)
    stage.scatter("streetlight", (0, 2), (kerb - 3, kerb - 1))
    stage.scatter("tree", (0, 2), (kerb - 4, kerb - 1), grow=0.8)
    stage.scatter("person", (0, 3), (kerb - 6, kerb - 1))
    lanes = (kerb + 12, middle - 2), (middle + 16, near - 6)
    for lane in lanes:
        stage.scatter("car", (1, 2), lane, chance=0.62)
    if guest:
        stage.put(guest, stage.between(60.0, 164.0), stage.between(*lanes[0]))
    stage.scatter("bicycle", (1, 1), lanes[1], chance=0.25)
    stage.scatter("person", (1, 2), (near + 2, near + 12), chance=0.3)
    stage.scatter("dog", (1, 1), (near + 2, near + 10), chance=0.12)
    return stage.perform()


def airfield(rng: np.random.Generator, guest: str | None) -> Canvas:
    """An airliner on its runway."""
    stage = open_air(rng, guest, (86.0, 122.0), (3.4, 6.0))
    h = stage.horizon
    if stage.chance(0.6):
        raise_hills(stage, h + 5, stage.between(10.0, 34.0))
    lawn = ground(grass_color(stage), "grass", h, scale=1.4)
    stage.lay(strip(h + 3, SIZE), lawn, "field", "grass")
    stage.scatter("building", (1, 3), (h + 5, h + 7), size=30.0)
    stage.scatter("tree", (0, 6), (h + 6, h + 9), size=18.0)
    stage.perform()
    top, bottom = h + stage.between(18.0, 30.0), stage.between(192.0, 222.0)
    stage.lay(strip(top, bottom), ground((128.0, 128.0, 128.0), "sand", h, contrast=0.1), "road")
    dashes, low = np.arange(stage.between(-30.0, 0.0), SIZE, 60), bottom - 8
    stripe = [box(x, low - 4, x + 30, low) for x in dashes]
    stage.mark(flat((236.0, 236.0, 230.0)), *stripe, opacity=0.9)
    foot = stage.between((top + bottom) / 2, bottom - 14)
    stage.put("airplane", stage.between(80.0, 144.0), foot, size=stage.between(40.0, 62.0))
    if stage.chance(0.4):
        stage.put("airplane", stage.between(20.0, 204.0), top + 4, size=stage.between(18.0, 26.0))
    stage.scatter("car", (0, 1), (top + 5, top + 14))
    stage.scatter("person", (0, 2), (bottom - 8, bottom + 8))
    return stage.perform()


def pasture(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Meadows with grazing animals."""
    stage = open_air(rng, guest, (78.0, 122.0), (1.8, 3.6))
    h = stage.horizon
    green = grass_color(stage)
    if stage.chance(0.6):
        raise_hills(stage, h + 8, stage.between(20.0, 55.0))
    hill = surface(mix(green, stage.canvas.light.haze, 0.3), "grass", contrast=0.12, relief=0.0)
    stage.lay(stage.ridge(h + 10, stage.between(4.0, 22.0), 0.1), hill, "field", "grass")
    stage.lay(strip(h + 6, SIZE), ground(green, "grass", h, contrast=0.3), "field", "grass")
    stage.scatter("tree", (1, 6), (h + 8, h + 22))
    if stage.chance(0.45):
        stage.put("house", stage.between(20.0, 204.0), h + stage.between(11.0, 20.0))
    if guest:
        stage.put(guest, stage.between(40.0, 184.0), h + stage.between(18.0, 30.0))
    if stage.chance(0.5):
        y = stage.between(h + 20, h + 40) if stage.chance(0.7) else 214.0
        stage.put("fence", stage.between(60.0, 164.0), y, mirror=False)
    herd = ("cow", "sheep", "horse")[int(rng.integers(3))]
    stage.scatter(herd, (1, 4), (h + 30, 208.0))
    stage.scatter(
        ("horse", "cow", "dog")[int(rng.integers(3))], (1, 1), (h + 40, 206.0), chance=0.2
    )
    stage.scatter("rock", (1, 2), (h + 30, 212.0), grow=0.7, chance=0.3)
    stage.scatter("person", (1, 2), (h + 30, 204.0), chance=0.15)
    stage.scatter("flower", (3, 8), (205.0, 230.0), grow=0.8, chance=0.3)
    stage.scatter("bird", (1, 3), (h * 0.6, h * 0.9), size=14.0, chance=0.2)
    return stage.perform()


def forest(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Trees behind trees, a forest floor, perhaps a path."""
    light, heaven = daylight(rng)
    stage = Stage(light, rng, horizon=(96.0, 128.0), eye=(1.6, 2.4), guest=guest)
    h = stage.horizon
    stage.sky(*heaven)
    deep = mix((40.0, 66.0, 38.0), light.haze, stage.between(0.15, 0.5))
    thicket = surface(deep, "foliage", contrast=0.3, relief=0.0)
    stage.lay(stage.ridge(h + 8, stage.between(75.0, 130.0), 0.35), thicket, "tree")
    mossy = stage.chance(0.55)
    soil = (
        grass_color(stage)
        if mossy
        else mix((98.0, 76.0, 50.0), (150.0, 112.0, 66.0), float(rng.random()))
    )
    floor = ground(dim(soil, 0.85), "grass" if mossy else "noise", h, contrast=0.35, scale=1.2)
    stage.lay(strip(h + 4, SIZE), floor, "field" if mossy else "ground", "grass" if mossy else None)
    if stage.chance(0.55):
        end, foot, wide = (
            stage.between(80.0, 144.0),
            stage.between(60.0, 164.0),
            stage.between(26.0, 60.0),
        )
        path = polygon((end - 3, h + 5), (end + 3, h + 5), (foot + wide, SIZE), (foot - wide, SIZE))
        sandy = "sand" if stage.chance(0.5) else None
        stage.lay(path, ground(sand_color(stage), "noise", h, contrast=0.2), "path", sandy)
    stage.scatter("tree", (6, 9), (h + 9, h + 20), grow=1.2)
    stage.scatter("tree", (2, 4), (h + 25, h + 50), (-10.0, 234.0), grow=1.2)
    stage.scatter("tree", (1, 2), (h + 60, 205.0), (-20.0, 244.0), grow=1.1, chance=0.4)
    stage.scatter("rock", (1, 3), (h + 25, 215.0), grow=0.6, chance=0.45)
    stage.scatter("person", (1, 2), (h + 20, 190.0), chance=0.35)
    stage.scatter("dog", (1, 1), (h + 40, 206.0), chance=0.2)
    if guest:
        stage.put(guest, stage.between(60.0, 164.0), stage.between(h + 50, 205.0))
    stage.scatter("flower", (2, 6), (200.0, 228.0), grow=0.7, chance=0.25)
    return stage.perform()


def mountain(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Peaks, mostly with snow, behind a meadow or a lake."""
    stage = open_air(rng, guest, (110.0, 146.0), (1.8, 4.0))
    h = stage.horizon
    haze, rocky = stage.canvas.light.haze, pick(rng, "grey brown navy grey", 20.0)
    for height, air, snowy in (
        ((70.0, 105.0), 0.35, stage.chance(0.75)),
        ((35.0, 60.0), 0.15, False),
    ):
        ridge = stage.ridge(h + 6, stage.between(*height), 0.32)
        color = mix(rocky, haze, air)
        paint = surface(color, "stone", contrast=0.3, scale=0.8, relief=0.25, fade=0.3)
        stage.lay(ridge, paint, "mountain", "stone")
        if snowy:
            crest = ridge[:-2]
            depth = np.clip((h + 6 - crest[:, 1]) * 0.5 - 14, 0.0, None) * rng.uniform(
                0.5, 1.3, len(crest)
            )
            snow = np.concatenate([crest, (crest + np.stack([0 * depth, depth], 1))[::-1]])
            white = mix((246.0, 248.0, 252.0), haze, 0.1)
            stage.mark(surface(white, "stone", contrast=0.1, relief=0.4), snow)
    meadow = ground(grass_color(stage), "grass", h)
    stage.lay(strip(h + 6, SIZE), meadow, "field", "grass")
    lake = stage.chance(0.35)
    if lake:
        fill_sea(stage, h + 13, SIZE)
        stage.lay(stage.ridge(204.0, 6.0, 0.1, down=SIZE), meadow, "field", "grass")
    shore, near = (h + 13, 206.0) if lake else (h + 32, h + 28)
    stage.scatter("tree", (3, 9), (h + 9, shore), grow=0.8)
    stage.scatter("house", (1, 1), (h + 11, shore), grow=0.8, chance=0.35)
    stage.scatter("rock", (0, 3), (near, 216.0), grow=0.8)
    stage.scatter("person", (1, 2), (near, 212.0), chance=0.3)
    stage.scatter("sheep", (1, 3), (near, 212.0), chance=0.25)
    stage.scatter("bird", (1, 2), (h * 0.3, h * 0.8), size=14.0, chance=0.25)
    return stage.perform()


def desert(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Dunes, cacti and rocks."""
    stage = open_air(rng, guest, (80.0, 126.0), (1.8, 3.4))
    h = stage.horizon
    sand = mix(sand_color(stage), pick(rng, "orange tan red"), stage.between(0.1, 0.4))
    if stage.chance(0.5):
        raise_hills(stage, h + 6, stage.between(15.0, 50.0))
    for height, tone in ((24.0, 0.82), (12.0, 1.05)):
        dune = stage.ridge(h + 14, stage.between(0.5, 1.0) * height, 0.05)
        paint = surface(dim(sand, tone), "sand", contrast=0.06, relief=0.3, fade=0.3)
        stage.lay(dune, paint, "ground", "sand")
    floor = ground(sand, "sand", h, contrast=0.15, far=dim(sand, 1.05))
    stage.lay(strip(h + 12, SIZE), floor, "ground", "sand")
    stage.scatter("cactus", (0, 5), (h + 18, 205.0))
    stage.scatter("rock", (0, 4), (h + 16, 214.0))
    if guest:
        stage.put(guest, stage.between(60.0, 164.0), stage.between(h + 30, 190.0))
    stage.scatter("person", (1, 2), (h + 25, 208.0), chance=0.2)
    stage.scatter("horse", (1, 1), (h + 30, 204.0), chance=0.2)
    stage.scatter("bird", (1, 2), (h * 0.4, h * 0.8), size=16.0, chance=0.2)
    return stage.perform()


def garden(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Flower beds and a lawn before a house, a fence or a hedge."""
    stage = open_air(rng, guest, (62.0, 100.0), (1.3, 2.2))
    h = stage.horizon
    lawn = ground(grass_color(stage), "grass", h, contrast=0.28)
    stage.lay(strip(h + 4, SIZE), lawn, "field", "grass")
    if stage.chance(0.6):
        stage.put("house", stage.between(20.0, 204.0), h + 14, size=stage.between(70.0, 105.0))
    stage.scatter("tree", (1, 4), (h + 10, h + 20))
    if stage.chance(0.5):
        stage.put("fence", 112.0, h + stage.between(16.0, 24.0), size=26.0, mirror=False)
    stage.perform()
    if stage.chance(0.5):
        x, wide = stage.between(40.0, 184.0), stage.between(14.0, 34.0)
        path = polygon((x - 3, h + 14), (x + 3, h + 14), (x + wide, SIZE), (x - wide, SIZE))
        paved = pick(rng, "grey tan cream")
        slabs = ground(paved, "ashlar", h, contrast=0.14, scale=2.0, joint=dim(paved, 0.7))
        stage.lay(path, slabs, "path", "stone")
    bed = stage.between(150.0, 176.0)
    soil = ellipse(stage.between(70.0, 154.0), bed + 26, stage.between(110.0, 160.0), 32.0)
    stage.lay(soil, ground((96.0, 70.0, 48.0), "noise", h, contrast=0.3), "ground")
    stage.scatter("flower", (4, 8), (bed, bed + 18), (4.0, 220.0), size=stage.between(44.0, 62.0))
    stage.scatter("flower", (2, 6), (bed + 24, 226.0), (4.0, 220.0), size=stage.between(60.0, 92.0))
    stage.scatter("plant", (1, 2), (h + 40, 200.0), grow=0.8, chance=0.3)
    stage.scatter("bird", (1, 2), (h + 50, 205.0), size=20.0, chance=0.35)
    stage.scatter("dog", (1, 1), (h + 45, 160.0), chance=0.2)
    stage.scatter("person", (1, 1), (h + 40, 150.0), chance=0.2)
    if guest:
        stage.put(guest, stage.between(50.0, 174.0), stage.between(h + 45, 150.0))
    return stage.perform()
