"""Maps of the space of concepts, and distances between spaces (supplement, Fig. 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from net2vec.report.figures.axes import label_points, shorten
from net2vec.report.figures.style import MARKERS, WIDTH, Theme, color_of, figure_style

_LABELS = 70
_CELL = 0.42
_READABLE = 14


def draw_map(
    clusters: pd.DataFrame,
    theme: Theme,
    *,
    categories: Mapping[str, str],
    first: Sequence[str] = (),
) -> Figure:
    """The map of a space, its concepts by category (supplement).

    Args:
        clusters: rows of `clusters` of one network, layer and task.
        theme: the colours.
        categories: of the concepts.
        first: concepts whose names are written before others; where there is no room, no name is.
    """
    category = clusters["concept"].map(categories).fillna("")
    order = sorted(set(category))
    with figure_style(theme):
        figure = Figure(figsize=(WIDTH * 1.3, WIDTH * 1.25), layout="constrained")
        axes = figure.subplots()
        for position, name in enumerate(order):
            here = clusters[category == name]
            axes.plot(
                here["x"], here["y"], linestyle="none", markersize=4,
                marker=MARKERS[position % len(MARKERS)], color=color_of(theme, position),
                label=f"{name} ({len(here):,})", alpha=0.85,
            )  # fmt: skip
        axes.set_axis_off()
        axes.margins(0.06)
        figure.legend(loc="outside upper center", ncols=3)
        figure.draw_without_rendering()
        # Categories in turn, so that the last of them has names too.
        turn = clusters.groupby(category.to_numpy(), sort=False).cumcount()
        turn = turn.where(~clusters["concept"].isin(first), -1)
        ranked = clusters.assign(turn=turn).sort_values("turn", kind="stable")
        label_points(
            axes,
            ranked[["x", "y"]].to_numpy(dtype=float),
            ranked["concept"].tolist(),
            most=_LABELS,
            fontsize=7,
            color=theme.text,
        )
    return figure


def draw_distances(distances: pd.DataFrame, theme: Theme) -> Figure:
    """How far every two spaces are apart (Fig. 10, left).

    Shown is the root mean square, over all pairs of concepts, of the difference of their cosines in
    the two spaces: the square root of the paper's D by the number of pairs.

    Args:
        distances: rows of `distances` of spaces compared together.
        theme: the colours.
    """
    names = list(dict.fromkeys([*distances["space"], *distances["other"]]))
    place = {name: index for index, name in enumerate(names)}
    matrix = np.full((len(names), len(names)), np.nan)
    pairs = distances["n"] * (distances["n"] - 1)
    typical = distances.assign(typical=(distances["distance"] / pairs) ** 0.5)
    for space, other, value in typical[["space", "other", "typical"]].itertuples(index=False):
        matrix[place[space], place[other]] = matrix[place[other], place[space]] = value
    numbers = [str(index) for index in range(1, len(names) + 1)]
    rows = [f"{name}  {number}" for name, number in zip(names, numbers, strict=True)]
    return _heat_map(matrix, rows, numbers, theme)


def draw_category_distances(
    by_category: pd.DataFrame, theme: Theme, *, space: str, n: int
) -> Figure:
    """How far every category's concepts are from one space to the others (Fig. 10, right).

    The measure is that of `draw_distances`, over the pairs with a concept of the category.

    Args:
        by_category: rows of `distances_by_category` of spaces compared together.
        theme: the colours.
        space: from which.
        n: the number of concepts that are compared, of all categories.
    """
    here = by_category["space"] == space
    rows = by_category[here | (by_category["other"] == space)]
    rows = rows.assign(to=rows["other"].where(here, rows["space"]))
    table = rows.pivot_table(index="to", columns="category", values="mean", sort=False)
    typical = (table.to_numpy() / max(1, n - 1)) ** 0.5
    return _heat_map(typical, table.index.tolist(), table.columns.tolist(), theme)


def _heat_map(
    matrix: np.ndarray, rows: Sequence[str], columns: Sequence[str], theme: Theme
) -> Figure:
    """A matrix in shades that are read in grey too, with its numbers where they have room."""
    cell = max(_CELL if len(columns) <= _READABLE else 0.16, 1.6 / max(1, len(columns)))
    names = [shorten(name, 34) for name in rows], [shorten(name, 34) for name in columns]
    left, below = (0.075 * max(map(len, part), default=0) + 0.15 for part in names)
    size = (max(left + cell * len(columns) + 0.9, WIDTH * 0.9), below + cell * len(rows) + 0.3)
    with figure_style(theme):
        figure = Figure(figsize=size, layout="constrained")
        axes: Axes = figure.subplots()
        shown = axes.imshow(matrix, cmap="cividis", aspect="auto", vmin=0)
        upright = 90 if max(map(len, names[1]), default=0) > 3 else 0
        axes.set_xticks(range(len(columns)), names[1], rotation=upright)
        axes.set_yticks(range(len(rows)), names[0])
        axes.grid(visible=False)
        for spine in axes.spines.values():
            spine.set_visible(False)
        if len(columns) <= _READABLE:
            middle = np.nanmax(matrix, initial=0) / 2
            for (row, column), value in np.ndenumerate(matrix):
                if np.isfinite(value):
                    color = "white" if value < middle else "black"
                    axes.text(
                        column, row, f"{value:.2f}", ha="center", va="center", color=color,
                        fontsize=6.5,
                    )  # fmt: skip
        bar = figure.colorbar(shown, ax=axes, shrink=0.8, pad=0.02)
        bar.set_label("typical difference of a cosine")
        bar.outline.set_visible(False)
    return figure
