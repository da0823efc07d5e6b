"""Tables of all concepts of a space: neighbours, sums and clusters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from net2vec.results import LAYER_TASK, RunTable, TableInput
from net2vec.spaces.space import Space, SpaceError

EXPRESSIONS = ("grass + blue - green", "grass - green", "tree - wood", "person - torso")
"""The sums of Table 3."""


def nearest_concepts(space: Space) -> pd.DataFrame:
    """The five nearest concepts of every concept by cosine (Table 2).

    Args:
        space: the concepts.

    Returns:
        `concept, rank, neighbour, cosine`, concepts in the order of the space.
    """
    cosine = space.cosines()
    np.fill_diagonal(cosine, -np.inf)
    count = max(0, min(5, len(space) - 1))
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


def solve_expressions(
    space: Space, expressions: Sequence[str] = EXPRESSIONS, n: int = 5
) -> pd.DataFrame:
    """The concepts nearest to several sums, such as those of Table 3.

    Args:
        space: the concepts.
        expressions: see `Space.solve`; one whose concepts the space has not all is left out.
        n: how many of each.

    Returns:
        `expression, rank, concept, cosine`.
    """
    parts = []
    for expression in expressions:
        try:
            answer = space.solve(expression, n)
        except SpaceError:
            continue
        answer.insert(0, "expression", expression)
        parts.append(answer)
    columns = ["expression", "rank", "concept", "cosine"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def cluster_concepts(space: Space) -> pd.DataFrame:
    """Every concept's cluster and its place on a map of the space (supplement).

    Args:
        space: the concepts.

    Returns:
        `concept, cluster, x, y`, concepts in the order of the space.
    """
    place = space.map()
    return pd.DataFrame(
        {
            "concept": np.array(space.names, dtype=object),
            "cluster": space.cluster(),
            "x": place[:, 0],
            "y": place[:, 1],
        }
    )


NEAREST = RunTable(
    name="nearest",
    title="The nearest concepts of every concept",
    source="Table 2",
    columns=(*LAYER_TASK, "concept", "rank", "neighbour", "cosine"),
    keys=(*LAYER_TASK, "concept", "neighbour"),
    made_of=TableInput.SPACE,
    make=nearest_concepts,
    values=("cosine",),
)
ARITHMETIC = RunTable(
    name="arithmetic",
    title="Sums and differences of concepts",
    source="Table 3",
    columns=(*LAYER_TASK, "expression", "rank", "concept", "cosine"),
    keys=(*LAYER_TASK, "expression", "concept"),
    made_of=TableInput.SPACE,
    make=solve_expressions,
    values=("cosine",),
)
CLUSTERS = RunTable(
    name="clusters",
    title="Clusters and a map of the concepts of the last layer",
    source="supplement",
    columns=(*LAYER_TASK, "concept", "cluster", "x", "y"),
    keys=(*LAYER_TASK, "concept"),
    made_of=TableInput.LAST_SPACE,
    make=cluster_concepts,
)
