"""The tables that compare the fits of a run, from `results.zarr` alone."""

from __future__ import annotations

import pandas as pd

from net2vec.analysis.fit_pair import FitPair
from net2vec.analysis.fits import pair_vectors
from net2vec.errors import ResultsError
from net2vec.runs.data import RunData
from net2vec.runs.registry import FIT_TABLES
from net2vec.runs.spread import spread


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
    made = [{**known[first, fit]} for fit in seconds]
    if len(made) == 1:
        return made[0]
    return {
        name: pd.concat(
            [tables[name].assign(second=fit) for tables, fit in zip(made, seconds, strict=True)],
            ignore_index=True,
        )
        for name in FIT_TABLES
    }


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
            again = [_of_fit(declared.make(each), first.fit) for each in seeded]
            values = [value.format_map(names) for value in declared.values]
            table = spread(table, again, ["network", *declared.keys], values)
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
