"""Scores compared with chance: null scores, p-values and false discoveries.

A null score is the score of the whole procedure, choice of the filter included, on shuffled
annotations: see `net2vec.tasks.nulls`. Each concept has its own. Concepts are then judged together:
of those that pass in a layer, at most 5 % are expected to have passed by chance (Benjamini and
Hochberg 1995; it holds for independent concepts and for such as are related positively).
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Bool, Float

from net2vec.analysis.sufficiency import score_columns
from net2vec.results import LAYER_TASK, RunTable, TableInput

EVIDENCE_COLUMNS = ("method", "concept", "score", "null_mean", "nulls", "p", "q", "passed")
SUMMARY_COLUMNS = ("method", "concepts", "passed", "share", "nulls", "needed")
RATE = 0.05
"""The share of false discoveries that is accepted among those that pass."""
LEAST_NULLS = round(1 / RATE) - 1
"""With fewer null scores no p-value is small enough for anything to pass."""

# Scores closer than this are equal: they may have been stored in another precision.
_EQUAL = 1e-6


def weigh_evidence(arrays: xr.Dataset) -> pd.DataFrame:
    """P-values of every concept's validation scores against its null scores.

    A concept passes at a rate of false discoveries of `RATE`.

    Args:
        arrays: of one layer and task.

    Returns:
        `method, concept, score, null_mean, nulls, p, q, passed`, by method (single, combined), then
        concept. `q` is the least rate at which the concept passes among the layer's concepts.
        Empty where the arrays hold no null scores.
    """
    if "null_score" not in arrays or not arrays.sizes["null"]:
        return pd.DataFrame(columns=list(EVIDENCE_COLUMNS))
    parts = []
    for method in arrays["method"].values.tolist():
        # A dictionary: `sel` has a parameter of that name.
        chosen = arrays["null_score"].sel({"method": method})
        null = chosen.transpose("null", "concept").values
        score = scores_of(arrays, method)
        p = p_values(score, null)
        q = false_discovery_rates(p)
        parts.append(
            pd.DataFrame(
                {
                    "method": method,
                    "concept": arrays["concept"].values,
                    "score": score,
                    "null_mean": null.mean(axis=0),
                    "nulls": len(null),
                    "p": p,
                    "q": q,
                    "passed": passing(q),
                },
                columns=list(EVIDENCE_COLUMNS),
            )
        )
    return pd.concat(parts, ignore_index=True)


def evidence_summary(table: pd.DataFrame) -> pd.DataFrame:
    """How many concepts a layer encodes.

    Args:
        table: of `weigh_evidence`, with any further columns that
            tell groups apart, such as `layer`.

    Returns:
        Those columns, then `method, concepts, passed, share, nulls, needed`. `needed` is the number
        of concepts that must beat all of their null scores for any of them to pass; where it is
        missing, nothing can pass with so few null scores.
    """
    fit = [name for name in table.columns if name not in EVIDENCE_COLUMNS]
    rows = []
    for key, group in table.groupby([*fit, "method"], sort=False):
        concepts, nulls = len(group), int(group["nulls"].iloc[0])
        needed = least_passing(concepts, nulls)
        passed = int(group["passed"].sum())
        rows.append((*key, concepts, passed, passed / concepts, nulls, needed))
    return pd.DataFrame(rows, columns=[*fit, *SUMMARY_COLUMNS])


def scores_of(arrays: xr.Dataset, method: str) -> Float[np.ndarray, "concept"]:
    """The validation scores that a method's null scores are compared with.

    Args:
        arrays: of one layer and task.
        method: `single` (the filter chosen on the training images) or `combined`.
    """
    if method == "combined":
        score = arrays["score"].sel(split="val")
    elif "single_iou" in arrays:
        score = arrays["single_iou"].sel(split="val").isel(filter=arrays["best_filter"])
    else:
        score = arrays["single_score"].sel(split="val")
    values: Float[np.ndarray, "concept"] = score.values.astype(float)
    return values


def p_values(
    score: Float[np.ndarray, "concept"], null: Float[np.ndarray, "null concept"]
) -> Float[np.ndarray, "concept"]:
    """(1 + null scores at least as good) / (1 + null scores).

    The one added is the score itself, which is one of the equally likely under the null hypothesis;
    without it the p-value would be too small. A score or null score that is not a number counts
    against the concept.
    """
    beaten = null < score - _EQUAL
    p: Float[np.ndarray, "concept"] = (1 + (~beaten).sum(axis=0)) / (1 + len(null))
    return p


def false_discovery_rates(p: Float[np.ndarray, "concept"]) -> Float[np.ndarray, "concept"]:
    """Adjusted p-values after Benjamini and Hochberg: the least rate at which each passes."""
    from scipy import stats  # takes a second to load

    if not len(p):
        return p
    rates: Float[np.ndarray, "concept"] = stats.false_discovery_control(p, method="bh")
    return rates


def passing(q: Float[np.ndarray, "concept"], rate: float = RATE) -> Bool[np.ndarray, "concept"]:
    """Which concepts pass; 1/20 counts as 0.05 whatever its last bit."""
    passed: Bool[np.ndarray, "concept"] = q <= rate * (1 + 1e-12)
    return passed


def least_passing(concepts: int, nulls: int, rate: float = RATE) -> float:
    """Concepts that must beat all of their null scores for any of `concepts` to pass; or NaN.

    The least p-value is 1 / (1 + nulls). With k concepts there, their rate is concepts / k times
    that.
    """
    needed = max(1, math.ceil(concepts / ((1 + nulls) * rate) - 1e-9))
    return float(needed) if needed <= concepts else float("nan")


EVIDENCE = RunTable(
    name="evidence",
    title="Every concept's scores against those on shuffled annotations",
    columns=(*LAYER_TASK, *EVIDENCE_COLUMNS),
    keys=(*LAYER_TASK, "method", "concept"),
    made_of=TableInput.ARRAYS,
    make=weigh_evidence,
    values=("score",),
    seeded=score_columns,
    every_fit=True,
)
EVIDENCE_SUMMARY = RunTable(
    name="evidence_summary",
    title="How many concepts are encoded better than chance",
    columns=(*LAYER_TASK, *SUMMARY_COLUMNS),
    keys=(*LAYER_TASK, "method"),
    made_of=EVIDENCE,
    make=evidence_summary,
    every_fit=True,
)
