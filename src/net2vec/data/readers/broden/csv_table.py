"""CSV files as text, row by row, without interpretation."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from net2vec.data.files import read_regular
from net2vec.errors import DataError


@dataclass(frozen=True)
class Table:
    """A CSV file.

    Attributes:
        path: its path.
        rows: its rows as text, by the line number on which each begins (the header is line 1);
            missing fields of short rows are empty.
        misshapen: by line, the number of fields of each row that has more or fewer fields than
            there are columns.
    """

    path: Path
    rows: pd.DataFrame
    misshapen: dict[int, int]

    @classmethod
    def read(cls, path: Path, required: Iterable[str]) -> Table:
        """Reads a file; empty lines are ignored.

        Args:
            path: the file.
            required: required columns.

        Raises:
            DataError: if it is missing or not a table, has a column twice or lacks one, or all its
                rows have more fields than columns.
        """
        # pandas would fill short rows and take additional fields for an index.
        try:
            columns, *rows = _parse(read_regular(path).decode("utf-8-sig"))
        except FileNotFoundError:
            raise DataError(f"{path}: the file is missing") from None
        except (OSError, ValueError, csv.Error) as fault:
            raise DataError(f"{path}: not a table ({fault})") from None
        names = columns[1]
        if twice := [name for name in names if names.count(name) > 1]:
            raise DataError(f"{path}: the column {twice[0]!r} stands twice")
        if missing := [name for name in required if name not in names]:
            raise DataError(f"{path}: lacks the column {missing[0]!r}")
        misshapen = {line: len(row) for line, row in rows if len(row) != len(names)}
        if rows and all(misshapen.get(line, 0) > len(names) for line, _ in rows):
            raise DataError(f"{path}: its rows have more fields than its first line names")
        cells = [(row + [""] * len(names))[: len(names)] for _, row in rows]
        table = pd.DataFrame(cells, columns=names, index=[line for line, _ in rows], dtype=object)
        return cls(path, table, misshapen)


def _parse(text: str) -> list[tuple[int, list[str]]]:
    """The rows of a table with the line numbers on which they begin.

    Raises:
        ValueError: if there is none.
        csv.Error: if a quotation mark is not closed.
    """
    reader = csv.reader(io.StringIO(text, newline=None), strict=True)
    rows, line = [], 1
    for row in reader:
        if len(row) > 1 or (row and row[0].strip()):
            rows.append((line, row))
        line = reader.line_num + 1
    if not rows:
        raise ValueError("it is empty")
    return rows
