"""People and animals."""

from __future__ import annotations

import numpy as np

from net2vec.data.diorama.canvas import RGB, Paint
from net2vec.data.diorama.materials import dim, mix, pick, surface
from net2vec.data.diorama.objects.pen import (
    Pen,
    ellipse,
    flat,
    limb,
    line,
    polygon,
    smooth,
)

_CLOTHES = "red blue white green yellow black purple pink orange grey teal navy cream brown maroon"


def person(pen: Pen) -> None:
    """A standing or walking person."""
    rng = pen.rng
    skin = mix((236.0, 192.0, 160.0), (104.0, 68.0, 46.0), float(rng.random()))
    hair = pick(rng, "black brown tan grey maroon yellow")
    top = pick(rng, _CLOTHES)
    cloth = surface(top, "fabric", contrast=0.08, relief=0.6, fade=0.25)
    skirt = rng.random() < 0.3
    legs = surface(skin if skirt else pick(rng, "navy black grey brown tan blue olive"), relief=0.5)
    stride, swing = float(rng.uniform(0.02, 0.13)), float(rng.uniform(-0.1, 0.12))
    pen.shadow(0.45, 0.03)
    far_arm = limb(0.06, (0.02, 0.78), (0.06 + swing * 0.6, 0.62), (0.08 + swing * 1.4, 0.48))
    pen.draw(far_arm, surface(dim(top, 0.75), relief=0.4), "arm", material="fabric")
    for foot, shade in ((stride, 0.8), (-stride, 1.0)):
        pen.draw(limb(0.085, (0.0, 0.48), (foot * 0.6 + 0.02, 0.25), (foot, 0.03)), legs, "leg")
        pen.draw(
            ellipse(foot + 0.035, 0.018, 0.06, 0.025), flat(dim((52.0, 42.0, 38.0), shade)), "leg"
        )
    if skirt:
        hem = polygon((-0.07, 0.52), (0.07, 0.52), (0.14, 0.28), (-0.14, 0.28))
        pen.draw(hem, cloth, "torso", material="fabric")
    torso = smooth(
        (-0.1, 0.8), (-0.105, 0.65), (-0.085, 0.47), (0.085, 0.47), (0.105, 0.65), (0.1, 0.8),
        (0.0, 0.83), steps=4,
    )  # fmt: skip
    pen.draw(torso, cloth, "torso", material="fabric")
    pen.draw(limb(0.055, (0.0, 0.8), (0.0, 0.86)), surface(dim(skin, 0.85)), "neck")
    pen.draw(ellipse(0.01, 0.92, 0.058, 0.072), surface(skin, relief=0.7), "head")
    long_hair = -0.12 if rng.random() < 0.4 else -0.02
    scalp = smooth(
        (0.06, 0.95), (0.03, 0.995), (-0.03, 0.995), (-0.065, 0.94), (-0.06, 0.93 + long_hair),
        (-0.03, 0.92 + long_hair), (-0.025, 0.94), (0.02, 0.96), steps=4,
    )  # fmt: skip
    pen.draw(scalp, surface(hair, relief=0.4), "hair", of="head")
    pen.mark([ellipse(0.022, 0.925, 0.008), ellipse(0.048, 0.925, 0.007)], flat((40.0, 30.0, 28.0)))
    near_arm = limb(0.065, (-0.06, 0.77), (-0.1 - swing * 0.5, 0.62), (-0.06 - swing, 0.48))
    pen.draw(
        near_arm,
        surface(dim(top, 0.93), "fabric", contrast=0.08, relief=0.7),
        "arm",
        material="fabric",
    )
    pen.draw(ellipse(-0.06 - swing, 0.46, 0.03), surface(skin), "arm")


def _coat(pen: Pen, color: RGB, spots: RGB | None) -> tuple[Paint, Paint]:
    """Paints for a furry body: the near side and the far side."""
    near = surface(color, "noise", contrast=0.08, relief=0.7, fade=0.35)
    return near, surface(dim(color, 0.68), relief=0.3)


def _legs(pen: Pen, xs: tuple[float, ...], top: float, width: float, paint: Paint) -> None:
    for x in xs:
        lean = float(pen.rng.uniform(-0.09, 0.09))
        pen.draw(
            limb(width, (x, top), (x + lean * 0.4, top * 0.5), (x + lean, width / 2)), paint, "leg"
        )


def dog(pen: Pen) -> None:
    """A dog from the side, a little longer than high."""
    rng = pen.rng
    color = pick(rng, "brown tan black white cream grey orange")
    near, far = _coat(pen, color, None)
    pen.shadow(1.3, 0.06)
    _legs(pen, (-0.36, 0.3), 0.42, 0.1, far)
    wag = float(rng.uniform(0.1, 0.3))
    pen.draw(limb(0.075, (-0.46, 0.58), (-0.62, 0.68), (-0.7, 0.66 + wag)), near, "tail")
    torso = smooth(
        (-0.5, 0.58), (-0.45, 0.42), (-0.2, 0.38), (0.2, 0.34), (0.4, 0.44), (0.44, 0.62),
        (0.25, 0.68), (-0.2, 0.64),
    )  # fmt: skip
    pen.draw(torso, near, "torso")
    _legs(pen, (-0.4, 0.32), 0.44, 0.115, near)
    pen.draw(limb(0.22, (0.36, 0.6), (0.48, 0.78)), near, "neck")
    head = smooth(
        (0.36, 0.82),
        (0.42, 0.95),
        (0.56, 0.98),
        (0.66, 0.88),
        (0.84, 0.83),
        (0.85, 0.74),
        (0.6, 0.7),
    )
    pen.draw(head, near, "head")
    ear = smooth((0.4, 0.94), (0.48, 0.95), (0.47, 0.8), (0.4, 0.68), (0.34, 0.78), steps=4)
    pen.draw(ear, surface(dim(color, 0.7), relief=0.5), "ear", of="head")
    pen.draw(ellipse(0.61, 0.86, 0.03), flat((24.0, 20.0, 20.0)), "eye", of="head")
    pen.draw(ellipse(0.84, 0.82, 0.035, 0.03), flat((26.0, 22.0, 22.0)), "head")


def horse(pen: Pen) -> None:
    """A horse from the side, about as long as high."""
    rng = pen.rng
    color = pick(rng, "brown brown maroon black white grey tan")
    near, far = _coat(pen, color, None)
    mane = surface(
        dim(color, 0.5) if color[0] < 200 else (190.0, 186.0, 176.0),
        "grass",
        contrast=0.3,
        relief=0.4,
    )
    pen.shadow(1.1, 0.045)
    _legs(pen, (-0.3, 0.27), 0.42, 0.075, far)
    tail = smooth((-0.44, 0.6), (-0.52, 0.5), (-0.52, 0.24), (-0.46, 0.26), (-0.42, 0.5), steps=4)
    pen.draw(tail, mane, "tail")
    torso = smooth(
        (-0.46, 0.6), (-0.44, 0.42), (-0.2, 0.38), (0.15, 0.37), (0.36, 0.42), (0.42, 0.6),
        (0.2, 0.64), (-0.1, 0.61), (-0.32, 0.65),
    )  # fmt: skip
    pen.draw(torso, near, "torso")
    _legs(pen, (-0.35, 0.3), 0.46, 0.09, near)
    dip = float(rng.uniform(-0.12, 0.0))
    crest = (0.52, 0.93 + dip)
    neck = polygon((0.18, 0.62), (0.4, 0.46), (0.62, 0.84 + dip), crest)
    pen.draw(neck, near, "neck")
    head = smooth(
        (0.48, 0.93 + dip), (0.54, 1.0 + dip), (0.64, 0.94 + dip), (0.83, 0.74 + dip),
        (0.8, 0.67 + dip), (0.72, 0.68 + dip), (0.56, 0.79 + dip), steps=4,
    )  # fmt: skip
    pen.draw(head, near, "head")
    crest_line = smooth(
        (0.16, 0.65), (0.36, 0.75), (0.48, 0.97 + dip), (0.55, 0.97 + dip), (0.42, 0.72),
        (0.26, 0.6), steps=4,
    )  # fmt: skip
    pen.draw(crest_line, mane, "neck")
    pen.draw(
        polygon((0.53, 0.96 + dip), (0.55, 1.06 + dip), (0.6, 0.97 + dip)), near, "ear", of="head"
    )
    pen.draw(ellipse(0.64, 0.88 + dip, 0.018), flat((20.0, 18.0, 18.0)), "eye", of="head")


def cow(pen: Pen) -> None:
    """A cow from the side, about 1.4 times as long as high."""
    rng = pen.rng
    color = pick(rng, "white white brown black cream tan")
    near, far = _coat(pen, color, None)
    pen.shadow(1.5, 0.06)
    _legs(pen, (-0.46, 0.36), 0.4, 0.1, far)
    pen.draw(limb(0.04, (-0.6, 0.8), (-0.68, 0.6), (-0.67, 0.3)), near, "tail")
    torso = smooth(
        (-0.62, 0.84), (-0.64, 0.5), (-0.4, 0.36), (0.1, 0.32), (0.44, 0.38), (0.54, 0.62),
        (0.46, 0.86), (0.0, 0.83),
    )  # fmt: skip
    pen.draw(torso, near, "torso")
    if color[0] > 180:
        patch = surface(pick(rng, "black brown maroon"), relief=0.1)
        for x, y in ((-0.38, 0.66), (0.02, 0.6), (0.3, 0.72)):
            corners = [(-0.16, 0.0), (-0.08, 0.12), (0.1, 0.12), (0.14, -0.02), (0.02, -0.14)]
            points = np.array(corners) * rng.uniform(0.6, 1.1, (5, 2)) + (x, y)
            pen.draw(smooth(*points.tolist(), steps=4), patch, "torso")
    pen.draw(ellipse(-0.28, 0.34, 0.1, 0.07), surface((226.0, 170.0, 160.0)))
    _legs(pen, (-0.52, 0.42), 0.42, 0.115, near)
    down = float(rng.uniform(-0.35, 0.0))
    neck = polygon((0.36, 0.84), (0.42, 0.5), (0.72, 0.68 + down), (0.66, 0.9 + down))
    pen.draw(neck, near, "neck")
    head = smooth(
        (0.62, 0.92 + down),
        (0.76, 0.94 + down),
        (0.94, 0.7 + down),
        (0.9, 0.6 + down),
        (0.8, 0.6 + down),
        (0.64, 0.74 + down),
    )
    pen.draw(head, near, "head")
    pen.draw(ellipse(0.9, 0.65 + down, 0.065, 0.06), surface((222.0, 178.0, 166.0)), "head")
    for x in (0.66, 0.78):
        pen.draw(
            limb(0.035, (x, 0.92 + down), (x + 0.02, 1.0 + down), (x + 0.07, 1.04 + down)),
            surface((226.0, 216.0, 190.0)),
            "horn",
            of="head",
        )
    pen.draw(
        ellipse(0.62, 0.87 + down, 0.08, 0.035, 0.4), surface(dim(color, 0.75)), "ear", of="head"
    )
    pen.draw(ellipse(0.79, 0.82 + down, 0.02), flat((20.0, 18.0, 18.0)), "eye", of="head")


def sheep(pen: Pen) -> None:
    """A sheep from the side, a little longer than high."""
    rng = pen.rng
    wool_color = pick(rng, "white cream cream grey tan")
    face = surface(pick(rng, "black brown cream grey"), relief=0.5)
    wool = surface(wool_color, "foliage", contrast=0.14, scale=1.6, relief=0.8, fade=0.35)
    pen.shadow(1.4, 0.07)
    _legs(pen, (-0.34, -0.22, 0.26, 0.36), 0.4, 0.08, face)
    pen.draw(ellipse(-0.56, 0.62, 0.09, 0.13), wool, "tail")
    fleece = [
        ellipse(x, y, 0.24)
        for x, y in (
            (-0.34, 0.6),
            (-0.1, 0.68),
            (0.16, 0.68),
            (0.34, 0.6),
            (-0.2, 0.5),
            (0.16, 0.48),
        )
    ]
    pen.draw(fleece, wool, "torso")
    down = float(rng.uniform(-0.35, 0.05))
    pen.draw(limb(0.22, (0.4, 0.68), (0.55, 0.78 + down)), wool, "neck")
    head = smooth(
        (0.5, 0.9 + down),
        (0.64, 0.93 + down),
        (0.8, 0.74 + down),
        (0.74, 0.64 + down),
        (0.58, 0.7 + down),
    )
    pen.draw(head, face, "head")
    pen.draw(ellipse(0.5, 0.84 + down, 0.1, 0.04, 0.5), face, "ear", of="head")
    pen.draw(ellipse(0.66, 0.83 + down, 0.022), flat((236.0, 220.0, 150.0)), "eye", of="head")


def bird(pen: Pen) -> None:
    """A bird: flying with raised wings, or standing."""
    rng = pen.rng
    color = pick(rng, "white white grey black brown brown cream tan blue red yellow")
    near = surface(color, "grass", contrast=0.1, scale=2.0, relief=0.7)
    dark = surface(dim(color, 0.62), "grass", contrast=0.12, scale=2.0, relief=0.4)
    body, flying = 0.45, pen.aloft
    if not flying:
        pen.shadow(0.8, 0.05)
        legs = [line(0.03, (0.0, 0.3), (0.03, 0.0)), line(0.03, (0.1, 0.3), (0.12, 0.0))]
        pen.draw(legs, flat((206.0, 140.0, 60.0)), "leg")
    else:
        far = smooth((0.0, 0.5), (0.1, 0.8), (0.36, 1.02), (0.28, 0.74), (0.2, 0.5), steps=4)
        pen.draw(far, dark, "wing")
    pen.draw(
        polygon(
            (-0.3, body + 0.04), (-0.72, body + 0.12), (-0.7, body - 0.08), (-0.3, body - 0.06)
        ),
        dark,
        "tail",
    )
    trunk = smooth(
        (-0.38, body + 0.02),
        (-0.1, body + 0.16),
        (0.25, body + 0.15),
        (0.36, body),
        (0.1, body - 0.17),
        (-0.2, body - 0.1),
    )
    pen.draw(trunk, near, "torso")
    pen.draw(ellipse(0.36, body + 0.16, 0.15, 0.135), near, "head")
    beak = polygon((0.49, body + 0.2), (0.68, body + 0.13), (0.49, body + 0.1))
    pen.draw(beak, surface(pick(rng, "orange yellow black")), "beak", of="head")
    pen.draw(ellipse(0.4, body + 0.19, 0.028), flat((16.0, 16.0, 18.0)), "eye", of="head")
    if flying:
        wing = smooth((-0.2, 0.5), (-0.28, 0.78), (-0.5, 1.0), (-0.05, 0.92), (0.18, 0.52), steps=5)
    else:
        wing = smooth((0.2, 0.54), (0.0, 0.42), (-0.48, 0.4), (-0.2, 0.56), steps=5)
    pen.draw(wing, dark, "wing")


def fish(pen: Pen) -> None:
    """A fish from the side, its middle at height 0.5, about twice as long as high."""
    rng = pen.rng
    color = pick(rng, "orange yellow blue red purple pink grey white green teal black")
    other = pick(rng, "white yellow black blue orange")
    slim = float(rng.uniform(0.6, 1.0))
    body = surface(color, "tiles", contrast=0.1, scale=3.0, relief=0.9, fade=0.45)
    fin = surface(mix(color, other, 0.5), "wood", contrast=0.25, scale=3.0, relief=0.2)

    def y(v: float) -> float:
        return 0.5 + v * slim

    pen.draw(
        smooth((-0.55, y(0.0)), (-0.95, y(0.42)), (-0.82, y(0.0)), (-0.95, y(-0.42)), steps=5),
        fin,
        "tail",
    )
    pen.draw(
        smooth((-0.35, y(0.25)), (-0.15, y(0.56)), (0.3, y(0.45)), (0.2, y(0.25)), steps=4),
        fin,
        "fin",
    )
    pen.draw(smooth((-0.3, y(-0.2)), (-0.35, y(-0.48)), (-0.05, y(-0.3)), steps=4), fin, "fin")
    trunk = smooth(
        (-0.62, y(0.0)),
        (-0.3, y(0.26)),
        (0.2, y(0.36)),
        (0.62, y(0.2)),
        (0.82, y(0.0)),
        (0.6, y(-0.22)),
        (0.15, y(-0.34)),
        (-0.3, y(-0.24)),
    )
    pen.draw(trunk, body)
    if rng.random() < 0.6:
        bands = [limb(0.07, (x, y(-0.22)), (x - 0.04, y(0.0)), (x, y(0.23))) for x in (-0.32, 0.3)]
        pen.mark([o for band in bands for o in band], surface(other, relief=0.2), 0.85)
    pen.draw(
        smooth((0.18, y(0.0)), (-0.12, y(0.08)), (-0.16, y(-0.16)), (0.12, y(-0.12)), steps=4),
        fin,
        "fin",
    )
    pen.draw(ellipse(0.56, y(0.1), 0.075, 0.075), flat((240.0, 238.0, 226.0)), "eye")
    pen.mark(ellipse(0.57, y(0.1), 0.042), flat((14.0, 14.0, 18.0)))
    pen.mark(
        line(0.02, (0.38, y(0.2)), (0.34, y(0.0)), (0.38, y(-0.2))), flat(dim(color, 0.6)), 0.8
    )
