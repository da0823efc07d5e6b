"""Is it better than chance? Intervals, null scores and other random starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from net2vec.analysis import LEAST_NULLS, mean_steadiness
from net2vec.report.content import Drawing, Table, by_task, columns
from net2vec.report.figures import draw_evidence
from net2vec.report.labels import TASK_TITLE
from net2vec.report.study import Study


@dataclass(frozen=True)
class ChanceFacts:
    """Intervals, and scores beside those on shuffled annotations."""

    layer_of: Mapping[str, str]
    decided: Table
    passed: Table
    evidence: Mapping[str, Drawing]
    summary: Table
    too_few: int | None
    least_nulls: int
    steadiness: Table


def chance_facts(study: Study, tables: Mapping[str, pd.DataFrame]) -> ChanceFacts | None:
    """How far the scores can be trusted. None where the runs hold no counts, nulls or seeds."""
    intervals, summary, steadiness = (
        tables[name] for name in ("intervals", "evidence_summary", "steadiness")
    )
    if intervals.empty and summary.empty and steadiness.empty:
        return None
    rows = _of_fit_shown(study, intervals)
    tasks = [task for task in study.tasks if rows["task"].eq(task).any()]
    summary = _with_series(study, summary)
    tested = [task for task in TASK_TITLE if summary["task"].eq(task).any()]
    blind = summary[summary["needed"].isna()]
    shown = columns(
        "series",
        "layer",
        "task",
        "method",
        passed=("count", "pass"),
        concepts="count",
        share="percent",
        nulls=("count", "null scores each"),
        needed=("count", "must beat all null scores"),
    )
    return ChanceFacts(
        layer_of={task: study.layer_of[task] for task in tasks},
        decided=Table(
            pd.DataFrame([_decided(rows, task) for task in tasks]),
            columns(
                "task",
                images="count",
                width=("number", "median width, all filters"),
                n="count",
                above=("count", "interval above 0"),
                below=("count", "interval below 0"),
            ),
            "intervals",
        ),
        passed=Table(_on_best_layers(study, summary), shown, "evidence_summary"),
        evidence=by_task(
            "evidence", tested, draw_evidence, summary, layers=study.layers, series="series"
        ),
        summary=Table(summary, shown, "evidence_summary"),
        too_few=int(blind["nulls"].min()) if len(blind) else None,
        least_nulls=LEAST_NULLS,
        steadiness=_steadiness(study, steadiness),
    )


def _with_series(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(series=study.series(table))


def _of_fit_shown(study: Study, intervals: pd.DataFrame) -> pd.DataFrame:
    """Rows of the subject that are of the layers and the fit shown."""
    rows = study.rows_shown(intervals)
    return rows[rows["fit"] == study.run.fit] if "fit" in rows else rows


def _decided(rows: pd.DataFrame, task: str) -> dict[str, object]:
    of_task = rows[rows["task"] == task]
    difference = of_task[of_task["method"] == "difference"]
    return {
        "task": task,
        "images": difference["n"].median(),
        "width": (of_task["high"] - of_task["low"])[of_task["method"] == "combined"].median(),
        "n": len(difference),
        "above": (difference["low"] > 0).sum(),
        "below": (difference["high"] < 0).sum(),
    }


def _on_best_layers(study: Study, summary: pd.DataFrame) -> pd.DataFrame:
    """Rows of each run's best layer of each task."""
    best = {
        (label, task): view.best_layer(task)
        for view, label in zip(study.views, study.labels, strict=True)
        for task in TASK_TITLE
    }
    keys = zip(summary["network"], summary["task"], summary["layer"], strict=True)
    return summary[[layer == best[network, task] for network, task, layer in keys]]


def _steadiness(study: Study, table: pd.DataFrame) -> Table:
    means = mean_steadiness(table) if len(table) else table.assign(by_chance=None)
    return Table(
        _with_series(study, means).rename(columns={"cosine": "self_cosine"}),
        columns(
            "series",
            "layer",
            "task",
            self_cosine=("number", "cosine with itself"),
            overlap=("percent", "same neighbours"),
            by_chance=("percent", "by chance"),
            score_sd=("number", "score, ± sd"),
            seeds=("count", "starts"),
        ),
        "steadiness",
    )
