"""Things of the house."""

from __future__ import annotations

from math import cos, pi, sin

from net2vec.data.diorama.canvas import Paint
from net2vec.data.diorama.materials import dim, mix, pick, surface
from net2vec.data.diorama.objects.pen import Pen, box, ellipse, flat, limb, line, polygon, smooth

_FABRIC = "red blue green grey cream brown purple pink teal yellow orange white navy maroon olive"


def _timber(pen: Pen) -> Paint:
    color = pick(pen.rng, "brown tan maroon cream white black")
    return surface(color, "wood", contrast=0.12, scale=2.5)


def chair(pen: Pen) -> None:
    """A wooden chair, seen a little from the side."""
    pen.shadow(0.75, 0.07)
    wood = _timber(pen)
    padded = pen.rng.random() < 0.5
    seat = surface(pick(pen.rng, _FABRIC), "fabric", contrast=0.12, relief=0.5) if padded else wood
    pen.draw(
        [box(-0.2, 0.06, -0.14, 0.46), box(0.22, 0.06, 0.28, 0.46)], wood, "leg", material="wood"
    )
    back = [
        box(-0.3, 0.44, -0.24, 1.0),
        box(0.12, 0.44, 0.18, 1.0),
        box(-0.3, 0.88, 0.18, 1.0),
        box(-0.3, 0.66, 0.18, 0.74),
    ]
    pen.draw(back, wood, "back", material="wood")
    pen.draw(
        [box(-0.32, 0.0, -0.25, 0.46), box(0.12, 0.0, 0.19, 0.46)], wood, "leg", material="wood"
    )
    top = polygon((-0.34, 0.42), (0.2, 0.42), (0.31, 0.52), (-0.22, 0.52))
    pen.draw(
        [top, box(-0.34, 0.4, 0.2, 0.45)], seat, "seat", material="fabric" if padded else "wood"
    )


def table(pen: Pen) -> None:
    """A table, as wide as 1.7 times its height; its top is at 1."""
    pen.shadow(1.8, 0.1)
    wood = _timber(pen)
    pen.draw(
        [box(x - 0.035, 0.12, x + 0.035, 0.9) for x in (-0.6, 0.62)], wood, "leg", material="wood"
    )
    pen.draw(
        [box(x - 0.045, 0.0, x + 0.045, 0.85) for x in (-0.76, 0.76)], wood, "leg", material="wood"
    )
    top = [
        polygon((-0.88, 0.86), (0.88, 0.86), (0.74, 1.06), (-0.74, 1.06)),
        box(-0.88, 0.79, 0.88, 0.87),
    ]
    pen.draw(top, wood, "top", material="wood")
    pen.mark(box(-0.88, 0.79, 0.88, 0.855), flat((60.0, 40.0, 26.0)), 0.35)


def sofa(pen: Pen) -> None:
    """A sofa for two, twice as wide as high."""
    rng, color = pen.rng, pick(pen.rng, _FABRIC)
    pen.shadow(2.3, 0.1)

    def cloth(brightness: float) -> Paint:
        return surface(dim(color, brightness), "fabric", contrast=0.12, relief=0.6, fade=0.3)

    pen.draw(
        [box(x - 0.05, 0.0, x + 0.05, 0.14) for x in (-0.85, 0.85)],
        surface((70.0, 48.0, 34.0)),
        "leg",
        material="wood",
    )
    back = smooth(
        (-0.95, 0.3), (-0.92, 0.92), (-0.6, 1.0), (0.6, 1.0), (0.92, 0.92), (0.95, 0.3), steps=4,
    )  # fmt: skip
    pen.draw(back, cloth(0.86), "back", material="fabric")
    pen.draw(box(-0.92, 0.1, 0.92, 0.38), cloth(0.8), material="fabric")
    for x in (-0.4, 0.4):
        seat = smooth(
            (x - 0.4, 0.36), (x - 0.39, 0.52), (x, 0.55), (x + 0.39, 0.52), (x + 0.4, 0.36),
            (x, 0.34), steps=4,
        )  # fmt: skip
        pen.draw(seat, cloth(1.05), "seat", material="fabric")
    for x in (-0.93, 0.93):
        arm = smooth(
            (x - 0.14, 0.1), (x - 0.15, 0.6), (x, 0.68), (x + 0.15, 0.6), (x + 0.14, 0.1), steps=4
        )
        pen.draw(arm, cloth(0.95), "arm", material="fabric")
    for x in (-0.55, 0.5)[: int(rng.integers(0, 3))]:
        pad = surface(pick(rng, _FABRIC), "fabric", contrast=0.15, relief=0.8)
        points = [(x + 0.24 * cos(a) * 1.1, 0.68 + 0.2 * sin(a)) for a in (0.7, 2.3, 3.9, 5.5)]
        pen.draw(smooth(*points), pad, "cushion", material="fabric")


def lamp(pen: Pen) -> None:
    """A floor or table lamp with a cloth shade."""
    rng = pen.rng
    pen.shadow(0.3, 0.025)
    metal = surface(pick(rng, "black grey yellow brown white"), relief=0.6)
    pen.draw(
        [box(-0.14, 0.0, 0.14, 0.035), line(0.03, (0.0, 0.0), (0.0, 0.72))],
        metal,
        "base",
        material="metal",
    )
    cloth = surface(
        mix(pick(rng, "cream yellow orange red white pink teal"), (255.0, 240.0, 200.0), 0.45),
        "fabric",
        contrast=0.05,
        relief=0.5,
    )
    pen.draw(
        polygon((-0.2, 0.68), (0.2, 0.68), (0.12, 1.0), (-0.12, 1.0)),
        cloth,
        "shade",
        material="fabric",
    )


def television(pen: Pen) -> None:
    """A flat television on its foot, 1.5 times as wide as high."""
    rng = pen.rng
    case = surface(pick(rng, "black grey black white"), relief=0.3)
    pen.draw([box(-0.3, 0.0, 0.3, 0.05), box(-0.06, 0.0, 0.06, 0.16)], case, "base")
    pen.draw(box(-0.78, 0.13, 0.78, 1.0), case, "frame")
    shown = (
        (24.0, 28.0, 36.0)
        if rng.random() < 0.4
        else pick(rng, "blue green teal navy orange purple")
    )
    pen.draw(
        box(-0.73, 0.18, 0.73, 0.95),
        surface(shown, "clouds", contrast=0.25, scale=4.0, fade=0.6, relief=0.0),
        "screen",
    )
    pen.mark(
        polygon((-0.7, 0.92), (-0.2, 0.92), (-0.45, 0.2), (-0.7, 0.2)),
        flat((255.0, 255.0, 255.0)),
        0.07,
    )


def painting(pen: Pen) -> None:
    """A framed landscape on a wall, its lower edge at the foot."""
    rng, half = pen.rng, float(pen.rng.uniform(0.45, 0.75))
    pen.draw(
        box(-half, 0.0, half, 1.0),
        surface(
            pick(rng, "brown yellow black white tan"), "wood", contrast=0.12, scale=4.0, relief=0.8
        ),
        "frame",
        material="wood",
    )
    left, right = -half + 0.1, half - 0.1
    pen.draw(
        box(left, 0.1, right, 0.9),
        surface(
            pick(rng, "blue cream orange pink purple teal"),
            "noise",
            contrast=0.15,
            relief=0.0,
            fade=0.4,
        ),
    )
    hill = polygon(
        (left, 0.1), (left, 0.42), (0.0, 0.58), (right * 0.6, 0.4), (right, 0.5), (right, 0.1)
    )
    pen.mark(
        hill, surface(pick(rng, "green olive navy brown red"), "noise", contrast=0.2, relief=0.0)
    )
    pen.mark(ellipse(right * 0.4, 0.72, 0.08), flat(pick(rng, "white yellow orange red")))


def clock(pen: Pen) -> None:
    """A round wall clock; its middle is at height 0.5."""
    rng = pen.rng
    pen.draw(
        ellipse(0.0, 0.5, 0.5),
        surface(pick(rng, "black brown red yellow grey teal"), relief=0.8),
        "frame",
    )
    pen.draw(ellipse(0.0, 0.5, 0.41), surface((240.0, 238.0, 228.0), relief=0.1))
    marks = [
        line(0.025, (0.32 * cos(a), 0.5 + 0.32 * sin(a)), (0.38 * cos(a), 0.5 + 0.38 * sin(a)))
        for a in (i * pi / 6 for i in range(12))
    ]
    hands = [
        line(0.04, (0.0, 0.5), (r * cos(a), 0.5 + r * sin(a)))
        for r, a in zip((0.2, 0.3), rng.uniform(0, 2 * pi, 2), strict=True)
    ]
    pen.mark(marks + hands, flat((30.0, 30.0, 34.0)))


def curtain(pen: Pen) -> None:
    """One hanging length of cloth with folds, a third as wide as high."""
    color = pick(pen.rng, _FABRIC)
    cloth = surface(color, "fabric", contrast=0.06, scale=2.0, relief=0.2)
    hem = [(0.17 - 0.034 * i, 0.012 * (i % 2)) for i in range(11)]
    pen.draw(polygon((-0.15, 1.0), (0.15, 1.0), *hem), cloth, material="fabric")
    folds = [
        polygon((x, 0.0), (x + 0.028, 0.0), (x + 0.016, 1.0), (x, 1.0))
        for x in (-0.12, -0.05, 0.02, 0.09)
    ]
    pen.mark(folds, flat(dim(color, 0.55)), 0.4)
    pen.mark(line(0.02, (-0.2, 1.0), (0.2, 1.0)), flat((84.0, 64.0, 48.0)))


def carpet(pen: Pen) -> None:
    """A carpet on the floor in perspective, about five times as wide as deep."""
    rng, color = pen.rng, pick(pen.rng, _FABRIC)
    cloth = surface(color, "fabric", contrast=0.14, relief=0.15)
    outer = polygon((-2.7, 0.0), (2.7, 0.0), (2.1, 1.0), (-2.1, 1.0))
    pen.draw(outer, cloth, material="fabric")
    for share, tone in ((0.84, pick(rng, _FABRIC)), (0.7, color)):
        inner = (outer - (0.0, 0.5)) * (share, share * 0.96) + (0.0, 0.5)
        pen.mark(inner, surface(tone, "fabric", contrast=0.14, relief=0.1))


def windowpane(pen: Pen) -> None:
    """A window seen from inside, with the sky and a hedge in it."""
    rng, half = pen.rng, 0.42
    haze = pen.canvas.light.haze
    frame = surface(pick(rng, "white cream brown grey"), relief=0.5)
    pen.draw(box(-half, 0.0, half, 1.0), frame, "frame", material="wood")
    view = surface(
        mix((150.0, 190.0, 232.0), haze, 0.5), "clouds", contrast=0.12, fade=0.15, relief=0.0
    )
    pen.draw(box(-half + 0.06, 0.06, half - 0.06, 0.94), view)
    hedge = [ellipse(x, 0.12, 0.13, 0.1 + 0.1 * float(rng.random())) for x in (-0.22, 0.0, 0.22)]
    pen.mark(
        [*hedge, box(-0.36, 0.06, 0.36, 0.16)],
        surface((82.0, 116.0, 62.0), "foliage", contrast=0.3, scale=2.0, relief=0.2),
    )
    pen.draw(
        [line(0.04, (0.0, 0.03), (0.0, 0.97)), line(0.04, (-half, 0.5), (half, 0.5))],
        frame,
        "frame",
        material="wood",
    )
    pen.draw(box(-half - 0.05, -0.05, half + 0.05, 0.02), frame, "frame", material="wood")


def cabinet(pen: Pen) -> None:
    """A cupboard of two doors over two drawers, about as wide as high."""
    rng = pen.rng
    color = pick(rng, "brown tan white cream teal grey green navy red")
    wood = surface(color, "wood", contrast=0.1, scale=2.5, upright=True, relief=0.25)
    panel = surface(dim(color, 1.05), "wood", contrast=0.1, scale=2.5, upright=True, relief=0.55)
    pen.draw(box(-0.5, 0.0, 0.5, 1.0), wood, material="wood")
    knob = flat(pick(rng, "grey yellow black white"))
    for x in (-0.47, 0.02):
        pen.draw(box(x, 0.3, x + 0.45, 0.96), panel, "door", material="wood")
        pen.mark(box(x + 0.08, 0.38, x + 0.37, 0.88), surface(dim(color, 0.93), relief=0.3))
        pen.draw(box(x, 0.05, x + 0.45, 0.27), panel, "drawer", material="wood")
        pen.draw(box(x + 0.13, 0.14, x + 0.32, 0.18), knob, "handle", of="drawer", material="metal")
    pen.draw(
        [box(x, 0.56, x + 0.045, 0.7) for x in (-0.09, 0.05)],
        knob,
        "handle",
        of="door",
        material="metal",
    )


def refrigerator(pen: Pen) -> None:
    """A refrigerator of two doors, half as wide as high."""
    color = pick(pen.rng, "white grey cream red black teal")
    metal = surface(color, "metal", contrast=0.05, relief=0.35, upright=True, fade=0.3)
    pen.draw(box(-0.25, 0.0, 0.25, 1.0), surface(dim(color, 0.7)), material="metal")
    for low, high in ((0.03, 0.6), (0.62, 0.99)):
        pen.draw(box(-0.24, low, 0.24, high), metal, "door", material="metal")
        pen.draw(
            box(0.16, low + 0.1, 0.195, high - 0.08),
            surface(dim(color, 0.5), relief=0.6),
            "handle",
            of="door",
            material="metal",
        )


def oven(pen: Pen) -> None:
    """A cooker with its oven door, about as wide as high."""
    color = pick(pen.rng, "white grey black cream red")
    pen.draw(box(-0.45, 0.0, 0.45, 1.0), surface(color, relief=0.3), material="metal")
    pen.draw(
        box(-0.4, 0.12, 0.4, 0.7), surface(dim(color, 0.92), relief=0.4), "door", material="metal"
    )
    pen.draw(
        box(-0.29, 0.22, 0.29, 0.55), surface((38.0, 36.0, 38.0), fade=0.7), "window", of="door"
    )
    pen.draw(
        box(-0.33, 0.61, 0.33, 0.655),
        surface((186.0, 188.0, 192.0), relief=0.8),
        "handle",
        of="door",
        material="metal",
    )
    pen.mark(
        [ellipse(x, 0.82, 0.045) for x in (-0.3, -0.1, 0.1, 0.3)],
        surface((60.0, 60.0, 64.0), relief=0.6),
    )
    plates = [ellipse(x, 1.0, 0.14, 0.025) for x in (-0.22, 0.22)]
    pen.draw(plates, flat((30.0, 30.0, 32.0)), material="metal")


def kettle(pen: Pen) -> None:
    """A kettle with its spout and handle."""
    color = pick(pen.rng, "grey red blue white orange green black purple")
    body = surface(color, "metal", contrast=0.04, relief=1.0, fade=0.5)
    pen.draw(limb(0.09, (0.3, 0.3), (0.5, 0.5), (0.58, 0.64)), body, "spout", material="metal")
    ring = [(0.34 * cos(a), 0.6 + 0.36 * sin(a)) for a in (pi * i / 8 for i in range(9))]
    pen.draw(limb(0.075, *ring), surface((48.0, 42.0, 40.0), relief=0.5), "handle")
    belly = smooth(
        (-0.42, 0.0), (-0.42, 0.3), (-0.25, 0.58), (0.25, 0.58), (0.42, 0.3), (0.42, 0.0),
        (0.0, -0.02),
    )  # fmt: skip
    pen.draw(belly, body, material="metal")
    pen.draw(ellipse(0.0, 0.61, 0.06, 0.05), flat((40.0, 36.0, 34.0)))


def cup(pen: Pen) -> None:
    """A cup with its handle."""
    color = pick(pen.rng, "white red blue yellow green orange pink purple black cream")
    angles = (-1.7 + i * 0.425 for i in range(9))
    ring = [(0.4 + 0.22 * cos(a), 0.5 + 0.26 * sin(a)) for a in angles]
    pen.draw(limb(0.1, *ring), surface(dim(color, 0.9), relief=0.5), "handle")
    bowl = smooth(
        (-0.42, 0.95), (-0.38, 0.2), (-0.25, 0.02), (0.25, 0.02), (0.38, 0.2), (0.42, 0.95),
        steps=4,
    )  # fmt: skip
    pen.draw(bowl, surface(color, relief=0.9, fade=0.4))
    pen.draw(ellipse(0.0, 0.93, 0.42, 0.09), surface(dim(color, 0.6)))


def bottle(pen: Pen) -> None:
    """A bottle with its neck and cap."""
    color = pick(pen.rng, "green brown blue white teal olive")
    glass = surface(color, relief=1.1, fade=0.4)
    pen.draw(box(-0.055, 0.6, 0.055, 0.95), glass, "neck")
    cap = surface(pick(pen.rng, "red yellow black white grey"))
    pen.draw(box(-0.065, 0.92, 0.065, 1.0), cap, "cap")
    body = smooth(
        (-0.16, 0.0), (-0.16, 0.5), (-0.06, 0.68), (0.06, 0.68), (0.16, 0.5), (0.16, 0.0), steps=5,
    )  # fmt: skip
    pen.draw(body, glass)
    label = surface(pick(pen.rng, "cream white yellow red"), relief=0.3)
    pen.mark(box(-0.155, 0.16, 0.155, 0.42), label)
