"""Single filters compared with all filters (sec. 4.1 and 4.3, Fig. 2, Table 1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from net2vec.analysis.balance import entering
from net2vec.analysis.statistics import bootstrap_mean, share_interval, standard_error, summarize
from net2vec.results import LAYER_TASK, SCORE_GROUP, RunTable, TableInput

SINGLE, COMBINED = "single", "combined"
SUBSET, PATH, BACKWARD = "subset", "path", "backward"
TUNED = "tuned"
"""The best single filter at the threshold that suits it and the concept, not the paper's."""
SINGLES = (SINGLE, TUNED)
_TABLE_ONE = (
    *("percent", "percent_tuned", "n", "low", "high", "low_tuned", "high_tuned"),
    *("baseline", SINGLE, TUNED, COMBINED),
)
_SCALES = ("baseline", "n_train", "concept_size", "n_balanced")
ALL = "all concepts"
"""The category of rows that are of all concepts."""
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
    shown = scores[scores["method"].isin([*SINGLES, COMBINED])]
    return summarize(entering(shown), [*SCORE_GROUP, "method", "category"], "val")


def by_concept(scores: pd.DataFrame) -> pd.DataFrame:
    """Validation score of every concept with the best single filter and with all filters.

    Args:
        scores: rows of `scores.csv`, of one run or of several.

    Returns:
        `network, layer, task, concept, category, single, tuned, combined, baseline, n_train,
        concept_size, n_balanced`, one row a fit for which both methods have a score. `tuned` is the
        score of the best single filter at its own threshold, missing where none was chosen;
        `baseline` that of predicting the whole image; `concept_size` is a share of the image.
    """
    key = [*SCORE_GROUP, "concept"]
    combined = scores[scores["method"] == COMBINED].rename(columns={"val": COMBINED})
    single = scores.loc[scores["method"] == SINGLE, [*key, "val"]].rename(columns={"val": SINGLE})
    tuned = scores.loc[scores["method"] == TUNED, [*key, "val"]].rename(columns={"val": TUNED})
    paired = combined.merge(single, on=key, validate="one_to_one")
    paired = paired.merge(tuned, on=key, how="left", validate="one_to_one")
    columns = [*key, "category", SINGLE, TUNED, COMBINED, *_SCALES]
    return paired.reindex(columns=columns).reset_index(drop=True)


def as_good(combined: pd.Series, single: pd.Series) -> pd.Series:
    """Whether all filters encode a concept at least as well as the best one: Table 1 counts these.

    This is the one definition of Table 1; the percentage is the mean over concepts, and a tie
    counts. Both scores are of the same fit: each fit has a single filter of its own in
    classification. A score that is missing is not as good.
    """
    return combined >= single


def combined_vs_single(
    concepts: pd.DataFrame, key: Sequence[str] = tuple(SCORE_GROUP)
) -> pd.DataFrame:
    """Mean scores, and the share of concepts encoded at least as well by all filters (Table 1).

    The report and the explorer take Table 1 from here. The best filter is the single filter of the
    same fit; see `as_good`.

    Args:
        concepts: the table of `by_concept`.
        key: columns that name a group of concepts, by default those of a layer and task.

    Returns:
        The key, `percent, percent_tuned, n, low, high, low_tuned, high_tuned, baseline, single,
        tuned, combined`; `n` counts concepts. `percent` is bounded by `low` and `high` (95 %,
        Wilson's interval over concepts); `percent_tuned` is held against the best filter at its own
        threshold, and missing where there is none. The last four are mean scores.
    """
    key = list(key)
    concepts = entering(concepts)
    table = concepts.groupby(key, sort=False)[["baseline", *SINGLES, COMBINED]].mean()
    statistics = _statistics(concepts, key, ("percent",)).set_index(key)
    for suffix in ("", f"_{TUNED}"):
        shares = statistics[statistics["statistic"] == "percent" + suffix]
        for name, own in (("value", "percent"), ("low", "low"), ("high", "high"), ("n", "n")):
            table[own + suffix] = shares[name]
    columns = [*key, *_TABLE_ONE]
    return table.reset_index()[columns].dropna(subset=["percent"]).reset_index(drop=True)


def _wins(concepts: pd.DataFrame, against: str) -> pd.DataFrame:
    """The concepts with a score of such a single filter, `percent` 100 where all are as good."""
    known = concepts[concepts[against].notna()]
    return known.assign(percent=100.0 * as_good(known[COMBINED], known[against]))


def compare_methods(concepts: pd.DataFrame) -> pd.DataFrame:
    """How much all filters add to the best one, with a 95 % interval over the concepts.

    Args:
        concepts: the table of `by_concept`.

    Returns:
        `network, layer, task, statistic, value, stderr, low, high, n`. The statistics are means
        over `n` concepts: `difference` of the two scores, `percent` of concepts for which all
        filters are at least as good (Table 1) and `ratio` of the scores as in `improvement`;
        `difference_tuned`, `percent_tuned` and `ratio_tuned` are held against the best filter at
        its own threshold. `low` and `high` bound 95 % of the means of resampled concepts; those of
        shares are Wilson's.
    """
    return _statistics(concepts, SCORE_GROUP, ("difference", "percent", "ratio"))


def gain_by_category(concepts: pd.DataFrame) -> pd.DataFrame:
    """How much all filters add to the best one of either kind, by category and over all concepts.

    Args:
        concepts: the table of `by_concept`.

    Returns:
        `network, layer, task, category, difference, low, high, percent, difference_tuned,
        low_tuned, high_tuned, percent_tuned, n`; see `compare_methods`. The first rows of a layer
        are of all concepts.
    """
    concepts = entering(concepts)
    both = pd.concat([concepts.assign(category=ALL), concepts], ignore_index=True)
    key = [*SCORE_GROUP, "category"]
    statistics = _statistics(both, key, ("difference", "percent"))
    table = both[key].drop_duplicates()
    for suffix in ("", f"_{TUNED}"):
        bounds = {"value": "difference", "low": "low", "high": "high", "n": "n"}
        names = {old: new + suffix for old, new in bounds.items()}
        for statistic, columns in (
            ("difference", names),
            ("percent", {"value": "percent" + suffix}),
        ):
            rows = statistics[statistics["statistic"] == statistic + suffix].rename(columns=columns)
            table = table.merge(rows[[*key, *columns.values()]], on=key, how="left")
    return table


def _statistics(concepts: pd.DataFrame, key: list[str], columns: Sequence[str]) -> pd.DataFrame:
    concepts = entering(concepts)
    observed: dict[str, pd.Series] = {}
    for against, suffix in ((SINGLE, ""), (TUNED, "_tuned")):
        known = _wins(concepts, against)
        means_of = {
            "difference": known[COMBINED] - known[against],
            "percent": known["percent"],
            "ratio": _ratio(known, against),
        }
        observed |= {name + suffix: means_of[name] for name in columns}
    rows = []
    for group, members in concepts.groupby(key, sort=False):
        for statistic, values in observed.items():
            here = values.reindex(members.index).dropna().to_numpy(dtype=float)
            if not len(here) and statistic.endswith(TUNED):
                continue
            if statistic.startswith("percent"):
                wins = int(np.count_nonzero(here))
                low, high = (100.0 * end for end in share_interval(wins, len(here)))
            else:
                low, high = bootstrap_mean(here)
            mean = float(here.mean()) if len(here) else float("nan")
            error = standard_error(here)
            rows.append((*group, statistic, mean, error, low, high, len(here)))
    return pd.DataFrame(rows, columns=[*key, "statistic", "value", "stderr", "low", "high", "n"])


def improvement(compared: pd.DataFrame) -> pd.DataFrame:
    """Mean ratio of the score of all filters to that of the best one (sec. 4.3).

    Args:
        compared: the table of `compare_methods`, whose `ratio` this is.

    Returns:
        `network, layer, task, mean_ratio, n`, over the `n` concepts whose single filter scores
        more than 0.005: below it a ratio only shows how bad the single filter is.
    """
    ratios = compared[compared["statistic"] == "ratio"].rename(columns={"value": "mean_ratio"})
    return ratios[[*SCORE_GROUP, "mean_ratio", "n"]].reset_index(drop=True)


def failures(concepts: pd.DataFrame) -> pd.DataFrame:
    """The gain of every concept by all filters, from the greatest loss on (sec. 4.1).

    Args:
        concepts: the table of `by_concept`.

    Returns:
        `network, layer, task, concept, category, single, tuned, combined, difference,
        difference_tuned, n_train, concept_size, n_balanced`; a negative `difference` is a failure
        of the combination, a negative `difference_tuned` one against the best filter at its own
        threshold.
    """
    gained = concepts.assign(
        difference=concepts[COMBINED] - concepts[SINGLE],
        difference_tuned=concepts[COMBINED] - concepts[TUNED],
    )
    columns = [*SCORE_GROUP, "concept", "category", *SINGLES, COMBINED]
    columns += ["difference", "difference_tuned"]
    order = gained.groupby(SCORE_GROUP, sort=False).ngroup()
    ranked = gained.assign(order=order).sort_values(["order", "difference"], kind="stable")
    columns += ["n_train", "concept_size", "n_balanced"]
    return ranked.reindex(columns=columns).reset_index(drop=True)


def _ratio(concepts: pd.DataFrame, against: str) -> pd.Series:
    """Combined over single score, missing where the single filter scores too little."""
    return concepts[COMBINED] / concepts[against].where(concepts[against] > LEAST_SINGLE)


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


BY_CONCEPT = RunTable(
    name="by_concept",
    title="Score of every concept with a single filter and with all",
    source="supplement",
    columns=(
        *LAYER_TASK, "concept", "category", "single", "tuned", "combined", *_SCALES,
    ),
    keys=(*LAYER_TASK, "concept"),
    made_of=TableInput.SCORES,
    make=by_concept,
    values=("single", "tuned", "combined"),
)  # fmt: skip
BY_CATEGORY = RunTable(
    name="by_category",
    title="Mean score of each category with a single filter and with all",
    source="Fig. 2 and 6",
    columns=(*LAYER_TASK, "method", "category", "mean", "stderr", "n"),
    keys=(*LAYER_TASK, "method", "category"),
    made_of=TableInput.SCORES,
    make=by_category,
    values=("mean",),
)
COMBINED_VS_SINGLE = RunTable(
    name="combined_vs_single",
    title="Share of concepts that all filters encode at least as well as the best one",
    source="Table 1",
    columns=(*LAYER_TASK, *_TABLE_ONE),
    keys=LAYER_TASK,
    made_of=BY_CONCEPT,
    make=combined_vs_single,
    values=("percent", "percent_tuned", SINGLE, TUNED, COMBINED),
    every_fit=True,
)
METHOD_COMPARISON = RunTable(
    name="method_comparison",
    title="What all filters add to the best one, with 95 % intervals",
    source="sec. 4.1",
    columns=(*LAYER_TASK, "statistic", "value", "stderr", "low", "high", "n"),
    keys=(*LAYER_TASK, "statistic"),
    made_of=BY_CONCEPT,
    make=compare_methods,
    values=("value",),
)
GAIN_BY_CATEGORY = RunTable(
    name="gain_by_category",
    title="What all filters add to the best one in each category, with 95 % intervals",
    source="sec. 4.1",
    columns=(
        *LAYER_TASK,
        "category",
        "difference",
        "low",
        "high",
        "percent",
        "difference_tuned",
        "low_tuned",
        "high_tuned",
        "percent_tuned",
        "n",
    ),
    keys=(*LAYER_TASK, "category"),
    made_of=BY_CONCEPT,
    make=gain_by_category,
    values=("difference", "percent", "difference_tuned", "percent_tuned"),
    every_fit=True,
)
FAILURES = RunTable(
    name="failures",
    title="What every concept gains or loses by all filters",
    source="sec. 4.1",
    columns=(
        *LAYER_TASK, "concept", "category", "single", "tuned", "combined", "difference",
        "difference_tuned", "n_train", "concept_size", "n_balanced",
    ),
    keys=(*LAYER_TASK, "concept"),
    made_of=BY_CONCEPT,
    make=failures,
    values=("single", "tuned", "combined", "difference", "difference_tuned"),
)  # fmt: skip
IMPROVEMENT = RunTable(
    name="improvement",
    title="Mean ratio of the score of all filters to that of the best one",
    source="sec. 4.3",
    columns=(*LAYER_TASK, "mean_ratio", "n"),
    keys=LAYER_TASK,
    made_of=METHOD_COMPARISON,
    make=improvement,
    values=("mean_ratio",),
)
