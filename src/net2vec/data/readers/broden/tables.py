"""The tables of Broden's folder layout: their content and their faults."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import pandas as pd

from net2vec.data.files import refuse_links_out
from net2vec.data.labels import printable
from net2vec.data.protocol import SPLITS
from net2vec.data.readers.broden.csv_table import Table

INDEX, LABELS, CATEGORIES = "index.csv", "label.csv", "category.csv"
MAX_NUMBER = 2**16 - 1
"""The largest label number that two channels of a mask can hold."""

IMAGE, SPLIT = "image", "split"
SIZES = ("ih", "iw", "sh", "sw")
RESERVED = frozenset({IMAGE, SPLIT, *SIZES})
"""Columns of the index that are not categories."""

_SIZE = r"[1-9][0-9]{0,8}"
_NUMBER = r"[1-9][0-9]{0,4}"

_Faults = Mapping[int, list[str]]
"""Faults in the rows of a table, by line."""


@dataclass(frozen=True)
class BrodenTables:
    """The three tables as unchecked text.

    Attributes:
        folder: the dataset's.
        index: a row an image: `image`, `split`, in most folders the sizes of image and masks
            (`ih`, `iw`, `sh`, `sw`), and a column a category.
        label: a row a label: `number`, `name`.
        category: a row a category: `name`.
    """

    folder: Path
    index: Table
    label: Table
    category: Table

    @classmethod
    def read(cls, folder: Path) -> BrodenTables:
        """Reads the tables.

        Raises:
            DataError: if one is missing, not a table, a link out of the dataset, or lacks a column.
        """
        for name in (INDEX, LABELS, CATEGORIES):
            refuse_links_out(folder, folder / name)
        return cls(
            folder,
            Table.read(folder / INDEX, (IMAGE, SPLIT)),
            Table.read(folder / LABELS, ("number", "name")),
            Table.read(folder / CATEGORIES, ("name",)),
        )

    def images(self) -> pd.DataFrame:
        """The rows of the index, without rows that have no image name or too many fields."""
        rows = self.index.rows
        long = [line for line, fields in self.index.misshapen.items() if fields > len(rows.columns)]
        return rows[(rows[IMAGE] != "") & ~rows.index.isin(long)]

    def labels(self) -> dict[int, str]:
        """Names by number, in the order of the rows.

        Rows with other faults but a legible number are included, so that not every use of the
        number is reported as a further fault.
        """
        names: dict[int, str] = {}
        for text, name in zip(self.label.rows["number"], self.label.rows["name"], strict=True):
            number = re.fullmatch(rf"0*({_NUMBER})(\.0*)?", text.strip())
            if number and int(number[1]) <= MAX_NUMBER:
                names.setdefault(int(number[1]), printable(name))
        return names

    def categories(self) -> list[str]:
        """Names of the categories with a column in the index."""
        names = dict.fromkeys(self.category.rows["name"])
        return [name for name in names if name in self.index.rows and name not in RESERVED]

    def faults(self) -> list[str]:
        """All faults in the tables, each as `file: reason`."""
        found = []
        for table, faults in (
            (self.index, self._index_faults),
            (self.label, self._label_faults),
            (self.category, self._category_faults),
        ):
            if table.rows.empty:
                found.append(f"{table.path}: no rows")
            found += [
                f"{table.path}, line {line}: {fault}"
                for line in sorted(faults)
                for fault in faults[line]
            ]
        named = list(self.category.rows["name"])
        for column in self.index.rows.columns:
            if column not in {*RESERVED, *named}:
                found.append(
                    f"{self.index.path}: the column {column!r} is no category of {CATEGORIES}"
                )
        for name in dict.fromkeys(named):
            if name and name not in self.index.rows:
                found.append(
                    f"{self.index.path}: no column for the category {name!r} of {CATEGORIES}"
                )
        return [one_line(fault) for fault in found]

    @cached_property
    def _index_faults(self) -> _Faults:
        rows, note = _shaped(self.index)
        image = rows[IMAGE]
        note(image == "", lambda row: "a row without an image")
        note((image != "") & image.duplicated(), lambda row: f"duplicate row of {row[IMAGE]}")
        note(
            ~rows[SPLIT].isin(SPLITS),
            lambda row: (
                f"{row[IMAGE] or 'it'} has the unknown split {row[SPLIT]!r}; wanted train or val"
            ),
        )
        for column in [name for name in SIZES if name in rows]:
            note(~rows[column].str.fullmatch(_SIZE).astype(bool), partial(_no_size, column))
        return note.faults

    @cached_property
    def _label_faults(self) -> _Faults:
        rows, note = _shaped(self.label)
        number, name = rows["number"], rows["name"].map(printable)
        legible = number.str.fullmatch(_NUMBER).astype(bool)
        legible &= pd.to_numeric(number.where(legible, "0")) <= MAX_NUMBER
        repeated = legible & number.duplicated()
        note(
            ~legible,
            lambda row: f"{row['number'][:20]!r} is no label number (1 to {MAX_NUMBER})",
        )
        note(repeated, lambda row: f"the label number {row['number']} stands twice")
        note(name == "", lambda row: f"the label number {row['number']} has no name")
        note(
            (name != "") & name.duplicated(),
            lambda row: f"the name {row['name']!r} stands twice",
        )
        return note.faults

    @cached_property
    def _category_faults(self) -> _Faults:
        rows, note = _shaped(self.category)
        name = rows["name"]
        note(name == "", lambda row: "a category without a name")
        note(
            (name != "") & name.duplicated(),
            lambda row: f"the category {row['name']!r} stands twice",
        )
        note(
            name.isin(RESERVED),
            lambda row: f"{row['name']!r} is no category but another column of {INDEX}",
        )
        return note.faults


def is_size(text: str) -> bool:
    """Whether a cell of the index is a size in pixels."""
    return re.fullmatch(_SIZE, text) is not None


def one_line(text: str) -> str:
    """The text with all characters escaped that would end a line or control a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _no_size(column: str, row: pd.Series[str]) -> str:
    return f"{row[IMAGE] or 'it'} has no size in pixels as {column}"


class _Notes:
    """Collects the faults of rows by line, in the order in which they are noted."""

    def __init__(self, rows: pd.DataFrame) -> None:
        self._rows = rows
        self.faults: defaultdict[int, list[str]] = defaultdict(list)

    def __call__(self, where: pd.Series[bool], say: Callable[[pd.Series[str]], str]) -> None:
        for line, row in self._rows[where].iterrows():
            self.faults[int(str(line))].append(say(row))


def _shaped(table: Table) -> tuple[pd.DataFrame, _Notes]:
    """The rows that have all fields, and notes of the faults of all rows."""
    wanted = len(table.rows.columns)
    rows = table.rows[~table.rows.index.isin(list(table.misshapen))]
    notes = _Notes(rows)
    for line, fields in table.misshapen.items():
        notes.faults[line].append(
            f"{fields} field{'s' * (fields > 1)}; the first line names {wanted}"
        )
    return rows, notes
