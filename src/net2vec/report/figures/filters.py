"""Single filters: how many concepts share them and their weights (Fig. 5 and 9)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from net2vec.report.figures.axes import line_style, panels, set_log_axis, shorten
from net2vec.report.figures.style import WIDTH, Theme, figure_style

_MOST = 10
"""Filters that are best for at least so many concepts stand together."""


def draw_sharing(
    sharing: pd.DataFrame, theme: Theme, *, task: str, layers: Sequence[str]
) -> Figure:
    """How many filters are the best for how many concepts, a panel for each layer (Fig. 5).

    Args:
        sharing: rows of `filter_sharing` of one network.
        theme: the colours.
        task: "segment" or "classify".
        layers: which, in their order.
    """
    rows = sharing[sharing["task"] == task]
    layers = [layer for layer in layers if layer in set(rows["layer"])]
    with figure_style(theme):
        figure, drawn = panels(len(layers), height=1.3, extra=0.35, sharex=True)
        for axes, layer in zip(drawn, layers, strict=True):
            concepts = rows.loc[rows["layer"] == layer, "concepts"].to_numpy(dtype=int)
            counts = np.bincount(np.minimum(concepts, _MOST), minlength=_MOST + 1)
            axes.bar(range(_MOST + 1), counts, color=theme.combined, width=0.8)
            axes.set_title(f"{shorten(layer, 17)} ({len(concepts):,})")
            axes.grid(visible=False, axis="x")
            axes.set_xticks(range(0, _MOST + 1, 2), [*map(str, range(0, _MOST, 2)), f"{_MOST}+"])
            # Most filters are best for nothing; the others are the question.
            axes.set_ylim(0.6, 1.6 * max(2, counts.max()))
            set_log_axis(axes.yaxis)
        figure.supxlabel("concepts for which a filter is the best", fontsize=8.5)
        figure.supylabel("filters (logarithmic)", fontsize=8.5)
    return figure


def draw_significance(shares: pd.DataFrame, theme: Theme, *, layers: Sequence[str]) -> Figure:
    """Share of concepts whose weights follow the scores of single filters, by layer (sec. 5.2).

    Args:
        shares: rows of `significant_correlation`, of one network or of several.
        theme: the colours.
        layers: which, in their order.
    """
    names = [shorten(layer) for layer in layers]
    extra = 0.055 * max(map(len, names), default=0)
    networks = list(dict.fromkeys(shares["network"]))
    with figure_style(theme):
        figure = Figure(figsize=(WIDTH, 2.3 + extra), layout="constrained")
        axes = figure.subplots()
        for position, network in enumerate(networks):
            line = shares[shares["network"] == network].set_index("layer").reindex(layers)
            # Exact percentages near 0 and 100 would have no room for a symmetric error.
            error = 100 * np.sqrt(line["percent"] * (100 - line["percent"]) / line["n"]) / 100
            axes.errorbar(
                range(len(layers)), line["percent"], yerr=error.fillna(0), label=network,
                **line_style(theme, position),
            )  # fmt: skip
        axes.set_xticks(range(len(layers)), names, rotation=90)
        axes.set_xlim(-0.4, len(layers) - 0.6)
        axes.set_ylim(0, 105)
        axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
        axes.set_ylabel("concepts with p < 0.01")
        if len(networks) > 1:
            figure.legend(loc="outside upper center", ncols=1)
    return figure


def draw_weights(weights: pd.DataFrame, theme: Theme) -> Figure:
    """Concepts' learned weights against the set IoU of each filter alone (Fig. 9).

    Args:
        weights: the table of `weights_and_ious`, a panel a concept; drawn is max(w_k, 0).
        theme: the colours.
    """
    concepts = list(dict.fromkeys(weights["concept"]))
    with figure_style(theme):
        figure, drawn = panels(len(concepts), height=1.55, extra=0.3)
        for axes, concept in zip(drawn, concepts, strict=True):
            rows = weights[weights["concept"] == concept]
            axes.plot(
                rows["iou"], rows["weight"].clip(lower=0), linestyle="none", marker="o",
                markersize=2.2, color=theme.combined, alpha=0.6,
            )  # fmt: skip
            r = float(rows["r"].iloc[0])
            axes.set_title(f"{concept} (r = {r:.2f})" if np.isfinite(r) else concept)
            axes.xaxis.set_major_locator(MaxNLocator(3))
            axes.yaxis.set_major_locator(MaxNLocator(3))
        figure.supxlabel("validation set IoU of the filter alone", fontsize=8.5)
        figure.supylabel("max(weight, 0)", fontsize=8.5)
    return figure


def draw_contribution(contribution: pd.DataFrame, theme: Theme) -> Figure:
    """The contributions of a concept's first filters, mean over concepts (sec. 5.2).

    Args:
        contribution: rows of `contribution` of one network and layer.
        theme: the colours.
    """
    rank = contribution.groupby("concept", sort=False).cumcount() + 1
    ranked = contribution.assign(rank=rank).groupby("rank")
    with figure_style(theme):
        figure, drawn = panels(2, height=2.1, extra=0.2)
        for axes, (column, scale, label) in zip(
            drawn,
            (
                ("weight_share", 100, "share of the weights, %"),
                ("iou_ratio", 1, "IoU alone / of all"),
            ),
            strict=True,
        ):
            mean = scale * ranked[column].mean()
            error = scale * ranked[column].sem().fillna(0)
            axes.errorbar(mean.index, mean, yerr=error, **line_style(theme, 0))
            axes.set_ylim(bottom=0)
            axes.set_xlabel("filter, by |weight|")
            axes.set_ylabel(label)
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return figure
