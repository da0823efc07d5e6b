"""Randomness by name: keys that differ in anything draw apart, equal ones alike."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from net2vec.core.chance import generator
from net2vec.tasks.chance import start_vector


def test_equal_keys_draw_the_same_whatever_was_drawn_before():
    first = generator(3, "epochs", "dataset", "dog").random(5)
    generator(3, "val", "dataset", "dog").random(100)
    np.testing.assert_array_equal(generator(3, "epochs", "dataset", "dog").random(5), first)


def test_every_part_of_a_key_and_its_kind_count():
    keys = [
        (0,),
        (1,),
        (0, "dog"),
        (0, "dog", 1),
        (0, "dog", "1"),
        (0, "do", "g"),
        (0, 1, "dog"),
        (0, "Hund", "ö"),
        (0, "Hund", "o"),
    ]
    draws = {tuple(generator(*key).integers(0, 2**62, 2)) for key in keys}
    assert len(draws) == len(keys)


@pytest.mark.parametrize("filters", [1, 7, 256])
def test_starts_lie_within_one_over_the_root_of_the_filters(filters):
    starts = np.stack(
        [start_vector(0, "segment", "conv5", str(i), filters, filters) for i in range(2000)]
    )
    assert starts.dtype == np.float32
    assert starts.shape == (2000, filters)
    bound = filters**-0.5
    assert np.abs(starts).max() <= bound
    # Every filter's start is uniform in the whole of the range.
    for k in {0, filters - 1}:
        assert stats.kstest(starts[:, k], stats.uniform(-bound, 2 * bound).cdf).pvalue > 0.001
    # The range is that of all filters, however many are used.
    few = np.stack([start_vector(0, "segment", "conv5", str(i), filters, 1) for i in range(200)])
    assert few.shape == (200, filters)
    assert 0.9 * bound < np.abs(few).max() <= bound


def test_a_start_is_of_its_seed_task_layer_concept_and_subset_size():
    key = {
        "seed": 0,
        "task": "segment",
        "layer": "conv5",
        "concept": "dog",
        "filters": 9,
        "used_filters": 9,
    }
    others = {"seed": 1, "task": "classify", "layer": "conv4", "concept": "cat", "used_filters": 4}
    start = start_vector(**key)
    np.testing.assert_array_equal(start_vector(**key), start)
    for part, value in others.items():
        assert (start_vector(**key | {part: value}) != start).all(), part
