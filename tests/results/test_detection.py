"""Precision and recall of pixels, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from net2vec import results
from net2vec.results.detection import DetectedPixels


@pytest.fixture
def arrays():
    """Two concepts in two validation images each, and in a training image that does not count."""
    count, filters = 2, 3
    return results.make_dataset(
        "segment",
        {
            "concept": ["cat", "dog"],
            "category": ["object"] * count,
            "n_train": [1] * count,
            "n_val": [2] * count,
            "concept_size": [0.1] * count,
            "single_iou": np.zeros((2, count, filters)),
            "best_filter": [0, 1],
            "weight": np.zeros((count, filters)),
            "start_distance": np.zeros(count),
            "score": np.zeros((2, count)),
            "subset_size": [],
            "subset_weight": np.zeros((0, count, filters)),
            "subset_score": np.zeros((2, 0, count)),
            "pair_iou": np.zeros((2, 6)),
            "pair_concept": ["cat"] * 3 + ["dog"] * 3,
            "pair_image": list("abcabc"),
            "pair_split": ["train", "val", "val"] * 2,
            "pair_area": [9, 4, 6, 9, 5, 5],
            # The single filter predicts nothing of dogs.
            "pair_intersection": [[9, 2, 3, 9, 0, 0], [9, 4, 5, 9, 5, 0]],
            "pair_union": [[9, 5, 8, 9, 5, 5], [9, 8, 7, 9, 5, 15]],
            "tuned_threshold": np.zeros((count, filters)),
            "tuned_filter": [2, 0],
            "tuned_iou": np.arange(12).reshape(2, count, filters) / 12,
            "tuned_pair_intersection": [9, 4, 0, 9, 1, 1],
            "tuned_pair_union": [9, 4, 6, 9, 5, 5],
            "average_precision": [0.7, 0.6],
            "tuned_average_precision": [0.5, 0.4],
        },
        {"fit": "lda"},
    )


def test_by_hand(arrays):
    detected = DetectedPixels(arrays)
    # Of cats all filters predict 8 + 6 pixels, of which 4 + 5 are among the 4 + 6 true ones.
    precision, recall = detected.precision_and_recall(
        arrays["pair_intersection"].values[1], arrays["pair_union"].values[1]
    )
    np.testing.assert_allclose(precision, [9 / 14, 5 / 15])
    np.testing.assert_allclose(recall, [9 / 10, 5 / 10])


def test_scores_have_them_for_every_method(arrays):
    tree = results.results_tree(
        network="net", layers={"a": (results_of_a_layer(), {"segment": [arrays]})}
    )
    rows = results.scores_table(tree).set_index(["method", "concept"])
    assert rows["precision"].isna().tolist() == [False, True, False, False, False, False]
    assert rows.loc[("single", "dog"), "recall"] == 0
    assert rows.loc[("tuned", "cat"), ["precision", "recall"]].tolist() == [1, 0.4]
    assert rows.loc[("tuned", "cat"), ["best_filter", "filters"]].tolist() == [2, 1]
    assert rows.loc[("tuned", "dog"), ["train", "val"]].tolist() == [3 / 12, 9 / 12]
    assert rows.loc[("combined", "dog"), "average_precision"] == 0.6
    assert rows.loc[("tuned", "dog"), "average_precision"] == 0.4
    assert np.isnan(rows.loc[("single", "dog"), "average_precision"])


def test_of_runs_without_the_areas_of_masks_they_are_missing(arrays):
    detected = DetectedPixels(arrays.drop_vars("pair_area"))
    counts = arrays["pair_union"].values[0]
    assert all(np.isnan(part).all() for part in detected.precision_and_recall(counts, counts))


def results_of_a_layer():
    return results.make_dataset(
        "layer",
        {
            "threshold": np.zeros(3),
            "active_share": np.zeros(3),
            "top_image": np.full((3, 1), "a", dtype=object),
            "top_activation": np.zeros((3, 1)),
        },
        {"layer": "a"},
    )
