"""The runs of a report, their names, and the tables made from them, for all sections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from net2vec.report.exhibits import DecileExhibit, Exhibit, FilterExhibit
from net2vec.report.labels import TASK_TITLE
from net2vec.report.marks import Marks
from net2vec.report.planning import featured_concepts
from net2vec.runs import Run, best_views, fit_tables, make_tables, unique_labels
from net2vec.spaces import Comparison, Lookup, SpaceError, compare_spaces
from net2vec.vocabulary import FITS

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
        """The names of both fits."""
        return self.reference, self.other

    @property
    def titles(self) -> Mapping[str, str]:
        """The titles of both fits, by name."""
        return {self.reference: self.reference_title, self.other: self.other_title}


@dataclass(frozen=True)
class Study:
    """Runs side by side; the first is the subject, the others are held against it.

    Where no fit is named, everything is of one fit: the best that all runs have.

    Attributes:
        runs: the runs, with all of their fits.
        exhibits: pictures.
        filter_ious: individual IoUs of filters that were asked for.
        beside: spaces from elsewhere, such as WordNet, that the runs' are held against.
    """

    runs: Sequence[Run]
    exhibits: Sequence[Exhibit] = ()
    filter_ious: pd.DataFrame | None = None
    beside: Sequence[Lookup] = ()

    @cached_property
    def views(self) -> tuple[Run, ...]:
        """The runs, each as a view of the fit that is shown."""
        return best_views(self.runs)

    @property
    def run(self) -> Run:
        """The subject, as a view of the fit that is shown."""
        return self.views[0]

    @property
    def fit_title(self) -> str:
        """The title of the fit that is shown."""
        return self.titles[self.run.fit]

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
        """By task, the subject's layer with the highest mean score: its details are shown."""
        best = {task: self.run.best_layer(task) for task in TASK_TITLE}
        return {task: layer for task, layer in best.items() if layer is not None}

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that scored any concept on any layer."""
        return tuple(self.layer_of)

    @cached_property
    def subject(self) -> str:
        """The fit and the layers that are shown, in a few words."""
        layers = dict.fromkeys(self.layer_of.values())
        by = FITS[self.run.fit].classifies_by if self.run.fit in FITS else ""
        titles = (
            {**TASK_TITLE, "classify": f"{TASK_TITLE['classify']} ({FITS[by].title})"}
            if by
            else TASK_TITLE
        )
        parts = [f"{titles[task]} on {layer}" for task, layer in self.layer_of.items()]
        if len(layers) == 1 and not (by and "classify" in self.layer_of):
            parts = [f"layer {next(iter(layers))}"]
        return f"{self.fit_title}: {', '.join(parts)}"

    @cached_property
    def layers(self) -> list[str]:
        """The layers of all runs, those of the subject first."""
        return list(dict.fromkeys(layer for run in self.runs for layer in run.layers))

    @cached_property
    def pairs(self) -> tuple[ComparedFits, ...]:
        """The subject's first fit beside each of the others."""
        reference, *others = self.runs[0].fits
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
        """The tables of all views, one below the other; `network` holds the labels."""
        by_run = [
            {name: table.assign(network=label) for name, table in make_tables(view).items()}
            for view, label in zip(self.views, self.labels, strict=True)
        ]
        return {
            name: _stack([tables[name] for tables in by_run])
            for name in (by_run[0] if by_run else ())
        }

    @cached_property
    def fits(self) -> dict[str, pd.DataFrame]:
        """The tables of `fit_tables` of all runs with two fits; none where no run has two."""
        by_run = [
            {name: table.assign(network=label) for name, table in fit_tables(run).items()}
            for run, label in zip(self.runs, self.labels, strict=True)
        ]
        by_run = [tables for tables in by_run if tables]
        return (
            {name: _stack([tables[name] for tables in by_run]) for name in by_run[0]}
            if by_run
            else {}
        )

    def fits_of(self, pair: ComparedFits) -> dict[str, pd.DataFrame]:
        """The tables of `fit_tables` about a pair, of all runs that have both fits."""
        by_run = [
            {
                name: table.assign(network=label)
                for name, table in fit_tables(run, pair.reference, pair.other).items()
            }
            for run, label in zip(self.runs, self.labels, strict=True)
            if {*pair.names} <= {*run.fits}
        ]
        return {name: _stack([tables[name] for tables in by_run]) for name in by_run[0]}

    @cached_property
    def comparison(self) -> Comparison | None:
        """The spaces of the runs' last layers held against each other, and against others.

        None for one run without other spaces.
        """
        if len(self.runs) < 2 and not self.beside:
            return None
        compared = [
            view.space(task=task).labelled(f"{label} {task}")
            for view, label in zip(self.views, self.labels, strict=True)
            for task in view.tasks()
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
        """Concepts that figures show in detail: those with pictures first."""
        pictured = [
            exhibit.request.concept
            for exhibit in self.deciles
            if exhibit.request.large and exhibit.request.layer == self.layer_of.get("segment")
        ]
        spread = featured_concepts(self.run, _FEATURED)
        return list(dict.fromkeys([*pictured, *spread]))[:_FEATURED]

    def rows_of_subject(self, name: str) -> pd.DataFrame:
        """The rows of one of the tables that are about the subject."""
        table = self.tables[name]
        return table[table["network"] == self.label]

    def rows_shown(
        self,
        table: pd.DataFrame,
        task: str | None = None,
        *,
        layer_of: Mapping[str, str] | None = None,
    ) -> pd.DataFrame:
        """The rows of a table that are about the subject and the layer shown of their task.

        Args:
            table: with `network, layer` and, unless it is of segmentation alone, `task`.
            task: whose rows; by default those of every task.
            layer_of: by task, the layer; by default `layer_of` of the study.
        """
        tasks = table["task"] if "task" in table else pd.Series("segment", index=table.index)
        layers = tasks.map(self.layer_of if layer_of is None else layer_of)
        is_shown = table["network"].eq(self.label) & table["layer"].eq(layers)
        return table[is_shown] if task is None else table[is_shown & tasks.eq(task)]

    def layers_having(self, table: pd.DataFrame) -> dict[str, str]:
        """By task, the layer shown, or where a table has no rows of it the last that has.

        Args:
            table: with `network, layer, task`, such as `subset_curve`.
        """
        layer_of = {}
        for task, layer in self.layer_of.items():
            of_task = table["network"].eq(self.label) & table["task"].eq(task)
            there = set(table.loc[of_task, "layer"])
            layers = [each for each in self.run.layers if each in there]
            if layers:
                layer_of[task] = layer if layer in layers else layers[-1]
        return layer_of

    def moved_concepts(self, task: str) -> pd.DataFrame:
        """Rows of `by_concept` of the layer shown whose vectors have left their start."""
        rows = self.rows_shown(self.tables["by_concept"], task)
        return rows[~rows["concept"].isin(self.run.hardly_moved(self.layer_of[task], task=task))]

    def series(self, rows: pd.DataFrame) -> pd.Series:
        """The name of the line of a row: its run, where there are several, and its fit."""
        parts = [rows["network"].astype(str)] if len(self.runs) > 1 else []
        if "fit" in rows:
            parts.append(rows["fit"].map(self.titles))
        if not parts:
            return rows["network"]
        return parts[0] if len(parts) == 1 else parts[0] + ", " + parts[1]

    @cached_property
    def marks(self) -> Marks:
        """The marks of the concepts of all runs."""
        return Marks(dict(zip(self.labels, self.views, strict=True)), self.tables["by_concept"])

    def marked(self, concept: str, *, task: str, layer: str | None = None) -> str:
        """A concept's name with its marks, of the subject, by default on the layer shown."""
        return self.marks.name(self.label, layer or self.layer_of[task], task, concept)


def _stack(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else tables[0]
