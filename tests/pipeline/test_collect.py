"""From learned concepts to labelled arrays, for a fit that the package does not have."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from net2vec import results
from net2vec.data.annotations import compile_annotations
from net2vec.pipeline.collect import task_results

from builders_runs import small_dataset

RIDGE = {"fit": "ridge", "fit_title": "ridge regression", "has_start": 1}
FILTERS, SIZES = 3, (1, 2)


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    dataset = small_dataset()
    return dataset, compile_annotations(dataset, (16, 16), tmp_path_factory.mktemp("annotations"))


def learned(annotations, label, value, **fields):
    """A concept whose numbers are all `value`, but for its number of images."""
    pairs = annotations.pairs(label)
    whole = {
        "weight": np.full(FILTERS, value, np.float32),
        "bias": float(value),
        "start_distance": 1.0,
        "score": np.array([value, value + 0.5]),
        "subset_weight": np.full((2, FILTERS), value, np.float32),
        "subset_bias": np.zeros(2),
        "subset_score": np.array([[0.1, 0.2], [0.3, 0.4]]),
        "pairs": pairs,
        "pair_iou": np.array([[0.0], [value]]) * np.ones(len(pairs)),
        "path_weight": np.zeros((0, FILTERS), np.float32),
        "cut": None,
    }
    return SimpleNamespace(**(whole | fields))


def collected(case, values, seeds=None, **fields):
    dataset, annotations = case
    labels = (1, 2)
    made = {
        seed: {label: learned(annotations, label, value + label, **fields) for label in labels}
        for seed, value in {7: values, **(seeds or {})}.items()
    }
    counts = {"single_iou": np.zeros((2, 2, FILTERS)), "best_filter": np.zeros(2, np.int64)}
    return task_results(
        "segment",
        annotations,
        dataset,
        made[7],
        SIZES,
        FILTERS,
        fit=RIDGE,
        arrays=counts,
        seeds=made if seeds else {},
    )


def test_arrays_are_stacked_along_their_concepts(case):
    found = collected(case, 0.0)
    assert {name: found.attrs[name] for name in RIDGE} == RIDGE
    assert found["concept"].values.tolist() == ["red-c", "blue-c"]
    assert found["weight"].values.tolist() == [[1.0] * 3, [2.0] * 3]
    assert found["weight"].dtype == np.float32
    assert found["score"].values.tolist() == [[1.0, 2.0], [1.5, 2.5]]
    assert found["subset_score"].values[:, :, 0].tolist() == [[0.1, 0.2], [0.3, 0.4]]
    assert found["subset_weight"].dims == ("subset_size", "concept", "filter")
    pairs = [len(case[1].pairs(label)) for label in (1, 2)]
    assert found["pair_iou"].values[1].tolist() == [1.0] * pairs[0] + [2.0] * pairs[1]
    assert found["pair_concept"].values.tolist() == ["red-c"] * pairs[0] + ["blue-c"] * pairs[1]


def test_what_a_fit_does_not_supply_is_not_stored(case):
    assert not {"cut", "l2", "path_weight", "seed_weight"} & set(collected(case, 0.0).variables)
    found = collected(case, 0.0, l2=0.25, path_weight=np.ones((2, FILTERS)))
    assert found["l2"].values.tolist() == [0.25, 0.25]
    assert found["path_weight"].shape == (2, 2, FILTERS)


def test_what_differs_from_seed_to_seed_is_kept_of_each(case):
    found = collected(case, 0.0, {8: 10.0}, l2=0.5)
    other = results.at_seed(found, 8)
    assert other["weight"].values.tolist() == [[11.0] * 3, [12.0] * 3]
    assert other["bias"].values.tolist() == [11.0, 12.0]
    assert other["l2"].values.tolist() == [0.5, 0.5]
    assert "seed_l2" not in found
    assert (
        other["pair_iou"].sel({"method": "single"}).values.tolist() == [0.0] * other.sizes["pair"]
    )
    assert other["pair_iou"].sel({"method": "combined"}).values[0] == 11.0
    assert results.at_seed(found, 7)["bias"].values.tolist() == [1.0, 2.0]


def test_what_is_the_same_with_every_seed_is_stored_once(case):
    found = collected(case, 0.0, {8: 10.0}, bias=0.0)
    assert "seed_bias" not in found
    assert results.at_seed(found, 8)["bias"].values.tolist() == [0.0, 0.0]


def test_a_task_without_a_concept_has_its_arrays(case):
    dataset, annotations = case
    found = task_results(
        "classify", annotations, dataset, {}, (), FILTERS, fit=RIDGE, seeds={0: {}, 1: {}}
    )
    assert found["weight"].shape == (0, FILTERS)
    assert found["seed_score"].shape == (2, 2, 0)
    assert results.seeds_in(found) == (0, 1)
