"""Discriminants from moments, against plain NumPy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from net2vec.kernels.discriminant.maps import (
    BINS,
    bin_counts,
    count_pixels,
    grid_values,
    lattice_values,
    value_of,
)
from net2vec.kernels.discriminant.moments import (
    Covariance,
    ForegroundSums,
    central_moments,
    sum_cells,
)
from net2vec.kernels.discriminant.ridge import RidgeFactor, solve_subset
from net2vec.kernels.discriminant.selection import backward_masks, forward_order
from net2vec.kernels.geometry.upsample import block_means, centred_axis, upsampled

import oracle


@pytest.fixture(autouse=True)
def same_every_time():
    torch.manual_seed(0)


def correlated(seed: int, rows: int, filters: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(rows, filters)) @ generator.normal(size=(filters, filters)) + 3


def whole(S: np.ndarray) -> Covariance:
    """The covariance whose correlation is a given one."""
    return Covariance.of(torch.zeros(len(S), dtype=torch.float64), torch.from_numpy(S))


def test_weights_are_those_of_scikit_learn():
    x = correlated(0, 400, 6)
    t = np.arange(400) % 2 == 1
    x[t] += np.array([1.0, 0, -2, 0, 0.5, 0])
    shrinkage = 0.2
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(x, t)
    within = (np.cov(x[t].T, bias=True) + np.cov(x[~t].T, bias=True)) / 2
    # It takes a mean of the covariance and the unit matrix, here the matrix is added.
    strength = shrinkage / (1 - shrinkage) * np.trace(within) / 6
    difference = torch.from_numpy(x[t].mean(0) - x[~t].mean(0))
    found = RidgeFactor(torch.from_numpy(within), strength).solve_exactly(difference)
    found /= 1 - shrinkage
    np.testing.assert_allclose(found, model.coef_[0], rtol=1e-6)


def test_least_squares_of_coded_labels_has_the_same_direction():
    x = correlated(1, 300, 5)
    t = np.random.default_rng(2).random(300) < 0.3
    x[t] += 1.5
    centred = x - x.mean(0)
    coded = np.where(t, 1 / t.mean(), -1 / (1 - t.mean()))
    wanted = np.linalg.lstsq(centred, coded, rcond=None)[0]
    moments = torch.from_numpy(np.cov(x.T, bias=True))
    difference = torch.from_numpy(x[t].mean(0) - x[~t].mean(0))
    found = RidgeFactor(moments, 0.0).solve_exactly(difference)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_an_invertible_map_of_activations_leaves_z_unchanged_without_shrinkage():
    x = correlated(8, 300, 5)
    t = np.arange(300) % 3 == 0
    x[t] += np.array([1.0, -1, 0, 0.5, 2])
    mapped = x @ np.random.default_rng(9).normal(size=(5, 5)) - 2
    values = []
    for some in (x, mapped):
        some = some - some.mean(0)
        difference = torch.from_numpy(some[t].mean(0) - some[~t].mean(0))
        moments = torch.from_numpy(np.cov(some.T, bias=True))
        values.append(some @ RidgeFactor(moments, 0.0).solve_exactly(difference).numpy())
    np.testing.assert_allclose(values[1], values[0], rtol=1e-6, atol=1e-8)


@given(seed=st.integers(0, 100), filters=st.integers(1, 6), strength=st.sampled_from([0.01, 1.0]))
@settings(deadline=None, max_examples=30)
def test_forward_selection_takes_the_filter_that_helps_most(seed, filters, strength):
    S = np.corrcoef(correlated(seed, 50, filters).T).reshape(filters, filters)
    d = np.random.default_rng(seed).normal(size=filters)
    found = forward_order(whole(S), torch.from_numpy(d), strength, filters)
    assert found.tolist() == oracle.forward_selection(S, d, strength, filters)


@given(seed=st.integers(0, 100), filters=st.integers(1, 7), strength=st.sampled_from([0.01, 1.0]))
@settings(deadline=None, max_examples=30)
def test_backward_elimination_removes_the_filter_that_is_missed_least(seed, filters, strength):
    S = np.corrcoef(correlated(seed, 50, filters).T).reshape(filters, filters)
    d = np.random.default_rng(seed).normal(size=filters)
    sizes = [1, filters, 3]
    found = eliminated(S, d, strength, sizes)
    for kept, size in zip(found, sizes, strict=True):
        assert kept.nonzero()[:, 0].tolist() == oracle.backward_selection(S, d, strength, size)


def test_several_filters_are_removed_at_a_time_where_many_are_left():
    S = np.corrcoef(correlated(4, 90, 40).T)
    d = np.random.default_rng(5).normal(size=40)
    (found,) = eliminated(S, d, 0.1, [33])
    assert found.nonzero()[:, 0].tolist() == oracle.backward_selection(S, d, 0.1, 33)


def test_elimination_can_begin_with_some_filters():
    S, d = np.corrcoef(correlated(6, 50, 8).T), np.random.default_rng(7).normal(size=8)
    some = [0, 2, 3, 6, 7]
    (found,) = eliminated(S, d, 0.1, [2], begin=some)
    wanted = oracle.backward_selection(S[np.ix_(some, some)], d[some], 0.1, 2)
    assert found.nonzero()[:, 0].tolist() == [some[k] for k in wanted]


def eliminated(S, d, strength, sizes, begin=None):
    begin = torch.arange(len(d)) if begin is None else torch.tensor(begin)
    return backward_masks(whole(S), torch.from_numpy(d), strength, sizes, begin)


@pytest.mark.parametrize("strength", [0.01, 1e-8])
def test_solutions_are_refined_to_double_precision(strength):
    """Also where single precision leaves no positive definite matrix."""
    generator = np.random.default_rng(6)
    S = np.corrcoef((generator.normal(size=(90, 3)) @ generator.normal(size=(3, 40))).T)
    d = torch.randn(2, 40, dtype=torch.float64)
    factor = RidgeFactor(torch.from_numpy(S), strength)
    wanted = np.linalg.solve(S + strength * np.eye(40), d.T).T
    np.testing.assert_allclose(factor.solve(d), wanted, rtol=1e-3, atol=1e-3 * abs(wanted).max())
    found = factor.solve_exactly(d)
    np.testing.assert_allclose(found, wanted, atol=1e-5 * abs(wanted).max())


def test_a_subset_is_solved_with_its_own_filters_alone():
    S = torch.from_numpy(np.corrcoef(correlated(3, 50, 5).T))
    d = torch.randn(2, 5, dtype=torch.float64)
    kept = torch.tensor([True, False, True, True, False])
    found = solve_subset(whole(S.numpy()), d, 0.1, kept)
    assert (found[:, ~kept] == 0).all()
    part = S[kept][:, kept] + 0.1 * torch.eye(3)
    torch.testing.assert_close(found[:, kept] @ part, d[:, kept])


def test_moments_of_blocks_are_those_of_all_cells():
    a = torch.from_numpy(correlated(4, 7 * 6, 3)).float().view(7, 6, 3)
    mean, second = central_moments([a[:2], a[2:6], a[6:]], torch.full((3,), 2.0))
    cells = a.reshape(-1, 3).double().numpy()
    np.testing.assert_allclose(mean, cells.mean(0), rtol=1e-6)
    np.testing.assert_allclose(second, np.cov(cells.T, bias=True), rtol=1e-5)


def test_products_of_wide_layers_are_symmetric():
    a = torch.randn(5, 4, 300)
    second = central_moments([a[:3], a[3:]], a.mean((0, 1)))[1]
    assert torch.equal(second, second.T)
    wanted = np.cov(a.view(-1, 300).double().numpy().T, bias=True)
    np.testing.assert_allclose(second, wanted, atol=1e-5)


@pytest.mark.parametrize(("value", "near"), [(0.3, 0.3), (0.0, 1e-22)])
def test_a_constant_filter_has_no_scale(value, near):
    a = torch.rand(4, 9, 3)
    a[:, :, 1] = value
    means = a.mean((0, 1))
    means[1] = near  # of activations before they were kept in half precision
    covariance = Covariance.of(*central_moments([a], means))
    assert covariance.scale[1] == 0
    assert (covariance.correlation[1] == 0).all()
    np.testing.assert_allclose(covariance.correlation.diagonal()[[0, 2]], 1)


def test_sums_without_a_fold_are_differences():
    a, shares = torch.rand(5, 4, 2), torch.rand(5, 4)
    sums = sum_cells(a, shares)
    np.testing.assert_allclose(sums[:, 0], torch.einsum("nck,nc->nk", a, shares), rtol=1e-5)
    np.testing.assert_allclose(sums[:, 1], a.sum(1), rtol=1e-5)
    folds = ForegroundSums(
        *(part.double() for part in (sums[:, 0], sums[:, 1], shares.sum(1), torch.full((5,), 4.0)))
    )
    kept = folds.without_each()
    inside, outside = kept.means()
    wanted = sums[[0, 1, 3, 4], 0].sum(0) / shares[[0, 1, 3, 4]].sum()
    np.testing.assert_allclose(inside[2], wanted, rtol=1e-5)
    rest = a[[0, 1, 3, 4]] * (1 - shares[[0, 1, 3, 4], :, None])
    wanted = rest.sum((0, 1)) / (1 - shares[[0, 1, 3, 4]]).sum()
    np.testing.assert_allclose(outside[2], wanted, rtol=1e-5)


@given(
    seed=st.integers(0, 100),
    grid=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    size=st.tuples(st.integers(1, 13), st.integers(1, 13)),
)
@settings(deadline=None, max_examples=30)
def test_geometry_of_blocks(seed, grid, size):
    generator = np.random.default_rng(seed)
    mask, values = generator.random(size) < 0.5, generator.normal(size=grid)
    shares = block_means(torch.from_numpy(mask)[None], grid)[0]
    np.testing.assert_allclose(shares, oracle.block_share(mask, *grid), atol=1e-5)
    found = upsampled(torch.from_numpy(values), size, centred_axis)
    np.testing.assert_allclose(found, oracle.centred_upsample(values, *size), atol=1e-12)
    torch_own = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], size=size, mode="bilinear"
    )
    np.testing.assert_allclose(found, torch_own[0, 0], atol=1e-6)


def test_shares_by_hand():
    mask = torch.tensor([[True, True, False], [False, False, False]])
    # Cells are 1 high and 1.5 wide.
    np.testing.assert_allclose(block_means(mask, (2, 2)), [[1, 1 / 3], [0, 0]], atol=1e-7)


def test_z_depends_on_no_other_image_or_vector():
    a, w = torch.rand(5, 12, 7), torch.randn(19, 7)
    everything = grid_values(a, w)
    np.testing.assert_allclose(everything, torch.einsum("nck,vk->nvc", a, w), rtol=1e-4, atol=1e-5)
    for image in range(5):
        for vector in (0, 7, 8, 18):
            alone = grid_values(a[image : image + 1].clone(), w[vector : vector + 1])
            assert torch.equal(alone[0, 0], everything[image, vector])


def test_pixels_are_counted_as_the_oracle_predicts_them():
    generator = np.random.default_rng(5)
    a, w = generator.integers(-2, 3, (4, 3, 3, 2)).astype(float), np.array([1.0, -2, 0.5])
    L = generator.random((4, 7, 5)) < 0.4
    z = torch.from_numpy(np.einsum("nkyx,k->nyx", a, w))
    size, hit = count_pixels(z, torch.tensor(0.3), torch.tensor(0.1), torch.from_numpy(L))
    masks = np.stack([oracle.discriminant_mask(one, w, 0.3, 0.1, 7, 5) for one in a])
    assert size.tolist() == masks.sum((1, 2)).tolist()
    assert hit.tolist() == (masks & L).sum((1, 2)).tolist()


def test_histograms_by_hand():
    z = torch.tensor([[0.0], [1.0], [0.5]])
    shares = torch.tensor([[0.25], [1.0], [0.0]])
    first, last = bin_counts(z, shares, np.array([0, 0, 1]), (0.0, 1.0))
    assert first[0].nonzero()[0].tolist() == [0, BINS - 1]
    assert first[1, [0, -1]].tolist() == [0.25, 1]
    assert last[0].nonzero()[0].tolist() == [BINS // 2]
    assert (last[1] == 0).all()
    assert value_of(0.25, (2.0, 4.0)) == 2.5
    assert value_of(0.0, (2.0, 4.0)) < 2


@pytest.mark.parametrize("size", [(9, 8), (3, 3)])
def test_a_lattice_has_the_values_of_its_pixels(size):
    grid = torch.rand(2, 3, 4, dtype=torch.float64)
    rows, columns = torch.arange(0, size[0], 2), torch.arange(1, size[1], 2)
    whole = upsampled(grid, size, centred_axis)
    found = lattice_values(grid, size, (rows, columns))
    torch.testing.assert_close(found, whole[:, rows][:, :, columns])
