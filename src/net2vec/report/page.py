"""From a report to a folder: `index.html` with its figures, pictures and tables beside it.

The page asks for nothing from outside and opens from the disk. Its template escapes whatever comes
from data.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from net2vec import results
from net2vec.core.storage import replacing
from net2vec.errors import ResultsError
from net2vec.report.content import Drawing, FigureRow, Picture, Report, Strip, Table
from net2vec.report.figures.style import LIGHT, THEMES, repaint_svg, svg_of

_GENERATOR = '<meta name="generator" content="net2vec">'
"""What marks a page as ours; it stands in the template."""
_PIXELS_PER_INCH = 96
_MISSING = "–"


def save_report(report: Report, folder: Path) -> Path:
    """Write a report into a folder, in place of an older report.

    All is written beside the folder first, so that a report is there whole or not at all.

    Args:
        report: what to write.
        folder: where to; made if need be.

    Returns:
        The path of its `index.html`.

    Raises:
        ResultsError: the folder holds something other than a report.
    """
    _refuse_other_folders(folder)
    with replacing(folder) as temporary:
        temporary.mkdir()
        for name, table in report.tables.items():
            results.save_table(table, temporary / "tables" / f"{name}.csv")
        sizes = dict(_save_drawings(report, temporary / "figures"))
        sizes |= dict(_save_pictures(report, temporary / "pictures"))
        page = _environment().get_template("page.html").render(report=report, sizes=sizes)
        (temporary / "index.html").write_text(page, encoding="utf-8")
    return folder / "index.html"


def format_cell(value: Any, form: str) -> str | Markup:
    """A value of a table as it is shown; see `Column.form`."""
    if form == "text":
        return "" if _is_missing(value) else str(value)
    if _is_missing(value):
        return _MISSING
    number = float(value)
    if form == "count":
        return f"{number:,.0f}"
    if form == "percent":
        return f"{100 * number:.1f} %"
    if form == "signed":
        return f"{number:+.3f}".replace("-", "−")
    if form == "seconds":
        return f"{number:,.1f} s"
    if form == "score":
        return Markup("<span class='bar' style='--share:{share:.3f}'>{number:.2f}</span>").format(
            share=min(max(number, 0), 1), number=number
        )
    return f"{number:.3f}"


def _refuse_other_folders(folder: Path) -> None:
    if not folder.exists():
        return
    index = folder / "index.html"
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if not (index.is_file() and _GENERATOR in index.read_text("utf-8", errors="replace")[:2000]):
        raise ResultsError(
            f"{folder} holds something other than a report; name a new folder or empty this one"
        )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("net2vec.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = format_cell
    environment.filters["unbroken"] = _unbroken
    environment.filters["rows"] = _table_rows
    environment.filters["data"] = _table_data
    return environment


def _unbroken(text: str) -> str:
    """A text whose numbers stay in one line with their sign of percent, and with their spread."""
    spaces = r"(?<=\d) (?=%)|(?<=\d) (?=± \d)|(?<=\d ±) (?=\d)"
    # What is marked as safe stays so.
    return type(text)(re.sub(spaces, "\N{NO-BREAK SPACE}", text))


def _table_rows(table: Table) -> list[list[tuple[str | Markup, str]]]:
    """The cells of a table, row by row, each with its form."""
    columns = [(table.frame[column.key].tolist(), column.form) for column in table.shown]
    return [
        [(format_cell(values[row], form), form) for values, form in columns]
        for row in range(len(table.frame))
    ]


def _table_data(table: Table) -> dict[str, Any]:
    """A searchable table as the page's script reads it: column by column, numbers shortened."""
    return {
        "columns": [{"label": column.label, "form": column.form} for column in table.shown],
        "values": [
            [_plain(value, column.form) for value in table.frame[column.key].tolist()]
            for column in table.shown
        ],
    }


def _plain(value: Any, form: str) -> str | float | None:
    if _is_missing(value):
        return None
    return str(value) if form == "text" else float(f"{float(value):.4g}")


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _save_drawings(report: Report, folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Every figure once in each theme; yields names with their size in CSS pixels."""
    for drawing in _drawings(report):
        folder.mkdir(exist_ok=True)
        figure = drawing.draw(LIGHT)
        drawn = svg_of(figure, LIGHT)
        for theme in THEMES:
            # Drawing costs a third of a second, painting over nothing.
            painted = repaint_svg(drawn, LIGHT, theme)
            (folder / f"{drawing.name}-{theme.name}.svg").write_bytes(painted)
        width, height = figure.get_size_inches() * _PIXELS_PER_INCH
        yield drawing.name, (round(width), round(height))


def _drawings(report: Report) -> Iterator[Drawing]:
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, FigureRow):
                yield from block.drawings


def _save_pictures(report: Report, folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Every picture once, whether one strip shows it or several; yields names with their size."""
    saved: set[str] = set()
    for picture in _pictures(report):
        if picture.name in saved:
            continue
        saved.add(picture.name)
        folder.mkdir(exist_ok=True)
        image = picture.image()
        # Full colour resolution: halved, it would blur the outlines of the masks.
        image.save(folder / f"{picture.name}.jpg", quality=84, subsampling=0, optimize=True)
        yield picture.name, image.size


def _pictures(report: Report) -> Iterator[Picture]:
    for section in report.sections:
        for block in section.blocks:
            if isinstance(block, Strip):
                for tile in block.tiles:
                    yield from (shown[0] for shown in tile.pictures if shown)
