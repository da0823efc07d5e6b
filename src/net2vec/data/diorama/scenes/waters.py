"""Places at the water, and one under it."""

from __future__ import annotations

import numpy as np

from net2vec.data.diorama.canvas import Canvas, Light
from net2vec.data.diorama.materials import dim, ground, mix, pick, sky, surface
from net2vec.data.diorama.objects.pen import ellipse, flat, polygon
from net2vec.data.diorama.scenes.stage import SIZE, Stage, strip
from net2vec.data.diorama.scenes.surroundings import (
    fill_sea,
    open_air,
    raise_hills,
    sand_color,
)


def beach(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Sand, sea and people."""
    stage = open_air(rng, guest, (70.0, 112.0), (1.8, 3.4))
    h = stage.horizon
    if stage.chance(0.45):
        raise_hills(stage, h + 3, stage.between(10.0, 36.0))
    shore = h + stage.between(22.0, 50.0)
    fill_sea(stage, h, shore + 14)
    if guest:  # on its islet
        base = stage.between(30.0, 194.0)
        stage.put("rock", base, h + 8, size=16.0)
        stage.put(guest, base, h + 7, size=stage.between(58.0, 74.0), mirror=False)
    stage.scatter("boat", (0, 2), (h + 4, shore - 8), size=stage.between(16.0, 40.0))
    stage.perform()
    x = np.linspace(-4, SIZE + 4, 40)
    wave = 3 * np.sin(x / stage.between(18.0, 40.0) + stage.between(0.0, 6.0))
    border = np.stack([x, shore + wave + stage.between(-0.05, 0.05) * (x - 112)], axis=1)
    corners = [[SIZE + 4, SIZE], [-4.0, SIZE]]
    sand = sand_color(stage)
    foam, wet, dry = (np.concatenate([np.add(border, (0.0, d)), corners]) for d in (-4.0, 0.0, 9.0))
    stage.mark(
        surface((240.0, 244.0, 244.0), "noise", contrast=0.1, relief=0.0), foam, opacity=0.75
    )
    stage.lay(wet, ground(dim(sand, 0.78), "sand", h, contrast=0.1), "ground", "sand")
    stage.lay(dry, ground(sand, "sand", h, contrast=0.16, far=sand), "ground", "sand")
    stage.scatter("palm", (0, 2), (shore + 26, 200.0), grow=0.8)
    stage.scatter("umbrella", (1, 3), (shore + 18, 204.0), chance=0.5)
    stage.scatter("person", (0, 4), (shore + 12, 212.0))
    stage.scatter("rock", (1, 3), (shore + 10, 214.0), grow=0.7, chance=0.25)
    stage.scatter("dog", (1, 1), (shore + 20, 212.0), chance=0.2)
    stage.scatter("bird", (1, 3), (h * 0.4, h * 0.9), size=stage.between(9.0, 24.0), chance=0.4)
    return stage.perform()


def harbor(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Boats before a shore with houses, seen from the quay."""
    stage = open_air(rng, guest, (66.0, 104.0), (3.0, 6.0))
    h = stage.horizon
    raise_hills(stage, h + 8, stage.between(15.0, 50.0))
    fill_sea(stage, h + 7, SIZE)
    x = stage.between(-10.0, 30.0)
    while x < SIZE:
        size = stage.between(18.0, 34.0)
        stage.put("house" if stage.chance(0.75) else "tree", x, h + 9, size=size)
        x += size * stage.between(1.0, 1.9)
    if guest:
        stage.put(
            guest, stage.between(20.0, 204.0), h + 10, size=stage.between(60.0, 84.0), mirror=False
        )
    stage.scatter("boat", (2, 5), (h + 22, 190.0), grow=0.8)
    stage.scatter("boat", (0, 3), (h + 12, h + 20), size=24.0)
    stage.scatter("bird", (1, 3), (h * 0.3, h), size=stage.between(9.0, 24.0), chance=0.5)
    stage.perform()
    if stage.chance(0.65):
        quay, wooden = stage.between(192.0, 208.0), stage.chance(0.5)
        color = pick(rng, "brown tan") if wooden else pick(rng, "grey tan")
        texture = "planks" if wooden else "ashlar"
        paint = ground(color, texture, h, contrast=0.18, scale=1.2, joint=dim(color, 0.55))
        stage.lay(strip(quay, SIZE), paint, "ground", "wood" if wooden else "stone")
        stage.mark(flat(dim(color, 0.6)), strip(quay, quay + 2.5), opacity=0.8)
        stage.scatter("person", (0, 2), (quay + 6, 222.0), size=52.0)
        stage.scatter("bird", (1, 2), (quay + 4, 220.0), size=18.0, chance=0.3)
    return stage.perform()


def aquarium(rng: np.random.Generator, guest: str | None) -> Canvas:
    """Fish over a sandy bottom with corals and weed."""
    tone = pick(rng, "blue teal navy blue teal green")
    murk = mix(tone, (180.0, 220.0, 230.0), 0.35)
    light = Light(float(rng.uniform(-0.6, 0.6)), 0.5, (0.9, 1.0, 1.06), murk)
    stage = Stage(light, rng, horizon=(130.0, 150.0), eye=(0.8, 1.2), guest=guest)
    water = sky(mix(tone, (190.0, 230.0, 240.0), 0.45), dim(tone, 0.75), tone, -1.0, 180.0)
    stage.lay(strip(0.0, SIZE), water, "sea", "water")
    for x in rng.uniform(-20, SIZE, 4):
        lean = stage.between(-50.0, 50.0)
        beam = polygon((x, 0.0), (x + 16, 0.0), (x + 30 + lean, 190.0), (x - 10 + lean, 190.0))
        stage.mark(flat((226.0, 246.0, 250.0)), beam, opacity=0.07)
    bottom = stage.between(164.0, 196.0)
    sand = mix(sand_color(stage), tone, 0.3)
    bed = stage.ridge(bottom + 8, 10.0, 0.1, down=SIZE)
    stage.lay(bed, ground(sand, "sand", 140.0, contrast=0.2), "ground", "sand")
    stage.scatter("rock", (0, 3), (bottom + 4, 214.0), size=stage.between(18.0, 44.0))
    stage.scatter("coral", (1, 4), (bottom + 4, 216.0), size=stage.between(30.0, 62.0))
    stage.scatter("seaweed", (1, 5), (bottom + 2, 218.0), size=stage.between(40.0, 90.0))
    stage.scatter("fish", (2, 4), (50.0, 190.0), size=stage.between(34.0, 56.0))
    stage.scatter("fish", (0, 7), (30.0, 170.0), size=stage.between(12.0, 24.0))
    stage.perform()
    bubbles = [ellipse(*at) for at in rng.uniform((0, 10, 0.8), (SIZE, 190, 2.6), (9, 3))]
    stage.mark(flat((226.0, 244.0, 248.0)), *bubbles, opacity=0.45)
    return stage.canvas
