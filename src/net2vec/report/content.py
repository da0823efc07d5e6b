"""A report as a value: sections of text, numbers, tables, figures and pictures, not yet a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from net2vec.report.figures.style import Theme

MARK = "†"
"""After the name of a concept whose vector has hardly left its random start."""


@dataclass(frozen=True)
class Paragraph:
    """Text; a plain string is escaped, `Markup` is not. `note` sets it apart."""

    kind: ClassVar[str] = "paragraph"
    text: str | Markup
    note: bool = False


@dataclass(frozen=True)
class KeyNumber:
    """A number to begin with, and what it is."""

    value: str
    label: str


@dataclass(frozen=True)
class KeyNumbers:
    """The numbers one would read out."""

    kind: ClassVar[str] = "numbers"
    numbers: tuple[KeyNumber, ...]


@dataclass(frozen=True)
class Glossary:
    """The words a newcomer needs. `mark` stands where `start_distance` is below `distance`."""

    kind: ClassVar[str] = "glossary"
    mark: str
    distance: float


@dataclass(frozen=True)
class Drawing:
    """A figure that can be drawn in any theme.

    Attributes:
        name: of its file.
        alt: what it shows, for those who do not see it.
        draw: draws it.
        title: stands above it, to tell it apart from the others of its row.
    """

    name: str
    alt: str
    draw: Callable[[Theme], Figure]
    title: str = ""


@dataclass(frozen=True)
class FigureRow:
    """Figures side by side under one caption, with the name of the table they are drawn from."""

    kind: ClassVar[str] = "figures"
    drawings: tuple[Drawing, ...]
    caption: str | Markup
    table: str | None = None


@dataclass(frozen=True)
class Column:
    """How a column of a table is shown.

    Attributes:
        key: its name in the frame.
        label: its heading.
        form: "text", or how to format a number: "count", "score" (two decimals, with a bar),
            "number" (two decimals), "percent" (a share, as a percentage) or "signed".
    """

    key: str
    label: str
    form: str = "text"


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes:
        frame: the rows.
        columns: which columns are shown, and how.
        caption: what it says.
        csv: the name of the full table beside the page, if it has one.
        searchable: whether it is long: its rows can then be searched and sorted, a few at a time.
        folded: whether it is opened by the reader only; `caption` is then its handle.
    """

    kind: ClassVar[str] = "table"
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    caption: str | Markup
    csv: str | None = None
    searchable: bool = False
    folded: bool = False

    @property
    def shown(self) -> tuple[Column, ...]:
        """Its columns, each followed by its spread over seeds where the frame has any."""
        found = []
        for column in self.columns:
            found.append(column)
            spread = f"{column.key}_sd"
            if column.form != "text" and spread in self.frame and (self.frame[spread] > 0).any():
                form = "percent" if column.form == "percent" else "number"
                found.append(Column(spread, "± sd", form))
        return tuple(found)


@dataclass(frozen=True)
class TableRow:
    """Small tables side by side."""

    kind: ClassVar[str] = "tables"
    tables: tuple[Table, ...]


@dataclass(frozen=True)
class FileIndex:
    """The tables beside the page: name, what it says, where the paper shows it."""

    kind: ClassVar[str] = "files"
    files: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class NeighbourCard:
    """A concept with its nearest ones: for each task, (name, cosine) from the nearest."""

    concept: str
    category: str
    lists: tuple[tuple[str, tuple[tuple[str, float], ...]], ...]


@dataclass(frozen=True)
class NeighbourCards:
    """Several concepts with their nearest ones."""

    kind: ClassVar[str] = "neighbours"
    cards: tuple[NeighbourCard, ...]
    caption: str | Markup
    table: str | None = None


@dataclass(frozen=True)
class Picture:
    """A picture, its file's name (without folder or extension) and what it shows."""

    name: str
    image: Callable[[], Image.Image]
    alt: str


@dataclass(frozen=True)
class Tile:
    """A column of a strip: a heading, and under it pictures with a caption each, or gaps."""

    heading: str
    pictures: tuple[tuple[Picture, str] | None, ...]


@dataclass(frozen=True)
class Strip:
    """Tiles in a row; `rows` names what the pictures of each tile are, from above."""

    kind: ClassVar[str] = "strip"
    title: str | Markup
    rows: tuple[str, ...]
    tiles: tuple[Tile, ...]
    folded: bool = False


Block = (
    Paragraph
    | KeyNumbers
    | Glossary
    | FigureRow
    | Table
    | TableRow
    | FileIndex
    | NeighbourCards
    | Strip
)


@dataclass(frozen=True)
class Section:
    """A question and what answers it. `anchor` is its address on the page."""

    anchor: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Report:
    """A page.

    Attributes:
        title: its title.
        subtitle: one line under it.
        sections: its contents, in order.
        tables: the tables saved beside it as CSV, by name.
        versions: the programs that made the results.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    versions: Mapping[str, Any] = field(default_factory=dict)
