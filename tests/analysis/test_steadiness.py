"""Vectors across seeds: their cosines and neighbours."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from net2vec.analysis.steadiness import STEADINESS_COLUMNS, mean_steadiness, seed_steadiness


def arrays(weight, score=None):
    weight = np.asarray(weight, float)
    seeds, concepts, _ = weight.shape
    score = np.zeros((seeds, concepts)) if score is None else np.asarray(score, float)
    return xr.Dataset(
        {
            "seed_weight": (("seed", "concept", "filter"), weight),
            "seed_score": (("split", "seed", "concept"), np.stack([score + 7, score])),
        },
        coords={
            "concept": [f"concept {number}" for number in range(concepts)],
            "split": ["train", "val"],
            "seed": np.arange(seeds) + 3,
        },
    )


def test_by_hand():
    # Four directions in a plane; with the second seed two concepts have changed places.
    a, b, c, d = (np.array(v, float) for v in [(1, 0), (1, 0.1), (0, 1), (0.1, 1)])
    table = seed_steadiness(
        arrays([[a, b, c, d], [2 * a, c, b, d]], [[0.5, 0.1, 0, 0], [0.7, 0.1, 0, 0]]), neighbours=1
    )
    assert list(table.columns) == list(STEADINESS_COLUMNS)
    between = 0.1 / np.sqrt(1.01)  # b and c
    assert table["cosine"].tolist() == pytest.approx([1, between, between, 1])
    # Nearest of a, b, c, d: b, a, d, c; then c, d, a, b.
    assert table["overlap"].tolist() == [0, 0, 0, 0]
    assert table["score_sd"].tolist() == pytest.approx([np.sqrt(0.02), 0, 0, 0])
    assert table["seeds"].tolist() == [2] * 4


def slow(weight, neighbours):
    unit = weight / np.linalg.norm(weight, axis=2, keepdims=True)
    seeds, concepts, _ = weight.shape
    cosines, overlaps = [], []
    for concept in range(concepts):
        near = []
        for seed in unit:
            cosine = seed @ seed[concept]
            others = sorted(set(range(concepts)) - {concept}, key=(-cosine).__getitem__)
            near.append(set(others[:neighbours]))
        pairs = list(combinations(range(seeds), 2))
        cosines.append(np.mean([unit[i, concept] @ unit[j, concept] for i, j in pairs]))
        overlaps.append(np.mean([len(near[i] & near[j]) / neighbours for i, j in pairs]))
    return cosines, overlaps


@given(st.integers(2, 4), st.integers(8, 12), st.integers(0, 1000))
def test_against_the_slow_way(seeds, concepts, chance):
    weight = np.random.default_rng(chance).normal(size=(seeds, concepts, 4))
    table = seed_steadiness(arrays(weight))
    cosines, overlaps = slow(weight, 5)
    assert table["cosine"].tolist() == pytest.approx(cosines)
    assert table["overlap"].tolist() == pytest.approx(overlaps)


def test_the_same_vectors_are_steady_at_any_length():
    weight = np.random.default_rng(0).normal(size=(1, 9, 4)) * np.array([1, 2, 30])[:, None, None]
    table = seed_steadiness(arrays(weight))
    assert table["cosine"].tolist() == pytest.approx([1] * 9)
    assert table["overlap"].tolist() == [1] * 9


def test_unrelated_vectors_share_what_chance_gives():
    weight = np.random.default_rng(0).normal(size=(5, 200, 60))
    table = seed_steadiness(arrays(weight))
    assert table["cosine"].mean() == pytest.approx(0, abs=0.03)
    assert table["overlap"].mean() == pytest.approx(5 / 199, abs=0.01)


def test_a_space_of_six_has_no_choice_of_five_neighbours():
    table = seed_steadiness(arrays(np.random.default_rng(0).normal(size=(2, 6, 4))))
    assert table["overlap"].isna().all()
    assert table["cosine"].notna().all()
    assert mean_steadiness(table.assign(layer="last"))["by_chance"].isna().all()


def test_a_vector_without_direction_is_left_out():
    weight = np.random.default_rng(0).normal(size=(1, 9, 4)).repeat(3, axis=0)
    weight[0, 4] = 0
    weight[1, 4] = np.nan
    weight[0, 5] = np.inf
    table = seed_steadiness(arrays(weight))
    assert table["cosine"].isna().tolist() == [number == 4 for number in range(9)]
    assert table["overlap"].isna().tolist() == [number == 4 for number in range(9)]
    assert table["cosine"].dropna().tolist() == pytest.approx([1] * 8)
    # Whoever had the missing ones among the nearest five has others there now.
    assert table["overlap"].min() < 1


def test_one_seed_says_nothing():
    table = seed_steadiness(arrays(np.ones((1, 3, 2))))
    assert list(table.columns) == list(STEADINESS_COLUMNS)
    assert table.empty
    assert seed_steadiness(arrays(np.ones((2, 3, 2))).drop_vars("seed_weight")).empty


def test_means_by_hand():
    table = seed_steadiness(arrays(np.random.default_rng(0).normal(size=(3, 11, 4))))
    parts = [table.assign(layer=layer) for layer in ("first", "last")]
    parts[1]["cosine"] = [1.0, np.nan] + [0.5] * 9
    means = mean_steadiness(pd.concat(parts, ignore_index=True))
    assert means.columns[0] == "layer"
    assert means["cosine"].tolist() == pytest.approx([table["cosine"].mean(), 0.55])
    assert means["overlap"].tolist() == pytest.approx([table["overlap"].mean()] * 2)
    assert means["by_chance"].tolist() == [0.5, 0.5]
    assert means[["concepts", "seeds"]].to_numpy().tolist() == [[11, 3]] * 2
