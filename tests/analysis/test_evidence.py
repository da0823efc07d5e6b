"""P-values against null scores, false discoveries, and what so few null scores can show."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from net2vec.analysis.evidence import (
    EVIDENCE_COLUMNS,
    evidence_summary,
    false_discovery_rates,
    least_passing,
    p_values,
    passing,
    weigh_evidence,
)


def arrays(score, null, *, single=None):
    """Classification arrays: a score by concept, null scores by draw and concept."""
    score, null = np.asarray(score, float), np.asarray(null, float)
    single = score if single is None else np.asarray(single, float)
    return xr.Dataset(
        {
            "score": (("split", "concept"), np.stack([np.ones_like(score), score])),
            "single_score": (("split", "concept"), np.stack([np.ones_like(single), single])),
            "null_score": (("null", "method", "concept"), np.stack([null, null], axis=1)),
        },
        coords={
            "concept": [f"concept {number}" for number in range(len(score))],
            "split": ["train", "val"],
            "method": ["single", "combined"],
        },
        attrs={"task": "classify"},
    )


def test_p_values_by_hand():
    null = np.array([[0.1, 0.5, 0.2], [0.2, 0.5, np.nan], [0.3, 0.4, 0.1]])
    # All beaten; two as good, of which a tie in another precision; a null score without a value.
    score = np.array([0.4, np.float32(0.5), 0.3])
    assert p_values(score, null).tolist() == [1 / 4, 3 / 4, 2 / 4]
    assert p_values(np.array([np.nan]), null[:, :1]).tolist() == [1]
    assert p_values(score, null[:0]).tolist() == [1, 1, 1]


def slow_benjamini_hochberg(p):
    """The largest k with p_(k) <= k / m * rate decides, rate by rate."""
    m = len(p)
    ranked = np.sort(p)
    return [
        min(
            ranked[k - 1] * m / k
            for k in range(1, m + 1)
            if ranked[k - 1] >= value  # a concept passes with all that pass at least as well
        )
        for value in p
    ]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=12))
def test_false_discovery_rates_against_the_definition(numbers):
    p = np.array(numbers) / 20
    q = false_discovery_rates(p)
    assert q == pytest.approx(np.minimum(slow_benjamini_hochberg(p), 1))
    for rate in (0.05, 0.2):
        # The rule itself: find the largest k, then pass k of them.
        fits = [k for k in range(1, len(p) + 1) if np.sort(p)[k - 1] <= k / len(p) * rate + 1e-12]
        assert passing(q, rate).sum() == max(fits, default=0)


@given(st.integers(1, 40), st.integers(1, 200))
def test_how_many_must_beat_all_their_null_scores(concepts, nulls):
    needed = least_passing(concepts, nulls)
    for best in {1, concepts, needed, needed - 1}:
        if 1 <= best <= concepts:
            p = np.ones(concepts)
            p[: int(best)] = 1 / (1 + nulls)
            assert passing(false_discovery_rates(p)).any() == (best >= needed)


def test_too_few_null_scores_by_hand():
    assert np.isnan(least_passing(1, 18))
    assert least_passing(1, 19) == 1
    assert least_passing(40, 19) == 40
    assert least_passing(40, 99) == 8


def test_the_table_by_hand():
    null = np.tile([[0.5, 0.5]], (39, 1))
    table = weigh_evidence(arrays([0.9, 0.4], null, single=[0.5, 0.4]))
    assert list(table.columns) == list(EVIDENCE_COLUMNS)
    by_method = table.set_index(["method", "concept"])
    best = by_method.loc[("combined", "concept 0")]
    assert best[["score", "null_mean", "nulls"]].tolist() == [0.9, 0.5, 39]
    assert best[["p", "q"]].tolist() == pytest.approx([1 / 40, 2 / 40])
    assert by_method["passed"].tolist() == [False, False, True, False]
    assert by_method["p"].tolist()[:2] == [1, 1]  # a tie is at least as good
    summary = evidence_summary(table.assign(layer="last"))
    assert summary.columns[0] == "layer"
    assert summary["method"].tolist() == ["single", "combined"]
    assert summary["passed"].tolist() == [0, 1]
    assert summary["share"].tolist() == [0, 0.5]
    assert summary["needed"].tolist() == [1, 1]


def test_single_filters_of_segmentation_are_those_chosen_in_training():
    given = arrays([0.9, 0.8], [[0.1, 0.1]]).drop_vars("single_score")
    iou = np.arange(12.0).reshape(2, 2, 3)
    given["single_iou"] = (("split", "concept", "filter"), iou)
    given["best_filter"] = ("concept", [2, 0])
    table = weigh_evidence(given)
    assert table[table["method"] == "single"]["score"].tolist() == [iou[1, 0, 2], iou[1, 1, 0]]


def test_runs_without_nulls_have_no_evidence():
    given = arrays([0.9], [[0.1]])
    for without in (given.drop_vars("null_score"), given.isel(null=slice(0))):
        table = weigh_evidence(without)
        assert list(table.columns) == list(EVIDENCE_COLUMNS)
        assert table.empty
        assert evidence_summary(table).empty


@pytest.mark.parametrize("nulls", [19, 99])
def test_size_and_power_of_the_whole_procedure(nulls):
    """Without signal something passes in at most 5 % of the layers; with it, all does."""
    rng = np.random.default_rng(nulls)
    layers, concepts = 400, 12
    wrong = 0
    for _ in range(layers):
        scores = rng.integers(0, 8, (1 + nulls, concepts)) / 8  # ties, as accuracies have them
        wrong += weigh_evidence(arrays(scores[0], scores[1:]))["passed"].to_numpy()[concepts:].any()
    assert wrong <= 0.05 * layers + 3 * np.sqrt(0.05 * 0.95 * layers)
    assert weigh_evidence(arrays(scores[0] + 1, scores[1:]))["passed"].all()


def test_p_values_without_signal_are_uniform():
    """With the one that is added, a p-value of k / (1 + R) or less has just that probability."""
    rng = np.random.default_rng(0)
    scores = rng.random((10, 4000))
    p = p_values(scores[0], scores[1:])
    found = pd.Series(p).value_counts(normalize=True)
    assert len(found) == 10
    assert found.to_numpy() == pytest.approx(0.1, abs=0.02)
