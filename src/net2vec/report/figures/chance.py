"""How far scores can be trusted: intervals, and how many concepts are better than chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from net2vec.report.figures.axes import line_style, panels, shorten
from net2vec.report.figures.style import Theme, figure_style
from net2vec.report.labels import METHOD_TITLE


def draw_evidence(
    summary: pd.DataFrame, theme: Theme, *, task: str, layers: Sequence[str], series: str
) -> Figure:
    """Share of concepts that are encoded better than chance, by layer, a panel for each method.

    Args:
        summary: rows of `evidence_summary`.
        theme: the colours.
        task: "segment" or "classify".
        layers: which, in their order.
        series: the column that tells the lines of a panel apart.
    """
    rows = summary[summary["task"] == task]
    lines = list(dict.fromkeys(rows[series]))
    methods = [method for method in METHOD_TITLE if method in set(rows["method"])]
    names = [shorten(layer) for layer in layers]
    extra = 0.45 + 0.055 * max(map(len, names), default=0) + 0.16 * (len(lines) > 1) * len(lines)
    with figure_style(theme):
        figure, drawn = panels(len(methods), height=1.7, extra=extra, sharex=True, sharey=True)
        for axes, method in zip(drawn, methods, strict=True):
            here = rows[rows["method"] == method]
            for position, name in enumerate(lines):
                line = here[here[series] == name].set_index("layer").reindex(layers)
                axes.plot(
                    range(len(layers)),
                    100 * line["share"].astype(float),
                    label=name,
                    **line_style(theme, position),
                )
            axes.set_title(METHOD_TITLE[method])
            axes.set_xticks(range(len(layers)), names, rotation=90)
            axes.set_xlim(-0.4, len(layers) - 0.6)
            axes.set_yticks(np.arange(0, 101, 25))
            axes.set_ylim(-4, 104)
            axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
        figure.supylabel("concepts that pass", fontsize=8.5)
        if len(lines) > 1:
            handles, labels = drawn[0].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside upper center", ncols=1)
    return figure
