"""What rests on the training: the paper's fit and the converged one, concept by concept.

Both are of the same linear model on the same features. What the two share is a finding about the
network; what only the paper's has may be one about thirty epochs of small steps.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float, Int

from net2vec.analysis.statistics import summarize
from net2vec.analysis.steadiness import (
    NEIGHBOURS,
    mean_cosine,
    nearest,
    neighbour_overlap,
    unit_vectors,
)
from net2vec.analysis.subsets import fitted_points
from net2vec.analysis.sufficiency import COMBINED, PATH, SINGLE, SUBSET, by_concept

PAPER, CONVERGED = "paper", "converged"
ALL = "all concepts"
"""Stands for all categories together."""
BY_WEIGHT = "weight"
"""A subset of the filters with the largest absolute weights."""
WELL_TRAINED = 50
"""Training images from which on a fit has no excuse."""
WORSE = 0.01
"""A score that is lower by more than this is called worse."""

_FIT = ["network", "layer", "task"]
_KEY = [*_FIT, "concept"]


def pair_fits(scores: pd.DataFrame) -> pd.DataFrame:
    """Validation scores of every concept with both fits, side by side.

    Args:
        scores: rows of `scores.csv`, with the column `fit`.

    Returns:
        `network, layer, task, concept, category, n_train, concept_size, single_paper,
        single_converged, combined_paper, combined_converged`, a row for every concept that both
        fits scored. In segmentation both have the same single filter, which is chosen by IoU.
    """
    paper, converged = (by_concept(scores[scores["fit"] == fit]) for fit in (PAPER, CONVERGED))
    methods = [SINGLE, COMBINED]
    paired = paper.merge(
        converged[[*_KEY, *methods]], on=_KEY, suffixes=("_paper", "_converged"),
        validate="one_to_one",
    )  # fmt: skip
    columns = [f"{method}_{fit}" for method in methods for fit in (PAPER, CONVERGED)]
    return paired[[*_KEY, "category", "n_train", "concept_size", *columns]]


def compare_fits(pairs: pd.DataFrame) -> pd.DataFrame:
    """Scores, Table 1 and failures of both fits.

    A failure is a concept that all filters encode worse than the best single one (sec. 4.1).

    Args:
        pairs: the table of `pair_fits`.

    Returns:
        For each `network, layer, task`: `paper, converged`, the mean scores of all filters; their
        `ratio`; `as_good`, the percentage of concepts that the converged fit scores at least as
        high; `trained`, the number of concepts with 50 or more training images, and `worse`, the
        percentage of these that it scores lower by more than 0.01; `single_paper,
        single_converged`, the mean scores of each fit's single filter; `percent_paper,
        percent_converged`, the percentages of Table 1; `failures_paper, failures_converged,
        failures_both`, numbers of failures, of both fits against the paper's single filter: with
        its own, which is a worse one where weights are large for other reasons than use, the
        converged fit would hide some; `n`, the number of concepts.
    """
    paper, converged = pairs["combined_paper"], pairs["combined_converged"]
    trained = pairs["n_train"] >= WELL_TRAINED
    lost_paper = paper < pairs["single_paper"]
    lost_converged = converged < pairs["single_paper"]
    observed = pairs[_FIT].assign(
        paper=paper,
        converged=converged,
        as_good=100.0 * (converged >= paper),
        trained=trained,
        worse=(100.0 * (converged < paper - WORSE)).where(trained),
        percent_paper=100.0 * ~lost_paper,
        percent_converged=100.0 * (converged >= pairs["single_converged"]),
        single_paper=pairs["single_paper"],
        single_converged=pairs["single_converged"],
        failures_paper=lost_paper,
        failures_converged=lost_converged,
        failures_both=lost_paper & lost_converged,
    )
    groups = observed.groupby(_FIT, sort=False)
    means = groups[
        [
            "paper", "converged", "as_good", "worse", "single_paper", "single_converged",
            "percent_paper", "percent_converged",
        ]
    ].mean()  # fmt: skip
    counts = groups[["trained", "failures_paper", "failures_converged", "failures_both"]].sum()
    table = means.join(counts.astype(int))
    table.insert(2, "ratio", table["converged"] / table["paper"].where(table["paper"] > 0))
    table.insert(4, "trained", table.pop("trained"))
    table["n"] = groups.size()
    return table.reset_index()


def fit_curves(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean validation score against the number of filters, of both fits and rules (Fig. 3).

    Args:
        scores: rows of `scores.csv`, with the column `fit`.

    Returns:
        `network, layer, task, category, fit, rule, filters, mean, stderr, n`, by growing `filters`;
        `category` is one, or "all concepts"; `rule` is "weight" for the filters with the largest
        absolute weights, "path" for those that an L1 path lets in first. All filters are the last
        point of both.
    """
    points = _curve_points(scores)
    by = [*_FIT, "category", "fit", "rule", "filters"]
    return summarize(points, by, "val").sort_values(
        by, kind="stable", ignore_index=True, key=_paper_first
    )


def drops(scores: pd.DataFrame) -> pd.DataFrame:
    """What is lost after the best number of filters (sec. 4.1, Fig. 3).

    The best number is chosen by the same means that say how much better it is: a small drop is
    therefore expected where there is none. `stderr` says what is small.

    Args:
        scores: rows of `scores.csv`, with the column `fit`.

    Returns:
        `network, layer, task, category, fit, rule, filters, peak, full, drop, stderr, n`: the
        number of filters with the highest mean score (the largest such number on a tie), that mean,
        that of all filters, and the mean and standard error of their difference over the `n`
        concepts.
    """
    points = _curve_points(scores)
    curve = [*_FIT, "category", "fit", "rule"]
    rows = []
    for key, group in points.groupby(curve, sort=False):
        wide = group.pivot_table(index="concept", columns="filters", values="val").dropna()
        if wide.empty:
            continue
        means = wide.mean()
        full = means.index[-1]
        best = means.index[means == means.max()][-1]
        lost = wide[best] - wide[full]
        rows.append((*key, best, means[best], means[full], lost.mean(), lost.sem(), len(wide)))
    columns = [*curve, "filters", "peak", "full", "drop", "stderr", "n"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(curve, kind="stable", ignore_index=True, key=_paper_first)


def compare_rules(scores: pd.DataFrame) -> pd.DataFrame:
    """The converged fit on as many filters, chosen by an L1 path or by their weight.

    Args:
        scores: rows of `scores.csv`, with the column `fit`.

    Returns:
        `network, layer, task, filters, weight, path, difference, stderr, better, worse, n`: mean
        scores of both rules, the mean of path less weight over concepts with its standard error,
        and the percentages of concepts that the path serves better and worse.
    """
    chosen = scores[(scores["fit"] == CONVERGED) & scores["method"].isin([PATH, SUBSET])]
    columns = [
        *_FIT, "filters", "weight", "path", "difference", "stderr", "better", "worse", "n",
    ]  # fmt: skip
    if not chosen["method"].eq(PATH).any():
        return pd.DataFrame(columns=columns)
    by = [*_KEY, "filters"]
    wide = chosen.pivot_table(index=by, columns="method", values="val", sort=False).dropna()
    gain = wide[PATH] - wide[SUBSET]
    values = wide.rename(columns={SUBSET: BY_WEIGHT}).assign(
        gain=gain, better=100.0 * (gain > 0), worse=100.0 * (gain < 0)
    )
    groups = values.groupby([*_FIT, "filters"], sort=False)
    table = groups[[BY_WEIGHT, PATH, "better", "worse"]].mean()
    table["difference"], table["stderr"] = groups["gain"].mean(), groups["gain"].sem()
    table["n"] = groups.size()
    table = table.reset_index()[columns].rename_axis(columns=None)
    return table.sort_values([*_FIT, "filters"], kind="stable", ignore_index=True, key=_paper_first)


def pair_vectors(
    paper: xr.Dataset, converged: xr.Dataset, *, neighbours: int = NEIGHBOURS
) -> pd.DataFrame:
    """What both fits make of every concept's vector.

    Args:
        paper: the arrays of a layer and task, of the paper's fit.
        converged: the same of the converged one, with the same concepts.
        neighbours: how many nearest concepts are held against each other.

    Returns:
        `concept, filters, filter_paper, filter_converged, nearest_paper, nearest_converged, cosine,
        overlap`: how many filters the layer has, which has the largest absolute weight (the lowest
        index on a tie), the nearest concept, the cosine of the two vectors, and the share of the
        nearest concepts that they have in common; see `seed_steadiness` for when these are missing.
    """
    weight: Float[np.ndarray, "fit concept filter"] = np.stack(
        [
            arrays["weight"].sel(concept=paper["concept"]).transpose("concept", "filter").values
            for arrays in (paper, converged)
        ]
    )
    largest: Int[np.ndarray, "fit concept"] = np.abs(np.nan_to_num(weight)).argmax(axis=2)
    unit, directed = unit_vectors(weight)
    names = paper["concept"].values.astype(object)
    first = [
        np.where(known & (known.sum() > 1), names[nearest(of_fit, known, 1).argmax(axis=1)], None)
        for of_fit, known in zip(unit, directed, strict=True)
    ]
    return pd.DataFrame(
        {
            "concept": names,
            "filters": weight.shape[2],
            "filter_paper": largest[0],
            "filter_converged": largest[1],
            "nearest_paper": first[0],
            "nearest_converged": first[1],
            "cosine": mean_cosine(unit, directed),
            "overlap": neighbour_overlap(unit, directed, neighbours),
        }
    )


def sharing_of_fits(concepts: pd.DataFrame, *, neighbours: int = NEIGHBOURS) -> pd.DataFrame:
    """How far filters are shared, and whether vectors have the same neighbours, in both fits.

    A filter is used if it has the largest absolute weight of some concept.

    Args:
        concepts: the table of `pair_vectors`, with `network, layer, task, category`.
        neighbours: as in `pair_vectors`.

    Returns:
        For each `network, layer, task`: `shared_paper, shared_converged`, the mean number of
        concepts for a used filter; `shared_by_chance, shared_limit`, what it would be were each
        concept's filter drawn at random, and two standard deviations (of the number of used
        filters) above; `same_filter`, the percentage of concepts whose filter is the same in both;
        `neighbours`, the median over concepts of the share of nearest concepts in common;
        `neighbours_by_chance`, the mean in spaces that have nothing to do with each other;
        `cosine`, the median of a concept's two vectors; `category_paper, category_converged,
        category_by_chance`, the percentages of concepts whose nearest one is of their category.
    """
    rows = []
    for key, group in concepts.groupby(_FIT, sort=False):
        count = len(group)
        used, sd = used_by_chance(count, int(group["filters"].iloc[0]))
        category = group.set_index("concept")["category"]
        same = [
            100.0 * _same_category(group[f"nearest_{fit}"].tolist(), category)
            for fit in (PAPER, CONVERGED)
        ]
        others = category.map(category.value_counts()) - 1
        rows.append(
            {
                **dict(zip(_FIT, key, strict=True)),
                "shared_paper": count / group["filter_paper"].nunique(),
                "shared_converged": count / group["filter_converged"].nunique(),
                "shared_by_chance": count / used,
                "shared_limit": count / max(1.0, used - 2 * sd),
                "same_filter": 100.0 * (group["filter_paper"] == group["filter_converged"]).mean(),
                "neighbours": group["overlap"].median(),
                "neighbours_by_chance": (
                    neighbours / (count - 1) if count > neighbours + 1 else float("nan")
                ),
                "cosine": group["cosine"].median(),
                "category_paper": same[0],
                "category_converged": same[1],
                "category_by_chance": (
                    100.0 * float(others.mean()) / (count - 1) if count > 1 else float("nan")
                ),
            }
        )
    return pd.DataFrame(rows)


def used_by_chance(concepts: int, filters: int) -> tuple[float, float]:
    """Mean and standard deviation of how many filters are drawn at least once.

    Args:
        concepts: how many draws, each of any filter alike.
        filters: how many there are to draw from.
    """
    never = (1 - 1 / filters) ** concepts
    both = (1 - 2 / filters) ** concepts if filters > 1 else 0.0
    variance = filters * never + filters * (filters - 1) * both - (filters * never) ** 2
    return filters * (1 - never), max(0.0, variance) ** 0.5


def _same_category(near: list[Any], category: pd.Series) -> float:
    """Share of concepts whose nearest one is of their category; NaN where none has one."""
    pairs = [
        (own, category[name])
        for own, name in zip(category.tolist(), near, strict=True)
        if isinstance(name, str)
    ]
    return float(np.mean([own == other for own, other in pairs])) if pairs else float("nan")


def _curve_points(scores: pd.DataFrame) -> pd.DataFrame:
    """Scores by number of filters, each category's and once more under `ALL`."""
    parts = []
    for fit in (PAPER, CONVERGED):
        mine = scores[scores["fit"] == fit]
        parts.append(fitted_points(mine).assign(rule=BY_WEIGHT))
        path = mine[mine["method"] == PATH]
        full = mine[mine["method"] == COMBINED].merge(path[_FIT].drop_duplicates(), on=_FIT)
        parts.append(pd.concat([path, full]).assign(rule=PATH))
    points = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return pd.concat([points.assign(category=ALL), points], ignore_index=True)


def _paper_first(column: pd.Series) -> pd.Series:
    """The order of rows: the paper's fit, all concepts and subsets by weight stand first."""
    first = {"fit": PAPER, "category": ALL, "rule": BY_WEIGHT}
    if column.name in first:
        return column.where(column != first[str(column.name)], "")
    if column.name in ("layer", "network", "task"):
        return pd.Series(pd.factorize(column)[0], index=column.index)
    return column
