"""Features on a common footing, and the way back to features as recorded."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.kernels.convex.standardised import Standardised


def features(seed: int, images: int, filters: int) -> torch.Tensor:
    generator = np.random.default_rng(seed)
    x = generator.gamma(2, 1, (images, filters)) * 10 ** generator.uniform(-3, 2, filters)
    if filters > 2:
        x[:, 1] = 0.1  # constant, and not exactly its own mean in floating point
        x[:, 2] = 3 * x[:, 0]  # nothing is added: that would be rounding, and another direction
    return torch.from_numpy(x.astype(np.float32))


def directions(found: Standardised) -> np.ndarray:
    return np.flatnonzero(found.turned[:, :-1].any(0))


def test_two_features_by_hand():
    found = Standardised.of(torch.tensor([[1.0, 5], [3, 5], [5, 5], [7, 5]]))
    assert found.mean.tolist() == [4, 5]
    # Variances of 5 and 0.
    assert found.spread == pytest.approx(2.5**0.5)
    expected = np.array([-3, -1, 1, 3]) / 2.5**0.5
    np.testing.assert_allclose(found.own[:4, 0], expected, rtol=1e-6)
    assert found.own[:4, -1].tolist() == [1] * 4
    assert not found.own[:4, 1:-1].any()
    assert found.own.shape == found.turned.shape == (64, 16)
    assert not found.own[4:].any()
    assert not found.turned[4:].any()
    assert directions(found).tolist() == [0]
    x = torch.zeros(16)
    x[:2], x[-1] = torch.tensor([2.0, 9.0]), 1
    weight, bias = found.recorded(x)
    assert weight[0].item() == pytest.approx(2 / 2.5**0.5)
    assert weight[1].item() == 0
    assert bias.item() == pytest.approx(1 - 2 * 4 / 2.5**0.5)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.integers(2, 70), st.integers(1, 20))
def test_turned_features_are_uncorrelated_and_nothing_is_lost(seed, images, filters):
    x = features(seed, images, filters)
    found = Standardised.of(x)
    some = directions(found)
    assert some.tolist() == list(range(len(some)))
    turned = found.turned[:images, : len(some)].double()
    covariance = (turned.T @ turned / images).numpy()
    variance = np.diag(covariance)
    np.testing.assert_allclose(covariance, np.diag(variance), atol=1e-5 * filters)
    assert (np.diff(variance) <= 1e-5).all()
    turn = found.turn[:filters, : len(some)]
    np.testing.assert_allclose(turned @ turn.T, found.own[:images, :filters], atol=1e-4)
    np.testing.assert_allclose(turn.T @ turn, np.eye(len(some)), atol=1e-4)
    # One direction fewer for the constant feature and for the one that another gives.
    assert len(some) <= min(images - 1, filters - 2 if filters > 2 else filters)
    for matrix in (found.own, found.turned):
        assert matrix.shape[0] % 64 == matrix.shape[1] % 16 == 0
        assert (matrix[:images, -1] == 1).all()
        assert not matrix[images:].any()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.integers(2, 70), st.integers(1, 20))
def test_logits_are_the_same_in_all_three(seed, images, filters):
    x = features(seed, images, filters)
    found = Standardised.of(x)
    generator = torch.Generator().manual_seed(seed % 2**31)
    u = torch.randn(2, found.turned.shape[1], generator=generator)
    u[:, len(directions(found)) : -1] = 0
    own = found.unturned(u)
    weight, level = found.recorded(own)
    logit = (u @ found.turned.T)[:, :images]
    np.testing.assert_allclose((own.float() @ found.own.T)[:, :images], logit, atol=1e-3)
    np.testing.assert_allclose(weight @ x.double().T + level[:, None], logit, atol=1e-3)
    # The L2 term does not change either, nor the bias.
    np.testing.assert_allclose(own.norm(dim=1), u.norm(dim=1), rtol=1e-5)
    np.testing.assert_array_equal(own[:, -1], u[:, -1])


def test_features_that_are_all_constant_have_no_direction():
    found = Standardised.of(torch.full((5, 3), 0.1))
    assert len(directions(found)) == 0
    x = torch.zeros(1, found.turned.shape[1])
    x[:, -1] = 0.5
    weight, bias = found.recorded(found.unturned(x))
    assert weight.tolist() == [[0, 0, 0]]
    assert bias.tolist() == [0.5]
