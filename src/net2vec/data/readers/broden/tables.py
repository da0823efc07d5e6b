"""The tables of Broden's folder layout: what they say, and where they contradict the layout."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import pandas as pd

from net2vec.data.labels import printable
from net2vec.data.protocol import SPLITS
from net2vec.data.readers.broden.csv_table import Table

INDEX, LABELS, CATEGORIES = "index.csv", "label.csv", "category.csv"
MAX_NUMBER = 2**16 - 1
"""The largest label number that two channels of a mask can hold."""

IMAGE, SPLIT = "image", "split"
SIZES = ("ih", "iw", "sh", "sw")
RESERVED = frozenset({IMAGE, SPLIT, *SIZES})
"""Columns of the index that are no categories."""

_SIZE = r"[1-9][0-9]{0,8}"
_NUMBER = r"[1-9][0-9]{0,4}"

_Faults = Mapping[int, list[str]]
"""What is wrong with the rows of a table, by line."""


@dataclass(frozen=True)
class BrodenTables:
    """The three tables as text, before anything in them is believed.

    Attributes:
        folder: where they are.
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
            DataError: one is missing, is no table, or lacks a column.
        """
        return cls(
            folder,
            Table.read(folder / INDEX, (IMAGE, SPLIT)),
            Table.read(folder / LABELS, ("number", "name")),
            Table.read(folder / CATEGORIES, ("name",)),
        )

    def images(self) -> pd.DataFrame:
        """The rows of the index, without those that cannot be told to be an image's.

        Sound tables lose none; so do the two below.
        """
        rows = self.index.rows
        long = [line for line, fields in self.index.misshapen.items() if fields > len(rows.columns)]
        return rows[(rows[IMAGE] != "") & ~rows.index.isin(long)]

    def labels(self) -> dict[int, str]:
        """Names by number, in the order of the rows; those at fault too, where a number is legible.

        Else every use of the number in the folder would look like a fault of its own.
        """
        names: dict[int, str] = {}
        for text, name in zip(self.label.rows["number"], self.label.rows["name"], strict=True):
            number = re.fullmatch(rf"0*({_NUMBER})(\.0*)?", text.strip())
            if number and int(number[1]) <= MAX_NUMBER:
                names.setdefault(int(number[1]), printable(name))
        return names

    def categories(self) -> list[str]:
        """Names of the categories that have a column in the index."""
        names = dict.fromkeys(self.category.rows["name"])
        return [name for name in names if name in self.index.rows and name not in RESERVED]

    def faults(self) -> list[str]:
        """All that contradicts the layout within the tables, each as `file: reason`."""
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
        rows, faults = _shaped(self.index)
        image = rows[IMAGE]
        _note(faults, rows[image == ""], lambda row: "a row without an image")
        _note(
            faults,
            rows[(image != "") & image.duplicated()],
            lambda row: f"duplicate row of {row[IMAGE]}",
        )
        _note(
            faults,
            rows[~rows[SPLIT].isin(SPLITS)],
            lambda row: f"{_who(row)} has the unknown split {row[SPLIT]!r}; wanted train or val",
        )
        for column in [name for name in SIZES if name in rows]:
            _note(
                faults,
                rows[~rows[column].str.fullmatch(_SIZE).astype(bool)],
                partial(_no_size, column),
            )
        return faults

    @cached_property
    def _label_faults(self) -> _Faults:
        rows, faults = _shaped(self.label)
        number, name = rows["number"], rows["name"].map(printable)
        legible = number.str.fullmatch(_NUMBER).astype(bool)
        legible &= pd.to_numeric(number.where(legible, "0")) <= MAX_NUMBER
        _note(
            faults,
            rows[~legible],
            lambda row: f"{row['number'][:20]!r} is no label number (1 to {MAX_NUMBER})",
        )
        _note(
            faults,
            rows[legible & number.duplicated()],
            lambda row: f"the label number {row['number']} stands twice",
        )
        _note(
            faults,
            rows[name == ""],
            lambda row: f"the label number {row['number']} has no name",
        )
        _note(
            faults,
            rows[(name != "") & name.duplicated()],
            lambda row: f"the name {row['name']!r} stands twice",
        )
        return faults

    @cached_property
    def _category_faults(self) -> _Faults:
        rows, faults = _shaped(self.category)
        name = rows["name"]
        _note(faults, rows[name == ""], lambda row: "a category without a name")
        _note(
            faults,
            rows[(name != "") & name.duplicated()],
            lambda row: f"the category {row['name']!r} stands twice",
        )
        _note(
            faults,
            rows[name.isin(RESERVED)],
            lambda row: f"{row['name']!r} is no category but another column of {INDEX}",
        )
        return faults


def is_broden(folder: Path) -> bool:
    """Whether the folder has Broden's index, or what is left when that is lost."""
    tables = [name for name in (INDEX, LABELS, CATEGORIES) if (folder / name).is_file()]
    return INDEX in tables or len(tables) == 2


def is_size(text: str) -> bool:
    """Whether a cell of the index says a number of pixels."""
    return re.fullmatch(_SIZE, text) is not None


def one_line(text: str) -> str:
    """The text with everything escaped that would end a line or command a terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _shaped(table: Table) -> tuple[pd.DataFrame, defaultdict[int, list[str]]]:
    """The rows whose fields are those of the columns, and the faults of the others."""
    wanted = len(table.rows.columns)
    faults: defaultdict[int, list[str]] = defaultdict(list)
    for line, fields in table.misshapen.items():
        faults[line].append(f"{fields} field{'s' * (fields > 1)}; the first line names {wanted}")
    return table.rows[~table.rows.index.isin(list(table.misshapen))], faults


def _note(
    faults: defaultdict[int, list[str]], rows: pd.DataFrame, say: Callable[[pd.Series[str]], str]
) -> None:
    for line, row in rows.iterrows():
        faults[int(str(line))].append(say(row))


def _no_size(column: str, row: pd.Series[str]) -> str:
    return f"{_who(row)} has no size in pixels as {column}"


def _who(row: pd.Series[str]) -> str:
    return row[IMAGE] or "it"
