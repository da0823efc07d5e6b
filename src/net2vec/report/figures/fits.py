"""Two fits in the same axes (Fig. 2, 3 and 5, failures)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from net2vec.report.figures.axes import panels, set_log_axis, shorten
from net2vec.report.figures.scores import mark_baseline, set_filter_axis, set_range
from net2vec.report.figures.style import DASHES, MARKERS, WIDTH, Theme, color_of, figure_style
from net2vec.report.labels import METHOD_TITLE, RULE_TITLE, SCORE_TITLE

_MOST = 10
"""Filters that are used by at least so many concepts stand together."""


def draw_fits_by_category(
    table: pd.DataFrame,
    theme: Theme,
    *,
    task: str,
    layers: Sequence[str],
    fits: Mapping[str, str],
) -> Figure:
    """Mean score against layer with both fits, a panel for each category (Fig. 2).

    Args:
        table: rows of `by_category` of one network, with the column `fit`; drawn are all filters of
            both fits, and the single filter of both in classification. In segmentation it is the
            same in both and drawn once.
        theme: the colours.
        task: "segment" or "classify".
        layers: the order of the layers.
        fits: the titles of both fits by name, the reference first.
    """
    rows = table[table["task"] == task]
    categories = list(dict.fromkeys(rows["category"]))
    shown = [layer for layer in layers if layer in set(rows["layer"])]
    names = [shorten(layer) for layer in shown]
    reference = next(iter(fits))
    with figure_style(theme):
        figure, drawn = panels(
            len(categories), height=1.25, extra=0.75 + 0.055 * max(map(len, names), default=0),
            sharex=True, sharey=True,
        )  # fmt: skip
        for axes, category in zip(drawn, categories, strict=True):
            here = rows[rows["category"] == category]
            for method, label in METHOD_TITLE.items():
                for fit, title in fits.items():
                    once = task == "segment" and method == "single"
                    if once and fit != reference:
                        continue
                    of_fit = here[(here["method"] == method) & (here["fit"] == fit)]
                    line = of_fit.set_index("layer").reindex(shown)
                    axes.errorbar(
                        range(len(shown)),
                        line["mean"],
                        yerr=line["stderr"].fillna(0),
                        label=label if once else f"{label}, {title}",
                        **_style(theme, method, reference=fit == reference),
                    )
            axes.set_title(f"{category} (n = {int(here['n'].max())})")
            axes.set_xticks(range(len(shown)), names, rotation=90)
            axes.set_xlim(-0.4, len(shown) - 0.6)
            axes.yaxis.set_major_locator(MaxNLocator(4))
        set_range(drawn, task)
        figure.supylabel(f"mean {SCORE_TITLE[task]}, validation", fontsize=8.5)
        if drawn:
            handles, labels = drawn[0].get_legend_handles_labels()
            figure.legend(
                handles, labels, loc="outside upper center", ncols=2, fontsize=7.5,
                columnspacing=1.0,
            )  # fmt: skip
    return figure


def draw_fit_curves(
    curves: pd.DataFrame, theme: Theme, *, task: str, fits: Mapping[str, str]
) -> Figure:
    """Mean score against the number of filters: both fits, and all rules to choose (Fig. 3).

    Args:
        curves: rows of `fit_curves` of one network, layer and category.
        theme: the colours.
        task: "segment" or "classify".
        fits: the titles of both fits by name, the reference first.
    """
    rows = curves[curves["task"] == task]
    named = [
        (fit, rule, title if rule == "weight" else f"{title}, {RULE_TITLE[rule]}")
        for fit, title in fits.items()
        for rule in RULE_TITLE
    ]
    lines = [
        (line, label)
        for fit, rule, label in named
        if len(line := rows[(rows["fit"] == fit) & (rows["rule"] == rule)])
    ]
    with figure_style(theme):
        figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
        axes = figure.subplots()
        for place, (unsorted, label) in enumerate(lines):
            line = unsorted.sort_values("filters")
            color = color_of(theme, place)
            axes.plot(
                line["filters"], line["mean"], label=label, color=color, marker=MARKERS[place],
                linestyle=DASHES[place % len(DASHES)],
            )  # fmt: skip
            error = line["stderr"].fillna(0)
            axes.fill_between(
                line["filters"], line["mean"] - error, line["mean"] + error, color=color,
                alpha=0.15, linewidth=0,
            )  # fmt: skip
        if lines:
            mark_baseline(axes, lines[0][0], theme.muted)
        set_filter_axis(axes, sorted(set(rows["filters"])))
        axes.yaxis.set_major_locator(MaxNLocator(6))
        if task == "segment":
            axes.set_ylim(bottom=0)
        axes.set_ylabel(f"mean {SCORE_TITLE[task]}, validation")
        figure.legend(
            loc="outside upper center", ncols=3 if len(lines) <= 3 else 2, fontsize=7.5,
            columnspacing=1.2,
        )  # fmt: skip
    return figure


def draw_fit_sharing(
    concepts: pd.DataFrame,
    theme: Theme,
    *,
    task: str,
    layers: Sequence[str],
    fits: Mapping[str, str],
) -> Figure:
    """How many filters have the largest weight of how many concepts, with both fits (Fig. 5).

    Args:
        concepts: rows of `fits_by_concept` of one network.
        theme: the colours.
        task: "segment" or "classify".
        layers: which, in their order.
        fits: the titles of both fits by name, the reference first.
    """
    rows = concepts[concepts["task"] == task]
    layers = [layer for layer in layers if layer in set(rows["layer"])]
    with figure_style(theme):
        figure, drawn = panels(len(layers), height=1.3, extra=0.6, sharex=True)
        for axes, layer in zip(drawn, layers, strict=True):
            here = rows[rows["layer"] == layer]
            filters = int(here["filters"].iloc[0])
            highest = 2
            for place, (fit, label) in enumerate(fits.items()):
                used = np.bincount(here[f"filter_{fit}"], minlength=filters)
                counts = np.bincount(np.minimum(used, _MOST), minlength=_MOST + 1)
                highest = max(highest, counts.max())
                axes.bar(
                    np.arange(_MOST + 1) + 0.42 * place - 0.21, counts, width=0.42, label=label,
                    color=color_of(theme, place),
                )  # fmt: skip
            axes.set_title(f"{shorten(layer, 17)} ({filters})")
            axes.grid(visible=False, axis="x")
            axes.set_xticks(range(0, _MOST + 1, 2), [*map(str, range(0, _MOST, 2)), f"{_MOST}+"])
            axes.set_ylim(0.6, 1.6 * highest)
            set_log_axis(axes.yaxis)
        figure.supxlabel("concepts whose largest weight a filter has", fontsize=8.5)
        figure.supylabel("filters (logarithmic)", fontsize=8.5)
        if drawn:
            handles, labels = drawn[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure


def _style(theme: Theme, method: str, *, reference: bool) -> dict[str, Any]:
    """Methods keep the colours they have elsewhere; the reference is dashed."""
    place = 2 * list(METHOD_TITLE).index(method) + reference
    return {
        "color": theme.combined if method == "combined" else theme.single,
        "marker": MARKERS[place],
        "linestyle": DASHES[int(reference)],
        "markerfacecolor": "none" if reference else None,
    }
