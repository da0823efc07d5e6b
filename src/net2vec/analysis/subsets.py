"""How many filters a concept needs (sec. 4.1, Fig. 3)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from net2vec.analysis.balance import entering
from net2vec.analysis.statistics import summarize
from net2vec.analysis.sufficiency import BACKWARD, COMBINED, PATH, SINGLE, SUBSET
from net2vec.results import LAYER_TASK, SCORE_GROUP, RunTable, TableInput

FRACTIONS = (0.8, 0.9)


def subset_curve(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean validation score of each category against the number of filters used (Fig. 3).

    The fit on all filters is the last point of every curve. The single filter of classification is
    its subset of one, hence its first point; the single filter of segmentation is chosen by IoU,
    not by weight, and stands on no curve.

    Args:
        scores: rows of `scores.csv`, of one run or of several.

    Returns:
        `network, layer, task, category, filters, mean, stderr, n, baseline`, by growing `filters`,
        for the layers and tasks for which subsets were fitted; `baseline` is the mean score of
        predicting the whole image.
    """
    by = [*SCORE_GROUP, "category", "filters"]
    curve = with_baseline(fitted_points(scores), by)
    return curve.sort_values(by, kind="stable", ignore_index=True)


def with_baseline(points: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Mean validation scores, and beside them those of predicting the whole image.

    Args:
        points: rows of `scores.csv`.
        by: columns that name a group.

    Returns:
        See `summarize`; the last column is `baseline`, missing where no row has one.
    """
    if "baseline" not in points:
        points = points.assign(baseline=np.nan)
    baseline = points.groupby(list(by), sort=False)["baseline"].mean().reset_index()
    return summarize(points, by, "val").merge(baseline, on=list(by), validate="one_to_one")


def negative_subsets(segment: xr.Dataset) -> pd.DataFrame:
    """The subsets of one filter that segment a concept with a negative weight.

    Such a subset looks for the places where its filter is off: it predicts nearly the whole image,
    or nothing where the cut is 0. Its score says nothing that `baseline` does not.

    Args:
        segment: a layer's group `segment` of `results.zarr`.

    Returns:
        `concept, rule, filter, weight, score, baseline`; `rule` is how the filter was chosen, by
        "weight", by order of entry ("path") or by "backward" elimination; both scores are
        validation set IoUs.
    """
    parts = []
    sizes = segment["subset_size"].to_numpy().tolist() if "subset_weight" in segment else []
    for rule, prefix in (("weight", SUBSET), (PATH, PATH), (BACKWARD, BACKWARD)):
        if 1 not in sizes or f"{prefix}_weight" not in segment:
            continue
        one = segment.isel(subset_size=sizes.index(1))
        weights = one[f"{prefix}_weight"].transpose("concept", "filter").to_numpy()
        chosen = np.abs(weights).argmax(axis=1)
        table = pd.DataFrame(
            {
                "concept": one["concept"].to_numpy().astype(object),
                "rule": rule,
                "filter": chosen,
                "weight": weights[np.arange(len(chosen)), chosen],
                "score": one[f"{prefix}_score"].sel(split="val").to_numpy(),
                "baseline": one["baseline"].to_numpy() if "baseline" in one else np.nan,
            }
        )
        parts.append(table[table["weight"] < 0])
    columns = ["concept", "rule", "filter", "weight", "score", "baseline"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def filters_needed(scores: pd.DataFrame) -> pd.DataFrame:
    """The smallest subset that reaches a fraction of the score of all filters (sec. 4.1).

    Args:
        scores: rows of `scores.csv`, of one run or of several.

    Returns:
        `network, layer, task, concept, fraction, filters`, for the layers and tasks for which
        subsets were fitted. `filters` is missing where all filters score 0: any number is as good.
    """
    key = [*SCORE_GROUP, "concept"]
    points = fitted_points(scores)
    full = points.loc[points["method"] == COMBINED, [*key, "val"]]
    points = points.merge(full.rename(columns={"val": "full"}), on=key, validate="many_to_one")
    parts = []
    for fraction in FRACTIONS:
        reached = (points["val"] >= fraction * points["full"]) & (points["full"] > 0)
        least = points[reached].groupby(key, sort=False)["filters"].min().rename("filters")
        part = full[key].merge(least.reset_index(), on=key, how="left")
        parts.append(part.assign(fraction=fraction, filters=part["filters"].astype("Int64")))
    table = pd.concat(parts, ignore_index=True)
    return table[[*key, "fraction", "filters"]]


def fitted_points(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores that enter means by number of filters, growing, of the layers with fitted subsets.

    Args:
        scores: rows of `scores.csv`, of one fit.
    """
    method = scores["method"]
    fitted = scores.loc[method == SUBSET, SCORE_GROUP].drop_duplicates()
    first = (method == SINGLE) & (scores["task"] == "classify")
    points = scores[method.isin([SUBSET, COMBINED]) | first].merge(fitted, on=SCORE_GROUP)
    return entering(points).sort_values("filters", kind="stable")


SUBSET_CURVE = RunTable(
    name="subset_curve",
    title="Mean score against the number of filters",
    source="Fig. 3",
    columns=(*LAYER_TASK, "category", "filters", "mean", "stderr", "n", "baseline"),
    keys=(*LAYER_TASK, "category", "filters"),
    made_of=TableInput.SCORES,
    make=subset_curve,
    values=("mean",),
)
NEGATIVE_SUBSETS = RunTable(
    name="negative_subsets",
    title="Subsets of one filter that segment a concept with a negative weight",
    source="Fig. 3",
    columns=("layer", "concept", "rule", "filter", "weight", "score", "baseline"),
    keys=("layer", "concept", "rule"),
    made_of=TableInput.SEGMENTATION,
    make=negative_subsets,
    every_fit=True,
)
FILTERS_NEEDED = RunTable(
    name="filters_needed",
    title="The fewest filters that reach a fraction of the score of all",
    source="sec. 4.1",
    columns=(*LAYER_TASK, "concept", "fraction", "filters"),
    keys=(*LAYER_TASK, "concept", "fraction"),
    made_of=TableInput.SCORES,
    make=filters_needed,
    values=("filters",),
)
