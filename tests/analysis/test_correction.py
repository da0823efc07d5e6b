"""Scores on true masks from few of them: numbers worked out by hand, laws, and coverage."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from net2vec.analysis.corrected import corrected_scores
from net2vec.analysis.correction import Counts, corrected_iou

KEY = (0, "dog")


def _counts(made, true):
    """Of both methods alike; each image is (intersection, union)."""
    few = len(true)
    both = [np.array([(i, i, u, u) for i, u in rows]).reshape(-1, 4) for rows in (made, true)]
    return Counts(*both, np.arange(len(made)) < few)


def test_the_error_of_made_masks_on_the_few_is_taken_off():
    """One image is missed by the made masks, in few as in all.

    R = 8 / 20, so the residuals I - R U on the few are (0, -2, 2, 0) by people and (0, -2, 0, 0) on
    made masks, of mean -.5. Their slope is (0 * .5 - 2 * -1.5 + 2 * .5) / (3 * .25 + 2.25) = 4 / 3,
    so that the strength is 1.
    """
    true = [(4, 10), (2, 10), (2, 0), (0, 0)]
    made = [(4, 10), (2, 10), (0, 0), (0, 0), (4, 10), (2, 6), (0, 0), (0, 0)]
    intersection = 8 / 4 + 12 / 8 - 6 / 4
    union = 20 / 4 + 36 / 8 - 20 / 4
    value = corrected_iou(_counts(made, true), KEY)[:, 0]
    assert value == pytest.approx([intersection / union, intersection / union, 0])


def test_masks_by_people_of_all_images_are_the_truth():
    rng = np.random.default_rng(0)
    union = rng.integers(5, 50, 40)
    true = [(int(u * 0.3), int(u)) for u in union]
    made = [(int(u * 0.9), int(u)) for u in rng.permutation(union)]
    value = corrected_iou(_counts(made, true), KEY)[0, 0]
    assert value == pytest.approx(sum(i for i, _ in true) / sum(u for _, u in true))


def test_made_masks_that_say_nothing_are_not_used():
    true = [(3, 10), (5, 10), (0, 0)]
    made = [(0, 0)] * 3 + [(7, 10)] * 9
    assert corrected_iou(_counts(made, true), KEY)[0, 0] == pytest.approx(8 / 20)


def test_what_people_do_not_see_in_the_few_is_not_known():
    found = corrected_iou(_counts([(1, 2)] * 5, [(0, 0)] * 3), KEY)
    assert np.isnan(found[:, 0]).all()
    np.testing.assert_array_equal(found[:, 1:], [[0, 1], [0, 1], [-1, 1]])
    one = corrected_iou(_counts([(1, 2)] * 5, [(1, 2), (0, 0), (0, 0)]), KEY)
    np.testing.assert_array_equal(one[:, 1:], [[0, 1], [0, 1], [-1, 1]])


@given(st.integers(0, 2**32 - 1))
def test_intervals_hold_the_value_and_are_scores(seed):
    rng = np.random.default_rng(seed)
    images, few = int(rng.integers(2, 30)), int(rng.integers(1, 12))
    few = min(few, images)
    union = rng.integers(0, 9, (images, 2)) * rng.integers(0, 2, (images, 1))
    made = np.concatenate([rng.integers(0, union + 1), union], 1)
    union = rng.integers(0, 9, (few, 2)) * rng.integers(0, 2, (few, 1))
    true = np.concatenate([rng.integers(0, union + 1), union], 1)
    counts = Counts(made, true, np.arange(images) < few)
    found = corrected_iou(counts, KEY, draws=50)
    known = found[~np.isnan(found[:, 0])]
    assert ((known[:, 1] <= known[:, 0]) & (known[:, 0] <= known[:, 2])).all()
    assert ((found[:2, 1:] >= 0) & (found[:2, 1:] <= 1)).all()
    np.testing.assert_array_equal(found, corrected_iou(counts, KEY, draws=50))


def test_the_table_is_made_of_counts_by_image():
    """Two validation images of three have masks by people; the cat is not known to these."""
    names = np.array(["a", "b", "c"], dtype=object)
    pair_image = names[[0, 2, 0]]
    arrays = xr.Dataset(
        {
            "pair_intersection": (("method", "pair"), [[1, 2, 1], [2, 4, 1]]),
            "pair_union": (("method", "pair"), [[4, 4, 2], [4, 8, 2]]),
            "truth_intersection": (("method", "truth"), [[1, 3, 9], [2, 0, 9]]),
            "truth_union": (("method", "truth"), [[4, 6, 9], [4, 6, 9]]),
            "annotator_intersection": ("truth", [5, 0, 1]),
            "annotator_union": ("truth", [6, 3, 3]),
            "has_truth": ("concept", [True, False]),
        },
        {
            "concept": ["dog", "cat"],
            "method": ["single", "combined"],
            "pair_concept": ("pair", ["dog", "dog", "cat"]),
            "pair_image": ("pair", pair_image),
            "pair_split": ("pair", ["val"] * 3),
            "truth_concept": ("truth", ["dog"] * 3),
            "truth_image": ("truth", np.array(["a", "b", "t"], dtype=object)),
            "truth_split": ("truth", ["val", "val", "train"]),
        },
        {"validation_images": 3, "truth_images": 2},
    )
    table = corrected_scores(arrays).set_index(["concept", "method"])
    dog = table.loc[("dog", "combined")]
    assert (dog["uncorrected"], dog["annotator_iou"]) == (0.5, 0.5)
    assert dog[["n", "n_true", "n_shown"]].tolist() == [3, 2, 2]
    made = np.array([[1, 2, 4, 4], [0, 0, 0, 0], [2, 4, 4, 8]])
    true = np.array([[1, 2, 4, 4], [3, 0, 6, 6]])
    wanted = corrected_iou(Counts(made, true, np.array([True, True, False])), KEY)
    got = table.loc["dog"][["corrected", "low", "high"]].to_numpy()
    np.testing.assert_array_equal(got, wanted)
    assert table.loc["cat"][["corrected", "low", "annotator_iou"]].isna().all(axis=None)
    assert corrected_scores(arrays.drop_dims("truth")).empty
