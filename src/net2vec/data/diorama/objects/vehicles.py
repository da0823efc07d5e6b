"""Things that move people: on the road, on the water, in the air."""

from __future__ import annotations

from math import cos, pi, sin

from net2vec.data.diorama.canvas import RGB
from net2vec.data.diorama.materials import dim, mix, pick, surface
from net2vec.data.diorama.objects.pen import Pen, box, ellipse, flat, limb, line, polygon, smooth

_LACQUER = "red blue white grey black yellow green orange navy cream maroon teal pink purple"


def _wheel(pen: Pen, x: float, y: float, radius: float) -> None:
    pen.draw(ellipse(x, y, radius), surface((30.0, 30.0, 32.0), relief=0.2), "wheel")
    pen.mark(ellipse(x, y, radius * 0.62), surface((168.0, 170.0, 176.0), relief=0.6))
    spokes = [
        line(radius * 0.1, (x, y), (x + radius * 0.55 * cos(a), y + radius * 0.55 * sin(a)))
        for a in (i * 2 * pi / 5 + 0.3 for i in range(5))
    ]
    pen.mark(spokes, flat((70.0, 72.0, 78.0)))


def _glass(pen: Pen) -> RGB:
    return mix((52.0, 66.0, 82.0), pen.canvas.light.haze, float(pen.rng.uniform(0.1, 0.45)))


def car(pen: Pen) -> None:
    """A saloon or a hatchback from the side, about 2.7 times as long as high."""
    rng, paint = pen.rng, pick(pen.rng, _LACQUER)
    lacquer = surface(paint, relief=0.55, fade=0.35)
    glass = surface(_glass(pen), fade=0.5, relief=0.1)
    rear = float(rng.uniform(-1.28, -0.95))  # where the roof meets the boot
    pen.shadow(2.9, 0.13)
    body = smooth(
        (-1.36, 0.22), (-1.38, 0.5), (-1.3, 0.6), (rear, 0.68), (rear + 0.32, 0.95),
        (-0.2, 1.02), (0.32, 0.95), (0.68, 0.66), (1.18, 0.58), (1.36, 0.44), (1.37, 0.22),
        (1.2, 0.17), (-1.2, 0.17),
    )  # fmt: skip
    pen.draw(body, lacquer, material="metal")
    pen.draw(box(-1.2, 0.13, 1.2, 0.24), flat((26.0, 26.0, 28.0)))
    pen.draw(
        polygon((rear + 0.16, 0.68), (rear + 0.4, 0.91), (-0.36, 0.955), (-0.36, 0.68)),
        glass,
        "window",
    )
    # The front door carries its window and its handle.
    door = polygon((-0.3, 0.2), (0.42, 0.2), (0.56, 0.68), (0.3, 0.92), (-0.3, 0.96))
    pen.draw(door, surface(dim(paint, 0.97), relief=0.18, fade=0.3), "door", material="metal")
    pen.draw(
        polygon((-0.24, 0.68), (0.46, 0.68), (0.25, 0.88), (-0.24, 0.92)),
        glass,
        "window",
        of="door",
    )
    pen.draw(
        box(-0.22, 0.57, -0.04, 0.61),
        flat(mix(paint, (240.0, 240.0, 240.0), 0.6)),
        "handle",
        of="door",
    )
    pen.mark(line(0.018, (-1.3, 0.5), (1.3, 0.48)), flat(dim(paint, 0.75)))
    pen.draw(ellipse(1.25, 0.48, 0.1, 0.055, -0.4), flat((250.0, 246.0, 214.0)), "headlight")
    pen.mark(ellipse(-1.33, 0.5, 0.04, 0.08), flat((196.0, 30.0, 30.0)))
    for x in (-0.84, 0.84):
        pen.draw(ellipse(x, 0.25, 0.29), flat((20.0, 20.0, 22.0)))
        _wheel(pen, x, 0.225, 0.23)


def bus(pen: Pen) -> None:
    """A city bus from the side, about 2.6 times as long as high."""
    rng, paint = pen.rng, pick(pen.rng, "red yellow blue white green orange purple cream")
    stripe = pick(rng, "white blue red yellow grey navy")
    pen.shadow(2.8, 0.06)
    shell = smooth(
        (-1.3, 0.14), (-1.32, 0.5), (-1.3, 0.92), (-1.18, 1.0), (0.0, 1.0), (1.18, 1.0),
        (1.29, 0.9), (1.33, 0.5), (1.31, 0.14), (0.0, 0.12), steps=4,
    )  # fmt: skip
    pen.draw(shell, surface(paint, relief=0.4, fade=0.3), material="metal")
    pen.mark(box(-1.29, 0.36, 1.3, 0.44), surface(stripe, relief=0.0))
    glass = surface(_glass(pen), fade=0.5, relief=0.1)
    panes = int(rng.integers(4, 7))
    step = 1.62 / panes
    for i in range(panes):
        left = -1.2 + i * step
        pen.draw(box(left, 0.54, left + step * 0.88, 0.87), glass, "window")
    pen.draw(box(0.5, 0.12, 0.84, 0.87), surface(dim(paint, 0.8), relief=0.2), "door")
    pen.draw([box(0.53, 0.3, 0.65, 0.83), box(0.69, 0.3, 0.81, 0.83)], glass, "window", of="door")
    pen.draw(polygon((0.94, 0.5), (1.3, 0.48), (1.27, 0.88), (0.94, 0.88)), glass, "window")
    pen.draw(ellipse(1.28, 0.24, 0.05, 0.045), flat((250.0, 246.0, 214.0)), "headlight")
    for x in (-0.82, 0.92):
        pen.draw(ellipse(x, 0.15, 0.16), flat((22.0, 22.0, 24.0)))
        _wheel(pen, x, 0.13, 0.13)


def bicycle(pen: Pen) -> None:
    """A bicycle from the side, about 1.7 times as long as high."""
    paint = surface(pick(pen.rng, "red blue green black orange white pink teal"), relief=0.3)
    pen.shadow(1.7, 0.04)
    for x in (-0.54, 0.54):
        rim = ellipse(x, 0.34, 0.32)
        # Only the tyre hides what is behind a wheel, but a wheel is the whole disc.
        pen.draw([line(0.06, *map(tuple, rim), tuple(rim[0]))], flat((32.0, 32.0, 34.0)), "wheel")
        spokes = [
            line(0.012, (x, 0.34), (x + 0.31 * cos(i * pi / 6), 0.34 + 0.31 * sin(i * pi / 6)))
            for i in range(12)
        ]
        pen.draw(spokes, flat((150.0, 152.0, 156.0)), "wheel")
    frame = [
        limb(0.05, (-0.54, 0.34), (-0.08, 0.32), (0.36, 0.74), (-0.2, 0.74), (-0.08, 0.32)),
        limb(0.05, (-0.54, 0.34), (-0.2, 0.74), (-0.24, 0.86)),
        limb(0.05, (0.54, 0.34), (0.36, 0.74), (0.33, 0.92)),
    ]
    pen.draw([o for tube in frame for o in tube], paint, "frame", material="metal")
    pen.draw(
        smooth((-0.4, 0.9), (-0.1, 0.88), (-0.12, 0.94), (-0.38, 0.97)),
        flat((44.0, 36.0, 32.0)),
        "saddle",
    )
    pen.draw(limb(0.05, (0.33, 0.92), (0.42, 1.0), (0.26, 1.0)), flat((50.0, 50.0, 54.0)), "handle")


def boat(pen: Pen) -> None:
    """A sailing boat, its foot at the waterline, as high as its mast."""
    rng, paint = pen.rng, pick(pen.rng, "white red navy brown blue green cream yellow")
    wooden = rng.random() < 0.45
    canvas = pick(rng, "white cream white red orange blue yellow tan pink")
    pen.canvas.shade(pen._placed(ellipse(0.0, -0.05, 0.5, 0.05)), 0.35, 0.03 * pen.size + 0.5)
    pen.draw(
        line(0.022, (0.02, 0.12), (0.02, 1.0)),
        surface((134.0, 106.0, 74.0)),
        "mast",
        material="wood",
    )
    cloth = surface(canvas, "fabric", contrast=0.05, relief=0.5, fade=0.3)
    belly = float(rng.uniform(0.02, 0.1))
    main = smooth(
        (-0.01, 0.24), (-0.01, 0.6), (-0.01, 0.97), (-0.2 - belly, 0.6), (-0.46, 0.26), steps=5
    )
    pen.draw(main, cloth, "sail", material="fabric")
    if rng.random() < 0.7:
        jib = polygon((0.06, 0.88), (0.06, 0.28), (0.28 + belly, 0.34), (0.44, 0.22))
        pen.draw(jib[[0, 1, 3, 2]], cloth, "sail", material="fabric")
    hull = smooth(
        (-0.5, 0.17), (-0.48, 0.04), (-0.4, -0.05), (0.3, -0.05), (0.46, 0.08), (0.6, 0.2),
        (0.2, 0.15), (-0.2, 0.15), steps=4,
    )  # fmt: skip
    if wooden:
        plank = surface(pick(rng, "brown tan maroon"), "wood", contrast=0.22, scale=3.0, relief=0.5)
        pen.draw(hull, plank, "hull", material="wood")
    else:
        pen.draw(hull, surface(paint, relief=0.5), "hull")
    pen.mark(
        line(0.02, (-0.46, 0.13), (0.2, 0.12), (0.5, 0.16)),
        flat(mix(paint, (250.0, 250.0, 250.0), 0.5)),
    )


def airplane(pen: Pen) -> None:
    """An airliner from the side, its foot on the runway, about 3.4 times as long as high."""
    rng = pen.rng
    body = surface(pick(rng, "white white grey cream yellow"), "metal", contrast=0.03, relief=0.6)
    tail = pick(rng, "red blue navy green orange purple yellow pink")
    pen.shadow(3.2, 0.06)
    for x in (-0.15, 1.02):
        pen.draw(line(0.04, (x, 0.06), (x, 0.3)), flat((120.0, 122.0, 126.0)))
        pen.draw(ellipse(x, 0.06, 0.065), flat((30.0, 30.0, 32.0)), "wheel")
    pen.draw(
        polygon((-1.62, 0.55), (-1.75, 1.0), (-1.52, 1.0), (-1.08, 0.56)),
        surface(tail, relief=0.2),
        "tail",
        material="metal",
    )
    hull = smooth(
        (-1.72, 0.52), (-1.1, 0.58), (0.9, 0.58), (1.3, 0.5), (1.52, 0.37), (1.3, 0.26),
        (0.8, 0.21), (-0.7, 0.21), (-1.2, 0.32), steps=6,
    )  # fmt: skip
    pen.draw(hull, body, material="metal")
    pen.mark(line(0.035, (-1.5, 0.47), (1.44, 0.42)), flat(tail))
    panes = [ellipse(-0.9 + i * 0.145, 0.485, 0.028, 0.034) for i in range(14)]
    panes.append(polygon((1.22, 0.44), (1.4, 0.42), (1.3, 0.5), (1.18, 0.51)))
    pen.draw(panes, flat((48.0, 58.0, 74.0)), "window")
    pen.draw(box(0.98, 0.3, 1.08, 0.5), surface((206.0, 208.0, 210.0), relief=0.1), "door")
    wing = polygon((-0.45, 0.32), (0.42, 0.34), (-0.3, 0.08), (-0.62, 0.08))
    pen.draw(wing, surface((176.0, 180.0, 186.0), relief=0.3), "wing", material="metal")
    engine = smooth((-0.08, 0.08), (0.26, 0.07), (0.34, 0.14), (0.26, 0.24), (-0.08, 0.2), steps=4)
    pen.draw(
        engine,
        surface(mix(tail, (200.0, 200.0, 204.0), 0.5), relief=0.6),
        "engine",
        material="metal",
    )
    pen.draw(
        polygon((-1.6, 0.52), (-1.2, 0.52), (-1.5, 0.45), (-1.74, 0.45)),
        surface((190.0, 194.0, 198.0)),
        "wing",
        material="metal",
    )
