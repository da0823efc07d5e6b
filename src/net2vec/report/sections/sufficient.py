"""Are single filters enough? (sec. 4.1)."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from net2vec.report.content import (
    MARK,
    Block,
    Column,
    Drawing,
    FigureRow,
    Paragraph,
    Section,
    Table,
    TableRow,
)
from net2vec.report.figures import draw_by_category, draw_failures
from net2vec.report.study import SCORE_NAME, TASK_TITLE, Study, listing, percent

_SHOWN = 8
_SMALL = 0.02
"""Share of the image below which a concept is called small."""


def sufficiency_section(study: Study) -> Section:
    """All filters beside the single filter: Fig. 2, Table 1, best and worst concepts."""
    mine = study.mine("by_category")
    blocks: list[Block] = [Paragraph(_seen(study, task)) for task in study.tasks]
    blocks.append(
        FigureRow(
            tuple(
                Drawing(
                    f"by_category_{task}",
                    f"Mean {SCORE_NAME[task]} by layer for each category, all filters and single",
                    partial(draw_by_category, mine, task=task, layers=study.run.layers),
                    TASK_TITLE[task].capitalize(),
                )
                for task in study.tasks
            ),
            "Mean score of each category’s concepts at each layer, from the image (left) to the"
            " output (right). Bars are standard errors over the n concepts."
            + (" Chance is an accuracy of 0.5 (dotted)." if "classify" in study.tasks else ""),
            "by_category",
        )
    )
    blocks.append(_table_one(study))
    blocks.append(_improvement(study))
    blocks.extend(_failures(study))
    for task in study.tasks:
        blocks.append(_best_and_worst(study, task))
    blocks.append(_all_concepts(study))
    return Section("sufficient", "Are single filters enough?", blocks)


def _seen(study: Study, task: str) -> str:
    rows = study.last(study.by_concept, task)
    wins = study.last(study.wins, task)
    said = " ".join(
        filter(None, (_trend(study, task), _by_size(rows) if task == "segment" else ""))
    )
    return (
        f"In {TASK_TITLE[task]} on the last layer, {study.layer}, all filters together reach a"
        f" mean {SCORE_NAME[task]} of {rows['combined'].mean():.2f} over {len(rows):,} concepts,"
        f" the best single filter {rows['single'].mean():.2f}; all filters are at least as good for"
        f" {wins['percent'].iloc[0]:.0f} % of the concepts{_interval(study, task)}. {said}"
    )


def _interval(study: Study, task: str) -> str:
    """The bootstrap interval of that share, in brackets."""
    rows = study.last(study.tables["method_comparison"], task)
    found = rows[rows["statistic"] == "percent"]
    if found.empty or found[["low", "high"]].isna().any(axis=None):
        return ""
    low, high = found["low"].iloc[0], found["high"].iloc[0]
    return f" (95 % bootstrap interval: {low:.0f} to {high:.0f} %)"


def _by_size(rows: pd.DataFrame) -> str:
    """How much of the failures is owed to small concepts (sec. 4.1)."""
    small = rows["concept_size"] < _SMALL
    if not 0 < small.sum() < len(rows):
        return ""
    wins = (rows["combined"] >= rows["single"]).groupby(small).mean()
    return (
        f"Size matters: that holds for {percent(float(wins[True]))} of the {int(small.sum())}"
        f" concepts that cover less than {percent(_SMALL)} of the images they are in, and for"
        f" {percent(float(wins[False]))} of the others."
    )


def _trend(study: Study, task: str) -> str:
    """Where along the network the mean of all filters is highest."""
    mine = study.by_concept
    mine = mine[(mine["network"] == study.label) & (mine["task"] == task)]
    means = mine.groupby("layer")["combined"].mean()
    layers = [layer for layer in study.run.layers if layer in means.index]
    if len(layers) < 2:
        return ""
    first, best = layers[0], max(layers, key=lambda layer: float(means[layer]))
    if best == first:
        return f"The mean of all filters is highest on the first layer, {first}."
    return (
        f"The mean of all filters grows from {means[first]:.2f} on {first} to"
        f" {means[best]:.2f} on {best}."
    )


def _table_one(study: Study) -> Table:
    wins = study.wins.assign(
        fit=study.wins["network"] + " " + study.wins["task"], share=study.wins["percent"] / 100
    )
    fits = list(dict.fromkeys(wins["fit"]))
    layers = list(dict.fromkeys(layer for run in study.runs for layer in run.layers))
    frame = wins.pivot_table(index="layer", columns="fit", values="share")
    if "percent_sd" in wins:
        spread = wins.assign(spread=wins["percent_sd"] / 100)
        frame = frame.join(
            spread.pivot_table(index="layer", columns="fit", values="spread").add_suffix("_sd")
        )
    frame = frame.reindex(layers).reset_index()
    heading = dict(
        zip(wins["fit"], wins["network"] + ", " + wins["task"].map(TASK_TITLE), strict=True)
    )
    if len(study.runs) == 1:
        heading = dict(zip(wins["fit"], wins["task"].map(TASK_TITLE), strict=True))
    sizes = wins.groupby("task", sort=False)["n"].agg(["min", "max"])
    counted = listing(
        f"{TASK_TITLE[task]} over {low:,}{f' to {high:,}' if high > low else ''} concepts"
        for task, low, high in sizes.itertuples()
    )
    return Table(
        frame,
        (Column("layer", "layer"), *(Column(fit, heading[fit], "percent") for fit in fits)),
        "Share of concepts that all filters encode at least as well as the best single filter"
        f" ({counted}).",
        csv="combined_vs_single",
    )


def _improvement(study: Study) -> Table:
    rows = study.tables["method_comparison"]
    rows = rows[rows["statistic"] == "ratio"]
    rows = rows.assign(task=rows["task"].map(TASK_TITLE))
    several = (Column("network", "network"),) if len(study.runs) > 1 else ()
    return Table(
        rows,
        (
            *several,
            Column("layer", "layer"),
            Column("task", "task"),
            Column("value", "all filters / single", "number"),
            Column("stderr", "± standard error", "number"),
            Column("low", "95 % from", "number"),
            Column("high", "to", "number"),
            Column("n", "concepts", "count"),
        ),
        "How many times better all filters are than the best one: the mean ratio of their scores,"
        " over the concepts whose single filter scores more than 0.005",
        csv="method_comparison",
        folded=True,
    )


def _failures(study: Study) -> list[Block]:
    """Which concepts a combination does not help, and what they have in common (sec. 4.1)."""
    failures = study.last(study.tables["failures"])
    if failures.empty:
        return []
    return [
        Paragraph(
            " ".join(_lost(failures[failures["task"] == task], task) for task in study.tasks)
        ),
        FigureRow(
            tuple(
                Drawing(
                    f"failures_{task}",
                    f"Gain in {SCORE_NAME[task]} by all filters against training images and size",
                    partial(draw_failures, failures, task=task),
                    TASK_TITLE[task].capitalize(),
                )
                for task in study.tasks
            ),
            f"What all filters of {study.layer} add to the best one, for every concept: against"
            " the number of its training images, and against its mean share of the images that"
            " contain it.",
            "failures",
        ),
    ]


def _lost(rows: pd.DataFrame, task: str) -> str:
    lost = rows[rows["difference"] < 0]
    if lost.empty:
        return f"In {TASK_TITLE[task]} no concept loses by the combination."
    won = rows.drop(lost.index)
    said = (
        f"In {TASK_TITLE[task]} {len(lost):,} of {len(rows):,} concepts lose by the combination;"
        f" their median number of training images is {lost['n_train'].median():.0f} and their"
        f" median size {percent(float(lost['concept_size'].median()))} of the image"
    )
    if won.empty:
        return said + "."
    return (
        f"{said}, against {won['n_train'].median():.0f} and"
        f" {percent(float(won['concept_size'].median()))} for the others."
    )


def _best_and_worst(study: Study, task: str) -> TableRow:
    rows = study.last(study.by_concept, task)
    best_filter = study.run.arrays(study.layer, task=task)["best_filter"].to_series()
    ranked = rows.sort_values("combined", ascending=False, kind="stable").assign(
        shown=[study.marked(name, task=task) for name in _by_score(rows)["concept"]],
        best_filter=[best_filter[name] for name in _by_score(rows)["concept"]],
    )
    size = min(_SHOWN, len(ranked) // 2 + len(ranked) % 2)
    columns = (
        Column("shown", "concept"),
        Column("category", "category"),
        Column("combined", "all filters", "score"),
        Column("single", "best single", "score"),
        Column("best_filter", "filter"),
    )
    legend = f" {MARK}: hardly moved from its random start." if _any_marked(ranked) else ""
    title = f"{TASK_TITLE[task]} on {study.layer}, {SCORE_NAME[task]}"
    return TableRow(
        (
            Table(ranked.head(size), columns, f"Best encoded: {title}.{legend}"),
            Table(ranked.tail(size).iloc[::-1], columns, f"Worst encoded: {title}.{legend}"),
        )
    )


def _by_score(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sort_values("combined", ascending=False, kind="stable")


def _any_marked(rows: pd.DataFrame) -> bool:
    return bool(rows["shown"].str.endswith(MARK).any())


def _all_concepts(study: Study) -> Table:
    rows = study.by_concept
    position = {label: index for index, label in enumerate(study.labels)}
    shown = [
        study.marked(concept, task=task, layer=layer, run=position[network])
        for network, layer, task, concept in zip(
            rows["network"], rows["layer"], rows["task"], rows["concept"], strict=True
        )
    ]
    several = (Column("network", "network"),) if len(study.runs) > 1 else ()
    return Table(
        rows.assign(shown=np.array(shown, dtype=object)),
        (
            *several,
            Column("layer", "layer"),
            Column("task", "task"),
            Column("shown", "concept"),
            Column("category", "category"),
            Column("combined", "all filters", "score"),
            Column("single", "best single", "score"),
            Column("n_train", "training images", "count"),
            Column("concept_size", "mean size", "percent"),
        ),
        "Every concept on every layer",
        csv="by_concept",
        searchable=True,
        folded=True,
    )
