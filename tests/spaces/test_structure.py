"""Clusters, maps and tables of a whole space."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.spaces import Space, SpaceError, cluster_concepts, nearest_concepts, solve_expressions


def blobs(count, size, dimension=8, seed=0):
    rng = np.random.default_rng(seed)
    centres = np.linalg.qr(rng.normal(size=(dimension, dimension)))[0][:count]
    vectors = np.repeat(centres, size, axis=0) + rng.normal(0, 0.05, (count * size, dimension))
    return Space([f"{row // size}-{row % size}" for row in range(count * size)], vectors)


def test_clusters_are_the_blobs_numbered_as_they_occur():
    space = blobs(4, 6)
    assert space.cluster(4).tolist() == np.repeat(np.arange(4), 6).tolist()
    assert space.restrict(space.names[::-1]).cluster(4).tolist() == sorted([0, 1, 2, 3] * 6)
    # The root of half of 24 concepts is 3.46.
    assert space.cluster().max() == 2


def test_there_are_no_more_clusters_than_different_vectors():
    space = Space(["a", "b", "c"], np.array([[1.0, 0], [2.0, 0], [0, 1]]))
    assert space.cluster(3).tolist() == [0, 0, 1]
    with pytest.raises(SpaceError, match="at least 1, got 0"):
        space.cluster(0)


def test_the_map_keeps_blobs_together_and_repeats():
    space = blobs(3, 8)
    place = space.map()
    distance = np.linalg.norm(place[:, None] - place[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (distance.argmin(axis=1) // 8).tolist() == np.repeat(np.arange(3), 8).tolist()
    np.testing.assert_array_equal(place, space.map())


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 6), st.integers(1, 4))
def test_few_concepts_have_a_map_too(count, dimension):
    vectors = np.random.default_rng(count).normal(size=(count, dimension))
    table = cluster_concepts(Space([str(row) for row in range(count)], vectors))
    assert list(table) == ["concept", "cluster", "x", "y"]
    assert table["concept"].tolist() == [str(row) for row in range(count)]
    assert np.isfinite(table[["x", "y"]].to_numpy()).all()


def test_three_concepts_lie_on_the_plane_of_largest_variance():
    space = Space(["a", "b", "c"], np.eye(3))
    place = space.map()
    sides = [np.linalg.norm(place[one] - place[other]) for one, other in ((0, 1), (1, 2), (0, 2))]
    np.testing.assert_allclose(sides, 2**0.5)


def test_a_space_of_one_has_no_neighbours():
    assert nearest_concepts(Space(["a"], np.ones((1, 2)))).empty
    assert nearest_concepts(Space([], np.ones((0, 2)))).empty


def test_expressions_are_solved_where_their_concepts_are_known():
    space = Space(
        ["grass", "green-c", "earth", "tree", "wood"],
        np.array([[1.0, 1, 0], [0, 1, 0], [1, 0, 0.5], [0, 1, 1], [0, 0, 1]]),
    )
    table = solve_expressions(space, n=2)
    assert table["expression"].tolist() == ["grass - green"] * 2 + ["tree - wood"] * 2
    # grass' - green' = (0.71, -0.29, 0): earth is nearest; of tree' - wood' it is green.
    assert table["concept"].tolist()[::2] == ["earth", "green-c"]
    assert list(solve_expressions(space, ["a + b"])) == ["expression", "rank", "concept", "cosine"]
