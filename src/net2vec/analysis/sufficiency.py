"""Are single filters sufficient to encode a concept? (sec. 4.1 and 4.3, Fig. 2, Table 1)."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from net2vec.analysis.statistics import bootstrap_mean, share_interval, summarize

SINGLE, COMBINED, SUBSET, PATH = "single", "combined", "subset", "path"
LEAST_SINGLE = 0.005
"""The score that a single filter must exceed for a ratio to it to be taken (sec. 4.3)."""

_FIT = ["network", "layer", "task"]


def by_category(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean validation score of each category, layer, task and method (Fig. 2 and 6).

    Args:
        scores: rows of `scores.csv`, of one run or of several.

    Returns:
        `network, layer, task, method, category, mean, stderr, n`; `n` counts concepts.
    """
    both = scores[scores["method"].isin([SINGLE, COMBINED])]
    return summarize(both, [*_FIT, "method", "category"], "val")


def by_concept(scores: pd.DataFrame) -> pd.DataFrame:
    """Validation score of every concept with the best single filter and with all filters.

    Args:
        scores: rows of `scores.csv`, of one run or of several.

    Returns:
        `network, layer, task, concept, category, single, combined, n_train, concept_size`, one row
        a fit for which both methods have a score. `concept_size` is a share of the image.
    """
    key = [*_FIT, "concept"]
    combined = scores[scores["method"] == COMBINED].rename(columns={"val": COMBINED})
    single = scores.loc[scores["method"] == SINGLE, [*key, "val"]].rename(columns={"val": SINGLE})
    paired = combined.merge(single, on=key, validate="one_to_one")
    columns = [*key, "category", SINGLE, COMBINED, "n_train", "concept_size"]
    return paired[columns].reset_index(drop=True)


def combined_vs_single(concepts: pd.DataFrame) -> pd.DataFrame:
    """Percentage of concepts that all filters encode at least as well as the best one (Table 1).

    Args:
        concepts: the table of `by_concept`.

    Returns:
        `network, layer, task, percent, n`; `n` counts concepts.
    """
    wins = concepts.assign(percent=100.0 * (concepts[COMBINED] >= concepts[SINGLE]))
    return summarize(wins, _FIT, "percent").rename(columns={"mean": "percent"})[
        [*_FIT, "percent", "n"]
    ]


def compare_methods(concepts: pd.DataFrame) -> pd.DataFrame:
    """How much all filters add to the best one, with a 95 % interval over the concepts.

    Args:
        concepts: the table of `by_concept`.

    Returns:
        `network, layer, task, statistic, value, stderr, low, high, n`. The statistics are means
        over `n` concepts: `difference` of the two scores, `percent` of concepts for which all
        filters are at least as good (Table 1) and `ratio` of the scores as in `improvement`. `low`
        and `high` bound 95 % of the means of resampled concepts; those of `percent` are Wilson's.
    """
    observed = {
        "difference": concepts[COMBINED] - concepts[SINGLE],
        "percent": 100.0 * (concepts[COMBINED] >= concepts[SINGLE]),
        "ratio": _ratio(concepts),
    }
    rows = []
    for fit, group in concepts.groupby(_FIT, sort=False):
        for statistic, values in observed.items():
            here = values[group.index].dropna().to_numpy(dtype=float)
            if statistic == "percent":
                wins = int(np.count_nonzero(here))
                low, high = (100.0 * end for end in share_interval(wins, len(here)))
            else:
                low, high = bootstrap_mean(here)
            mean = float(here.mean()) if len(here) else float("nan")
            error = float(stats.sem(here)) if len(here) > 1 else float("nan")
            rows.append((*fit, statistic, mean, error, low, high, len(here)))
    return pd.DataFrame(rows, columns=[*_FIT, "statistic", "value", "stderr", "low", "high", "n"])


def improvement(concepts: pd.DataFrame) -> pd.DataFrame:
    """Mean ratio of the score of all filters to that of the best one (sec. 4.3).

    Args:
        concepts: the table of `by_concept`.

    Returns:
        `network, layer, task, mean_ratio, n`, over the `n` concepts whose single filter scores
        more than 0.005: below it a ratio says how bad the single filter is, and no more.
    """
    ratios = concepts.assign(ratio=_ratio(concepts))
    table = summarize(ratios, _FIT, "ratio").rename(columns={"mean": "mean_ratio"})
    return table[[*_FIT, "mean_ratio", "n"]]


def failures(concepts: pd.DataFrame) -> pd.DataFrame:
    """What every concept gains by all filters, from the greatest loss on (sec. 4.1).

    Args:
        concepts: the table of `by_concept`.

    Returns:
        `network, layer, task, concept, category, single, combined, difference, n_train,
        concept_size`; a negative `difference` is a failure of the combination.
    """
    gained = concepts.assign(difference=concepts[COMBINED] - concepts[SINGLE])
    columns = [*_FIT, "concept", "category", SINGLE, COMBINED, "difference"]
    order = gained.groupby(_FIT, sort=False).ngroup()
    ranked = gained.assign(order=order).sort_values(["order", "difference"], kind="stable")
    return ranked[[*columns, "n_train", "concept_size"]].reset_index(drop=True)


def _ratio(concepts: pd.DataFrame) -> pd.Series:
    """Combined over single score, missing where the single filter scores too little."""
    return concepts[COMBINED] / concepts[SINGLE].where(concepts[SINGLE] > LEAST_SINGLE)
