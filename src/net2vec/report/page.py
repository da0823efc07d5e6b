"""From a report to a folder: `index.html`, `concepts.html`, and their figures, pictures and tables.

The page asks for nothing from outside and opens from the disk. Its templates escape whatever comes
from data, and draw the figures and pictures that they show.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import BaseLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from net2vec import results
from net2vec.core.storage import replacing
from net2vec.errors import ResultsError
from net2vec.report import labels
from net2vec.report.content import CONCEPT_COLUMNS, Column, Drawing, Picture, Report, Table
from net2vec.report.figures.style import LIGHT, THEMES, repaint_svg, svg_of
from net2vec.report.formats import (
    MISSING,
    cosine_text,
    format_cell,
    is_missing,
    percent,
    score_text,
)
from net2vec.report.labels import plain_name

_GENERATOR = '<meta name="generator" content="net2vec">'
"""The mark by which a page of this package is recognised; it is part of the template."""
_PIXELS_PER_INCH = 96
_LOADER: BaseLoader = PackageLoader("net2vec.report", "templates")


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
    refuse_other_folders(folder)
    with replacing(folder) as temporary:
        temporary.mkdir()
        for name, table in report.tables.items():
            results.save_table(table, temporary / "tables" / f"{name}.csv")
        environment = _environment(temporary, CardLinks(card.concept for card in report.cards))
        pages = {"index.html": "page.html"}
        if report.cards:
            pages["concepts.html"] = "concepts.html"
        for name, template in pages.items():
            page = environment.get_template(template).render(report=report)
            (temporary / name).write_text(page, encoding="utf-8")
    return folder / "index.html"


def refuse_other_folders(folder: Path) -> None:
    """See to it that a report can be written into a folder.

    Raises:
        ResultsError: the folder holds something other than a report.
    """
    if not folder.exists():
        return
    index = folder / "index.html"
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if not (index.is_file() and _GENERATOR in index.read_text("utf-8", errors="replace")[:2000]):
        raise ResultsError(
            f"{folder} holds something other than a report; name a new folder or empty this one"
        )


class CardLinks:
    """Makes the name of a concept a link to its card, where it has one."""

    def __init__(self, concepts: Iterable[str]) -> None:
        """Links to the cards of some concepts, by their names."""
        self._known = frozenset(concepts)

    def __call__(self, marked: str) -> str | Markup:
        """A name, which may be followed by marks, as it stands on a page."""
        concept = plain_name(marked)
        if concept not in self._known:
            return marked
        return Markup('<a class="concept" href="concepts.html#{}">{}</a>').format(
            card_id(concept), marked
        )


def card_id(concept: str) -> str:
    """The anchor of a concept's card."""
    return "c-" + quote(concept, safe="!~*'()").replace("%", ":")


def _environment(folder: Path, links: CardLinks) -> Environment:
    """The templates of pages whose figures and pictures are written into a folder."""
    environment = Environment(
        loader=_LOADER,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    environment.filters["score"] = score_text
    environment.filters["cosine"] = cosine_text
    environment.filters["rows"] = partial(_table_rows, links=links)
    environment.filters["concept"] = links
    environment.filters["card_id"] = card_id
    environment.globals["labels"] = labels
    environment.globals["next_label"] = itertools.count(1).__next__
    environment.globals["save_drawing"] = partial(_save_drawing, folder=folder / "figures")
    environment.globals["save_picture"] = partial(
        _save_picture, folder=folder / "pictures", saved={}
    )
    return environment


def _table_rows(table: Table, *, links: CardLinks) -> list[list[tuple[str | Markup, str]]]:
    """The cells of a table, row by row, each with its form; of rows that say something."""
    listed = [(column, table.values(column)) for column in table.shown_columns]
    rows = []
    for row in range(len(table.frame)):
        cells = [(_cell(values[row], column, links), column.form) for column, values in listed]
        numbers = [text for text, form in cells if form != "text"]
        if not numbers or any(text != MISSING for text in numbers):
            rows.append(cells)
    return rows


def _cell(value: Any, column: Column, links: CardLinks) -> str | Markup:
    if column.form == "answer" and not is_missing(value):
        concept, cosine = value
        return Markup("{} ({})").format(links(concept), cosine_text(cosine))
    text = format_cell(value, column.form)
    return links(str(text)) if column.key in CONCEPT_COLUMNS else text


def _save_drawing(drawing: Drawing, folder: Path) -> tuple[int, int]:
    """Write a figure in each theme; returns its width and height in CSS pixels."""
    folder.mkdir(exist_ok=True)
    figure = drawing.draw(LIGHT)
    drawn = svg_of(figure, LIGHT)
    for theme in THEMES:
        # Drawing costs a third of a second, painting over nothing.
        painted = repaint_svg(drawn, LIGHT, theme)
        (folder / f"{drawing.name}-{theme.name}.svg").write_bytes(painted)
    width, height = figure.get_size_inches() * _PIXELS_PER_INCH
    return round(width), round(height)


def _save_picture(
    picture: Picture, folder: Path, saved: dict[str, tuple[int, int]]
) -> tuple[int, int]:
    """Write a picture, once where several strips have it; returns its width and height."""
    if picture.name not in saved:
        folder.mkdir(exist_ok=True)
        image = picture.image()
        # Full colour resolution: halved, it would blur the outlines of the masks.
        image.save(folder / f"{picture.name}.jpg", quality=84, subsampling=0, optimize=True)
        saved[picture.name] = image.size
    return saved[picture.name]
