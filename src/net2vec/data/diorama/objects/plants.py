"""Things that grow, and rocks beside them."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np

from net2vec.data.diorama.canvas import RGB
from net2vec.data.diorama.materials import dim, mix, pick, surface
from net2vec.data.diorama.objects.pen import Pen, box, ellipse, flat, limb, line, polygon, smooth

_AUTUMN: tuple[RGB, ...] = ((196.0, 120.0, 40.0), (178.0, 70.0, 38.0), (206.0, 166.0, 60.0))


def _green(pen: Pen) -> RGB:
    rng = pen.rng
    return mix((44.0, 84.0, 36.0), (126.0, 148.0, 62.0), float(rng.random()))


def _leaf(x: float, y: float, length: float, width: float, turn: float) -> np.ndarray:
    """A pointed leaf from its foot."""
    c, s = cos(turn), sin(turn)
    frame = np.array([[c, s], [-s, c]]) * length
    half = width / length
    points = (
        (0.0, 0.0),
        (0.3, half),
        (0.65, 0.75 * half),
        (1.0, 0.0),
        (0.65, -0.75 * half),
        (0.3, -half),
    )
    return np.asarray(smooth(*points, steps=3) @ frame + (x, y))


def tree(pen: Pen) -> None:
    """A broad-leaved tree or a conifer."""
    rng = pen.rng
    bark = surface(
        pick(rng, "brown grey tan brown"), "wood", contrast=0.3, scale=2.0, upright=True, relief=0.6
    )
    color = _green(pen)
    if rng.random() < 0.15:
        color = mix(color, _AUTUMN[int(rng.integers(3))], 0.85)
    dark = surface(dim(color, 0.62), "foliage", contrast=0.35, scale=1.4, relief=0.3)
    lit = surface(color, "foliage", contrast=0.32, scale=1.4, relief=0.7, fade=0.35)
    if rng.random() < 0.3:
        pen.shadow(0.5, 0.04)
        pen.draw(
            polygon((-0.035, 0.0), (0.035, 0.0), (0.02, 0.4), (-0.02, 0.4)),
            bark,
            "trunk",
            material="wood",
        )
        for y, w in ((0.12, 0.27), (0.32, 0.23), (0.5, 0.18), (0.67, 0.13)):
            tips = rng.uniform(-0.02, 0.02, 9)
            skirt = [(-w + 2 * w * i / 8, y + 0.03 * (i % 2) + tips[i]) for i in range(9)]
            layer = polygon(*skirt, (0.02, y + 0.36), (-0.02, y + 0.36))
            pen.draw(layer, lit if y > 0.2 else dark, "crown")
        return
    pen.shadow(0.75, 0.045)
    bole = polygon(
        (-0.07, 0.0), (-0.035, 0.1), (-0.03, 0.5), (0.03, 0.5), (0.035, 0.1), (0.07, 0.0)
    )
    pen.draw(bole, bark, "trunk", material="wood")
    boughs = [line(0.028, (0.0, 0.3), (s * 0.16, 0.52)) for s in (-1.0, 1.0)]
    pen.draw(boughs, bark, "branch", material="wood")
    wide = float(rng.uniform(0.24, 0.36))
    angles = rng.uniform(0, 2 * pi, 9)
    clumps = [
        ellipse(wide * 0.75 * cos(a), 0.68 + 0.2 * sin(a), r, r * 0.85)
        for a, r in zip(angles, rng.uniform(0.12, 0.17, 9), strict=True)
    ]
    clumps.append(ellipse(0.0, 0.68, wide * 0.85, 0.24))
    pen.draw(clumps, dark, "crown")
    upper = [c + (0.0, 0.035) + (c - (0.0, 0.68)) * -0.14 for c in clumps[::2]]
    for clump in upper if pen.size > 70.0 else upper[-2:]:
        pen.mark(clump, lit, 0.75)


def palm(pen: Pen) -> None:
    """A palm with a bent trunk."""
    rng = pen.rng
    bend = float(rng.uniform(-0.16, 0.16))
    color = mix(_green(pen), (80.0, 130.0, 60.0), 0.5)
    bark = surface((150.0, 118.0, 84.0), "wood", contrast=0.3, scale=4.0, relief=0.5)
    pen.shadow(0.6, 0.03)
    top = (bend, 0.74)
    trunk = smooth(
        (-0.045, 0.0), (bend * 0.25 - 0.03, 0.35), (bend - 0.022, 0.74), (bend + 0.022, 0.74),
        (bend * 0.25 + 0.03, 0.35), (0.045, 0.0),
    )  # fmt: skip
    pen.draw(trunk, bark, "trunk", material="wood")
    for a in np.linspace(-0.5, pi + 0.5, 9) + rng.uniform(-0.12, 0.12, 9):
        reach, droop = 0.36, 0.16
        mid = (top[0] + 0.55 * reach * cos(a), top[1] + 0.55 * reach * sin(a) + 0.05)
        tip = (top[0] + reach * cos(a), top[1] + reach * sin(a) - droop)
        frond = smooth(top, (mid[0], mid[1] + 0.03), tip, (mid[0], mid[1] - 0.035), steps=5)
        tone = dim(color, float(rng.uniform(0.7, 1.15)))
        pen.draw(frond, surface(tone, "foliage", contrast=0.2, scale=2.0, relief=0.5), "leaf")
    pen.draw(
        [ellipse(top[0] + d, 0.73, 0.025) for d in (-0.03, 0.03)], surface((110.0, 76.0, 44.0))
    )


def flower(pen: Pen) -> None:
    """One flower on its stem, with two leaves: daisy-like, tulip-like or a sunflower."""
    rng = pen.rng
    color = pick(rng, "red yellow pink purple white orange blue red yellow pink")
    green = surface(_green(pen), relief=0.3)
    lean = float(rng.uniform(-0.12, 0.12))
    pen.draw(line(0.035, (0.0, 0.0), (lean * 0.4, 0.4), (lean, 0.8)), green, "stem")
    turns = pi / 2 + rng.uniform(0.5, 0.9, 2) * (-1.0, 1.0)
    leaves = [_leaf(lean * 0.2, y, 0.34, 0.07, t) for y, t in zip((0.12, 0.24), turns, strict=True)]
    pen.draw(leaves, green, "leaf")
    petal = surface(color, relief=0.5, fade=0.25)
    if rng.random() < 0.35:
        x, y = lean, 0.78
        for d in (-0.07, 0.07, 0.0):
            pen.draw(
                smooth(
                    (x + d * 0.4, y - 0.03),
                    (x + d - 0.09, y + 0.1),
                    (x + d, y + 0.25),
                    (x + d + 0.09, y + 0.1),
                ),
                petal if d else surface(dim(color, 1.12), relief=0.5),
                "petal",
            )
        return
    count, start = int(rng.integers(6, 12)), float(rng.uniform(0, pi))
    angles = [start + i * 2 * pi / count for i in range(count)]
    petals = [
        ellipse(lean + 0.12 * cos(a), 0.82 + 0.12 * sin(a), 0.095, 0.025 + 0.22 / count, a)
        for a in angles
    ]
    pen.draw(petals[::2], surface(dim(color, 0.88), relief=0.3), "petal")
    pen.draw(petals[1::2], petal, "petal")
    pen.draw(
        ellipse(lean, 0.82, 0.075),
        surface(pick(rng, "yellow brown orange"), "sand", contrast=0.3, relief=0.6),
    )


def plant(pen: Pen) -> None:
    """A potted plant: the pot takes the lower third."""
    rng = pen.rng
    pen.shadow(0.5, 0.05)
    color = _green(pen)
    for a in np.linspace(0.25, pi - 0.25, 11)[rng.permutation(11)]:
        tone = dim(color, float(rng.uniform(0.75, 1.2)))
        reach = float(rng.uniform(0.5, 0.66))
        pen.draw(_leaf(0.0, 0.32, reach, 0.075, float(a)), surface(tone, relief=0.5), "leaf")
    pot = polygon((-0.13, 0.0), (0.13, 0.0), (0.19, 0.36), (-0.19, 0.36))
    clay = pick(rng, "orange brown white blue grey maroon teal")
    pen.draw(pot, surface(clay, "noise", contrast=0.08, relief=0.8, fade=0.3), "pot")
    pen.draw(box(-0.21, 0.31, 0.21, 0.38), surface(dim(clay, 1.08), relief=0.5), "pot")


def cactus(pen: Pen) -> None:
    """A column cactus with one to three arms."""
    rng = pen.rng
    pen.shadow(0.4, 0.035)
    flesh = surface(
        mix(_green(pen), pick(rng, "olive teal tan purple grey"), 0.4),
        "wood",
        contrast=0.25,
        scale=5.0,
        upright=True,
        relief=0.9,
    )
    for side in (-1.0, 1.0)[: int(rng.integers(1, 3))]:
        y, reach = float(rng.uniform(0.3, 0.5)), 0.2
        top = y + float(rng.uniform(0.18, 0.32))
        pen.draw(limb(0.1, (0.0, y), (side * reach, y + 0.03), (side * reach, top)), flesh, "arm")
    pen.draw(limb(0.16, (0.0, 0.02), (0.0, 0.92)), flesh, "trunk")
    spines = [
        line(0.008, (x, y), (x + 0.012, y + 0.03))
        for x in (-0.05, 0.0, 0.05)
        for y in np.arange(0.1, 0.9, 0.11)
    ]
    pen.mark(spines, flat((226.0, 222.0, 190.0)), 0.7)


def coral(pen: Pen) -> None:
    """A branched coral."""
    rng = pen.rng
    paint = surface(
        pick(rng, "pink orange red purple yellow cream"), "sand", contrast=0.2, relief=0.7
    )
    for a in np.linspace(0.5, pi - 0.5, 5) + rng.uniform(-0.12, 0.12, 5):
        mid = (0.45 * cos(a), 0.5 * sin(a))
        tips = [(mid[0] + 0.42 * cos(a + t), mid[1] + 0.42 * sin(a + t)) for t in (-0.4, 0.35)]
        twigs = [o for tip in tips for o in limb(0.09, mid, tip)]
        pen.draw([*limb(0.13, (0.0, 0.0), mid), *twigs], paint, "branch")


def seaweed(pen: Pen) -> None:
    """Blades of seaweed that sway."""
    rng = pen.rng
    color = mix(_green(pen), pick(rng, "olive brown teal maroon"), 0.4)
    for x in rng.uniform(-0.2, 0.2, 5):
        sway, height = float(rng.uniform(-0.14, 0.14)), float(rng.uniform(0.6, 1.0))
        low, high = 0.35 * height, 0.7 * height
        blade = smooth(
            (x - 0.03, 0.0), (x - 0.06 + sway, low), (x - 0.05 - sway, high), (x, height),
            (x + 0.05 - sway, high), (x + 0.05 + sway, low), (x + 0.03, 0.0),
        )  # fmt: skip
        pen.draw(blade, surface(dim(color, float(rng.uniform(0.75, 1.2))), relief=0.5), "leaf")


def rock(pen: Pen) -> None:
    """A boulder, wider than high."""
    rng = pen.rng
    pen.shadow(1.5, 0.12)
    radius = rng.uniform(0.75, 1.05, 11)
    angles = np.linspace(-0.15, pi + 0.15, 11)
    points = [
        (0.75 * r * cos(a), max(0.95 * r * sin(a), -0.05))
        for a, r in zip(angles, radius, strict=True)
    ]
    color = pick(rng, "grey tan brown grey", 20.0)
    pen.draw(
        smooth(*points, steps=2),
        surface(color, "stone", contrast=0.3, scale=1.3, relief=0.8, fade=0.45),
        material="stone",
    )
