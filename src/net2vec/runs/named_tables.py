"""All tables of a run by name, as a mapping that makes them when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd
from markupsafe import Markup

from net2vec.errors import ResultsError
from net2vec.results import load_table
from net2vec.runs.data import RunData
from net2vec.runs.registry import FIT_TABLES, TABLES
from net2vec.runs.tables import fit_tables, make_tables

_FILES = {"scores": "Every score, as in scores.csv", "skipped": "What was left out, and why"}
_FROM_REPORT = "as in the run's report"


class Tables(Mapping[str, pd.DataFrame]):
    """The tables of a run, by the names that its page and its files have; completed in notebooks.

    They are made from `results.zarr` when they are asked for. Those that only a report makes are
    read from `RUN/report/tables`.
    """

    def __init__(self, run: RunData) -> None:
        self._run = run
        self.titles: dict[str, str] = self._known()

    def __getitem__(self, name: str) -> pd.DataFrame:
        """A table.

        Raises:
            ResultsError: if there is none of this name. It is a `KeyError` as well.
        """
        if name not in self.titles:
            raise UnknownTableError(f"no table {name!r}; there are {', '.join(self.titles)}")
        if name in _FILES:
            table: pd.DataFrame = getattr(self._run, name)
            return table.copy()
        if name in TABLES:
            return make_tables(self._run, [name])[name]
        if name in FIT_TABLES:
            return fit_tables(self._run)[name]
        return load_table(self._reported(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self.titles)

    def __len__(self) -> int:
        return len(self.titles)

    def __repr__(self) -> str:
        return f"Tables({', '.join(self.titles)})"

    def _repr_html_(self) -> str:
        rows = Markup("").join(
            Markup("<tr><td><code>{}</code></td><td>{}</td></tr>").format(*row)
            for row in self.titles.items()
        )
        return str(Markup("<table><tr><th>table</th><th>content</th></tr>{}</table>").format(rows))

    def _ipython_key_completions_(self) -> list[str]:
        return list(self.titles)

    def _known(self) -> dict[str, str]:
        titles = dict(_FILES)
        for table in (*TABLES.values(), *(FIT_TABLES.values() if len(self._run.fits) > 1 else ())):
            titles[table.name] = f"{table.title} ({table.source})" if table.source else table.title
        for path in sorted(self._reported("*").parent.glob("*.csv")):
            titles.setdefault(path.stem, _FROM_REPORT)
        return titles

    def _reported(self, name: str) -> Path:
        return self._run.path / "report" / "tables" / f"{name}.csv"


class UnknownTableError(ResultsError, KeyError):
    """A name that no table has."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # a KeyError shows its message in quotes
