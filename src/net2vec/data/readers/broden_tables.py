"""The tables of Broden's folder layout: what they say, and where they contradict the layout."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pandas as pd

from net2vec.data.protocol import SPLITS
from net2vec.errors import DataError

INDEX, LABELS, CATEGORIES = "index.csv", "label.csv", "category.csv"
MAX_NUMBER = 2**16 - 1
"""The largest label number that two channels of a mask can hold."""

_SIZES = ("ih", "iw", "sh", "sw")


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
    index: pd.DataFrame
    label: pd.DataFrame
    category: pd.DataFrame

    @classmethod
    def read(cls, folder: Path) -> BrodenTables:
        """Reads the tables.

        Raises:
            DataError: one is missing, is no table, or lacks a column.
        """
        return cls(
            folder,
            _read_table(folder / INDEX, ("image", "split")),
            _read_table(folder / LABELS, ("number", "name")),
            _read_table(folder / CATEGORIES, ("name",)),
        )

    def cells(self, category: str) -> list[str]:
        """What the index says of a category, image by image."""
        if category not in self.index:
            return [""] * len(self.index)
        return list(self.index[category])

    def sizes(self, height: str, width: str) -> list[tuple[int, int]] | None:
        """The (height, width) of two columns of the index, where it has them."""
        if height not in self.index or width not in self.index:
            return None
        return list(zip(self.index[height].astype(int), self.index[width].astype(int), strict=True))

    def sound(self) -> BrodenTables:
        """The tables without the rows that `faults` names."""
        return replace(
            self,
            index=self.index.loc[self._index_faults == ""],
            label=self.label.loc[self._label_faults == ""],
            category=self.category.loc[self._category_faults == ""],
        )

    def faults(self) -> list[str]:
        """All that contradicts the layout within the tables, each as `file: reason`."""
        found = []
        for name, table, faults in (
            (INDEX, self.index, self._index_faults),
            (LABELS, self.label, self._label_faults),
            (CATEGORIES, self.category, self._category_faults),
        ):
            path = self.folder / name
            if table.empty:
                found.append(f"{path}: no rows")
            # The header is line 1 of the file.
            found += [
                f"{path}, line {line}: {fault}"
                for line, fault in enumerate(faults, start=2)
                if fault
            ]
        named = {"image", "split", *_SIZES, *self.category["name"]}
        for column in self.index.columns:
            if column not in named:
                place = self.folder / INDEX
                found.append(f"{place}: the column {column!r} is no category of {CATEGORIES}")
        return found

    @cached_property
    def _index_faults(self) -> pd.Series[str]:
        """What is wrong with each row of the index, empty where nothing is."""
        faults = pd.Series("", index=self.index.index, dtype=object)
        image, split = self.index["image"], self.index["split"]
        for column in [name for name in _SIZES if name in self.index]:
            wrong = ~self.index[column].str.fullmatch(r"[1-9]\d*")
            faults[wrong] = image + f" has no size in pixels as {column}"
        wrong = ~split.isin(SPLITS)
        faults[wrong] = image + " has the unknown split '" + split + "'; wanted train or val"
        faults[image.duplicated()] = "duplicate row of " + image
        faults[image == ""] = "a row without an image"
        return faults

    @cached_property
    def _label_faults(self) -> pd.Series[str]:
        faults = pd.Series("", index=self.label.index, dtype=object)
        number, name = self.label["number"], self.label["name"]
        faults[name.duplicated()] = "the name '" + name + "' stands twice"
        faults[name == ""] = "the label number " + number + " has no name"
        faults[number.duplicated()] = "the label number " + number + " stands twice"
        numeric = pd.to_numeric(number, errors="coerce")
        wrong = ~(number.str.fullmatch(r"[1-9]\d*") & (numeric <= MAX_NUMBER))
        faults[wrong] = "'" + number + f"' is no label number (1 to {MAX_NUMBER})"
        return faults

    @cached_property
    def _category_faults(self) -> pd.Series[str]:
        faults = pd.Series("", index=self.category.index, dtype=object)
        name = self.category["name"]
        faults[name.duplicated()] = "the category '" + name + "' stands twice"
        return faults


def is_broden(folder: Path) -> bool:
    """Whether the folder has Broden's index, or what is left when that is lost."""
    tables = [name for name in (INDEX, LABELS, CATEGORIES) if (folder / name).is_file()]
    return INDEX in tables or len(tables) == 2


def _read_table(path: Path, wanted: tuple[str, ...]) -> pd.DataFrame:
    try:
        # Without keep_default_na a label named "null" or "NA" would become a missing value.
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except FileNotFoundError:
        raise DataError(f"{path}: the file is missing") from None
    except (OSError, ValueError) as fault:
        raise DataError(f"{path}: not a table ({fault})") from None
    if not isinstance(table.index, pd.RangeIndex):  # pandas took the first column for an index
        raise DataError(f"{path}: its rows have more fields than its first line names")
    missing = [name for name in wanted if name not in table]
    if missing:
        raise DataError(f"{path}: lacks the column {missing[0]!r}")
    return table
