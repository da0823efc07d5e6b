"""The tables of a run, each of one question of the paper, made from `results.zarr` alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from net2vec.results import RunTable
from net2vec.runs.data import RunData
from net2vec.runs.registry import TABLES
from net2vec.runs.spread import spread


def make_tables(run: RunData, names: Sequence[str] | None = None) -> dict[str, pd.DataFrame]:
    """The tables of a run, by name; each begins with the column `network`.

    Where a fit was made with several seeds, every value has its spread beside it, in a column
    `NAME_sd` (see `spread`). Where a run has several fits the tables hold all of them, one after
    the other, with the fit in a last column `fit`.

    Args:
        run: a finished run, or a view of it; nothing but its `results.zarr` is read.
        names: some of `TABLES`; all by default.
    """
    views = [run] if len(run.fits) == 1 else [run.at(fit=fit) for fit in run.fits]
    seeds = {view.fit: [view.at(seed=seed) for seed in view.seeds] for view in views}
    tables = {}
    for name in TABLES if names is None else names:
        declared = TABLES[name]
        parts = []
        for view in views:
            table = _make(view, declared)
            if any(seeds.values()):
                again = [_seeded(each, declared) for each in seeds[view.fit] if declared.values]
                table = spread(table, again, ["network", *declared.keys], declared.values)
            parts.append(table.assign(fit=view.fit) if len(views) > 1 else table)
        filled = [part for part in parts if len(part)] or parts[:1]
        tables[name] = pd.concat(filled, ignore_index=True)
    return tables


def _make(run: RunData, declared: RunTable) -> pd.DataFrame:
    make = _INPUTS.get(declared.made_of, _of_table)
    table = run.cached_table(declared.name, lambda: make(run, declared))
    columns = ["network", *declared.columns]
    if not len(table):
        return pd.DataFrame(columns=columns)
    return table.assign(network=run.network)[columns].reset_index(drop=True)


def _seeded(run: RunData, declared: RunTable) -> pd.DataFrame:
    """A table with another seed than the run's own; of some, keys and values alone."""
    return _make(run, declared) if declared.seeded is None else declared.seeded(run.scores)


def _of_table(run: RunData, declared: RunTable) -> pd.DataFrame:
    table = _make(run, TABLES[declared.made_of])
    return declared.make(table) if len(table) else table


def _of_scores(run: RunData, declared: RunTable) -> pd.DataFrame:
    return declared.make(run.scores)


def _of_comparison(run: RunData, declared: RunTable) -> pd.DataFrame:
    return declared.make(run.comparison) if run.comparison else pd.DataFrame()


def _of_parts(
    read: Callable[[RunData, str, str], Any],
    run: RunData,
    declared: RunTable,
    *,
    task: str | None = None,
    last: bool = False,
) -> pd.DataFrame:
    """A table of every layer and task, or of one task, or of the last layer alone.

    Args:
        read: reads the argument of `make` from a run's layer and task.
        run: the run.
        declared: the table.
        task: the only task.
        last: whether it is made of the last layer alone.
    """
    parts = [
        declared.make(read(run, layer, each)).assign(layer=layer, task=each)
        for layer in (run.layers[-1:] if last else run.layers)
        for each in run.tasks(layer)
        if task in (None, each)
    ]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def _arrays(run: RunData, layer: str, task: str) -> Any:
    return run.arrays(layer, task=task)


def _space(run: RunData, layer: str, task: str) -> Any:
    return run.space(layer, task=task)


_INPUTS: Mapping[str, Callable[[RunData, RunTable], pd.DataFrame]] = {
    "scores": _of_scores,
    "segment": partial(_of_parts, _arrays, task="segment"),
    "tasks": partial(_of_parts, _arrays),
    "spaces": partial(_of_parts, _space),
    "last_spaces": partial(_of_parts, _space, last=True),
    "comparison": _of_comparison,
}
"""From a run and the declaration of a table to the table, by `RunTable.made_of`."""
