"""Weather, land and water that several scenes share."""

from __future__ import annotations

import numpy as np

from net2vec.data.diorama.canvas import RGB, Light
from net2vec.data.diorama.materials import dim, ground, mix, pick, surface
from net2vec.data.diorama.scenes.stage import Stage, strip


def daylight(rng: np.random.Generator) -> tuple[Light, tuple[RGB, RGB, RGB, float]]:
    """An hour and weather: the light, and the sky's arguments for `Stage.sky`."""
    side = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.5, 1.0))
    mood, shift = rng.random(), float(rng.random())
    if mood < 0.55:  # a fine day
        top = mix((52.0, 104.0, 186.0), (96.0, 156.0, 222.0), float(rng.random()))
        bottom = mix((176.0, 208.0, 234.0), (222.0, 230.0, 232.0), shift)
        light = Light(side, float(rng.uniform(0.7, 1.0)), (1.02, 1.0, 0.97), bottom)
        return light, (top, bottom, (250.0, 250.0, 250.0), float(rng.uniform(0.1, 0.6)))
    if mood < 0.75:  # overcast
        top = mix((132.0, 136.0, 144.0), (188.0, 192.0, 198.0), shift)
        bottom, cloud = dim(top, 1.12), dim(top, 1.2)
        return Light(side, 0.15, (0.92, 0.94, 0.97), bottom), (top, bottom, cloud, 0.8)
    bottom = mix(pick(rng, "orange pink yellow"), (250.0, 214.0, 170.0), 0.35)  # dusk
    top = mix(pick(rng, "navy purple blue"), bottom, 0.35)
    cloud = mix(dim(bottom, 1.05), (226.0, 150.0, 160.0), 0.5)
    return Light(side, 0.3 + 0.3 * shift, (1.0, 0.9, 0.84), bottom), (top, bottom, cloud, 0.42)


def open_air(
    rng: np.random.Generator,
    guest: str | None,
    horizon: tuple[float, float],
    eye: tuple[float, float],
) -> Stage:
    """A stage outdoors with its sky, the horizon and the camera's height drawn from ranges."""
    light, heaven = daylight(rng)
    stage = Stage(light, rng, horizon=horizon, eye=eye, guest=guest)
    stage.sky(*heaven)
    return stage


def grass_color(stage: Stage) -> RGB:
    """A green, or the yellow of dry grass."""
    green = mix((72.0, 112.0, 44.0), (134.0, 158.0, 70.0), float(stage.rng.random()))
    return mix(green, (188.0, 166.0, 92.0), stage.between(0.5, 0.9)) if stage.chance(0.2) else green


def sand_color(stage: Stage) -> RGB:
    """From white beaches to red earth."""
    return mix(
        (222.0, 200.0, 156.0), pick(stage.rng, "tan orange cream grey"), stage.between(0.0, 0.35)
    )


def raise_hills(stage: Stage, y: float, height: float) -> None:
    """Hills on the horizon, in the colours of distance."""
    air = stage.canvas.light.haze
    color = mix(pick(stage.rng, "green olive navy grey brown teal"), air, 0.45)
    paint = surface(color, "noise", contrast=0.12, relief=0.2)
    stage.lay(stage.ridge(y, height, 0.25), paint, "mountain", "stone")


def fill_sea(stage: Stage, top: float, bottom: float) -> None:
    """Open water between two rows."""
    air = stage.canvas.light.haze
    color = mix(pick(stage.rng, "navy teal blue teal grey"), air, stage.between(0.1, 0.35))
    far = mix(color, air, 0.35)
    paint = ground(color, "water", stage.horizon - 2, contrast=0.2, scale=0.8, far=far)
    stage.lay(strip(top, bottom), paint, "sea", "water")
