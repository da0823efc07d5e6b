"""Are single filters enough? (sec. 4.1)."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from net2vec.analysis import ALL, entering, shares_differ
from net2vec.analysis.sufficiency import SINGLES, as_good
from net2vec.report.content import Column, Facts, Table, by_task, columns
from net2vec.report.figures import draw_by_category, draw_failures
from net2vec.report.formats import format_cell, is_missing
from net2vec.report.study import Study

_SHOWN = 8
_SMALL = 0.02
"""Share of the image below which a concept is called small."""
_FEW, _HUNDRED, _TINY = 20, 100, 0.01
"""Training images, and the share of the image, by which sec. 4.1 counts failures."""


def sufficiency_facts(study: Study, tables: Mapping[str, pd.DataFrame]) -> Facts:
    """All filters beside the single filter."""
    mine = study.mine("by_category")
    failures = entering(study.shown(study.tables["failures"]))
    ratios = study.tables["method_comparison"].query("statistic in ('ratio', 'ratio_tuned')")
    ratios = ratios.assign(
        method=ratios["statistic"].map({"ratio": "single", "ratio_tuned": "tuned"})
    )
    ratios = ratios.rename(columns={"value": "mean_ratio", "value_sd": "mean_ratio_sd"})
    rows = study.tables["by_concept"]
    sizes, p = compare_sizes(study.shown(rows, "segment"))
    ranked = {task: rank_concepts(study, task) for task in study.tasks}
    return Facts(
        layer_of=study.layer_of,
        tuned=bool(rows["tuned"].notna().any()),
        scores=_scores(study),
        sizes=sizes,
        p=p,
        by_category=by_task(
            "by_category", study.tasks, draw_by_category, mine, layers=study.run.layers
        ),
        ratios=Table(
            ratios,
            columns(
                "network", "layer", "task", "method", mean_ratio="number", stderr="number",
                low="number", high="number", n="count",
            ),
            "method_comparison",
        ),
        gains=_gains(study, tables["gain_by_category"]),
        precision=_precision(study, tables["precision_recall"]),
        lost=Table(
            lost_concepts(failures),
            columns(
                "task", "lost", n="count", few="count", hundred="count", tiny="count",
                n_train="count", concept_size="percent",
            ),
            "failures",
        ),
        failures=by_task("failures", study.tasks, draw_failures, failures),
        best={task: best for task, (best, _) in ranked.items()},
        worst={task: worst for task, (_, worst) in ranked.items() if len(worst.frame)},
    )  # fmt: skip


def _scores(study: Study) -> Table:
    """Means of the layer shown of each task, and its Table 1."""
    rows = []
    for task in study.tasks:
        concepts = entering(study.shown(study.tables["by_concept"], task))
        compared = study.shown(study.tables["method_comparison"], task)
        share = compared[compared["statistic"] == "percent"].iloc[:1]
        rows.append(
            {
                "task": task,
                "layer": study.layer_of[task],
                "n": len(concepts),
                "combined": concepts["combined"].mean(),
                "single": concepts["single"].mean(),
                "tuned": concepts["tuned"].mean(),
                "baseline": concepts["baseline"].mean(),
                "as_good": study.shown(study.tables["combined_vs_single"], task)["percent"].iloc[0]
                / 100,
                "low": share["low"].sum(min_count=1) / 100,
                "high": share["high"].sum(min_count=1) / 100,
            }
        )
    return Table(
        pd.DataFrame(rows),
        columns(
            "task", "layer", n="count", combined="number", single="number", tuned="number",
            baseline="number", as_good="percent", low="percent", high="percent",
        ),
        "method_comparison",
    )  # fmt: skip


def compare_sizes(rows: pd.DataFrame) -> tuple[Table | None, float | None]:
    """Whether small concepts fail more often (sec. 4.1), with the p of Fisher's exact test.

    Args:
        rows: of `by_concept`, of one layer in segmentation.
    """
    small = rows["concept_size"] < _SMALL
    if not 0 < small.sum() < len(rows):
        return None, None
    wins_of = as_good(rows["combined"], rows["single"])
    wins, others = ((int(wins_of[there].sum()), int(there.sum())) for there in (small, ~small))
    limit = f"{100 * _SMALL:.0f} %"
    frame = pd.DataFrame(
        [(group, n, won, won / n) for group, (won, n) in ((f"< {limit}", wins),
                                                          (f"≥ {limit}", others))],
        columns=["size_group", "n", "won", "as_good"],
    )  # fmt: skip
    table = Table(frame, columns("size_group", n="count", as_good="percent"), "by_concept")
    return table, float(shares_differ(wins, others))


def _gains(study: Study, rows: pd.DataFrame) -> Table:
    """What all filters of every fit add to the best single filter of either kind, by task."""
    told = _named_fits(study, rows)
    shown = []
    for suffix, against in (("", ""), ("_tuned", ", own threshold")):
        ends = zip(rows[f"low{suffix}"], rows[f"high{suffix}"], strict=True)
        told[f"interval{suffix}"] = [_interval_text(low, high) for low, high in ends]
        shown += [
            Column(f"difference{suffix}", "signed", f"difference{against}"),
            Column(f"interval{suffix}", "text", f"95 % interval{against}"),
        ]
    everything = told[told["category"] == ALL]
    mine = pd.concat([study.shown(everything, task) for task in study.tasks])
    return Table(mine, (*columns("task", "layer", "fit", n="count"), *shown), "gain_by_category")


def _interval_text(low: float, high: float) -> str | None:
    if is_missing(low) or is_missing(high):
        return None
    return f"{format_cell(low, 'signed')} to {format_cell(high, 'signed')}"


def _precision(study: Study, rows: pd.DataFrame) -> Table:
    """Precision and recall of every fit; single filters are the same with all of them."""
    told = _named_fits(study, rows)
    single = told["method"].isin(SINGLES)
    told = told.assign(fit=told["fit"].mask(single))
    return Table(
        told[~(single & told.duplicated(["network", "layer", "method"]))],
        columns(
            "network", "layer", "method", "fit", set_iou="number", precision="number",
            recall="number", average_precision="number", n="count",
        ),
        "precision_recall",
    )  # fmt: skip


def _named_fits(study: Study, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of a table of every fit with the titles of fits; without a fit where there is one."""
    return rows.assign(fit=rows["fit"].map(study.titles) if "fit" in rows else None)


def lost_concepts(failures: pd.DataFrame) -> pd.DataFrame:
    """How many concepts lose by the combination, and what is usual of them (sec. 4.1).

    The counts are those of the paper: concepts with at most 20 and at most 100 training images, and
    those that cover less than 1 % of the images that contain them.

    Args:
        failures: rows of `failures` of one layer a task.

    Returns:
        `task, lost, n, few, hundred, tiny, n_train, concept_size`: numbers of concepts, with the
        medians of their training images and size; no row of no concept.
    """
    told = failures.assign(
        lost=failures["difference"] < 0,
        few=failures["n_train"] <= _FEW,
        hundred=failures["n_train"] <= _HUNDRED,
        tiny=failures["concept_size"] < _TINY,
    )
    groups = told.groupby(["task", "lost"])
    counts = groups[["few", "hundred", "tiny"]].sum().astype(int)
    counts.insert(0, "n", groups.size())
    table = counts.join(groups[["n_train", "concept_size"]].median()).reset_index()
    return table.sort_values(["task", "lost"], ascending=False, kind="stable")


def rank_concepts(study: Study, task: str) -> tuple[Table, Table]:
    """The concepts with the highest and lowest scores of all filters."""
    rows = entering(study.shown(study.tables["by_concept"], task))
    rows = rows.sort_values("combined", ascending=False, kind="stable")
    if task == "segment":
        n_val = study.run.arrays(study.layer_of[task])["n_val"].to_series()
        rows = rows.assign(images=rows["concept"].map(n_val))
    else:  # an accuracy is of a balanced set of images
        rows = rows.assign(images=rows["n_balanced"])
    ranked = rows.assign(ranked=study.marked_rows(rows))
    # No concept is both: of an odd number the best have one more.
    worst = min(_SHOWN, len(ranked) // 2)
    best = min(_SHOWN, len(ranked) - worst)
    shown = columns(
        "ranked", "category", combined="score", single="score", baseline="score", images="count"
    )
    return Table(ranked.head(best), shown), Table(ranked.tail(worst).iloc[::-1], shown)
