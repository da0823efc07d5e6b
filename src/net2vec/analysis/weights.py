"""Agreement of learned weights with the scores of single filters (sec. 5.2, Fig. 9)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from net2vec.results import RunTable, TableInput

SIGNIFICANCE_LEVEL = 0.01
"""The p-value below which a correlation counts (sec. 5.2)."""


def weight_iou_correlation(segment: xr.Dataset) -> pd.DataFrame:
    """Pearson's correlation of max(w_k, 0) with the set IoU of filter k, across filters.

    Args:
        segment: a layer's group `segment` of `results.zarr`.

    Returns:
        `concept, r, p`; both numbers are missing where one side does not vary, as when no weight
        is positive, or a weight is not finite.
    """
    weight, iou = _weights(segment), _single_ious(segment)
    rows = [_pearson(np.maximum(w, 0), single) for w, single in zip(weight, iou, strict=True)]
    table = pd.DataFrame(rows, columns=["r", "p"], dtype=float)
    table.insert(0, "concept", segment["concept"].to_numpy().astype(object))
    return table


def weights_and_ious(segment: xr.Dataset, concepts: Sequence[str]) -> pd.DataFrame:
    """Weight and IoU of every filter, for some concepts (Fig. 9).

    Args:
        segment: a layer's group `segment` of `results.zarr`.
        concepts: which.

    Returns:
        `concept, filter, weight, iou, r, p`: w_k and the validation set IoU of filter k, with the
        correlation of the concept in every row.
    """
    chosen = segment.sel(concept=list(concepts))
    weight, iou = _weights(chosen), _single_ious(chosen)
    table = pd.DataFrame(
        {
            "concept": np.repeat(np.array(concepts, dtype=object), weight.shape[1]),
            "filter": np.tile(np.arange(weight.shape[1]), len(concepts)),
            "weight": weight.ravel(),
            "iou": iou.ravel(),
        }
    )
    return table.merge(weight_iou_correlation(chosen), on="concept")


def contribution(segment: xr.Dataset, first: int = 10) -> pd.DataFrame:
    """How much single filters contribute to a concept, by weight and by IoU (sec. 5.2).

    Args:
        segment: a layer's group `segment` of `results.zarr`.
        first: how many filters of each concept, by the largest |w_k|; the lowest index on a tie.

    Returns:
        `concept, filter, weight_share, iou_ratio`: |w_k| over the sum of all, missing where that
        is 0, and the validation set IoU of the filter alone over that of all filters, likewise.
    """
    weight, iou = np.abs(_weights(segment)), _single_ious(segment)
    score = segment["score"].sel(split="val").to_numpy()
    order = np.argsort(-weight, axis=1, kind="stable")[:, :first]
    total = weight.sum(axis=1, keepdims=True)
    total = np.where(np.isfinite(total) & (total > 0), total, np.nan)
    share = np.take_along_axis(weight, order, 1) / total
    score = np.where(score > 0, score, np.nan)
    ratio = np.take_along_axis(iou, order, 1) / score[:, None]
    return pd.DataFrame(
        {
            "concept": np.repeat(segment["concept"].to_numpy().astype(object), order.shape[1]),
            "filter": order.ravel(),
            "weight_share": share.ravel(),
            "iou_ratio": ratio.ravel(),
        }
    )


def significant_share(correlation: pd.DataFrame) -> pd.DataFrame:
    """Percentage of concepts whose weights and IoUs are significantly correlated (sec. 5.2).

    Args:
        correlation: rows of `weight_iou_correlation` with `network` and `layer` before them.

    Returns:
        `network, layer, percent, n`; an undefined correlation counts as not significant.
    """
    counted = correlation.assign(percent=100.0 * (correlation["p"] < SIGNIFICANCE_LEVEL))
    groups = counted.groupby(["network", "layer"], sort=False)["percent"]
    return groups.agg(percent="mean", n="size").reset_index()


def _weights(segment: xr.Dataset) -> Float[np.ndarray, "concept filter"]:
    return segment["weight"].transpose("concept", "filter").to_numpy().astype(np.float64)


def _single_ious(segment: xr.Dataset) -> Float[np.ndarray, "concept filter"]:
    iou = segment["single_iou"].sel(split="val")
    return iou.transpose("concept", "filter").to_numpy().astype(np.float64)


def _pearson(
    first: Float[np.ndarray, "filter"], second: Float[np.ndarray, "filter"]
) -> tuple[float, float]:
    if len(first) < 3 or not np.isfinite(first).all() or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan"), float("nan")
    from scipy import stats  # takes a second to load

    correlation = stats.pearsonr(first, second)
    return float(correlation.statistic), float(correlation.pvalue)


CORRELATION = RunTable(
    name="weight_iou_correlation",
    title="Correlation of learned weights with the scores of single filters",
    source="sec. 5.2",
    columns=("layer", "concept", "r", "p"),
    keys=("layer", "concept"),
    made_of=TableInput.SEGMENTATION,
    make=weight_iou_correlation,
    values=("r", "p"),
)
SIGNIFICANT = RunTable(
    name="significant_correlation",
    title="Share of concepts for which that correlation is significant",
    source="sec. 5.2",
    columns=("layer", "percent", "n"),
    keys=("layer",),
    made_of=CORRELATION,
    make=significant_share,
    values=("percent",),
)
CONTRIBUTION = RunTable(
    name="contribution",
    title="What each concept's first ten filters contribute",
    source="sec. 5.2",
    columns=("layer", "concept", "filter", "weight_share", "iou_ratio"),
    keys=("layer", "concept", "filter"),
    made_of=TableInput.SEGMENTATION,
    make=contribution,
    values=("weight_share", "iou_ratio"),
)
