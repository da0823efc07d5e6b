"""How much of a result depends on the fit: two fits of a run, concept by concept.

Both are of the same linear model on the same features. A result that both have is a finding about
the network; one that only the paper's training has may come from thirty epochs of small steps.

The fits are called the first and the second; columns are named `{quantity}_{fit}`, as in
`combined_paper`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float, Int

from net2vec.analysis.balance import entering
from net2vec.analysis.steadiness import (
    NEIGHBOURS,
    mean_cosine,
    nearest,
    neighbour_overlap,
    unit_vectors,
)
from net2vec.analysis.sufficiency import COMBINED, SINGLE, as_good, by_concept
from net2vec.results import SCORE_GROUP

WELL_TRAINED = 50
"""Training images from which on a low score is not for want of images."""
WORSE = 0.01
"""A score that is lower by more than this is called worse."""

_KEY = [*SCORE_GROUP, "concept"]


def pair_fits(scores: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Validation scores of every concept with both fits, side by side.

    Args:
        scores: rows of `scores.csv`, with the column `fit`.
        first: the name of a fit.
        second: the name of another.

    Returns:
        `network, layer, task, concept, category, n_train, concept_size, n_balanced, baseline,
        single_FIRST, single_SECOND, combined_FIRST, combined_SECOND`, a row for every concept that
        both fits scored. In segmentation both have the same single filter, which is chosen by IoU.
    """
    fits, methods = (first, second), (SINGLE, COMBINED)
    one, other = (
        by_concept(scores[scores["fit"] == fit]).rename(
            columns={method: f"{method}_{fit}" for method in methods}
        )
        for fit in fits
    )
    columns = [f"{method}_{fit}" for method in methods for fit in fits]
    paired = one.merge(
        other[[*_KEY, *(name for name in columns if name in other)]], on=_KEY, validate="one_to_one"
    )
    scales = ["n_train", "concept_size", "n_balanced", "baseline"]
    return paired[[*_KEY, "category", *scales, *columns]]


def compare_fits(pairs: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Scores, Table 1 and failures of both fits.

    Two quantities are alike and differ in the single filter. Table 1 compares all filters of a fit
    with the single filter of the same fit. A failure is a concept that all filters encode worse
    than the single filter of the *first* fit, whichever fit combines them: with its own, which is a
    worse one where weights are large for other reasons than use, the second fit would hide some. So
    `failures_SECOND` is not the rest of `percent_SECOND` in classification.

    Args:
        pairs: the table of `pair_fits`.
        first: the name of a fit.
        second: the name of the other.

    Returns:
        For each `network, layer, task`: `FIRST, SECOND`, the mean scores of all filters; the
        `ratio` of the second to the first; `as_good`, the percentage of concepts that the second
        fit scores at least as high; `trained`, the number of concepts with 50 or more training
        images, and `worse`, the percentage of these that it scores lower by more than 0.01;
        `single_FIRST, single_SECOND`, the mean scores of each fit's single filter; `percent_FIRST,
        percent_SECOND`, the percentages of Table 1, each against the fit's own single filter (see
        `as_good` of `net2vec.analysis.sufficiency`); `failures_FIRST, failures_SECOND,
        failures_both`, numbers of failures against the first fit's single filter (sec. 4.1); `n`,
        the number of concepts.
    """
    pairs = entering(pairs)
    one, other = pairs[f"combined_{first}"], pairs[f"combined_{second}"]
    own = {fit: pairs[f"single_{fit}"] for fit in (first, second)}
    trained = pairs["n_train"] >= WELL_TRAINED
    failed, failed_too = one < own[first], other < own[first]
    means = {
        first: one,
        second: other,
        "as_good": 100.0 * (other >= one),
        "worse": (100.0 * (other < one - WORSE)).where(trained),
        f"single_{first}": own[first],
        f"single_{second}": own[second],
        f"percent_{first}": 100.0 * as_good(one, own[first]),
        f"percent_{second}": 100.0 * as_good(other, own[second]),
    }
    counts = {
        "trained": trained,
        f"failures_{first}": failed,
        f"failures_{second}": failed_too,
        "failures_both": failed & failed_too,
    }
    groups = pairs[SCORE_GROUP].assign(**means, **counts).groupby(SCORE_GROUP, sort=False)
    table = groups[list(means)].mean().join(groups[list(counts)].sum().astype(int))
    table.insert(2, "ratio", table[second] / table[first].where(table[first] > 0))
    table.insert(4, "trained", table.pop("trained"))
    table["n"] = groups.size()
    return table.reset_index()


def pair_vectors(
    vectors: xr.Dataset,
    other_vectors: xr.Dataset,
    first: str,
    second: str,
    *,
    neighbours: int = NEIGHBOURS,
) -> pd.DataFrame:
    """The two vectors of every concept, compared.

    Args:
        vectors: the arrays of a layer and task, of the first fit.
        other_vectors: the same of the second, with the same concepts.
        first: the name of the first fit.
        second: the name of the second.
        neighbours: how many nearest concepts are compared.

    Returns:
        `concept, filters, filter_FIRST, filter_SECOND, nearest_FIRST, nearest_SECOND, cosine,
        overlap`: the number of filters of the layer, the filter with the largest absolute weight
        (the lowest index on a tie), the nearest concept, the cosine of the two vectors, and the
        share of the nearest concepts that they have in common; see `seed_steadiness` for when these
        are missing.
    """
    weight: Float[np.ndarray, "fit concept filter"] = np.stack(
        [
            arrays["weight"].sel(concept=vectors["concept"]).transpose("concept", "filter").values
            for arrays in (vectors, other_vectors)
        ]
    )
    largest: Int[np.ndarray, "fit concept"] = np.abs(np.nan_to_num(weight)).argmax(axis=2)
    unit, directed = unit_vectors(weight)
    names = vectors["concept"].values.astype(object)
    closest = [
        np.where(known & (known.sum() > 1), names[nearest(of_fit, known, 1).argmax(axis=1)], None)
        for of_fit, known in zip(unit, directed, strict=True)
    ]
    return pd.DataFrame(
        {
            "concept": names,
            "filters": weight.shape[2],
            f"filter_{first}": largest[0],
            f"filter_{second}": largest[1],
            f"nearest_{first}": closest[0],
            f"nearest_{second}": closest[1],
            "cosine": mean_cosine(unit, directed),
            "overlap": neighbour_overlap(unit, directed, neighbours),
        }
    )


def sharing_of_fits(
    concepts: pd.DataFrame, first: str, second: str, *, neighbours: int = NEIGHBOURS
) -> pd.DataFrame:
    """How far filters are shared, and whether vectors have the same neighbours, in both fits.

    A filter is used if it has the largest absolute weight of some concept.

    Args:
        concepts: the table of `pair_vectors`, with `network, layer, task, category`.
        first: the name of the first fit.
        second: the name of the second.
        neighbours: as in `pair_vectors`.

    Returns:
        For each `network, layer, task`: `shared_FIRST, shared_SECOND`, the mean number of concepts
        for a used filter; `shared_by_chance, shared_limit`, what it would be were each concept's
        filter drawn at random, and two standard deviations (of the number of used filters) above;
        `same_filter`, the percentage of concepts whose filter is the same in both; `neighbours`,
        the median over concepts of the share of nearest concepts in common; `neighbours_by_chance`,
        the mean in unrelated spaces; `cosine`, the median of a concept's two vectors;
        `category_FIRST, category_SECOND, category_by_chance`, the percentages of concepts whose
        nearest one is of their category.
    """
    fits = (first, second)
    rows: list[dict[str, Any]] = []
    for key, group in concepts.groupby(SCORE_GROUP, sort=False):
        count = len(group)
        used, sd = used_by_chance(count, int(group["filters"].iloc[0]))
        category = group.set_index("concept")["category"]
        others = category.map(category.value_counts()) - 1
        same_filter = group[f"filter_{first}"] == group[f"filter_{second}"]
        rows.append(
            {
                **{name: str(value) for name, value in zip(SCORE_GROUP, key, strict=True)},
                **{f"shared_{fit}": count / group[f"filter_{fit}"].nunique() for fit in fits},
                "shared_by_chance": count / used,
                "shared_limit": count / max(1.0, used - 2 * sd),
                "same_filter": 100.0 * same_filter.mean(),
                "neighbours": group["overlap"].median(),
                "neighbours_by_chance": (
                    neighbours / (count - 1) if count > neighbours + 1 else float("nan")
                ),
                "cosine": group["cosine"].median(),
                **{
                    f"category_{fit}": 100.0
                    * _same_category(group[f"nearest_{fit}"].tolist(), category)
                    for fit in fits
                },
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
