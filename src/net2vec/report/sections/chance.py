"""Is it better than chance? Intervals, null scores and other random starts."""

from __future__ import annotations

from functools import partial

import pandas as pd

from net2vec.analysis import LEAST_NULLS, mean_steadiness
from net2vec.report.content import (
    Block,
    Column,
    Drawing,
    FigureRow,
    Paragraph,
    Section,
    Table,
)
from net2vec.report.exhibits import last_layer
from net2vec.report.figures import draw_differences, draw_evidence
from net2vec.report.study import FIT_TITLE, SCORE_NAME, TASK_TITLE, Study
from net2vec.report.wording import count, percent
from net2vec.runs import make_tables

METHOD_TITLE = {"combined": "all filters", "single": "best single filter"}
_NAMES = ("intervals", "evidence", "evidence_summary", "steadiness")
_RATE = "5 %"


def chance_tables(study: Study) -> dict[str, pd.DataFrame]:
    """The tables of the section, of all runs and of all of their fits.

    `network` holds the labels of the runs. With more than one fit the last column is `fit`.
    """
    if {run.fits for run in study.runs} == {study.run.fits} and len(study.run.fits) == 1:
        return {name: study.tables[name] for name in _NAMES}
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in _NAMES}
    for run, label in zip(study.runs, study.labels, strict=True):
        for name, table in make_tables(run, _NAMES).items():
            parts[name].append(table.assign(network=label, fit=table.get("fit", run.fit)))
    return {
        name: pd.concat([table for table in made if len(table)] or made[:1], ignore_index=True)
        for name, made in parts.items()
    }


def chance_section(study: Study, tables: dict[str, pd.DataFrame]) -> Section | None:
    """How far the scores can be trusted. None where the run holds no counts, nulls or seeds.

    Args:
        study: the runs.
        tables: of `chance_tables`.
    """
    blocks: list[Block] = [
        *_intervals(study, tables["intervals"]),
        *_evidence(study, tables["evidence_summary"]),
        *_steadiness(study, tables["steadiness"]),
    ]
    if not blocks:
        return None
    blocks.append(_all_concepts(study, tables))
    return Section("chance", "Is it better than chance?", blocks)


def _intervals(study: Study, table: pd.DataFrame) -> list[Block]:
    """Scores and their difference on the last layer of the subject, of its first fit."""
    rows = study.last(table)
    if "fit" in rows:
        rows = rows[rows["fit"] == study.run.fit]
    tasks = [task for task in study.tasks if rows["task"].eq(task).any()]
    if not tasks:
        return []
    return [
        Paragraph(
            "A score is measured on some validation images; on others it would be another. Of the"
            " intervals 95 % hold the score over all images like these."
            f" {' '.join(_decided(rows, task) for task in tasks)} Where there is no difference at"
            " all, one interval in twenty would still claim one. Images count as independent of"
            " each other: where they are not, as frames of a film, intervals are too narrow."
        ),
        FigureRow(
            tuple(
                Drawing(
                    f"differences_{task}",
                    f"Difference in {SCORE_NAME[task]} of all filters and the best one, by concept",
                    partial(draw_differences, rows, task=task),
                    TASK_TITLE[task].capitalize(),
                )
                for task in tasks
            ),
            f"All filters of {study.where(tasks)} against the best one, for every concept: the"
            " difference of the scores with its 95 % interval (bootstrap over validation images,"
            " both methods on the same ones). Undecided are those whose interval holds 0.",
            "intervals",
        ),
    ]


def _decided(rows: pd.DataFrame, task: str) -> str:
    of_task = rows[rows["task"] == task]
    difference = of_task[of_task["method"] == "difference"]
    width = (of_task["high"] - of_task["low"])[of_task["method"] == "combined"].median()
    better, worse = int((difference["low"] > 0).sum()), int((difference["high"] < 0).sum())
    return (
        f"In {TASK_TITLE[task]} that of all filters is {width:.2f} wide in the median, over"
        f" {count(round(difference['n'].median()), 'image')}. The whole interval of what they add"
        f" to the best filter is above 0 for {better} of {count(len(difference), 'concept')}, and"
        f" below for {worse or 'none'}."
    )


def _evidence(study: Study, summary: pd.DataFrame) -> list[Block]:
    """How many concepts pass, in every run and fit that has null scores."""
    if summary.empty:
        return []
    layers = list(dict.fromkeys(layer for run in study.runs for layer in run.layers))
    tasks = [task for task in TASK_TITLE if summary["task"].eq(task).any()]
    shown = summary.assign(series=_series(study, summary))
    said = [text for task in tasks if (text := _passed(study, shown, task))]
    return [
        Paragraph(
            "Any of many filters fits a concept somewhat by luck, and so does a combination of all."
            " Each concept is therefore learned and judged again on annotations without signal: in"
            " segmentation its masks are paired with other images that contain it, in"
            " classification it is given to random images. A concept passes where so few of these"
            " null scores are as good as its own that at most"
            f" {_RATE} of all that pass in a layer are expected to do so by chance. Where images"
            " are not independent, as frames of a film, it may be more."
        ),
        *([Paragraph(" ".join(said))] if said else []),
        *_warning(shown),
        FigureRow(
            tuple(
                Drawing(
                    f"evidence_{task}",
                    f"Share of concepts that pass in {TASK_TITLE[task]}, by layer and method",
                    partial(draw_evidence, shown, task=task, layers=layers, series="series"),
                    TASK_TITLE[task].capitalize(),
                )
                for task in tasks
            ),
            f"Share of concepts that are encoded better than chance at a false discovery rate of"
            f" {_RATE}, by layer.",
            "evidence_summary",
        ),
        Table(
            shown.assign(
                task=shown["task"].map(TASK_TITLE), method=shown["method"].map(METHOD_TITLE)
            ),
            (
                *_several(shown),
                Column("layer", "layer"),
                Column("task", "task"),
                Column("method", "method"),
                Column("passed", "pass", "count"),
                Column("concepts", "concepts", "count"),
                Column("share", "share", "percent"),
                Column("nulls", "null scores each", "count"),
            ),
            f"Concepts encoded better than chance at a false discovery rate of {_RATE}",
            csv="evidence_summary",
            folded=True,
        ),
    ]


def _series(study: Study, table: pd.DataFrame) -> pd.Series:
    """What a row is of: the run, where there are several, and the fit, where there are."""
    parts = []
    if len(study.runs) > 1:
        parts.append(table["network"].astype(str))
    if "fit" in table:
        parts.append(table["fit"].map(FIT_TITLE))
    if not parts:
        return table["network"]
    return parts[0] if len(parts) == 1 else parts[0] + ", " + parts[1]


def _several(table: pd.DataFrame) -> tuple[Column, ...]:
    """The column that tells runs and fits apart, where there are several."""
    return (Column("series", "run"),) if len(set(table["series"])) > 1 else ()


def _last(study: Study, summary: pd.DataFrame, task: str) -> dict[tuple[str, str], pd.Series]:
    """Rows of each run's last layer by (series, method), the subject's first."""
    found = {}
    for run, label in zip(study.runs, study.labels, strict=True):
        here = summary["network"].eq(label) & (summary["layer"] == last_layer(run, task))
        for _, row in summary[here & summary["task"].eq(task)].iterrows():
            found[row["series"], row["method"]] = row
    return found


def _passed(study: Study, summary: pd.DataFrame, task: str) -> str:
    """How many concepts pass on the last layer: in the subject, and in what stands beside it."""
    rows = _last(study, summary, task)
    series = list(dict.fromkeys(name for name, _ in rows))
    said = []
    for name in series:
        combined, single = rows[name, "combined"], rows[name, "single"]
        said.append(
            f"{f'{name}: ' if len(series) > 1 else ''}{combined['passed']:,} of"
            f" {count(combined['concepts'], 'concept')} with all filters"
            f" ({percent(combined['share'])}), {single['passed']:,} with the best single one"
        )
    if not said:
        return ""
    layers = {last_layer(run, task) for run in study.runs} - {None}
    where = study.last_named(task) if len(layers) == 1 else "the last layer of each network"
    return f"In {TASK_TITLE[task]} on {where}, these pass: {'; '.join(said)}."


def _warning(summary: pd.DataFrame) -> list[Block]:
    """Where null scores are too few for anything, or for few concepts, to pass."""
    blind = summary[summary["needed"].isna()]
    if len(blind):
        nulls = int(blind["nulls"].min())
        return [
            Paragraph(
                f"With {count(nulls, 'null score')} a concept the least possible p-value is"
                f" 1/{nulls + 1}: too large for any of the concepts to pass. Ask for at least"
                f" --nulls {LEAST_NULLS}, better for 99.",
                note=True,
            )
        ]
    worst = summary.iloc[int(summary["needed"].argmax())]
    if worst["needed"] <= 1:
        return []
    return [
        Paragraph(
            f"With {count(int(worst['nulls']), 'null score')} a concept the least possible p-value"
            f" is 1/{int(worst['nulls']) + 1}: of {int(worst['concepts']):,} concepts"
            f" {int(worst['needed']):,} must beat all of theirs for any to pass. With more null"
            " scores more may pass.",
            note=True,
        )
    ]


def _steadiness(study: Study, table: pd.DataFrame) -> list[Block]:
    """What another random start changes, in every run that was learned from several."""
    if table.empty:
        return []
    means = mean_steadiness(table)
    said = " ".join(
        f"In {TASK_TITLE[row['task']]} on {row['layer']} two starts give a concept vectors with a"
        f" mean cosine of {row['cosine']:.2f}{_shared(row)}."
        for _, row in study.last(means).dropna(subset="cosine").iterrows()
    )
    means = means.assign(series=_series(study, means), task=means["task"].map(TASK_TITLE))
    return [
        Paragraph(
            "The paper’s training begins at random weights. Learned again from other starts, the"
            f" vectors say how much of a concept’s place in the space is the start’s. {said}"
            + (
                " The converged fit has no start: its vectors are the same every time."
                if any("converged" in run.fits for run in study.runs)
                else ""
            )
        ),
        Table(
            means,
            (
                *_several(means),
                Column("layer", "layer"),
                Column("task", "task"),
                Column("cosine", "cosine with itself", "number"),
                Column("overlap", "same neighbours", "percent"),
                Column("by_chance", "by chance", "percent"),
                Column("score_sd", "score, ± sd", "number"),
                Column("seeds", "starts", "count"),
            ),
            "Steadiness: the mean cosine of a concept’s vectors from two starts, the share of its"
            " five nearest concepts that are the same, and the standard deviation of its score",
            csv="steadiness",
        ),
    ]


def _shared(row: pd.Series) -> str:
    if pd.isna(row["overlap"]):
        return ""
    return (
        f" and {percent(row['overlap'])} of the same five nearest concepts"
        f" ({percent(row['by_chance'])} by chance)"
    )


def _all_concepts(study: Study, tables: dict[str, pd.DataFrame]) -> Table:
    """Scores with their intervals and, where there are any, p-values; subsets fill their own file.

    A row for every subset would make the page ten times as long.
    """
    key = [name for name in ("network", "fit") if name in tables["intervals"]]
    key += ["layer", "task", "concept", "method"]
    rows = tables["intervals"]
    subsets = rows["method"].isin(["subset", "path"]).any()
    rows = rows[rows["method"].isin(METHOD_TITLE)]
    evidence = tables["evidence"]
    columns = [
        Column("layer", "layer"),
        Column("task", "task"),
        Column("concept", "concept"),
        Column("method", "method"),
        Column("value", "score", "score"),
        Column("low", "95 % from", "number"),
        Column("high", "to", "number"),
        Column("n", "images", "count"),
    ]
    if len(evidence):
        beside = evidence.drop(columns=["score", "score_sd"], errors="ignore")
        rows = rows.merge(beside, on=key, how="left")
        columns += [
            Column("null_mean", "mean null score", "number"),
            Column("p", "p", "number"),
            Column("q", "q", "number"),
            Column("passes", "passes"),
        ]
        rows["passes"] = rows["passed"].map({True: "yes", False: "no"})
    rows = rows.assign(
        series=_series(study, rows),
        method=rows["method"].map(METHOD_TITLE),
        concept=study.marked_rows(rows),
    )
    notes = ["± sd: over the starts of the paper’s training"] if "value_sd" in rows else []
    notes += ["subsets: in the table beside the page"] if subsets else []
    return Table(
        rows,
        (*_several(rows), *columns),
        "Every concept’s scores, how far they can be trusted"
        + (" and what chance would give" if len(evidence) else "")
        + (f" ({'; '.join(notes)})" if notes else ""),
        csv="intervals",
        searchable=True,
        folded=True,
    )
