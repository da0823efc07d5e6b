"""Which images are held out together."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.tasks.fits.cross_validation import FOLDS, Folded, hold_out


def test_by_hand():
    # Seven with the concept and five without: stretches of 2 1 2 1 1 and of one each.
    positive = np.array([1, 1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0], bool)
    held = hold_out(positive)
    assert held.folds == 5
    assert held.image.tolist() == list(range(12))
    np.testing.assert_array_equal(held.positive, positive)
    assert held.fold[positive].tolist() == [0, 0, 1, 2, 2, 3, 4]
    assert held.fold[~positive].tolist() == [0, 1, 2, 3, 4]


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32), st.integers(0, 60), st.integers(0, 60))
def test_every_fold_has_both_sides_in_stretches(seed, inside, outside):
    positive = np.random.default_rng(seed).permutation(np.arange(inside + outside) < inside)
    held = hold_out(positive)
    assert held.folds == min(FOLDS, inside, outside)
    np.testing.assert_array_equal(held.image, np.arange(len(positive)))
    for side in (held.positive, ~held.positive):
        fold = held.fold[side]
        assert (np.diff(fold) >= 0).all()
        if held.folds:
            assert set(fold) == set(range(held.folds))
            assert np.ptp(np.bincount(fold)) <= 1


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32), st.integers(1, 400), st.booleans())
def test_of_a_far_larger_side_images_at_equal_distances_are_taken(seed, smaller, flipped):
    positive = np.random.default_rng(seed).permutation(np.arange(6000) < smaller) ^ flipped
    held = hold_out(positive)
    rare = held.positive ^ flipped
    assert rare.sum() == smaller  # all of the smaller side
    assert (~rare).sum() == max(400, 4 * smaller)
    assert (np.diff(held.image) > 0).all()
    np.testing.assert_array_equal(held.positive, positive[held.image])
    others = np.flatnonzero(positive == flipped)
    gaps = np.diff(np.searchsorted(others, held.image[~rare]))
    assert np.ptp(gaps) <= 1


def test_problems_of_folds_learn_from_the_others_and_judge_each_image_once():
    generator = np.random.default_rng(0)
    inputs = torch.from_numpy(generator.normal(size=(20, 3)))
    sides = [generator.permutation(np.arange(20) < count) for count in (9, 3)]
    held = [hold_out(positive) for positive in sides]
    folded = Folded.of(held, inputs, size=3, width=20)
    assert folded.folds.tolist() == [5, 3, 0]
    learned, judged = folded.problem.weight, folded.held_weight
    for place, (one, positive) in enumerate(zip(held, sides, strict=True)):
        for fold in range(FOLDS):
            mine = one.fold == fold
            assert ((judged[place, fold] > 0).numpy() == mine).all()
            if fold < one.folds:
                assert ((learned[place, fold] > 0).numpy() == ~mine).all()
                for side in (positive, ~positive):
                    np.testing.assert_allclose(learned[place, fold][side].sum(), 0.5, rtol=1e-6)
            else:
                assert not learned[place, fold].any()
        for side in (positive, ~positive):
            np.testing.assert_allclose(judged[place].sum(0)[side], 0.5 / side.sum(), rtol=1e-6)
    assert not learned[2].any()
    assert not judged[2].any()
