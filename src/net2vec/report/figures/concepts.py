"""Single concepts: gains, filters needed, individual IoU (sec. 4.1, Fig. 7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from net2vec.analysis import individual_iou
from net2vec.report.figures.axes import line_style, panels, set_log_axis
from net2vec.report.figures.scores import set_filter_axis
from net2vec.report.figures.style import WIDTH, Theme, figure_style
from net2vec.report.labels import METHOD_TITLE, SCORE_TITLE

_BINS = 20


def draw_failures(failures: pd.DataFrame, theme: Theme, *, task: str) -> Figure:
    """Score of all filters less that of the best, against training images and size (sec. 4.1).

    Args:
        failures: rows of `failures` of one network and layer.
        theme: the colours.
        task: "segment" or "classify".
    """
    rows = failures[failures["task"] == task]
    gain = rows["difference"]
    groups = [
        (rows[gain > 0], line_style(theme, 0), "gains"),
        (rows[gain == 0], {"color": theme.muted, "marker": "."}, "neither"),
        (rows[gain < 0], line_style(theme, 1), "loses"),
    ]
    groups = [group for group in groups if len(group[0]) or group[2] != "neither"]
    with figure_style(theme):
        figure, drawn = panels(2, height=2.2, sharey=True)
        for axes, (column, scale, label) in zip(
            drawn,
            (("n_train", 1, "training images"), ("concept_size", 100, "mean size, % of image")),
            strict=True,
        ):
            for group, style, name in groups:
                axes.plot(
                    scale * group[column],
                    group["difference"],
                    linestyle="none",
                    marker=style["marker"],
                    markersize=3,
                    color=style["color"],
                    alpha=0.75,
                    label=f"{name} ({len(group):,})",
                )
            axes.axhline(0, linewidth=0.8, color=theme.muted)
            if (rows[column] > 0).any():
                set_log_axis(axes.xaxis)
            axes.set_xlabel(f"{label} (log.)")
            axes.yaxis.set_major_locator(MaxNLocator(5))
        drawn[0].set_ylabel(f"gain in {SCORE_TITLE[task]}")
        figure.legend(*drawn[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def draw_filters_needed(needed: pd.DataFrame, theme: Theme, *, task: str) -> Figure:
    """How many concepts reach a fraction of the full score with so many filters (sec. 4.1).

    Args:
        needed: rows of `filters_needed` of one network and layer.
        theme: the colours.
        task: "segment" or "classify".
    """
    rows = needed[needed["task"] == task]
    sizes = sorted({int(size) for size in rows["filters"].dropna()})
    with figure_style(theme):
        figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
        axes = figure.subplots()
        for position, (fraction, group) in enumerate(rows.groupby("fraction")):
            # Of a score of 0 nothing is a fraction: such a concept never reaches it.
            filters = group["filters"].to_numpy(dtype=float, na_value=np.inf)
            axes.plot(
                sizes,
                [100 * np.mean(filters <= size) for size in sizes],
                label=f"{fraction:.0%} of the score",
                **line_style(theme, position),
            )
        axes.set_title(f"concepts (n = {rows['concept'].nunique():,})")
        if sizes:
            set_filter_axis(axes, sizes)
        axes.set_ylim(0, 103)
        axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
        axes.set_ylabel("concepts that reach it")
        figure.legend(loc="outside upper center", ncols=1)
    return figure


def draw_individual(ious: pd.DataFrame, theme: Theme, *, concepts: Sequence[str]) -> Figure:
    """The distribution of individual IoU with one filter and with all, by concept (Fig. 7).

    Images that are missed entirely stand apart, left of 0. Above the distribution stand the mean
    and the standard deviation of the others, as in `individual_iou`.

    Args:
        ious: rows of `individual_ious` of one layer.
        theme: the colours.
        concepts: which, a panel each.
    """
    edges = np.linspace(0, 1, _BINS + 1)
    means = individual_iou(ious)
    with figure_style(theme):
        figure, drawn = panels(len(concepts), height=1.45, sharex=True)
        for axes, concept in zip(drawn, concepts, strict=True):
            of_concept = ious[ious["concept"] == concept]
            highest = 0.0
            for position, (method, label) in enumerate(METHOD_TITLE.items()):
                iou = of_concept.loc[of_concept["method"] == method, "iou"].to_numpy()
                share = 100 * np.histogram(iou[iou > 0], edges)[0] / max(1, len(iou))
                missed = 100 * float(np.mean(iou == 0)) if len(iou) else 0.0
                style = line_style(theme, position)
                # The fill tells the methods apart in grey, where two outlines would not.
                look: dict[str, Any] = {
                    "edgecolor": style["color"],
                    "facecolor": style["color"],
                    "linestyle": style["linestyle"],
                    "linewidth": 1.3,
                    "fill": method == "single",
                    "alpha": 0.55 if method == "single" else 1,
                }
                axes.stairs(share, edges, label=label, **look)
                axes.bar(-0.17 + 0.06 * position, missed, 0.05, **look)
                highest = max(highest, missed, share.max(initial=0))
            for position, method in enumerate(METHOD_TITLE):
                found = means[means["concept"].eq(concept) & means["method"].eq(method)]
                found = found.dropna(subset=["mean"])
                style = line_style(theme, position)
                axes.errorbar(
                    found["mean"],
                    [(1.12 + 0.12 * position) * highest] * len(found),
                    xerr=found["sd"].fillna(0),
                    linestyle="none",
                    color=style["color"],
                    marker=style["marker"],
                    markersize=3.5,
                    elinewidth=1.2,
                    capsize=2,
                )
            images = int((of_concept["method"] == "combined").sum())
            axes.set_title(f"{concept} (n = {images})")
            axes.set_xticks([-0.14, 0.25, 0.5, 0.75, 1], ["missed", "0.25", "0.5", "0.75", "1"])
            axes.grid(visible=False, axis="x")
            axes.yaxis.set_major_locator(MaxNLocator(3))
        figure.supxlabel("individual IoU", fontsize=8.5)
        figure.supylabel("% of validation images", fontsize=8.5)
        if drawn:
            handles, labels = drawn[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure
