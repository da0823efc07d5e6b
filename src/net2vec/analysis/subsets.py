"""How many filters a concept needs (sec. 4.1, Fig. 3)."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from net2vec.analysis.statistics import summarize
from net2vec.analysis.sufficiency import COMBINED, SINGLE, SUBSET
from net2vec.results import LAYER_TASK, SCORE_GROUP, RunTable

FRACTIONS = (0.8, 0.9)


def subset_curve(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean validation score of each category against the number of filters used (Fig. 3).

    The fit on all filters is the last point of every curve. The single filter of classification is
    its subset of one, hence its first point; the single filter of segmentation is chosen by IoU,
    not by weight, and stands on no curve.

    Args:
        scores: rows of `scores.csv`, of one run or of several.

    Returns:
        `network, layer, task, category, filters, mean, stderr, n`, by growing `filters`, for the
        layers and tasks for which subsets were fitted.
    """
    curve = summarize(fitted_points(scores), [*SCORE_GROUP, "category", "filters"], "val")
    return curve.sort_values(
        [*SCORE_GROUP, "category", "filters"], kind="stable", ignore_index=True
    )


def filters_needed(scores: pd.DataFrame, fractions: Sequence[float] = FRACTIONS) -> pd.DataFrame:
    """The smallest subset that reaches a fraction of the score of all filters (sec. 4.1).

    Args:
        scores: rows of `scores.csv`, of one run or of several.
        fractions: of the validation score of all filters.

    Returns:
        `network, layer, task, concept, fraction, filters`, for the layers and tasks for which
        subsets were fitted. `filters` is missing where all filters score 0: any number is as good.
    """
    key = [*SCORE_GROUP, "concept"]
    points = fitted_points(scores)
    full = points.loc[points["method"] == COMBINED, [*key, "val"]]
    points = points.merge(full.rename(columns={"val": "full"}), on=key, validate="many_to_one")
    parts = []
    for fraction in fractions:
        reached = (points["val"] >= fraction * points["full"]) & (points["full"] > 0)
        least = points[reached].groupby(key, sort=False)["filters"].min().rename("filters")
        part = full[key].merge(least.reset_index(), on=key, how="left")
        parts.append(part.assign(fraction=fraction, filters=part["filters"].astype("Int64")))
    table = pd.concat(parts, ignore_index=True)
    return table[[*key, "fraction", "filters"]]


def fitted_points(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores by number of filters, growing, of the layers and tasks with fitted subsets.

    Args:
        scores: rows of `scores.csv`, of one fit.
    """
    method = scores["method"]
    fitted = scores.loc[method == SUBSET, SCORE_GROUP].drop_duplicates()
    first = (method == SINGLE) & (scores["task"] == "classify")
    points = scores[method.isin([SUBSET, COMBINED]) | first].merge(fitted, on=SCORE_GROUP)
    return points.sort_values("filters", kind="stable")


SUBSET_CURVE = RunTable(
    name="subset_curve",
    title="Mean score against the number of filters",
    source="Fig. 3",
    columns=(*LAYER_TASK, "category", "filters", "mean", "stderr", "n"),
    keys=(*LAYER_TASK, "category", "filters"),
    made_of="scores",
    make=subset_curve,
    values=("mean",),
)
FILTERS_NEEDED = RunTable(
    name="filters_needed",
    title="The fewest filters that reach a fraction of the score of all",
    source="sec. 4.1",
    columns=(*LAYER_TASK, "concept", "fraction", "filters"),
    keys=(*LAYER_TASK, "concept", "fraction"),
    made_of="scores",
    make=filters_needed,
    values=("filters",),
)
