"""Are single filters enough? (sec. 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from net2vec.analysis import ALL, combined_vs_single, entering, shares_differ
from net2vec.analysis.sufficiency import SINGLES
from net2vec.report.content import Column, Drawing, Table, as_shares, by_task, columns
from net2vec.report.figures import draw_by_category, draw_failures
from net2vec.report.formats import format_cell, is_missing
from net2vec.report.study import Study

_SHOWN = 8
_SMALL = 0.02
"""Share of the image below which a concept is called small."""
_LEAST_GROUP = 5
"""Concepts from which on a median, or a share that is tested, says something."""
_FEW, _HUNDRED, _TINY = 20, 100, 0.01
"""Training images, and the share of the image, by which sec. 4.1 counts failures."""


@dataclass(frozen=True)
class SufficiencyFacts:
    """All filters beside the single filter."""

    layer_of: Mapping[str, str]
    tuned: bool
    scores: Table
    sizes: Table | None
    p: float | None
    by_category: Mapping[str, Drawing]
    ratios: Table
    gains: Table
    precision: Table
    lost: Table
    failures: Mapping[str, Drawing]
    best: Mapping[str, Table]
    worst: Mapping[str, Table]


def sufficiency_facts(study: Study, tables: Mapping[str, pd.DataFrame]) -> SufficiencyFacts:
    """All filters beside the single filter."""
    of_subject = study.rows_of_subject("by_category")
    failures = entering(study.rows_shown(study.tables["failures"]))
    ratios = study.tables["method_comparison"].query("statistic in ('ratio', 'ratio_tuned')")
    ratios = ratios.assign(
        method=ratios["statistic"].map({"ratio": "single", "ratio_tuned": "tuned"})
    )
    ratios = ratios.rename(columns={"value": "mean_ratio", "value_sd": "mean_ratio_sd"})
    rows = study.tables["by_concept"]
    sizes, p = compare_sizes(study.rows_shown(rows, "segment"))
    ranked = {task: rank_concepts(study, task) for task in study.tasks}
    return SufficiencyFacts(
        layer_of=study.layer_of,
        tuned=bool(rows["tuned"].notna().any()),
        scores=_scores(study),
        sizes=sizes,
        p=p,
        by_category=by_task(
            "by_category", study.tasks, draw_by_category, of_subject, layers=study.run.layers
        ),
        ratios=Table(
            ratios,
            columns(
                "network",
                "layer",
                "task",
                method=("text", "held against"),
                mean_ratio=("number", "all filters / single"),
                stderr="number",
                low="number",
                high="number",
                n="count",
            ),
            "method_comparison",
        ),
        gains=_gains(study, tables["gain_by_category"]),
        precision=_precision(study, tables["precision_recall"]),
        lost=Table(
            lost_concepts(failures),
            columns(
                "task",
                lost=("text", "all filters score"),
                n="count",
                few=("count", "with at most 20 training images"),
                hundred=("count", "at most 100"),
                tiny=("count", "below 1 % of the image"),
                n_train="count",
                concept_size="percent",
            ),
            "failures",
        ),
        failures=by_task("failures", study.tasks, draw_failures, failures),
        best={task: best for task, (best, _) in ranked.items()},
        worst={task: worst for task, (_, worst) in ranked.items() if len(worst.frame)},
    )


def _scores(study: Study) -> Table:
    """Means of the layer shown of each task, and its Table 1."""
    rows = pd.concat(
        [study.rows_shown(study.tables["combined_vs_single"], task) for task in study.tasks]
    )
    shares = as_shares(rows, "percent", "percent_tuned")
    for suffix in ("", "_tuned"):
        ends = zip(rows[f"low{suffix}"] / 100, rows[f"high{suffix}"] / 100, strict=True)
        shares[f"interval{suffix}"] = [_interval_text(*pair, "percent") for pair in ends]
    return Table(
        shares,
        (
            *columns(
                "task",
                "layer",
                n="count",
                baseline="number",
                single="number",
                tuned="number",
                combined="number",
                percent=("percent", "all at least as good"),
            ),
            Column("interval", heading="95 % interval"),
            Column("percent_tuned", "percent", "as good as own threshold"),
            Column("interval_tuned", heading="95 % interval"),
        ),
        "combined_vs_single",
    )


def compare_sizes(rows: pd.DataFrame) -> tuple[Table | None, float | None]:
    """Whether small concepts fail more often (sec. 4.1), with the p of Fisher's exact test.

    Nothing is compared where either group has fewer than `_LEAST_GROUP` concepts: whatever they
    do, such a test cannot tell the groups apart.

    Args:
        rows: of `by_concept`, of one layer in segmentation.
    """
    limit = f"{100 * _SMALL:.0f} %"
    is_small = rows["concept_size"] < _SMALL
    if min(is_small.sum(), (~is_small).sum()) < _LEAST_GROUP:
        return None, None
    groups = rows.assign(size_group=is_small.map({True: f"< {limit}", False: f"≥ {limit}"}))
    shares = combined_vs_single(groups.sort_values("concept_size"), ["size_group"])
    small, large = (
        (round(n * percent / 100), int(n)) for n, percent in shares[["n", "percent"]].to_numpy()
    )
    shown = columns(
        size_group=("text", "size in the image"),
        n="count",
        percent=("percent", "all at least as good"),
    )
    table = Table(as_shares(shares, "percent"), shown, "by_concept")
    return table, float(shares_differ(small, large))


def _gains(study: Study, rows: pd.DataFrame) -> Table:
    """The gain of all filters over the best single filter of either kind, by task and fit."""
    named = _named_fits(study, rows)
    shown = []
    for suffix, against in (("", ""), ("_tuned", ", own threshold")):
        ends = zip(rows[f"low{suffix}"], rows[f"high{suffix}"], strict=True)
        named[f"interval{suffix}"] = [_interval_text(*pair, "signed") for pair in ends]
        shown += [
            Column(f"difference{suffix}", "signed", f"difference{against}"),
            Column(f"interval{suffix}", "text", f"95 % interval{against}"),
        ]
    overall = named[named["category"] == ALL]
    overall_shown = pd.concat([study.rows_shown(overall, task) for task in study.tasks])
    return Table(
        overall_shown, (*columns("task", "layer", "fit", n="count"), *shown), "gain_by_category"
    )


def _interval_text(low: float, high: float, form: str) -> str | None:
    if is_missing(low) or is_missing(high):
        return None
    return f"{format_cell(low, form)} to {format_cell(high, form)}"


def _precision(study: Study, rows: pd.DataFrame) -> Table:
    """Precision and recall of every fit; single filters are the same with all of them."""
    named = _named_fits(study, rows)
    single = named["method"].isin(SINGLES)
    named = named.assign(fit=named["fit"].mask(single, ""))
    return Table(
        named[~(single & named.duplicated(["network", "layer", "method"]))],
        columns(
            "network",
            "layer",
            "method",
            "fit",
            set_iou="number",
            precision="number",
            recall="number",
            average_precision="number",
            n="count",
        ),
        "precision_recall",
    )


def _named_fits(study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of a table of every fit with the titles of fits; without a fit where there is one."""
    return rows.assign(fit=rows["fit"].map(study.titles) if "fit" in rows else None)


def lost_concepts(failures: pd.DataFrame) -> pd.DataFrame:
    """The number of concepts that lose by the combination, and what is usual of them (sec. 4.1).

    The counts are those of the paper: concepts with at most 20 and at most 100 training images, and
    those that cover less than 1 % of the images that contain them.

    Args:
        failures: rows of `failures` of one layer a task.

    Returns:
        `task, lost, n, few, hundred, tiny, n_train, concept_size`: numbers of concepts, with the
        medians of their training images and size, missing for fewer than 5 concepts; no row of no
        concept.
    """
    labelled = failures.assign(
        lost=failures["difference"] < 0,
        few=failures["n_train"] <= _FEW,
        hundred=failures["n_train"] <= _HUNDRED,
        tiny=failures["concept_size"] < _TINY,
    )
    groups = labelled.groupby(["task", "lost"])
    counts = groups[["few", "hundred", "tiny"]].sum().astype(int)
    counts.insert(0, "n", groups.size())
    medians = groups[["n_train", "concept_size"]].median()
    table = counts.join(medians[counts["n"] >= _LEAST_GROUP]).reset_index()
    return table.sort_values(["task", "lost"], ascending=False, kind="stable")


def scored_images(study: Study, task: str, rows: pd.DataFrame) -> pd.Series:
    """The number of validation images that the score of each row of `by_concept` is of.

    Args:
        study: the runs.
        task: of the rows.
        rows: of the subject and the layer shown.
    """
    if task == "classify":  # an accuracy is of a balanced set of images
        return rows["n_balanced"]
    n_val = study.run.arrays(study.layer_of[task])["n_val"].to_series()
    return rows["concept"].map(n_val)


def rank_concepts(study: Study, task: str) -> tuple[Table, Table]:
    """The concepts with the highest and lowest scores of all filters."""
    rows = entering(study.rows_shown(study.tables["by_concept"], task))
    rows = rows.sort_values("combined", ascending=False, kind="stable")
    ranked = rows.assign(ranked=study.marks.names(rows), images=scored_images(study, task, rows))
    # No concept is both: of an odd number the best have one more.
    worst = min(_SHOWN, len(ranked) // 2)
    best = min(_SHOWN, len(ranked) - worst)
    shown = columns(
        "ranked", "category", combined="score", single="score", baseline="score", images="count"
    )
    return Table(ranked.head(best), shown), Table(ranked.tail(worst).iloc[::-1], shown)
