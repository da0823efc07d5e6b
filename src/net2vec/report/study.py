"""The runs of a report, their names, and the tables made from them, for all sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from net2vec.analysis import is_small
from net2vec.report.exhibits import (
    DecileExhibit,
    Exhibit,
    FilterExhibit,
    featured_concepts,
    last_layer,
)
from net2vec.report.labels import MARK, SMALL, TASK_TITLE
from net2vec.runs import Run, fit_tables, make_tables, shared_fit, unique_labels
from net2vec.spaces import Comparison, Lookup, SpaceError, compare_spaces

_FEATURED = 6
_PERMUTATIONS = 99


@dataclass(frozen=True)
class ComparedFits:
    """Two fits of a run; columns of tables of fits are named after them, as `combined_NAME`."""

    reference: str
    other: str
    reference_title: str
    other_title: str

    @property
    def names(self) -> tuple[str, str]:
        """Both names."""
        return self.reference, self.other

    @property
    def titles(self) -> Mapping[str, str]:
        """Both titles, by name."""
        return {self.reference: self.reference_title, self.other: self.other_title}


@dataclass(frozen=True)
class Study:
    """Runs side by side; the first is the subject, the others are held against it.

    Attributes:
        runs: the runs.
        exhibits: pictures.
        filter_ious: individual IoUs of filters that were asked for.
        beside: spaces from elsewhere, such as WordNet, that the runs' are held against.
    """

    runs: Sequence[Run]
    exhibits: Sequence[Exhibit] = ()
    filter_ious: pd.DataFrame | None = None
    beside: Sequence[Lookup] = ()

    @property
    def run(self) -> Run:
        """The subject."""
        return self.runs[0]

    @cached_property
    def labels(self) -> list[str]:
        """The name of each run."""
        return unique_labels(list(self.runs))

    @property
    def label(self) -> str:
        """The name of the subject."""
        return self.labels[0]

    @cached_property
    def layer_of(self) -> dict[str, str]:
        """By task, the last layer of the subject that has scores of it: its details are shown."""
        found = {task: last_layer(self.run, task) for task in TASK_TITLE}
        return {task: layer for task, layer in found.items() if layer is not None}

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that scored any concept on any layer."""
        return tuple(self.layer_of)

    @cached_property
    def layers(self) -> list[str]:
        """The layers of all runs, those of the subject first."""
        return list(dict.fromkeys(layer for run in self.runs for layer in run.layers))

    @cached_property
    def pairs(self) -> tuple[ComparedFits, ...]:
        """The subject's first fit beside each of the others."""
        reference, *others = self.run.fits
        return tuple(
            ComparedFits(reference, other, self.titles[reference], self.titles[other])
            for other in others
            if other in self.fits.get("fits", ())
        )

    @cached_property
    def titles(self) -> Mapping[str, str]:
        """The titles of the fits of all runs."""
        return {fit: run.fit_title(fit) for run in reversed(self.runs) for fit in run.fits}

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

    def fits_of(self, pair: ComparedFits) -> dict[str, pd.DataFrame]:
        """The tables of `fit_tables` about a pair, of all runs that have both fits."""
        made = [
            {
                name: table.assign(network=label)
                for name, table in fit_tables(run, pair.reference, pair.other).items()
            }
            for run, label in zip(self.runs, self.labels, strict=True)
            if {*pair.names} <= {*run.fits}
        ]
        return {name: _stack([tables[name] for tables in made]) for name in made[0]}

    @cached_property
    def comparison(self) -> Comparison | None:
        """The spaces of the runs' last layers held against each other, and against others.

        None for one run without other spaces.
        """
        if len(self.runs) < 2 and not self.beside:
            return None
        fit = shared_fit(self.runs)
        compared = [
            run.space(task=task, fit=fit).labelled(f"{label} {task}")
            for run, label in zip(self.runs, self.labels, strict=True)
            for task in run.tasks()
        ]
        compared += [known.space for known in self.beside]
        concepts = self.tables["by_concept"]
        categories = dict(zip(concepts["concept"], concepts["category"], strict=True))
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
            if exhibit.request.layer == self.layer_of.get("segment")
        ]
        return pictured[:_FEATURED] or featured_concepts(self.run, _FEATURED)

    def mine(self, name: str) -> pd.DataFrame:
        """The rows of one of the tables that are about the subject."""
        table = self.tables[name]
        return table[table["network"] == self.label]

    def last(self, table: pd.DataFrame, task: str | None = None) -> pd.DataFrame:
        """The rows of a table that are about the subject and the last layer of their task.

        Args:
            table: with `network, layer` and, unless it is of segmentation alone, `task`.
            task: whose rows; by default those of every task.
        """
        tasks = table["task"] if "task" in table else pd.Series("segment", index=table.index)
        mine = table["network"].eq(self.label) & table["layer"].eq(tasks.map(self.layer_of))
        return table[mine] if task is None else table[mine & tasks.eq(task)]

    def moved(self, task: str) -> pd.DataFrame:
        """Rows of `by_concept` of its last layer whose vectors have left their start."""
        rows = self.last(self.tables["by_concept"], task)
        return rows[~rows["concept"].isin(self.run.hardly_moved(self.layer_of[task], task=task))]

    def series(self, rows: pd.DataFrame) -> pd.Series:
        """The name of the line of a row: its run, where there are several, and its fit."""
        parts = [rows["network"].astype(str)] if len(self.runs) > 1 else []
        if "fit" in rows:
            parts.append(rows["fit"].map(self.titles))
        if not parts:
            return rows["network"]
        return parts[0] if len(parts) == 1 else parts[0] + ", " + parts[1]

    def marked(self, concept: str, *, task: str, layer: str | None = None) -> str:
        """A concept's name, with marks.

        One where its vector has hardly left its start, one where its accuracy is of few images.
        """
        return self._marked(self.label, layer or self.layer_of[task], task, concept, None)

    def marked_rows(self, rows: pd.DataFrame, column: str = "concept") -> list[str]:
        """The same of a column of rows with `network, layer, task` and, where it has it, `fit`."""
        fits = rows["fit"] if "fit" in rows else [None] * len(rows)
        keys = (rows["network"], rows["layer"], rows["task"], rows[column], fits)
        return [self._marked(*row) for row in zip(*keys, strict=True)]

    def _marked(self, label: str, layer: str, task: str, concept: str, fit: str | None) -> str:
        key = (label, layer, task, fit)
        if key not in self._hardly_moved:
            run = self.runs[self.labels.index(label)]
            self._hardly_moved[key] = run.hardly_moved(layer, task=task, fit=fit)
        name = f"{concept} {MARK}" if concept in self._hardly_moved[key] else concept
        return f"{name} {SMALL}" if (label, task, concept) in self.small else name

    @cached_property
    def small(self) -> frozenset[tuple[str, str, str]]:
        """Network, task and name of the concepts whose accuracy is of too few images."""
        rows = self.tables["by_concept"]
        rows = rows[is_small(rows)]
        return frozenset(zip(rows["network"], rows["task"], rows["concept"], strict=True))

    @cached_property
    def _hardly_moved(self) -> dict[tuple[str, str, str, str | None], frozenset[str]]:
        return {}


def _stack(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]
