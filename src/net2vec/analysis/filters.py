"""The concepts that a filter finds by itself, and its weight in their vectors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

FILTER_COLUMNS = ("concept", "category", "iou", "weight", "rank", "best")


def concepts_of_filter(arrays: xr.Dataset, index: int) -> pd.DataFrame:
    """Every concept of a layer and task, seen from one filter.

    Args:
        arrays: of the task, as `net2vec.runs.Run.arrays` gives them.
        index: the filter.

    Returns:
        `concept, category, iou, weight, rank, best`: the filter's set IoU by itself on the
        validation images (missing in classification); its weight in the concept's vector, and that
        weight's rank by absolute value, from 1 (missing where weights are not finite); and whether
        it is the concept's best filter.
        By `iou`, and by absolute `weight` where there is none, the highest first.

    Raises:
        KeyError: if there is no such filter.
    """
    if index not in arrays["filter"].values:
        raise KeyError(index)
    size = np.abs(arrays["weight"].to_numpy())
    place = list(arrays["filter"].values).index(index)
    table = pd.DataFrame(
        {
            "concept": arrays["concept"].values,
            "category": arrays["category"].values,
            "iou": np.nan,
            "weight": arrays["weight"].to_numpy()[:, place],
            "rank": _ranks(size, place),
            "best": arrays["best_filter"].to_numpy() == index,
        }
    )
    if "single_iou" in arrays:
        table["iou"] = arrays["single_iou"].sel(split="val").to_numpy()[:, place]
    by = table["weight"].abs() if table["iou"].isna().all() else table["iou"]
    order = by.sort_values(ascending=False, kind="stable", na_position="last").index
    return table.loc[order].reset_index(drop=True)


def _ranks(size: Float[np.ndarray, "concept filter"], place: int) -> pd.Series:
    rank = pd.Series(1 + (size > size[:, place : place + 1]).sum(axis=1), dtype="Int64")
    return rank.where(np.isfinite(size).all(axis=1))
