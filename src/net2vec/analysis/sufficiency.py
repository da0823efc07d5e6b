"""Single filters compared with all filters (sec. 4.1 and 4.3, Fig. 2, Table 1)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from net2vec.analysis.balance import entering
from net2vec.analysis.statistics import bootstrap_mean, share_interval, standard_error, summarize
from net2vec.results import LAYER_TASK, SCORE_GROUP, RunTable

SINGLE, COMBINED, SUBSET, PATH = "single", "combined", "subset", "path"
_SCALES = ("baseline", "n_train", "concept_size", "n_balanced")
DIFFERENCE = "difference"
"""The method of the rows that hold combined less single."""
LEAST_SINGLE = 0.005
"""The score that a single filter must exceed for a ratio to it to be taken (sec. 4.3)."""


def by_category(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean validation score of each category, layer, task and method (Fig. 2 and 6).

    Args:
        scores: rows of `scores.csv`, of one run or of several.

    Returns:
        `network, layer, task, method, category, mean, stderr, n`; `n` counts concepts.
    """
    both = scores[scores["method"].isin([SINGLE, COMBINED])]
    return summarize(entering(both), [*SCORE_GROUP, "method", "category"], "val")


def by_concept(scores: pd.DataFrame) -> pd.DataFrame:
    """Validation score of every concept with the best single filter and with all filters.

    Args:
        scores: rows of `scores.csv`, of one run or of several.

    Returns:
        `network, layer, task, concept, category, single, combined, baseline, n_train,
        concept_size, n_balanced`, one row a fit for which both methods have a score. `baseline` is
        the score of predicting the whole image; `concept_size` is a share of the image.
    """
    key = [*SCORE_GROUP, "concept"]
    combined = scores[scores["method"] == COMBINED].rename(columns={"val": COMBINED})
    single = scores.loc[scores["method"] == SINGLE, [*key, "val"]].rename(columns={"val": SINGLE})
    paired = combined.merge(single, on=key, validate="one_to_one")
    columns = [*key, "category", SINGLE, COMBINED, *_SCALES]
    return paired.reindex(columns=columns).reset_index(drop=True)


def as_good(combined: pd.Series, single: pd.Series) -> pd.Series:
    """Whether all filters encode a concept at least as well as the best one: Table 1 counts these.

    This is the one definition of Table 1; the percentage is the mean over concepts, and a tie
    counts. Both scores are of the same fit: each fit has a single filter of its own in
    classification. A score that is missing is not as good.
    """
    return combined >= single


def combined_vs_single(concepts: pd.DataFrame) -> pd.DataFrame:
    """Percentage of concepts that all filters encode at least as well as the best one (Table 1).

    The best one is the single filter of the same fit; see `as_good`.

    Args:
        concepts: the table of `by_concept`.

    Returns:
        `network, layer, task, percent, n`; `n` counts concepts.
    """
    concepts = entering(concepts)
    wins = concepts.assign(percent=100.0 * as_good(concepts[COMBINED], concepts[SINGLE]))
    return summarize(wins, SCORE_GROUP, "percent").rename(columns={"mean": "percent"})[
        [*SCORE_GROUP, "percent", "n"]
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
    concepts = entering(concepts)
    observed = {
        "difference": concepts[COMBINED] - concepts[SINGLE],
        "percent": 100.0 * as_good(concepts[COMBINED], concepts[SINGLE]),
        "ratio": _ratio(concepts),
    }
    rows = []
    for fit, group in concepts.groupby(SCORE_GROUP, sort=False):
        for statistic, values in observed.items():
            here = values[group.index].dropna().to_numpy(dtype=float)
            if statistic == "percent":
                wins = int(np.count_nonzero(here))
                low, high = (100.0 * end for end in share_interval(wins, len(here)))
            else:
                low, high = bootstrap_mean(here)
            mean = float(here.mean()) if len(here) else float("nan")
            error = standard_error(here)
            rows.append((*fit, statistic, mean, error, low, high, len(here)))
    return pd.DataFrame(
        rows, columns=[*SCORE_GROUP, "statistic", "value", "stderr", "low", "high", "n"]
    )


def improvement(concepts: pd.DataFrame) -> pd.DataFrame:
    """Mean ratio of the score of all filters to that of the best one (sec. 4.3).

    Args:
        concepts: the table of `by_concept`.

    Returns:
        `network, layer, task, mean_ratio, n`, over the `n` concepts whose single filter scores
        more than 0.005: below it a ratio only shows how bad the single filter is.
    """
    concepts = entering(concepts)
    ratios = concepts.assign(ratio=_ratio(concepts))
    table = summarize(ratios, SCORE_GROUP, "ratio").rename(columns={"mean": "mean_ratio"})
    return table[[*SCORE_GROUP, "mean_ratio", "n"]]


def failures(concepts: pd.DataFrame) -> pd.DataFrame:
    """The gain of every concept by all filters, from the greatest loss on (sec. 4.1).

    Args:
        concepts: the table of `by_concept`.

    Returns:
        `network, layer, task, concept, category, single, combined, difference, n_train,
        concept_size, n_balanced`; a negative `difference` is a failure of the combination.
    """
    gained = concepts.assign(difference=concepts[COMBINED] - concepts[SINGLE])
    columns = [*SCORE_GROUP, "concept", "category", SINGLE, COMBINED, "difference"]
    order = gained.groupby(SCORE_GROUP, sort=False).ngroup()
    ranked = gained.assign(order=order).sort_values(["order", "difference"], kind="stable")
    columns += ["n_train", "concept_size", "n_balanced"]
    return ranked.reindex(columns=columns).reset_index(drop=True)


def _ratio(concepts: pd.DataFrame) -> pd.Series:
    """Combined over single score, missing where the single filter scores too little."""
    return concepts[COMBINED] / concepts[SINGLE].where(concepts[SINGLE] > LEAST_SINGLE)


def score_columns(scores: pd.DataFrame) -> pd.DataFrame:
    """Validation scores by method and number of filters, with the difference of all and the best.

    Args:
        scores: rows of `scores.csv`, of one run.

    Returns:
        These rows and, with method `difference`, combined less single; `value` and `score` both
        hold the validation score.
    """
    key = [*SCORE_GROUP, "concept"]
    single = scores.loc[scores["method"] == SINGLE, [*key, "val"]]
    gained = scores[scores["method"] == COMBINED].merge(single, on=key, suffixes=("", "_single"))
    gained = gained.assign(method=DIFFERENCE, val=gained["val"] - gained["val_single"])
    both = pd.concat([scores, gained], ignore_index=True)
    return both.assign(value=both["val"], score=both["val"])


BY_CATEGORY = RunTable(
    name="by_category",
    title="Mean score of each category with a single filter and with all",
    source="Fig. 2 and 6",
    columns=(*LAYER_TASK, "method", "category", "mean", "stderr", "n"),
    keys=(*LAYER_TASK, "method", "category"),
    made_of="scores",
    make=by_category,
    values=("mean",),
)
COMBINED_VS_SINGLE = RunTable(
    name="combined_vs_single",
    title="Share of concepts that all filters encode at least as well as the best one",
    source="Table 1",
    columns=(*LAYER_TASK, "percent", "n"),
    keys=LAYER_TASK,
    made_of="by_concept",
    make=combined_vs_single,
    values=("percent",),
)
METHOD_COMPARISON = RunTable(
    name="method_comparison",
    title="What all filters add to the best one, with 95 % intervals",
    source="sec. 4.1",
    columns=(*LAYER_TASK, "statistic", "value", "stderr", "low", "high", "n"),
    keys=(*LAYER_TASK, "statistic"),
    made_of="by_concept",
    make=compare_methods,
    values=("value",),
)
FAILURES = RunTable(
    name="failures",
    title="What every concept gains or loses by all filters",
    source="sec. 4.1",
    columns=(
        *LAYER_TASK, "concept", "category", "single", "combined", "difference", "n_train",
        "concept_size", "n_balanced",
    ),
    keys=(*LAYER_TASK, "concept"),
    made_of="by_concept",
    make=failures,
    values=("single", "combined", "difference"),
)  # fmt: skip
IMPROVEMENT = RunTable(
    name="improvement",
    title="Mean ratio of the score of all filters to that of the best one",
    source="sec. 4.3",
    columns=(*LAYER_TASK, "mean_ratio", "n"),
    keys=LAYER_TASK,
    made_of="by_concept",
    make=improvement,
    values=("mean_ratio",),
)
BY_CONCEPT = RunTable(
    name="by_concept",
    title="Score of every concept with a single filter and with all",
    source="supplement",
    columns=(
        *LAYER_TASK, "concept", "category", "single", "combined", *_SCALES,
    ),
    keys=(*LAYER_TASK, "concept"),
    made_of="scores",
    make=by_concept,
    values=("single", "combined"),
)  # fmt: skip
