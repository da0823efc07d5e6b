"""How often chance does as well, by simulation."""

from __future__ import annotations

import numpy as np

from net2vec.bridges.nulls import mixtures, p_values


def test_vectors_without_meaning_pass_as_often_as_they_may():
    """Concepts that are themselves mixtures: p is then evenly spread, whatever the gradient."""
    rng = np.random.default_rng(0)
    below = []
    for draw in range(60):
        basis = rng.normal(size=(30, 40)) * rng.uniform(0.1, 3, 40)
        gradient = rng.normal(size=40) * rng.uniform(0.1, 3, 40)
        tested = mixtures(basis, 20, 1000 + draw)
        p = p_values(tested, gradient, mixtures(basis, 99, draw)[:, None])
        below.append(np.mean(p <= 0.05))
    # 20 tests share a null: the spread over draws is the honest error.
    error = np.std(below, ddof=1) / np.sqrt(len(below))
    assert np.mean(below) < 0.05 + 3 * error
    assert np.mean(below) > 0.05 - 3 * error


def test_a_class_that_follows_a_concept_is_found():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 200))
    gradient = vectors[3] + 0.3 * rng.normal(size=200)
    p = p_values(vectors, gradient, mixtures(vectors, 999, 0)[:, None])
    assert p[3] == 1 / 1000
    assert np.median(np.delete(p, 3)) > 0.1
    # Only directions matter, and the sign does not.
    turned = vectors * rng.choice([-1, 1], (30, 1)) * rng.uniform(0.1, 9, (30, 1))
    np.testing.assert_array_equal(p, p_values(turned, gradient, mixtures(vectors, 999, 0)[:, None]))


def test_a_vector_without_direction_has_no_p():
    vectors = np.array([[0.0, 0.0], [1.0, 0.0], [np.nan, 1.0]])
    p = p_values(vectors, np.ones(2), mixtures(vectors, 9, 0)[:, None])
    # All mixtures of a single vector are that vector: ten of ten are as steep.
    np.testing.assert_array_equal(p, [np.nan, 1.0, np.nan])


def test_each_concept_may_have_nulls_of_its_own():
    vectors = np.array([[1.0, 0.0], [0.0, 2.0]])
    null = np.array([[[0.0, 1.0], [3.0, 0.0]], [[2.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]])
    # Slopes of 2 and 1 along the vectors. Along the first's nulls 1, 2 and 2.12, along the second's
    # 2, none (which counts against it) and 2.12.
    p = p_values(vectors, np.array([2.0, 1.0]), null)
    np.testing.assert_array_equal(p, [3 / 4, 1])
