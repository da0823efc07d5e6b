"""What all sections of a report share: the runs, their names and the tables made of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from net2vec.report.content import MARK
from net2vec.report.exhibits import DecileExhibit, Exhibit, FilterExhibit, featured_concepts
from net2vec.runs import Run, fit_tables, make_tables, unique_labels
from net2vec.spaces import Comparison, SpaceError, compare_spaces

TASK_TITLE = {"segment": "segmentation", "classify": "classification"}
SCORE_NAME = {"segment": "set IoU", "classify": "accuracy"}

_FEATURED = 6
_PERMUTATIONS = 99


@dataclass(frozen=True)
class Study:
    """Runs side by side; the first is the subject, the others are held against it."""

    runs: Sequence[Run]
    exhibits: Sequence[Exhibit] = ()

    @property
    def run(self) -> Run:
        """The subject."""
        return self.runs[0]

    @cached_property
    def labels(self) -> list[str]:
        """What each run is called."""
        return unique_labels(list(self.runs))

    @property
    def label(self) -> str:
        """What the subject is called."""
        return self.labels[0]

    @property
    def layer(self) -> str:
        """The last layer of the subject, which the details are about."""
        return self.run.layers[-1]

    @cached_property
    def tasks(self) -> tuple[str, ...]:
        """The tasks of that layer that scored any concept."""
        tasks = self.run.tasks(self.layer)
        return tuple(task for task in tasks if len(self.last(self.by_concept, task)))

    @cached_property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The tables of all runs' first fits, one below the other; `network` holds the labels."""
        made = [
            {name: table.assign(network=label) for name, table in make_tables(run.at()).items()}
            for run, label in zip(self.runs, self.labels, strict=True)
        ]
        return {
            name: _stack([tables[name] for tables in made]) for name in (made[0] if made else ())
        }

    @cached_property
    def fits(self) -> dict[str, pd.DataFrame]:
        """The tables of `fit_tables` of all runs with two fits; none where no run has two."""
        made = [
            {name: table.assign(network=label) for name, table in fit_tables(run).items()}
            for run, label in zip(self.runs, self.labels, strict=True)
        ]
        made = [tables for tables in made if tables]
        return {name: _stack([tables[name] for tables in made]) for name in made[0]} if made else {}

    @property
    def by_category(self) -> pd.DataFrame:
        """See `analysis.by_category`."""
        return self.tables["by_category"]

    @property
    def by_concept(self) -> pd.DataFrame:
        """See `analysis.by_concept`."""
        return self.tables["by_concept"]

    @property
    def wins(self) -> pd.DataFrame:
        """See `analysis.combined_vs_single`."""
        return self.tables["combined_vs_single"]

    @cached_property
    def comparison(self) -> Comparison | None:
        """The spaces of the runs' last layers held against each other; None for one run."""
        if len(self.runs) < 2:
            return None
        compared = [
            run.space(task=task).labelled(f"{label} {task}")
            for run, label in zip(self.runs, self.labels, strict=True)
            for task in run.tasks()
        ]
        categories = dict(zip(self.by_concept["concept"], self.by_concept["category"], strict=True))
        try:
            return compare_spaces(compared, categories=categories, permutations=_PERMUTATIONS)
        except SpaceError:  # too few concepts in common
            return None

    @property
    def deciles(self) -> list[DecileExhibit]:
        """The pictures of concepts."""
        return [exhibit for exhibit in self.exhibits if isinstance(exhibit, DecileExhibit)]

    @property
    def filters(self) -> list[FilterExhibit]:
        """The pictures of filters."""
        return [exhibit for exhibit in self.exhibits if isinstance(exhibit, FilterExhibit)]

    @cached_property
    def featured(self) -> list[str]:
        """Concepts that figures show in detail: those with pictures, or those that would have."""
        pictured = [
            exhibit.request.concept
            for exhibit in self.deciles
            if exhibit.request.layer == self.layer
        ]
        return pictured[:_FEATURED] or featured_concepts(self.run, _FEATURED)

    def mine(self, name: str) -> pd.DataFrame:
        """The rows of one of the tables that are about the subject."""
        table = self.tables[name]
        return table[table["network"] == self.label]

    def last(self, table: pd.DataFrame, task: str | None = None) -> pd.DataFrame:
        """The rows of a table that are about the subject, its last layer and, if given, a task."""
        mine = table["network"].eq(self.label) & table["layer"].eq(self.layer)
        return table[mine] if task is None else table[mine & table["task"].eq(task)]

    def moved(self, task: str) -> pd.DataFrame:
        """Rows of `by_concept` of the last layer whose vectors have left their start."""
        rows = self.last(self.by_concept, task)
        return rows[~rows["concept"].isin(self.run.hardly_moved(self.layer, task=task))]

    def marked(self, concept: str, *, task: str, layer: str | None = None, run: int = 0) -> str:
        """A concept's name, with a mark where its vector has hardly left its start."""
        moved = concept not in self._hardly_moved(run, layer or self.layer, task)
        return concept if moved else f"{concept} {MARK}"

    def _hardly_moved(self, run: int, layer: str, task: str) -> frozenset[str]:
        key = (run, layer, task)
        if key not in self._hardly_moved_cache:
            self._hardly_moved_cache[key] = self.runs[run].hardly_moved(layer, task=task)
        return self._hardly_moved_cache[key]

    @cached_property
    def _hardly_moved_cache(self) -> dict[tuple[int, str, str], frozenset[str]]:
        return {}


def _stack(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]


def listing(names: Iterable[str], most: int = 8) -> str:
    """`a, b and c`; beyond `most` names the rest is counted."""
    names = list(names)
    if len(names) > most:
        names = [*names[: most - 1], f"{len(names) - most + 1} more"]
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 image`, `2 images`, `1,400 images`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def with_spread(row: pd.Series, name: str, form: str) -> str:
    """A number of a row, as `0.30 ± 0.02` where its standard deviation over seeds is not 0.00."""
    number, spread = (f"{row.get(key, math.nan):{form}}" for key in (name, f"{name}_sd"))
    return f"{number} ± {spread}" if float(spread) > 0 else number


def percent(share: float) -> str:
    """A share between 0 and 1 as a percentage without decimals, but never a false 0 or 100."""
    value = 100 * share
    if 0 < value < 1:
        return "less than 1 %"
    if 99 < value < 100:
        return "more than 99 %"
    return f"{value:.0f} %"
