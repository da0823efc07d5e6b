"""Figures, each drawn from one table alone and returned, never saved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator, ScalarFormatter

from net2vec.report.style import DASHES, MARKERS, WIDTH, Theme, color_of, figure_style

SCORE_LABEL = {"segment": "set IoU", "classify": "accuracy"}
METHOD_LABEL = {"combined": "all filters", "single": "best single filter"}

_LONG_NAME = 22


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
        lines = [name for name in METHOD_LABEL if name in lines]
    shown = [layer for layer in layers if layer in set(rows["layer"])]
    columns = min(2, max(1, len(categories)))
    count = max(1, math.ceil(len(categories) / columns))
    names = [_shorten(layer) for layer in shown]
    names_height = 0.055 * max(map(len, names), default=0)
    with figure_style(theme):
        figure = Figure(figsize=(WIDTH, 0.55 + 1.25 * count + names_height), layout="constrained")
        grid = figure.subplots(count, columns, sharex=True, sharey=True, squeeze=False)
        panels: list[Axes] = list(grid.flat)
        for axes, category in zip(panels, categories, strict=False):
            here = rows[rows["category"] == category]
            for position, name in enumerate(lines):
                line = here[here[series] == name].set_index("layer").reindex(shown)
                axes.errorbar(
                    range(len(shown)),
                    line["mean"],
                    yerr=line["stderr"].fillna(0),
                    label=METHOD_LABEL.get(name, name),
                    **_line_style(theme, name, position),
                )
            total = int(here["n"].max())
            axes.set_title(f"{category} (n = {total})")
            axes.set_xticks(range(len(shown)), names, rotation=90)
            axes.set_xlim(-0.4, len(shown) - 0.6)
            axes.yaxis.set_major_locator(MaxNLocator(4))
        for axes in panels[len(categories) :]:
            axes.set_axis_off()
        if len(categories) % columns:
            # The panel above an empty place has no panel below it to carry the layers' names.
            panels[len(categories) - columns].tick_params(labelbottom=True)
        _set_range(panels[: len(categories)], task)
        figure.supylabel(f"mean {SCORE_LABEL[task]}, validation", fontsize=8.5)
        handles, labels = panels[0].get_legend_handles_labels()
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
            color = color_of(theme, position)
            axes.plot(
                line["filters"],
                line["mean"],
                marker=MARKERS[position % len(MARKERS)],
                linestyle=DASHES[position % len(DASHES)],
                color=color,
                label=f"{category} ({int(line['n'].max())})",
            )
            error = line["stderr"].fillna(0)
            low, high = line["mean"] - error, line["mean"] + error
            axes.fill_between(line["filters"], low, high, color=color, alpha=0.15, linewidth=0)
        axes.set_xscale("log", base=2)
        axes.xaxis.set_major_locator(FixedLocator(_spread(sizes)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_major_locator(MaxNLocator(6))
        if task == "segment":
            axes.set_ylim(bottom=0)
        axes.set_xlabel("filters used (logarithmic)")
        axes.set_ylabel(f"mean {SCORE_LABEL[task]}, validation")
        figure.legend(loc="outside upper center", ncols=3)
    return figure


def _line_style(theme: Theme, name: str, position: int) -> dict[str, Any]:
    if name in METHOD_LABEL:
        position = list(METHOD_LABEL).index(name)
    color = (theme.combined, theme.single)[position] if position < 2 else color_of(theme, position)
    return {
        "color": color,
        "marker": MARKERS[position % len(MARKERS)],
        "linestyle": DASHES[position % len(DASHES)],
    }


def _set_range(panels: Sequence[Axes], task: str) -> None:
    """IoU is read from 0; accuracy from chance or just below it."""
    low, high = panels[0].get_ylim()
    if task == "segment":
        panels[0].set_ylim(0, high)
    else:
        panels[0].set_ylim(min(low, 0.47), min(high, 1.01))
        for axes in panels:
            axes.axhline(
                0.5, linewidth=0.8, linestyle=(0, (2, 2)), color=axes.spines["left"].get_edgecolor()
            )


def _spread(sizes: Sequence[int]) -> list[int]:
    """Of the sizes, those whose labels have room on a logarithmic axis; the last always."""
    kept: list[int] = []
    for size in sorted(sizes, reverse=True):
        if not kept or kept[-1] / size >= 1.55:
            kept.append(size)
    return kept[::-1]


def _shorten(name: str) -> str:
    """A layer's name for an axis: its end says more than its beginning."""
    return name if len(name) <= _LONG_NAME else "…" + name[1 - _LONG_NAME :]
