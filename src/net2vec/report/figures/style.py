"""The one style sheet of figures and pictures: colours, sizes, markers, in light and in dark.

Colours are after the palette of Okabe and Ito, told apart by colour-blind eyes, darker or paler
where they would be faint on the page; what they tell apart also differs by marker or dash, so that
it survives a grey print.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """Colours of a figure on a light or a dark page."""

    name: str
    text: str
    muted: str
    grid: str
    single: str
    combined: str
    series: tuple[str, ...]


LIGHT = Theme(
    name="light",
    text="#1c2126",
    muted="#5b6670",
    grid="#dfe4e8",
    single="#d07f00",
    combined="#0063a0",
    series=("#0063a0", "#d07f00", "#007f5f", "#b04a86", "#3d3d3d", "#3498d8"),
)
DARK = Theme(
    name="dark",
    text="#e6eaed",
    muted="#9aa5ae",
    grid="#343c44",
    single="#e2711d",
    combined="#8ccbf2",
    series=("#8ccbf2", "#e2711d", "#39b894", "#e29cc6", "#f0e442", "#3f8fd0"),
)
THEMES = (LIGHT, DARK)

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")
DASHES = ("solid", (0, (4, 1.6)), (0, (1.2, 1.4)), (0, (5, 1.2, 1.2, 1.2)))

WIDTH = 4.8
"""Inches. Two figures of this width stand side by side on a desk, one fills a phone."""


def color_of(theme: Theme, position: int) -> str:
    """The colour of the series at a position; they repeat after the last."""
    return theme.series[position % len(theme.series)]


@contextmanager
def figure_style(theme: Theme) -> Iterator[None]:
    """Within it, figures are drawn in a theme, and their SVG does not change from run to run."""
    with (
        warnings.catch_warnings(),
        mpl.rc_context(
            {
                "figure.facecolor": "none",
                "axes.facecolor": "none",
                "savefig.facecolor": "none",
                "font.family": "DejaVu Sans",
                "font.size": 8.5,
                "axes.titlesize": 9,
                "axes.titleweight": "bold",
                "axes.titlelocation": "left",
                "axes.labelsize": 8.5,
                "axes.linewidth": 0.7,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.grid": True,
                "axes.axisbelow": True,
                "grid.linewidth": 0.6,
                "lines.linewidth": 1.6,
                "lines.markersize": 4.5,
                "errorbar.capsize": 2,
                "legend.frameon": False,
                "legend.fontsize": 8.5,
                "xtick.labelsize": 8,
                "ytick.labelsize": 8,
                "text.color": theme.text,
                "axes.labelcolor": theme.text,
                "axes.titlecolor": theme.text,
                "axes.edgecolor": theme.muted,
                "xtick.color": theme.muted,
                "ytick.color": theme.muted,
                "xtick.labelcolor": theme.text,
                "ytick.labelcolor": theme.text,
                "grid.color": theme.grid,
                "svg.fonttype": "path",
                "svg.hashsalt": "net2vec",
                # Names come from data: a dollar sign in one is no formula.
                "text.parse_math": False,
            }
        ),
    ):
        # Names come from data: what the font lacks is drawn as a box, and stands in the tables.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from")
        yield


def svg_of(figure: Figure, theme: Theme) -> bytes:
    """A figure as SVG, the same bytes for the same figure."""
    buffer = io.BytesIO()
    with figure_style(theme):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def repaint_svg(svg: bytes, theme: Theme, other: Theme) -> bytes:
    """The SVG of a figure as it would be in another theme, without drawing it again."""
    paints = dict(zip(_paints(theme), _paints(other), strict=True))
    pattern = b"|".join(re.escape(paint.encode()) for paint in paints)
    return re.sub(pattern, lambda found: paints[found[0].decode()].encode(), svg)


def _paints(theme: Theme) -> tuple[str, ...]:
    return (theme.text, theme.muted, theme.grid, theme.single, theme.combined, *theme.series)
