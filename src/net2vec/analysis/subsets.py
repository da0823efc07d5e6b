"""How many filters does a concept need? (sec. 4.1, Fig. 3)."""

from __future__ import annotations

import pandas as pd

from net2vec.analysis.statistics import summarize
from net2vec.analysis.sufficiency import COMBINED, SINGLE, SUBSET


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
    fit = ["network", "layer", "task"]
    method = scores["method"]
    fitted = scores.loc[method == SUBSET, fit].drop_duplicates()
    first = (method == SINGLE) & (scores["task"] == "classify")
    points = scores[method.isin([SUBSET, COMBINED]) | first].merge(fitted, on=fit)
    points = points.sort_values("filters", kind="stable")
    curve = summarize(points, [*fit, "category", "filters"], "val")
    return curve.sort_values([*fit, "category", "filters"], kind="stable", ignore_index=True)
