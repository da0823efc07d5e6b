"""Steps towards the least log loss, against solutions of other solvers and by their laws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from net2vec.kernels.discriminant.ridge import RidgeFactor
from net2vec.kernels.discriminant.steps import descend

IMAGES, CELLS, FILTERS = 12, 20, 4


def problem(seed: int, turn: np.ndarray | None = None):
    """Standardised activations [image, cell, filter] and shares that two filters move."""
    generator = np.random.default_rng(seed)
    shares = generator.random((IMAGES, CELLS)) * (generator.random((IMAGES, CELLS)) < 0.4)
    x = generator.normal(size=(IMAGES, CELLS, FILTERS))
    x[:, :, 0] += 2 * shares
    x[:, :, 2] -= 3 * shares
    if turn is not None:
        x = x @ turn
    return torch.from_numpy(x - x.mean((0, 1))), torch.from_numpy(shares)


def take(x, shares, learned, strength, steps):
    flat = x.flatten(0, 1)
    factor = RidgeFactor(flat.T @ flat / len(flat), strength)
    m = shares.flatten()
    start = m @ flat / m.sum() - (1 - m) @ flat / (1 - m).sum()
    return descend(
        factor.solve_exactly(start.expand(len(learned), -1)),
        shares,
        learned,
        torch.full((len(learned),), strength, dtype=torch.float64),
        values=lambda w: torch.einsum("nck,vk->vnc", x, w),
        sums=lambda r: torch.einsum("vnc,nck->vk", r, x),
        precondition=factor.solve_exactly,
        steps=steps,
    )


def loss(at, x, m, strength):
    z = x @ at[:-1] + at[-1]
    ridge = strength * m.mean() * (1 - m.mean())
    return np.mean(np.logaddexp(0, z) - m * z) + ridge / 2 * at[:-1] @ at[:-1]


@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_many_steps_end_where_another_solver_does(strength):
    x, shares = problem(0)
    learned = torch.ones(2, IMAGES, dtype=torch.bool)
    learned[1, 3:6] = False
    found, z = take(x, shares, learned, strength, 20)
    for vector, used in enumerate(learned):
        cells, m = x[used].flatten(0, 1).numpy(), shares[used].flatten().numpy()
        wanted = minimize(loss, np.zeros(FILTERS + 1), (cells, m, strength), tol=1e-10).x
        np.testing.assert_allclose(found[vector], wanted[:-1], rtol=1e-3, atol=1e-4)
        # Cells of images that are held out have z with the same bias.
        everywhere = x.flatten(0, 1).numpy() @ wanted[:-1] + wanted[-1]
        np.testing.assert_allclose(z[vector].flatten(), everywhere, rtol=1e-2, atol=1e-3)


def test_no_step_raises_the_loss():
    x, shares = problem(1)
    learned = torch.ones(1, IMAGES, dtype=torch.bool)
    cells, m = x.flatten(0, 1).numpy(), shares.flatten().numpy()
    losses = []
    for steps in range(5):
        found, z = take(x, shares, learned, 0.1, steps)
        bias = (z.flatten() - x.flatten(0, 1) @ found[0]).mean()
        losses.append(loss(np.append(found[0].numpy(), bias), cells, m, 0.1))
    assert (np.diff(losses) < 0).all()


def test_an_invertible_map_of_activations_leaves_z_unchanged_without_shrinkage():
    turn = np.random.default_rng(3).normal(size=(FILTERS, FILTERS))
    learned = torch.ones(1, IMAGES, dtype=torch.bool)
    values = [take(*problem(2, some), learned, 0.0, 3)[1] for some in (None, turn)]
    torch.testing.assert_close(values[1], values[0], rtol=1e-5, atol=1e-5)


def test_a_foreground_that_is_told_apart_by_one_filter_stays_finite():
    x, _ = problem(4)
    shares = (x[:, :, 0] > 1.2).double()
    found, z = take(x, shares, torch.ones(1, IMAGES, dtype=torch.bool), 0.01, 3)
    assert torch.isfinite(found).all()
    assert torch.isfinite(z).all()
    assert found[0].argmax() == 0
