"""The tables of a run and of pairs of its fits, made from `results.zarr` alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd

from net2vec.analysis.fit_pair import FitPair
from net2vec.analysis.fits import pair_vectors
from net2vec.errors import ResultsError
from net2vec.results import RunTable, TableInput
from net2vec.runs.data import RunData
from net2vec.runs.registry import FIT_TABLES, TABLES


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
                by_seed = [_seeded(each, declared) for each in seeds[view.fit] if declared.values]
                table = spread(table, by_seed, ["network", *declared.keys], declared.values)
            parts.append(table.assign(fit=view.fit) if len(views) > 1 else table)
        filled = [part for part in parts if len(part)] or parts[:1]
        tables[name] = pd.concat(filled, ignore_index=True)
    return tables


def fit_tables(
    run: RunData, first: str | None = None, second: str | None = None
) -> dict[str, pd.DataFrame]:
    """The tables of `FIT_TABLES`, which compare two fits; none for a run, or view, with one fit.

    Where the first fit was made with several seeds, values that depend on it have their spread
    beside them, in a column `NAME_sd` (see `spread`), missing in rows of the second fit.

    Args:
        run: a finished run.
        first: the name of a fit; the run's first by default.
        second: the name of the fit that is compared with it. By default every other: where there
            are several the tables hold one pair after the other, with the second fit in a last
            column `second`.

    Raises:
        ResultsError: if the run has no such fit, or both are the same.
    """
    if len(run.fits) < 2:
        return {}
    first = first or run.fits[0]
    seconds = [second] if second else [fit for fit in run.fits if fit != first]
    if first in seconds:
        raise ResultsError(
            f"fit {first!r} cannot be compared with itself; the run has {', '.join(run.fits)}"
        )
    known = run.shared.pairs
    for fit in seconds:
        if (first, fit) not in known:
            known[first, fit] = _pair_tables(run.at(fit=first), run.at(fit=fit))
    pairs = [{**known[first, fit]} for fit in seconds]
    if len(pairs) == 1:
        return pairs[0]
    return {
        name: pd.concat(
            [tables[name].assign(second=fit) for tables, fit in zip(pairs, seconds, strict=True)],
            ignore_index=True,
        )
        for name in FIT_TABLES
    }


def spread(
    table: pd.DataFrame,
    seeds: Sequence[pd.DataFrame],
    keys: Sequence[str],
    values: Sequence[str],
) -> pd.DataFrame:
    """A table with the standard deviation of its values over seeds.

    Args:
        table: with columns `keys` and `values`.
        seeds: the same table with every seed, its own among them.
        keys: columns that tell rows apart.
        values: columns whose spread is wanted.

    Returns:
        The table with a column `NAME_sd` (ddof 1) for every value. It is missing unless the row
        exists and has a value with every seed.
    """
    columns = {name: f"{name}_sd" for name in values}
    filled = [each[[*keys, *values]] for each in seeds if len(each)]
    if not values or not len(table) or not filled:
        return table.assign(**dict.fromkeys(columns.values(), float("nan")))
    numbers = pd.concat(filled, ignore_index=True).astype(dict.fromkeys(values, "Float64"))
    groups = numbers.groupby(list(keys), sort=False, dropna=False)[list(values)]
    sd = groups.std(ddof=1).where(groups.count() == len(seeds)).astype(float)
    return table.merge(sd.rename(columns=columns).reset_index(), on=list(keys), how="left")


def _make(run: RunData, declared: RunTable) -> pd.DataFrame:
    table = run.cached_table(declared.name, lambda: _of_input(run, declared))
    columns = ["network", *declared.columns]
    if not len(table):
        return pd.DataFrame(columns=columns)
    return table.assign(network=run.network)[columns].reset_index(drop=True)


def _seeded(run: RunData, declared: RunTable) -> pd.DataFrame:
    """A table with another seed than the run's own; of some, keys and values alone."""
    return _make(run, declared) if declared.seeded is None else declared.seeded(run.scores)


def _of_input(run: RunData, declared: RunTable) -> pd.DataFrame:
    if isinstance(declared.made_of, TableInput):
        return _INPUTS[declared.made_of](run, declared)
    table = _make(run, declared.made_of)
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


_INPUTS: Mapping[TableInput, Callable[[RunData, RunTable], pd.DataFrame]] = {
    TableInput.SCORES: _of_scores,
    TableInput.SEGMENTATION: partial(_of_parts, _arrays, task="segment"),
    TableInput.ARRAYS: partial(_of_parts, _arrays),
    TableInput.SPACE: partial(_of_parts, _space),
    TableInput.LAST_SPACE: partial(_of_parts, _space, last=True),
    TableInput.COMPARISON: _of_comparison,
}
"""From a run and the declaration of a table to the table, by `RunTable.made_of`."""


def _pair_tables(first: RunData, second: RunData) -> dict[str, pd.DataFrame]:
    """The tables of two views, with the spread over the seeds of the first."""
    names = {"first": first.fit, "second": second.fit}
    pair = _pair(first, second)
    seeded = [_pair(first.at(seed=seed), second) for seed in first.seeds]
    tables = {}
    for name, declared in FIT_TABLES.items():
        columns = [column.format_map(names) for column in ("network", *declared.columns)]
        table = declared.make(pair)[columns]
        if seeded and declared.values:
            by_seed = [_of_fit(declared.make(each), first.fit) for each in seeded]
            values = [value.format_map(names) for value in declared.values]
            table = spread(table, by_seed, ["network", *declared.keys], values)
        tables[name] = table
    return tables


def _of_fit(table: pd.DataFrame, fit: str) -> pd.DataFrame:
    """The rows that depend on a fit."""
    return table[table["fit"] == fit] if "fit" in table else table


def _pair(first: RunData, second: RunData) -> FitPair:
    vectors = [
        pair_vectors(
            first.arrays(layer, task=task), second.arrays(layer, task=task), first.fit, second.fit
        ).assign(network=first.network, layer=layer, task=task)
        for layer in first.layers
        for task in first.tasks(layer)
    ]
    scores = pd.concat([first.scores, second.scores], ignore_index=True)
    return FitPair(first.fit, second.fit, scores, pd.concat(vectors, ignore_index=True))
