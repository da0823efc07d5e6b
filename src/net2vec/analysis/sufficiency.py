"""Are single filters sufficient to encode a concept? (sec. 4.1, Fig. 2, Table 1)."""

from __future__ import annotations

import pandas as pd

from net2vec.analysis.statistics import summarize

SINGLE, COMBINED, SUBSET = "single", "combined", "subset"

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
