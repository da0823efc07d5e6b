"""Things that are built, and what stands along streets."""

from __future__ import annotations

from math import cos, pi, sin

import numpy as np

from net2vec.data.diorama.canvas import RGB, Paint, Stroke
from net2vec.data.diorama.materials import dim, mix, pick, surface
from net2vec.data.diorama.objects.pen import Outline, Pen, box, ellipse, flat, line, polygon, smooth


def _masonry(pen: Pen, kinds: str) -> tuple[Paint, str | None, RGB]:
    """A wall's paint, material and colour, of one of the kinds named."""
    rng, names = pen.rng, kinds.split()
    kind = names[int(rng.integers(len(names)))]
    scale = float(rng.uniform(1.6, 2.6))
    if kind == "brick":
        color: RGB = mix((164.0, 84.0, 62.0), (196.0, 150.0, 112.0), float(rng.random() ** 2))
        paint = surface(
            color,
            "brick",
            contrast=0.2,
            scale=scale,
            joint=(196.0, 188.0, 178.0),
            relief=0.1,
            fade=0.25,
        )
    elif kind == "stone":
        color = pick(rng, "grey tan cream")
        paint = surface(
            color,
            "ashlar",
            contrast=0.16,
            scale=scale,
            joint=dim(color, 0.7),
            relief=0.1,
            fade=0.25,
        )
    elif kind == "wood":
        color = pick(rng, "brown tan maroon teal white navy")
        paint = surface(
            color, "planks", contrast=0.14, scale=2.5, joint=dim(color, 0.6), relief=0.1, fade=0.25
        )
    else:
        color = pick(rng, "cream white yellow pink tan blue orange grey green")
        color = mix(color, (235.0, 230.0, 220.0), 0.35)
        paint = surface(color, "noise", contrast=0.06, relief=0.1, fade=0.25)
    return paint, (kind if kind != "plaster" else None), color


def _panes(pen: Pen, boxes: list[tuple[float, float, float, float]], frame: RGB) -> None:
    """Equal windows (left, bottom, right, top) with frames, sash bars and sills."""
    glass = surface(
        mix((46.0, 60.0, 78.0), pen.canvas.light.haze, 0.25), "clouds", contrast=0.25, relief=0.0
    )
    dusk = pen.canvas.light.strength < 0.62
    frames: list[Outline] = []
    glazing: list[Outline] = []
    lit: list[Outline] = []
    bars: list[Outline] = []
    sills: list[Outline] = []
    for left, bottom, right, top in boxes:
        w, h = right - left, top - bottom
        frames.append(box(left, bottom, right, top))
        inner = box(left + w * 0.1, bottom + h * 0.08, right - w * 0.1, top - h * 0.08)
        (lit if dusk and pen.rng.random() < 0.3 else glazing).append(inner)
        x, y = (left + right) / 2, bottom + h * 0.55
        bars += [line(w * 0.07, (x, bottom), (x, top)), line(w * 0.07, (left, y), (right, y))]
        sills.append(box(left - w * 0.06, bottom - h * 0.07, right + w * 0.06, bottom))
    pen.draw(frames, flat(frame), "window")
    if glazing:
        pen.mark(glazing, glass)
    if lit:
        pen.mark(lit, flat((246.0, 210.0, 124.0)))
    if pen.size > 40:
        pen.mark(bars, flat(frame))
        pen.mark(sills, flat(dim(frame, 0.7)))


def _door(pen: Pen, left: float, right: float, top: float, *, glazed: bool) -> None:
    color, w = pick(pen.rng, "brown red green navy teal white maroon"), right - left
    wood = surface(color, "wood", contrast=0.15, scale=3.0, upright=True, relief=0.3)
    pen.draw(box(left, 0.0, right, top), wood, "door", material="wood")
    panels = [
        box(left + w * a, top * b, left + w * (a + 0.3), top * (b + 0.3))
        for a in (0.15, 0.55)
        for b in (0.1,)
    ]
    pen.mark(panels, surface(dim(color, 0.82), relief=0.5))
    if glazed:
        pen.draw(
            box(left + w * 0.2, top * 0.58, right - w * 0.2, top * 0.9),
            flat((70.0, 88.0, 104.0)),
            "window",
            of="door",
        )
    pen.draw(
        ellipse(right - w * 0.15, top * 0.48, w * 0.075),
        flat((222.0, 190.0, 96.0)),
        "handle",
        of="door",
        material="metal",
    )


def building(pen: Pen) -> None:
    """A block of flats, as high as 1 and 0.4 to 0.8 wide, with rows of windows."""
    rng = pen.rng
    wall, material, color = _masonry(pen, "brick brick stone plaster plaster")
    half = float(rng.uniform(0.22, 0.4))
    floors, bays = int(rng.integers(3, 7)), int(rng.integers(3, 6))
    pen.draw(box(-half, 0.0, half, 0.97), wall, material=material)
    pen.draw(
        box(-half - 0.02, 0.955, half + 0.02, 1.0), surface(dim(color, 0.7), relief=0.3), "roof"
    )
    frame = pick(rng, "white cream grey brown")
    storey, bay = 0.93 / floors, 2 * half / bays
    door_bay = int(rng.integers(bays))
    boxes = []
    for j in range(floors):
        for i in range(bays):
            left, bottom = -half + (i + 0.24) * bay, (j + 0.28) * storey
            if (j, i) != (0, door_bay):
                boxes.append((left, bottom, left + bay * 0.52, bottom + storey * 0.55))
    _panes(pen, boxes, frame)
    left = -half + (door_bay + 0.24) * bay
    _door(pen, left, left + bay * 0.56, storey * 0.75, glazed=True)


def house(pen: Pen) -> None:
    """A house with a pitched roof, about as wide as high."""
    rng = pen.rng
    wall, material, _ = _masonry(pen, "brick plaster plaster wood stone")
    half, eaves = float(rng.uniform(0.45, 0.75)), float(rng.uniform(0.5, 0.6))
    pen.shadow(2 * half + 0.2, 0.06)
    if rng.random() < 0.7:
        x = float(rng.choice([-1, 1])) * half * 0.5
        flue = surface(
            (150.0, 84.0, 66.0), "brick", contrast=0.2, scale=3.0, joint=(190.0, 180.0, 170.0)
        )
        pen.draw(box(x - 0.06, 0.6, x + 0.06, 1.04), flue, "chimney", material="brick")
    pen.draw(box(-half, 0.0, half, eaves + 0.02), wall, material=material)
    tile = pick(rng, "maroon brown grey navy red orange teal")
    roof_paint = surface(
        tile, "shingles", contrast=0.14, scale=2.0, joint=dim(tile, 0.65), fade=0.3, relief=0.2
    )
    over = 0.08
    if rng.random() < 0.5:
        roof = polygon(
            (-half - over, eaves - 0.03),
            (half + over, eaves - 0.03),
            (half * 0.75, 0.96),
            (-half * 0.75, 0.96),
        )
    else:
        pen.draw(polygon((-half, eaves), (half, eaves), (0.0, 0.95)), wall, material=material)
        pen.draw(ellipse(0.0, eaves + 0.14, 0.07), surface((60.0, 76.0, 94.0), fade=0.5), "window")
        roof = polygon(
            (-half - over, eaves - 0.06), (0.0, 0.9), (half + over, eaves - 0.06),
            (half + over, eaves + 0.02),
            (0.0, 1.0), (-half - over, eaves + 0.02),
        )  # fmt: skip
    frame = pick(rng, "white cream brown teal green")
    slot = int(rng.integers(3))
    slots = [(i - 1) * half * 0.62 for i in range(3)]
    x = slots.pop(slot)
    _panes(pen, [(x - 0.09, 0.15, x + 0.09, 0.37) for x in slots], frame)
    _door(pen, x - 0.08, x + 0.08, 0.34, glazed=bool(rng.random() < 0.4))
    pen.draw(roof, roof_paint, "roof")


def lighthouse(pen: Pen) -> None:
    """A lighthouse, ten times as high as its lantern."""
    rng = pen.rng
    band = pick(rng, "red black navy green orange")
    pen.draw(
        polygon((-0.13, 0.0), (0.13, 0.0), (0.08, 0.78), (-0.08, 0.78)),
        surface((234.0, 232.0, 226.0), "noise", contrast=0.05, relief=0.7, fade=0.3),
        material="stone",
    )
    for y in (0.1, 0.36, 0.62):
        w0, w1 = 0.13 - 0.064 * y, 0.13 - 0.064 * (y + 0.13)
        pen.mark(
            polygon((-w0, y), (w0, y), (w1, y + 0.13), (-w1, y + 0.13)), surface(band, relief=0.6)
        )
    pen.draw(box(-0.04, 0.0, 0.04, 0.12), surface((90.0, 60.0, 44.0)), "door", material="wood")
    pen.draw(
        [box(-0.02, y, 0.02, y + 0.05) for y in (0.28, 0.53)], flat((50.0, 60.0, 74.0)), "window"
    )
    pen.draw(box(-0.11, 0.77, 0.11, 0.8), surface((70.0, 70.0, 76.0)), material="metal")
    pen.draw(box(-0.055, 0.8, 0.055, 0.9), surface((250.0, 226.0, 140.0), relief=0.5), "window")
    pen.draw(smooth((-0.085, 0.89), (0.0, 1.0), (0.085, 0.89)), surface(band, relief=0.5), "roof")


def windmill(pen: Pen) -> None:
    """A tower mill; its cap turns at 0.68 and its sails reach to 1."""
    rng = pen.rng
    wall, material, _ = _masonry(pen, "brick stone plaster wood")
    pen.shadow(0.5, 0.03)
    pen.draw(polygon((-0.2, 0.0), (0.2, 0.0), (0.12, 0.62), (-0.12, 0.62)), wall, material=material)
    pen.draw(
        smooth((-0.14, 0.61), (-0.1, 0.74), (0.0, 0.79), (0.1, 0.74), (0.14, 0.61)),
        surface(pick(rng, "brown maroon grey")),
        "roof",
    )
    _door(pen, -0.05, 0.05, 0.16, glazed=False)
    pen.draw(
        [box(-0.025, y, 0.025, y + 0.07) for y in (0.28, 0.45)], flat((50.0, 58.0, 70.0)), "window"
    )
    start = float(rng.uniform(0, pi / 2))
    sail = np.array([(0.1, 0.0), (0.46, 0.0), (0.46, 0.09), (0.12, 0.09)])
    for a in (start + i * pi / 2 for i in range(4)):
        turn, hub = np.array([[cos(a), sin(a)], [-sin(a), cos(a)]]), np.array([0.0, 0.68])
        cloth = surface((222.0, 212.0, 188.0), "fabric", contrast=0.1)
        pen.draw(sail @ turn + hub, cloth, "blade", material="fabric")
        stock = Stroke(np.array([(0.0, 0.0), (0.47, 0.0)]) @ turn + hub, 0.018)
        pen.draw(stock, surface((92.0, 66.0, 46.0)), "blade", material="wood")
        bars = [(np.array([(r, 0.0), (r, 0.09)])) for r in (0.16, 0.24, 0.32, 0.4)]
        pen.mark([Stroke(bar @ turn + hub, 0.006) for bar in bars], flat((110.0, 84.0, 60.0)))


def streetlight(pen: Pen) -> None:
    """A street lamp on its pole."""
    metal = surface(pick(pen.rng, "black grey green navy"), relief=0.3)
    lit = (255.0, 232.0, 160.0) if pen.canvas.light.strength < 0.5 else (232.0, 234.0, 228.0)
    pen.draw(
        [line(0.028, (0.0, 0.0), (0.0, 0.94)), box(-0.03, 0.0, 0.03, 0.1)],
        metal,
        "pole",
        material="metal",
    )
    if pen.rng.random() < 0.5:
        pen.draw(
            [line(0.022, (0.0, 0.93), (0.1, 0.99), (0.22, 0.98))], metal, "arm", material="metal"
        )
        pen.draw(smooth((0.16, 0.97), (0.3, 0.97), (0.28, 1.0), (0.18, 1.0)), flat(lit), "shade")
    else:
        pen.draw(
            polygon((-0.05, 0.85), (0.05, 0.85), (0.08, 0.97), (-0.08, 0.97)), flat(lit), "shade"
        )
        pen.draw(polygon((-0.09, 0.96), (0.09, 0.96), (0.0, 1.02)), metal, material="metal")


def umbrella(pen: Pen) -> None:
    """A beach umbrella with panels of two colours."""
    colors = (
        pick(pen.rng, "red blue green yellow orange purple pink navy"),
        pick(pen.rng, "white cream yellow"),
    )
    cloths = [surface(color, "fabric", contrast=0.06, relief=0.35) for color in colors]
    pen.shadow(1.1, 0.06, 0.15)
    pen.draw(line(0.03, (0.0, 0.0), (0.0, 0.95)), surface((214.0, 210.0, 200.0)), "pole")
    for i in range(5):
        a, b = -0.6 + 0.24 * i, -0.36 + 0.24 * i
        rim = ((a * 0.7, 0.88), (a, 0.68), ((a + b) / 2, 0.71), (b, 0.68), (b * 0.7, 0.88))
        pen.draw(polygon((0.0, 1.0), *rim), cloths[i % 2], "canopy", material="fabric")


def fence(pen: Pen) -> None:
    """Nine fields of a wooden fence, each about as wide as high."""
    color = pick(pen.rng, "brown tan white grey")
    wood = surface(color, "wood", contrast=0.12, scale=2.0, relief=0.2)
    posts = [box(x - 4.55, 0.0, x - 4.45, 1.0) for x in range(10)]
    if pen.rng.random() < 0.5:
        posts += [box(0.2 * i - 4.53, 0.1, 0.2 * i - 4.47, 0.92) for i in range(46)]
    rails = [box(-4.55, y, 4.55, y + 0.11) for y in (0.3, 0.7)]
    pen.draw(rails + posts, wood, material="wood")
