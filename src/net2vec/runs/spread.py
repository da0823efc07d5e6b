"""The spread of a table's numbers over other starts of the fit."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


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
