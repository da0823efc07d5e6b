"""Every scene the diorama can compose, by the name of its label."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from net2vec.data.diorama.canvas import Canvas
from net2vec.data.diorama.scenes import indoors, outdoors

SCENES: dict[str, Callable[[np.random.Generator, str | None], Canvas]] = {
    f"{compose.__name__}-s": compose
    for compose in (
        *(outdoors.airfield, outdoors.aquarium, outdoors.beach, outdoors.desert, outdoors.forest),
        *(outdoors.garden, outdoors.harbor, indoors.kitchen, indoors.living_room),
        *(outdoors.mountain, outdoors.pasture, outdoors.street),
    )
}

__all__ = ["SCENES"]
