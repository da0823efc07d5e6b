"""Scores by layer, category and number of filters (Fig. 2, 3 and 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, ScalarFormatter

from net2vec.report.figures.axes import line_style, panels, shorten
from net2vec.report.figures.style import WIDTH, Theme, figure_style
from net2vec.report.labels import SCORE_TITLE, SCORED_TITLE


def draw_by_category(
    table: pd.DataFrame,
    theme: Theme,
    *,
    task: str,
    layers: Sequence[str],
    series: str = "method",
) -> Figure:
    """Mean score against layer, a panel for each category (Fig. 2; Fig. 6 by network).

    Args:
        table: rows of `by_category`, one for each (layer, category, series) of the task.
        theme: the colours.
        task: "segment" or "classify".
        layers: the order of the layers.
        series: the column that tells the lines of a panel apart, "method" or "network".
    """
    rows = table[table["task"] == task]
    categories = list(dict.fromkeys(rows["category"]))
    lines = list(dict.fromkeys(rows[series]))
    if series == "method":
        lines = [name for name in SCORED_TITLE if name in lines]
    shown = [layer for layer in layers if layer in set(rows["layer"])]
    names = [shorten(layer) for layer in shown]
    extra = 0.55 + 0.055 * max(map(len, names), default=0)
    with figure_style(theme):
        figure, drawn = panels(len(categories), height=1.25, extra=extra, sharex=True, sharey=True)
        for axes, category in zip(drawn, categories, strict=True):
            here = rows[rows["category"] == category]
            for position, name in enumerate(lines):
                line = here[here[series] == name].set_index("layer").reindex(shown)
                axes.errorbar(
                    range(len(shown)),
                    line["mean"],
                    yerr=line["stderr"].fillna(0),
                    label=SCORED_TITLE.get(name, name),
                    **line_style(theme, _position(name, position)),
                )
            total = int(here["n"].max())
            axes.set_title(f"{category} (n = {total})")
            axes.set_xticks(range(len(shown)), names, rotation=90)
            axes.set_xlim(-0.4, len(shown) - 0.6)
            axes.yaxis.set_major_locator(MaxNLocator(4))
        set_range(drawn, task)
        figure.supylabel(f"mean {SCORE_TITLE[task]}, validation", fontsize=8.5)
        handles, labels = drawn[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return figure


def draw_subset_curve(curve: pd.DataFrame, theme: Theme, *, task: str) -> Figure:
    """Mean score against the number of filters, a line for each category (Fig. 3).

    Args:
        curve: rows of `subset_curve` of one network and layer.
        theme: the colours.
        task: "segment" or "classify".
    """
    rows = curve[curve["task"] == task]
    sizes = sorted(set(rows["filters"]))
    with figure_style(theme):
        figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
        axes = figure.subplots()
        for position, (category, line) in enumerate(rows.groupby("category", sort=True)):
            style = line_style(theme, position)
            axes.plot(
                line["filters"],
                line["mean"],
                **style,
                label=f"{category} ({int(line['n'].max()):,})",
            )
            error = line["stderr"].fillna(0)
            low, high = line["mean"] - error, line["mean"] + error
            color = style["color"]
            axes.fill_between(line["filters"], low, high, color=color, alpha=0.15, linewidth=0)
            mark_baseline(axes, line, color)
        set_filter_axis(axes, sizes)
        axes.yaxis.set_major_locator(MaxNLocator(6))
        if task == "segment":
            axes.set_ylim(bottom=0)
        axes.set_ylabel(f"mean {SCORE_TITLE[task]}, validation")
        figure.legend(loc="outside upper center", ncols=3)
    return figure


def mark_baseline(axes: Axes, line: pd.DataFrame, color: Any) -> None:
    """A dotted line at the mean score of predicting the whole image, which is all of segmentation.

    Args:
        axes: of scores against numbers of filters.
        line: rows with `task`, `filters` and `baseline`, which is the same in all of them.
        color: of the line.
    """
    rows = line[line["task"].eq("segment") & line["baseline"].notna()]
    if len(rows):
        sizes = rows["filters"]
        axes.hlines(
            rows["baseline"].iloc[-1], sizes.min(), sizes.max(), colors=color, linewidth=0.9,
            linestyles=":",
        )  # fmt: skip


def set_filter_axis(axes: Axes, sizes: Sequence[int]) -> None:
    """A logarithmic axis of numbers of filters, labelled where there is room."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(_spread(sizes)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_xlabel("filters used (logarithmic)")


def _position(name: str, position: int) -> int:
    """Methods keep their colours, whichever of them are there."""
    return list(SCORED_TITLE).index(name) if name in SCORED_TITLE else position


def set_range(drawn: Sequence[Axes], task: str) -> None:
    """IoU is read from 0; accuracy from chance or just below it."""
    if not drawn:
        return
    low, high = drawn[0].get_ylim()
    if task == "segment":
        drawn[0].set_ylim(0, high)
    else:
        # Chance itself has to be seen, wherever the scores lie.
        drawn[0].set_ylim(min(low, 0.47), max(0.53, min(high, 1.01)))
        for axes in drawn:
            axes.axhline(
                0.5, linewidth=0.8, linestyle=(0, (2, 2)), color=axes.spines["left"].get_edgecolor()
            )


def _spread(sizes: Sequence[int]) -> list[int]:
    """The sizes whose labels have room on a logarithmic axis; the last one is always among them."""
    shown: list[int] = []
    for size in sorted(sizes, reverse=True):
        if not shown or shown[-1] / size >= 1.55:
            shown.append(size)
    return shown[::-1]
