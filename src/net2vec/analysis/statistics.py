"""Means with their standard errors, the one way every table of the analyses states them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


def summarize(frame: pd.DataFrame, by: Sequence[str], value: str) -> pd.DataFrame:
    """Mean, standard error and count of a column within groups.

    Args:
        frame: one row an observation.
        by: columns that name a group; groups come out in the order of their first row.
        value: the column to summarise; missing values are left out of all three figures.

    Returns:
        The columns `by` and `mean`, `stderr` (standard deviation with ddof 1 over the square root
        of `n`; missing where `n` is 1) and `n`.
    """
    groups = frame.groupby(list(by), sort=False, observed=True)[value]
    return groups.agg(mean="mean", stderr="sem", n="count").reset_index()
