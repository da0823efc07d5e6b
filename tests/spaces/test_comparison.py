import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from net2vec.spaces import Space, SpaceError, compare_spaces

import oracle

NAMES = list("abcdefgh")


def random_space(seed, label, dimension=5, names=NAMES):
    rng = np.random.default_rng(seed)
    return Space(names, rng.normal(size=(len(names), dimension)), label=label)


def test_distances_by_hand():
    # Cosines of one: all pairs at right angles. Of the other: a and b alike, c apart.
    one = Space(["a", "b", "c"], np.eye(3), label="one")
    other = Space(["c", "a", "b"], np.array([[0.0, 3.0], [1.0, 0.0], [2.0, 0.0]]), label="other")
    found = compare_spaces([one, other], categories={"a": "x", "b": "x", "c": "y"})
    assert found.concepts == ("a", "b", "c")
    assert found.distances["distance"].tolist() == [2]
    assert found.by_concept["distance"].tolist() == [1, 1, 0]
    assert found.by_category[["category", "mean", "n"]].values.tolist() == [
        ["x", 1, 2],
        ["y", 0, 1],
    ]
    assert found.by_category["stderr"].isna().tolist() == [False, True]


def test_distances_agree_with_the_oracle():
    spaces = [
        random_space(seed, str(seed), dimension) for seed, dimension in ((0, 5), (1, 9), (2, 3))
    ]
    found = compare_spaces(spaces, permutations=0)
    by_concept = found.by_concept.groupby(["space", "other"], sort=False)["distance"]
    for (one, other), row in zip(
        itertools.combinations(spaces, 2), found.distances.itertuples(), strict=True
    ):
        assert row.distance == pytest.approx(oracle.space_distance(one.unit, other.unit))
        np.testing.assert_allclose(
            by_concept.get_group((one.label, other.label)),
            oracle.space_distance_rows(one.unit, other.unit),
        )


def test_alignment_and_procrustes_agree_with_their_definitions():
    one, other = random_space(0, "one", 4), random_space(1, "other", 12)
    (row,) = compare_spaces([one, other], permutations=0).distances.itertuples()
    centre = np.eye(8) - 1 / 8
    k, m = (centre @ space.unit @ space.unit.T @ centre for space in (one, other))
    assert row.cka == pytest.approx((k * m).sum() / np.sqrt((k * k).sum() * (m * m).sum()))
    # The best rotation by its definition: the smallest distance over orthogonal matrices.
    x, y = (centre @ space.unit for space in (one, other))
    x, y = np.pad(x / np.linalg.norm(x), ((0, 0), (0, 8))), y / np.linalg.norm(y)
    left, _, right = np.linalg.svd(x.T @ y)
    assert row.procrustes == pytest.approx(((x @ left @ right - y) ** 2).sum())
    pairs = np.triu_indices(8, 1)
    wanted = stats.spearmanr((one.unit @ one.unit.T)[pairs], (other.unit @ other.unit.T)[pairs])
    assert row.rsa == pytest.approx(wanted.statistic)


def test_alignment_by_chance_is_its_mean_over_all_permutations():
    one, other = random_space(0, "one", 4, NAMES[:5]), random_space(1, "other", 12, NAMES[:5])
    (row,) = compare_spaces([one, other], permutations=0).distances.itertuples()
    centre = np.eye(5) - 1 / 5
    k, m = (centre @ space.unit @ space.unit.T @ centre for space in (one, other))
    scale = np.sqrt((k * k).sum() * (m * m).sum())
    found = [
        (k[np.ix_(order, order)] * m).sum() / scale
        for order in map(list, itertools.permutations(range(5)))
    ]
    assert row.cka_by_chance == pytest.approx(np.mean(found))


def test_the_p_value_counts_permutations_at_least_as_similar():
    one, other = (
        random_space(0, "one", names=list("abcde")),
        random_space(1, "other", names=list("abcde")),
    )
    (row,) = compare_spaces([one, other], permutations=999).distances.itertuples()
    pairs = np.triu_indices(5, 1)

    def rsa(order):
        permuted = one.unit[list(order)]
        return stats.spearmanr((permuted @ permuted.T)[pairs], (other.unit @ other.unit.T)[pairs])[
            0
        ]

    # Five concepts have 120 orders, fewer than asked for: all are taken.
    every = np.array([rsa(order) for order in itertools.permutations(range(5))])
    assert row.p == pytest.approx((every >= every[0] - 1e-12).mean())


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_rotating_a_space_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    space = random_space(seed, "space")
    rotation = np.linalg.qr(rng.normal(size=(7, 5)))[0]
    turned = Space(NAMES, 3 * space.unit @ rotation.T, label="turned")
    (row,) = compare_spaces([space, turned], permutations=99).distances.itertuples()
    assert row.distance == pytest.approx(0, abs=1e-9)
    assert row.cka == pytest.approx(1)
    assert row.procrustes == pytest.approx(0, abs=1e-9)
    assert row.rsa == pytest.approx(1)
    assert row.p <= 0.05


def test_unrelated_spaces_are_not_significantly_similar_more_often_than_chance():
    spaces = [random_space(seed, str(seed), 6) for seed in range(12)]
    p = compare_spaces(spaces, permutations=99).distances["p"]
    assert len(p) == 66
    assert 0.25 < p.mean() < 0.75
    assert (p <= 0.05).mean() < 0.2


def test_a_space_whose_vectors_are_all_alike_has_no_structure_to_align():
    flat = Space(NAMES, np.ones((8, 2)), label="flat")
    (row,) = compare_spaces([flat, random_space(0, "other")]).distances.itertuples()
    assert row.distance > 0
    assert np.isnan([row.cka, row.rsa, row.p]).all()


def test_what_cannot_be_compared_is_said():
    space = random_space(0, "one")
    with pytest.raises(SpaceError, match="two spaces or more, got 1"):
        compare_spaces([space])
    with pytest.raises(SpaceError, match="two spaces are called 'one'"):
        compare_spaces([space, space])
    with pytest.raises(SpaceError, match="share 2 concepts; a comparison needs at least 3"):
        compare_spaces([space, random_space(1, "two", names=["a", "b", "z"])])
