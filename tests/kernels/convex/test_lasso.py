"""The order in which an L1 path lets variables in."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import lars_path

from net2vec.kernels.convex.lasso import entry_order


def least_squares(X: np.ndarray, y: np.ndarray):
    """Gradients of problems |X w - y|^2 / 2n, from X [n, variable] and y [problem, n]."""
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    return lambda w: (w @ X.T - y) @ X / len(X)


def entry_strength(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The L1 strength below which each variable is first other than 0, by scikit-learn."""
    strengths, _, weights = lars_path(X - X.mean(0), y - y.mean(), method="lasso")
    return np.array([strengths[np.flatnonzero(row)[0] - 1] if row.any() else 0 for row in weights])


def test_of_an_orthonormal_design_by_hand():
    # Every variable lives by itself: it comes in where the strength falls below its slope at 0.
    slope = torch.tensor([[0.3, -0.9, 0.05, 0.6], [-0.2, 0.1, 0.8, -0.4]], dtype=torch.float64)
    order = entry_order(lambda w: w - slope, torch.ones_like(slope), 4)
    assert order.tolist() == [[1, 3, 0, 2], [2, 3, 0, 1]]
    # Only so many are let in; the others come by their slopes.
    order = entry_order(lambda w: w - slope, torch.ones_like(slope), 1)
    assert order.tolist() == [[1, 3, 0, 2], [2, 3, 0, 1]]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32))
def test_of_an_orthonormal_design_it_is_that_of_the_slopes(seed):
    generator = np.random.default_rng(seed)
    # Apart enough that no two come in in one step of the path.
    size = 0.75 ** np.stack([generator.permutation(9) for _ in range(3)])
    slope = torch.from_numpy(size * generator.choice([-1, 1], (3, 9)))
    order = entry_order(lambda w: w - slope, torch.ones_like(slope), 9)
    np.testing.assert_array_equal(order, np.argsort(-size, axis=1))


@pytest.mark.parametrize("seed", range(6))
def test_correlated_variables_come_in_as_in_scikit_learn(seed):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(80, 10)) @ (np.eye(10) + 0.35 * generator.normal(size=(10, 10)))
    X = (X - X.mean(0)) / X.std(0)
    truth = np.where(np.arange(10) < 4, [3.0, -2.0, 1.2, 0.7, 0, 0, 0, 0, 0, 0], 0)
    y = X @ truth + generator.normal(0, 0.3, 80)
    y -= y.mean()
    strength = entry_strength(X, y)
    scale = torch.ones(1, 10, dtype=torch.float64)
    found = entry_order(least_squares(X, y[None]), scale, 10)[0].numpy()
    # Nobody comes before one that the exact path lets in clearly earlier: the path goes down by a
    # seventh a step, and its points are near their optimum. Its far end is too flat to be told.
    came = np.log(np.maximum(strength[found], 0.05 * strength.max()))
    assert np.ptp(came) > 2
    assert (np.minimum.accumulate(came) >= came - 0.3).all()
    assert found[0] == np.argmax(strength)


@pytest.mark.parametrize("seed", range(4))
def test_free_variables_are_never_listed_and_take_their_part(seed):
    generator = np.random.default_rng(seed)
    X = generator.normal(0.3, 1, (60, 5))
    y = X @ [1.0, 0, -2, 0, 0.4] + 5
    with_one = np.column_stack([X, np.ones(60)])
    scale = torch.ones(1, 6, dtype=torch.float64)
    order = entry_order(least_squares(with_one, y[None]), scale, 3, free=1)[0].tolist()
    assert sorted(order) == [0, 1, 2, 3, 4]
    # As if X and y were centred: the constant takes the level of 5 upon itself.
    assert order[:3] == np.argsort(-entry_strength(X, y))[:3].tolist()


def test_what_does_not_move_comes_last():
    slope = torch.tensor([[0.3, -0.9, 0.5]], dtype=torch.float64)
    scale = torch.tensor([[1.0, 0.0, 1.0]], dtype=torch.float64)
    assert entry_order(lambda w: w - slope, scale, 3).tolist() == [[2, 0, 1]]


def test_no_order_hangs_on_the_problems_beside():
    generator = np.random.default_rng(3)
    X = generator.normal(size=(50, 12)) @ (np.eye(12) + 0.5 * generator.normal(size=(12, 12)))
    y = (X @ generator.normal(size=(12, 5))).T + generator.normal(0, 1, (5, 50))
    X, y = torch.from_numpy(X), torch.from_numpy(y)

    def order_of(places: list[int], wanted: int):
        # Elementwise, so that the gradient itself cannot depend on the shape.
        def gradient(w):
            error = (w[:, None] * X).sum(2) - y[places]
            return (error[:, :, None] * X).sum(1) / len(X)

        return entry_order(gradient, torch.ones(len(places), 12, dtype=torch.float64), wanted)

    together = order_of([0, 1, 2, 3, 4], 6)
    for places in ([4, 3, 2, 1, 0], [2] * 5, [1, 1, 4, 0, 0]):
        assert torch.equal(order_of(places, 6)[:, :6], together[places][:, :6])
