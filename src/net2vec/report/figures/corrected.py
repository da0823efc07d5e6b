"""Scores on made masks beside those corrected by masks by people."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from net2vec.report.figures.style import WIDTH, Theme, figure_style
from net2vec.report.labels import SCORE_TITLE

_MOST_NAMED = 40


def draw_corrected(rows: pd.DataFrame, theme: Theme) -> Figure:
    """Set IoU of all filters by concept: corrected with its interval, and on made masks.

    Args:
        rows: of `corrected`, of one network, layer, fit and method, with a corrected score.
        theme: the colours.
    """
    rows = rows.sort_values("corrected", kind="stable").reset_index(drop=True)
    named = len(rows) <= _MOST_NAMED
    with figure_style(theme):
        figure = Figure(figsize=(WIDTH, 3.4 if named else 3.0), layout="constrained")
        axes = figure.subplots()
        axes.vlines(
            rows.index, rows["low"], rows["high"], color=theme.combined, alpha=0.6, linewidth=1.2
        )
        axes.plot(
            rows.index, rows["corrected"], linestyle="none", marker="o", markersize=4,
            color=theme.combined, label="on masks by people, estimated",
        )  # fmt: skip
        axes.plot(
            rows.index, rows["uncorrected"], linestyle="none", marker="_", markersize=9,
            markeredgewidth=1.6, color=theme.single, label="on made masks",
        )  # fmt: skip
        axes.set_ylim(0, 1)
        axes.grid(visible=False, axis="x")
        axes.set_ylabel(SCORE_TITLE["segment"])
        if named:
            axes.set_xticks(list(rows.index), rows["concept"], rotation=60, ha="right")
        else:
            axes.set_xticks([])
            axes.set_xlabel(f"concepts by corrected score (n = {len(rows):,})")
        figure.legend(loc="outside upper center", ncols=2)
    return figure
