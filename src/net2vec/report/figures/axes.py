"""Parts of several figures: names of scores and methods, grids of panels, free labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from net2vec.report.figures.style import DASHES, MARKERS, WIDTH, Theme, color_of

_LONG_NAME = 22


def panels(
    count: int, *, height: float, extra: float = 0.55, **shared: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of panels, two in a row, `height` inches each, and `extra` for the rest."""
    columns = min(2, max(1, count))
    rows = max(1, math.ceil(count / columns))
    figure = Figure(figsize=(WIDTH, extra + height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, **shared)
    drawn: list[Axes] = list(grid.flat)
    for axes in drawn[count:]:
        axes.set_axis_off()
    if shared.get("sharex") and count % columns and count > columns:
        # The panel above an empty place has no panel below it to carry the labels.
        drawn[count - columns].tick_params(labelbottom=True)
    return figure, drawn[:count]


def line_style(theme: Theme, position: int) -> dict[str, Any]:
    """Colour, marker and dash of the line at a position."""
    return {
        "color": color_of(theme, position),
        "marker": MARKERS[position % len(MARKERS)],
        "linestyle": DASHES[position % len(DASHES)],
    }


def shorten(name: str, longest: int = _LONG_NAME) -> str:
    """A layer's name for an axis: its end says more than its beginning."""
    return name if len(name) <= longest else "…" + name[1 - longest :]


def set_log_axis(axis: Axis) -> None:
    """A logarithmic axis with plain numbers at its powers of ten, or between where it is short."""
    axis.axes.set(**{f"{axis.axis_name}scale": "log"})  # type: ignore[attr-defined]
    low, high = sorted(axis.get_view_interval())
    ratio = high / max(low, 1e-12)
    if ratio < 5:  # a logarithmic locator finds too few, and then too many
        axis.set_major_locator(MaxNLocator(4))
    else:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if ratio < 30 else (1,), numticks=6))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def label_points(
    axes: Axes,
    points: Float[np.ndarray, "point 2"],
    names: Sequence[str],
    *,
    most: int,
    **style: Any,
) -> list[str]:
    """Write names beside points where there is room: first come, first served.

    Args:
        axes: limits and layout must be final; labels are placed by their size on the canvas.
        points: in data coordinates.
        names: in the order of their importance.
        most: how many labels to write at most.
        **style: of the texts.

    Returns:
        The names written.
    """
    canvas: Any = FigureCanvasAgg(axes.get_figure(root=True))
    canvas.draw()
    renderer = canvas.get_renderer()
    frame = axes.get_window_extent(renderer)
    spots = axes.transData.transform(points)
    # What no name may cover, by its lower left and its upper right corner.
    low, high = spots - _MARK, spots + _MARK
    sized = axes.text(0, 0, "", **style)
    pixels = renderer.points_to_pixels(1)
    written: list[str] = []
    for index, name in enumerate(names):
        if len(written) == most:
            break
        sized.set_text(name)
        size = sized.get_window_extent(renderer).size
        for dx, dy, across, up in _SIDES:
            offset = np.array([dx, dy]) * pixels - size * np.array([_BEFORE[across], _BEFORE[up]])
            begin, end = spots[index] + offset, spots[index] + offset + size
            within = (frame.min <= begin).all() and (end <= frame.max).all()
            covered = ((begin < high) & (low < end)).all(axis=1)
            covered[index] = False  # beside its own mark it stands close
            if within and not covered.any():
                axes.annotate(
                    name,
                    points[index],
                    (dx, dy),
                    textcoords="offset points",
                    ha=across,
                    va=up,
                    **style,
                )
                low, high = np.vstack([low, begin]), np.vstack([high, end])
                written.append(name)
                break
    sized.remove()
    return written


_MARK = 2.5
_SIDES = (
    (5, 0, "left", "center"),
    (-5, 0, "right", "center"),
    (0, 5, "center", "bottom"),
    (0, -5, "center", "top"),
)
# The share of a text's size that lies before the point where it is set.
_BEFORE = {"left": 0.0, "center": 0.5, "right": 1.0, "bottom": 0.0, "top": 1.0}
