import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from net2vec.spaces import Space, SpaceError

VECTORS = {
    "grass": [3.0, 0.0, 0.0],
    "green-c": [1.0, 1.0, 0.0],
    "blue-c": [0.0, 1.0, 1.0],
    "traffic": [0.0, 0.0, 2.0],
    "traffic light": [0.0, 1.0, 3.0],
    "sky": [0.0, -4.0, 0.0],
    "2": [-1.0, 0.0, -1.0],
}


@pytest.fixture
def space():
    return Space(list(VECTORS), np.array(list(VECTORS.values())), label="toy")


def test_nearest_by_hand(space):
    # cos(grass, green) = 1/sqrt(2); blue, traffic, traffic light and sky stand at right angles.
    answer = space.nearest("grass", 3)
    assert answer["concept"].tolist() == ["green-c", "blue-c", "traffic"]
    np.testing.assert_allclose(answer["cosine"], [2**-0.5, 0, 0], atol=1e-15)
    assert answer["rank"].tolist() == [1, 2, 3]


def test_solve_adds_unit_vectors_and_leaves_its_concepts_out(space):
    # grass' = (1, 0, 0), traffic' = (0, 0, 1); their difference is (1, 0, -1).
    answer = space.solve("grass - traffic", 10)
    assert set(answer["concept"]) == set(VECTORS) - {"grass", "traffic"}
    cosine = answer.set_index("concept")["cosine"]
    assert cosine["green-c"] == pytest.approx(0.5)
    assert cosine["blue-c"] == pytest.approx(-0.5)
    assert cosine["2"] == pytest.approx(0)


@pytest.mark.parametrize(
    ("expression", "same"),
    [
        ("traffic light + grass", "grass + traffic light"),
        ("grass + blue", "grass + blue-c"),
        ("- sky + grass", "grass - sky"),
        ("2 grass + 2 sky", "grass + sky"),
        ("2 + grass", "grass + 2"),
        ("2 2 + grass", "grass + 2 2"),
        ('"grass" + 2 "sky"', "grass + 2 sky"),
        ('"traffic light" - "blue"', "traffic light - blue-c"),
    ],
)
def test_expressions_that_mean_the_same(space, expression, same):
    left, right = space.solve(expression, 9), space.solve(same, 9)
    assert left["concept"].tolist() == right["concept"].tolist()
    np.testing.assert_allclose(left["cosine"], right["cosine"])


def test_a_number_scales_the_name_after_it(space):
    # 2 grass' + traffic' = (2, 0, 1): its cosine with green' is 2 / sqrt(5 * 2).
    cosine = space.solve("2 grass + traffic", 9).set_index("concept")["cosine"]
    assert cosine["green-c"] == pytest.approx(2 / 10**0.5)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "empty"),
        ("grass blue", "no concept 'grass blue'"),
        ("grass +", "a name is missing after"),
        ("grass + + sky", "a name is missing after"),
        ("gras", "no concept 'gras'.*grass"),
        ("zzz", r"no concept 'zzz' \(there are grass, .*\)"),
        ("grass-sky", "no concept 'grass-sky'; write operators between spaces"),
        ("2*grass", "a factor before its name, as in 'grass \\+ 2 blue"),
        ('"gras - s" + sky', "no concept 'gras - s'"),
        ('"gras + sky', "no concept '\"gras'"),
        ("grass - grass", "adds up to nothing"),
        ("0 grass", "adds up to nothing"),
    ],
)
def test_what_cannot_be_read_is_said(space, expression, message):
    with pytest.raises(SpaceError, match=message):
        space.solve(expression)


def test_a_name_that_may_mean_two_is_refused():
    space = Space(["orange-c", "orange-s"], np.eye(2))
    with pytest.raises(SpaceError, match="orange-c or orange-s"):
        space.nearest("orange")
    assert space.nearest("orange-c")["concept"].tolist() == ["orange-s"]


def test_a_vector_without_direction_and_a_double_name_are_refused():
    with pytest.raises(SpaceError, match="'b' in space is zero"):
        Space(["a", "b"], np.array([[1.0, 0.0], [0.0, 0.0]]))
    with pytest.raises(SpaceError, match="2 names, 1 of them different"):
        Space(["a", "a"], np.eye(2))
    with pytest.raises(SpaceError, match="at least 1, got 0"):
        Space(["a", "b"], np.eye(2)).nearest("a", 0)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_length_and_rotation_do_not_matter(seed, scale):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(6, 4))
    rotation, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    names = list("abcdef")
    left = Space(names, vectors).solve("a + b - c")
    right = Space(names, scale * vectors @ rotation).solve("a + b - c")
    np.testing.assert_allclose(left["cosine"], right["cosine"], atol=1e-9)


def test_restrict_keeps_the_order_asked_for(space):
    part = space.restrict(["sky", "grass"])
    assert part.names == ("sky", "grass")
    np.testing.assert_array_equal(part.cosines(), np.eye(2))
    with pytest.raises(SpaceError, match="'moon'"):
        space.restrict(["moon"])
