"""Are single filters enough? (sec. 4.1)."""

from __future__ import annotations

from functools import partial

import pandas as pd

from net2vec.analysis import shares_differ
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
from net2vec.report.study import SCORE_NAME, TASK_TITLE, Study
from net2vec.report.wording import count, listing, part, percent, score_text

_SHOWN = 8
_SMALL = 0.02
"""Share of the image below which a concept is called small."""
_SIGNIFICANT = 0.05


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
        f"In {TASK_TITLE[task]} on {study.last_named(task)}, all filters together reach a mean"
        f" {SCORE_NAME[task]} of {score_text(rows['combined'].mean())} over"
        f" {count(len(rows), 'concept')}, the best single filter"
        f" {score_text(rows['single'].mean())}; all filters are at least as good for"
        f" {percent(wins['percent'].iloc[0] / 100)} of the concepts{_interval(study, task)}. {said}"
    ).strip()


def _interval(study: Study, task: str) -> str:
    """The interval of that share, in brackets."""
    rows = study.last(study.tables["method_comparison"], task)
    found = rows[rows["statistic"] == "percent"]
    if found.empty or found[["low", "high"]].isna().any(axis=None):
        return ""
    low, high = (percent(found[end].iloc[0] / 100) for end in ("low", "high"))
    return f" (95 % interval: {low} to {high})"


def _by_size(rows: pd.DataFrame) -> str:
    """Whether small concepts fail more often (sec. 4.1)."""
    small = rows["concept_size"] < _SMALL
    if not 0 < small.sum() < len(rows):
        return ""
    as_good = rows["combined"] >= rows["single"]
    wins, others = ((int(as_good[there].sum()), int(there.sum())) for there in (small, ~small))
    p = shares_differ(wins, others)
    differ = f"these shares {'differ' if p < _SIGNIFICANT else 'do not clearly differ'}"
    return (
        f"Of the concepts that cover less than {percent(_SMALL)} of the images they are in, all"
        f" filters are at least as good for {wins[0]} of {wins[1]}"
        f" ({percent(wins[0] / wins[1])}), of the others for {others[0]} of {others[1]}"
        f" ({percent(others[0] / others[1])}): {differ} (Fisher’s exact test, p = {p:.2g})."
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
        f"The mean of all filters grows from {score_text(means[first])} on {first} to"
        f" {score_text(means[best])} on {best}."
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
        f"{TASK_TITLE[task]} over {f'{low:,} to ' if high > low else ''}{count(high, 'concept')}"
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
            f"What all filters of {study.where()} add to the best one, for every concept: against"
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
    images = round(lost["n_train"].median())
    said = (
        f"In {TASK_TITLE[task]} {part(len(lost), len(rows), 'concept', 'loses', 'lose')} by the"
        f" combination, {'in the median ' if len(lost) > 1 else ''}with"
        f" {count(images, 'training image')} and a size of"
        f" {percent(float(lost['concept_size'].median()))} of the image"
    )
    if won.empty:
        return said + "."
    others = "the others" if len(won) > 1 else "the other"
    return (
        f"{said}, against {won['n_train'].median():,.0f} and"
        f" {percent(float(won['concept_size'].median()))} for {others}."
    )


def _best_and_worst(study: Study, task: str) -> TableRow:
    rows = study.last(study.by_concept, task)
    rows = rows.sort_values("combined", ascending=False, kind="stable")
    layer = study.layer_of[task]
    best_filter = study.run.arrays(layer, task=task)["best_filter"].to_series()
    ranked = rows.assign(
        shown=study.marked_rows(rows), best_filter=rows["concept"].map(best_filter)
    )
    # No concept is both: of an odd number the best have one more.
    worst = min(_SHOWN, len(ranked) // 2)
    best = min(_SHOWN, len(ranked) - worst)
    columns = (
        Column("shown", "concept"),
        Column("category", "category"),
        Column("combined", "all filters", "score"),
        Column("single", "best single", "score"),
        Column("best_filter", "filter"),
    )
    title = f"{TASK_TITLE[task]} on {layer}, {SCORE_NAME[task]}"
    parts = (("Best", ranked.head(best)), ("Worst", ranked.tail(worst).iloc[::-1]))
    return TableRow(
        tuple(
            Table(shown, columns, f"{name} encoded: {title}.{_legend(shown)}")
            for name, shown in parts
            if len(shown)
        )
    )


def _legend(rows: pd.DataFrame) -> str:
    marked = rows["shown"].str.endswith(MARK).any()
    return f" {MARK}: hardly moved from its random start." if marked else ""


def _all_concepts(study: Study) -> Table:
    rows = study.by_concept
    several = (Column("network", "network"),) if len(study.runs) > 1 else ()
    return Table(
        rows.assign(shown=study.marked_rows(rows)),
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
