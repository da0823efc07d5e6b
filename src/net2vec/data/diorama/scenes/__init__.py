"""Every scene the diorama can compose, by the name of its label."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from net2vec.data.diorama.canvas import Canvas
from net2vec.data.diorama.scenes import indoors, outdoors, waters

SCENES: dict[str, Callable[[np.random.Generator, str | None], Canvas]] = {
    f"{compose.__name__}-s": compose
    for compose in (
        *(indoors.kitchen, indoors.living_room, outdoors.airfield, outdoors.desert),
        *(outdoors.forest, outdoors.garden, outdoors.mountain, outdoors.pasture),
        *(outdoors.street, waters.aquarium, waters.beach, waters.harbor),
    )
}
"""Each composes its scene from a source of chance and the name of a guest (or None)."""

__all__ = ["SCENES"]
