"""Every object the diorama can draw, by the name of its label."""

from __future__ import annotations

from collections.abc import Callable

from net2vec.data.diorama.objects import animals, buildings, furniture, plants, vehicles
from net2vec.data.diorama.objects.pen import Pen

OBJECTS: dict[str, Callable[[Pen], None]] = {
    draw.__name__: draw
    for draw in (
        *(animals.bird, animals.cow, animals.dog, animals.fish, animals.horse, animals.person),
        *(animals.sheep, buildings.building, buildings.fence, buildings.house),
        *(buildings.lighthouse, buildings.streetlight, buildings.windmill, furniture.bottle),
        *(furniture.cabinet, furniture.carpet, furniture.chair, furniture.clock, furniture.cup),
        *(furniture.curtain, furniture.kettle, furniture.lamp, furniture.oven, furniture.painting),
        *(furniture.refrigerator, furniture.sofa, furniture.table, furniture.television),
        *(buildings.umbrella, furniture.windowpane, plants.cactus, plants.coral, plants.flower),
        *(plants.palm, plants.plant, plants.rock, plants.seaweed, plants.tree, vehicles.airplane),
        *(vehicles.bicycle, vehicles.boat, vehicles.bus, vehicles.car),
    )
}

__all__ = ["OBJECTS", "Pen"]
