"""Means with their standard errors, the one way every table of the analyses states them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float

_RESAMPLES = 2000


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


def share_interval(successes: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share, which is valid where all of few observations agree.

    Args:
        successes: how many observations count.
        total: of how many independent ones.

    Returns:
        Its two ends, between 0 and 1; both missing without an observation.
    """
    if not total:
        return float("nan"), float("nan")
    from scipy import stats  # takes a second to load

    interval = stats.binomtest(successes, total).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def shares_differ(first: tuple[int, int], second: tuple[int, int]) -> float:
    """The p-value of Fisher's exact test that two shares differ, each (successes, total)."""
    from scipy import stats

    table = [[successes, total - successes] for successes, total in (first, second)]
    return float(stats.fisher_exact(table).pvalue)


def standard_error(values: Float[np.ndarray, "observation"]) -> float:
    """The standard error of a mean (ddof 1); missing below two observations."""
    from scipy import stats

    return float(stats.sem(values)) if len(values) > 1 else float("nan")


def bootstrap_mean(values: Float[np.ndarray, "observation"]) -> tuple[float, float]:
    """The percentile bootstrap interval of a mean, of 95 % and the same at every call.

    Args:
        values: independent observations, such as one a concept.

    Returns:
        Its two ends; both missing where there are fewer than two observations.
    """
    if len(values) < 2:
        return float("nan"), float("nan")
    from scipy import stats

    interval = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=_RESAMPLES,
        confidence_level=0.95,
        method="percentile",
        random_state=np.random.default_rng(0),
    ).confidence_interval
    return float(interval.low), float(interval.high)
