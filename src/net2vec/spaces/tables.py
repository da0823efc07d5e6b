"""What a space says of all its concepts at once, as tidy tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from net2vec.spaces.space import Space


def nearest_concepts(space: Space, n: int = 5) -> pd.DataFrame:
    """The nearest concepts of every concept by cosine (Table 2).

    Args:
        space: the concepts.
        n: how many of each; fewer where the space has not as many.

    Returns:
        `concept, rank, neighbour, cosine`, concepts in the order of the space.
    """
    cosine = space.cosines()
    np.fill_diagonal(cosine, -np.inf)
    count = min(n, len(space) - 1)
    order = np.argsort(-cosine, axis=1, kind="stable")[:, :count]
    names = np.array(space.names, dtype=object)
    return pd.DataFrame(
        {
            "concept": np.repeat(names, count),
            "rank": np.tile(np.arange(1, count + 1), len(space)),
            "neighbour": names[order].ravel(),
            "cosine": np.take_along_axis(cosine, order, axis=1).ravel(),
        }
    )
