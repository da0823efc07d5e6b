"""Random starts of vectors."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from net2vec.core.chance import generator


def start_vector(
    seed: int, task: str, layer: str, concept: str, filters: int, used_filters: int
) -> Float[Tensor, "filter"]:
    """Initial weights, uniform in (-1/sqrt(K), 1/sqrt(K)).

    Args:
        seed: the run's seed.
        task: `segment` or `classify`.
        layer: the layer's name.
        concept: the concept's name.
        filters: number of filters of the layer (K).
        used_filters: how many of them the vector may use (F); each number has a start of its own.
    """
    draw = generator(seed, "start", task, layer, concept, used_filters)
    bound = 1 / np.sqrt(filters)
    return torch.from_numpy(draw.uniform(-bound, bound, filters).astype(np.float32))
