"""How far a concept's vector depends on its random start: one training from several starts."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float, Int

from net2vec.results import LAYER_TASK, RunTable, TableInput

STEADINESS_COLUMNS = ("concept", "cosine", "overlap", "neighbours", "score_sd", "seeds")
NEIGHBOURS = 5


def seed_steadiness(arrays: xr.Dataset, *, neighbours: int = NEIGHBOURS) -> pd.DataFrame:
    """How much of every concept's vector and of its nearest concepts stays across seeds.

    Args:
        arrays: of one layer and task.
        neighbours: how many nearest concepts are compared.

    Returns:
        `concept, cosine, overlap, neighbours, score_sd, seeds`: the mean over all pairs of seeds of
        the cosine of the concept with itself and of the share of its nearest concepts that are the
        same, and the standard deviation (ddof 1) of its validation score. `neighbours` is how
        many were compared; where the layer has no more other concepts than that, the overlap is
        missing, as they are all near. A seed whose vector has no direction is left out of that
        concept's pairs. Empty where the arrays hold fewer than two seeds.
    """
    if "seed_weight" not in arrays or arrays.sizes["seed"] < 2:
        return pd.DataFrame(columns=list(STEADINESS_COLUMNS))
    weight = arrays["seed_weight"].transpose("seed", "concept", "filter").values
    score = arrays["seed_score"].sel(split="val").transpose("seed", "concept").values
    unit, directed = unit_vectors(weight)
    return pd.DataFrame(
        {
            "concept": arrays["concept"].values,
            "cosine": mean_cosine(unit, directed),
            "overlap": neighbour_overlap(unit, directed, neighbours),
            "neighbours": neighbours,
            "score_sd": score.astype(float).std(axis=0, ddof=1),
            "seeds": len(weight),
        },
        columns=list(STEADINESS_COLUMNS),
    )


def mean_steadiness(table: pd.DataFrame) -> pd.DataFrame:
    """Means over the concepts of a layer and task.

    Args:
        table: of `seed_steadiness`, with any further columns that
            tell groups apart, such as `layer`.

    Returns:
        Those columns, then `cosine, overlap, by_chance, score_sd, concepts, seeds`; `by_chance` is
        the overlap of the neighbours in unrelated spaces.
    """
    fit = [name for name in table.columns if name not in STEADINESS_COLUMNS]
    groups = table.groupby(fit, sort=False)
    means = groups[["cosine", "overlap", "score_sd"]].mean()
    others = groups.size() - 1
    neighbours = groups["neighbours"].first()
    # With no concepts but the neighbours there is nothing to choose.
    means.insert(2, "by_chance", (neighbours / others).where(others > neighbours))
    means["concepts"], means["seeds"] = groups.size(), groups["seeds"].first()
    return means.reset_index()


def unit_vectors(
    weight: Float[np.ndarray, "seed concept filter"],
) -> tuple[Float[np.ndarray, "seed concept filter"], Bool[np.ndarray, "seed concept"]]:
    """Vectors of length 1, and which of them have a direction; the others are 0."""
    long = weight.astype(float)
    directed = np.isfinite(long).all(axis=2) & long.any(axis=2)
    long = np.where(directed[:, :, None], long, 0.0)
    length = np.linalg.norm(long, axis=2, keepdims=True)
    return long / np.where(length > 0, length, 1.0), directed


def mean_cosine(
    unit: Float[np.ndarray, "seed concept filter"], directed: Bool[np.ndarray, "seed concept"]
) -> Float[np.ndarray, "concept"]:
    """Mean cosine of each concept with itself over all pairs of seeds; NaN without a pair."""
    pairs = [
        np.where(
            directed[one] & directed[other], np.einsum("cf,cf->c", unit[one], unit[other]), np.nan
        )
        for one, other in combinations(range(len(unit)), 2)
    ]
    return _mean(pairs)


def neighbour_overlap(
    unit: Float[np.ndarray, "seed concept filter"],
    directed: Bool[np.ndarray, "seed concept"],
    neighbours: int = NEIGHBOURS,
) -> Float[np.ndarray, "concept"]:
    """Mean share of nearest concepts that two seeds have in common; NaN where it has no meaning.

    With C concepts, unrelated spaces would share neighbours / (C - 1) of them.
    """
    near = [nearest(*seed, neighbours) for seed in zip(unit, directed, strict=True)]
    pairs = []
    for one, other in combinations(range(len(unit)), 2):
        # A space of too few concepts has no choice of neighbours.
        both = directed[one] & directed[other]
        both &= min(directed[one].sum(), directed[other].sum()) > neighbours + 1
        shared = (near[one] & near[other]).sum(axis=1) / neighbours
        pairs.append(np.where(both, shared, np.nan))
    return _mean(pairs)


def nearest(
    unit: Float[np.ndarray, "concept filter"],
    directed: Bool[np.ndarray, "concept"],
    neighbours: int,
) -> Bool[np.ndarray, "concept other"]:
    """Which other concepts are nearest by cosine, the lower index on a tie."""
    cosine = unit @ unit.T
    cosine[:, ~directed] = -np.inf
    np.fill_diagonal(cosine, -np.inf)
    order: Int[np.ndarray, "concept rank"] = np.argsort(-cosine, axis=1, kind="stable")
    near = np.zeros(cosine.shape, dtype=bool)
    np.put_along_axis(near, order[:, :neighbours], values=True, axis=1)
    return near


def _mean(pairs: list[Float[np.ndarray, "concept"]]) -> Float[np.ndarray, "concept"]:
    """Mean over pairs that are there; NaN where none is."""
    values = np.stack(pairs)
    there = np.isfinite(values)
    found: Float[np.ndarray, "concept"] = np.full(values.shape[1], np.nan)
    total = np.where(there, values, 0.0).sum(axis=0)
    np.divide(total, there.sum(axis=0), out=found, where=there.any(axis=0))
    return found


STEADINESS = RunTable(
    name="steadiness",
    title="How much of every concept's vector and neighbours stays with another random start",
    columns=(*LAYER_TASK, *STEADINESS_COLUMNS),
    keys=(*LAYER_TASK, "concept"),
    made_of=TableInput.ARRAYS,
    make=seed_steadiness,
    every_fit=True,
)
