"""Covariances of wide layers: of some directions, and what each filter has beside them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from net2vec.kernels.discriminant.low_rank import LowRankCovariance
from net2vec.kernels.discriminant.moments import Covariance, central_moments
from net2vec.kernels.discriminant.ridge import solve_subset
from net2vec.kernels.discriminant.selection import backward_masks, forward_order

FILTERS, TRUE_DIRECTIONS = 60, 5


@pytest.fixture(scope="module")
def blocks():
    """Activations that few directions and a noise of each filter's own explain; one is constant."""
    draw = np.random.default_rng(0)
    along = draw.normal(size=(800, 10, TRUE_DIRECTIONS)) @ draw.normal(
        size=(TRUE_DIRECTIONS, FILTERS)
    )
    a = along + draw.normal(size=(800, 10, FILTERS)) * draw.uniform(0.2, 2, FILTERS) + 4
    a[:, :, 7] = 0.25
    return list(torch.from_numpy(a).float().split(300))


@pytest.fixture(scope="module")
def exact(blocks):
    return Covariance.of(*central_moments(blocks, torch.full((FILTERS,), 4.0)))


def low_rank(blocks, directions):
    return LowRankCovariance.of(lambda: blocks, torch.full((FILTERS,), 4.0), directions)


def test_with_as_many_directions_as_filters_nothing_is_lost(blocks, exact):
    found = low_rank(blocks, FILTERS)
    np.testing.assert_allclose(found.mean, exact.mean, rtol=1e-6)
    np.testing.assert_allclose(found.scale, exact.scale, rtol=1e-5)
    everything = torch.arange(FILTERS)
    np.testing.assert_allclose(found.part(everything), exact.part(everything), atol=1e-4)
    assert found.scale[7] == found.rest[7] == 0
    d = torch.randn(2, FILTERS, dtype=torch.float64)
    d[:, 7] = 0
    for one, other in zip(found.factors, exact.factors, strict=True):
        assert one.strength == other.strength
        np.testing.assert_allclose(one.solve(d), other.solve_exactly(d), rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(found.whitened(d[0], 0.01), exact.whitened(d[0], 0.01), atol=0.02)


def test_solutions_solve_the_matrix_that_is_kept(blocks):
    """By Woodbury's identity, as by NumPy with the matrix written out."""
    found = low_rank(blocks, 8)
    S = found.part(torch.arange(FILTERS)).numpy()
    np.testing.assert_allclose(np.diag(S), found.variances(), rtol=1e-12)
    np.testing.assert_allclose(found.row(3), S[3], rtol=1e-12)
    d = np.random.default_rng(1).normal(size=(3, FILTERS))
    for factor in found.factors:
        wanted = np.linalg.solve(S + factor.strength * np.eye(FILTERS), d.T).T
        np.testing.assert_allclose(factor.solve(torch.from_numpy(d)), wanted, rtol=1e-8)
        assert torch.equal(
            factor.solve_exactly(torch.from_numpy(d)), factor.solve(torch.from_numpy(d))
        )


def test_few_directions_hold_what_they_explain(blocks, exact):
    found = low_rank(blocks, 2 * TRUE_DIRECTIONS)
    everything = torch.arange(FILTERS)
    kept, true = found.part(everything), exact.part(everything)
    np.testing.assert_allclose(kept.diagonal(), true.diagonal(), atol=1e-5)
    apart = (kept - true).fill_diagonal_(0).norm() / true.clone().fill_diagonal_(0).norm()
    assert apart < 0.15
    d = torch.randn(FILTERS, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    d[7] = 0
    one, other = found.factors[0].solve(d), exact.factors[0].solve_exactly(d)
    assert torch.cosine_similarity(one, other, dim=0) > 0.9
    order = forward_order(found, d, 0.1, 10)
    assert len(set(order.tolist())) == 10
    kept = torch.isin(everything, order)
    assert (solve_subset(found, d, 0.1, kept)[~kept] == 0).all()
    (left,) = backward_masks(found, d, 0.1, [10], everything)
    assert left.sum() == 10
    assert not left[7]  # it says nothing


def test_the_same_blocks_give_the_same_bits(blocks):
    one, other = low_rank(blocks, 8), low_rank(list(blocks), 8)
    for name in ("mean", "scale", "basis", "values", "rest"):
        assert torch.equal(getattr(one, name), getattr(other, name))
