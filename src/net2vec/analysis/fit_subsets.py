"""How many filters a fit needs, and by which rule they are chosen (sec. 4.1, Fig. 3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from net2vec.analysis.balance import entering
from net2vec.analysis.subsets import fitted_points, with_baseline
from net2vec.analysis.sufficiency import ALL, BACKWARD, COMBINED, PATH, SUBSET
from net2vec.results import SCORE_GROUP

BY_WEIGHT = "weight"
"""A subset of the filters with the largest absolute weights."""


def fit_curves(scores: pd.DataFrame, fits: Sequence[str]) -> pd.DataFrame:
    """Mean validation score against the number of filters, by fit and rule (Fig. 3).

    Args:
        scores: rows of `scores.csv`, with the column `fit`.
        fits: names of fits; rows of the first stand first.

    Returns:
        `network, layer, task, category, fit, rule, filters, mean, stderr, n, baseline`, by growing
        `filters`; `category` is one, or "all concepts"; `baseline` is the mean score of predicting
        the whole image; `rule` is "weight" for the filters with the largest
        absolute weights, "path" for those that the fit lets in first (an L1 path, or forward
        selection), "backward" for those that backward elimination leaves. All filters are the last
        point of each.
    """
    points = _curve_points(scores, fits)
    by = [*SCORE_GROUP, "category", "fit", "rule", "filters"]
    return with_baseline(points, by).sort_values(
        by, kind="stable", ignore_index=True, key=_order(fits[0])
    )


def drops(scores: pd.DataFrame, fits: Sequence[str]) -> pd.DataFrame:
    """The loss from the best number of filters to all (sec. 4.1, Fig. 3).

    The best number is chosen by the same means from which its advantage is computed: a small drop
    is therefore expected by chance; `stderr` is the scale of such a drop.

    Args:
        scores: rows of `scores.csv`, with the column `fit`.
        fits: names of fits; rows of the first stand first.

    Returns:
        `network, layer, task, category, fit, rule, filters, peak, full, drop, stderr, n`: the
        number of filters with the highest mean score (the largest such number on a tie), that mean,
        that of all filters, and the mean and standard error of their difference over the `n`
        concepts.
    """
    points = _curve_points(scores, fits)
    curve = [*SCORE_GROUP, "category", "fit", "rule"]
    rows = []
    for key, group in points.groupby(curve, sort=False):
        wide = group.pivot_table(index="concept", columns="filters", values="val").dropna()
        if wide.empty:
            continue
        means = wide.mean()
        full = means.index[-1]
        best = means.index[means == means.max()][-1]
        drop = wide[best] - wide[full]
        rows.append((*key, best, means[best], means[full], drop.mean(), drop.sem(), len(wide)))
    columns = [*curve, "filters", "peak", "full", "drop", "stderr", "n"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(curve, kind="stable", ignore_index=True, key=_order(fits[0]))


def compare_rules(scores: pd.DataFrame, fit: str) -> pd.DataFrame:
    """A fit on as many filters, chosen by their weight, by order of entry or by elimination.

    Args:
        scores: rows of `scores.csv`, with the column `fit`.
        fit: the name of a fit; the table is empty where it has no order of entry.

    Returns:
        `network, layer, task, filters, weight, path, backward, difference, stderr, better, worse,
        n`: mean scores of the rules (`backward` is missing where the fit does not eliminate), the
        mean of path less weight over concepts with its standard error, and the percentages of
        concepts that the path serves better and worse.
    """
    rules = [SUBSET, PATH, BACKWARD]
    chosen = entering(scores[(scores["fit"] == fit) & scores["method"].isin(rules)])
    columns = [
        *SCORE_GROUP, "filters", BY_WEIGHT, PATH, BACKWARD, "difference", "stderr", "better",
        "worse", "n",
    ]  # fmt: skip
    if not chosen["method"].eq(PATH).any():
        return pd.DataFrame(columns=columns)
    by = [*SCORE_GROUP, "concept", "filters"]
    wide = chosen.pivot_table(index=by, columns="method", values="val", sort=False)
    wide = wide.reindex(columns=rules).dropna(subset=[SUBSET, PATH])
    gain = wide[PATH] - wide[SUBSET]
    values = wide.rename(columns={SUBSET: BY_WEIGHT}).assign(
        gain=gain, better=100.0 * (gain > 0), worse=100.0 * (gain < 0)
    )
    groups = values.groupby([*SCORE_GROUP, "filters"], sort=False)
    table = groups[[BY_WEIGHT, PATH, BACKWARD, "better", "worse"]].mean()
    table["difference"], table["stderr"] = groups["gain"].mean(), groups["gain"].sem()
    table["n"] = groups.size()
    table = table.reset_index()[columns].rename_axis(columns=None)
    return table.sort_values(
        [*SCORE_GROUP, "filters"], kind="stable", ignore_index=True, key=_order(fit)
    )


def _curve_points(scores: pd.DataFrame, fits: Sequence[str]) -> pd.DataFrame:
    """Scores by number of filters, each category's and once more under `ALL`."""
    parts = []
    for fit in fits:
        of_fit = entering(scores[scores["fit"] == fit])
        parts.append(fitted_points(of_fit).assign(rule=BY_WEIGHT))
        for rule in (PATH, BACKWARD):
            chosen = of_fit[of_fit["method"] == rule]
            full = of_fit[of_fit["method"] == COMBINED].merge(
                chosen[SCORE_GROUP].drop_duplicates(), on=SCORE_GROUP
            )
            parts.append(pd.concat([chosen, full]).assign(rule=rule))
    points = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return pd.concat([points.assign(category=ALL), points], ignore_index=True)


def _order(fit: str) -> Callable[[pd.Series], pd.Series]:
    """The order of rows: one fit, all concepts and subsets by weight stand first."""
    first = {"fit": fit, "category": ALL, "rule": BY_WEIGHT}

    def key(column: pd.Series) -> pd.Series:
        if column.name in first:
            return column.where(column != first[str(column.name)], "")
        if column.name in SCORE_GROUP:
            return pd.Series(pd.factorize(column)[0], index=column.index)
        return column

    return key
