"""Many convex problems side by side, against Newton's method and each alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.kernels.convex.lbfgs import minimize

import oracle


class Quadratic:
    """Problems x' A x / 2 - b' x, whose minimum is known."""

    def __init__(self, seed: int, problems: int, variables: int, spread: float = 10.0) -> None:
        generator = np.random.default_rng(seed)
        turned = np.linalg.qr(generator.normal(size=(problems, variables, variables)))[0]
        values = spread ** generator.uniform(0, 2, (problems, variables, 1))
        self.A = torch.from_numpy(turned @ (values * turned.swapaxes(1, 2)))
        self.b = torch.from_numpy(generator.normal(size=(problems, variables)))

    def gradient(self, x):
        return torch.bmm(self.A, x[:, :, None])[:, :, 0] - self.b

    @property
    def minimum(self) -> np.ndarray:
        return torch.linalg.solve(self.A, self.b).numpy()

    @property
    def scale(self):
        return self.A.diagonal(dim1=1, dim2=2) ** -0.5

    def minimize(self, start=None, tolerance: float = 1e-9):
        start = torch.zeros_like(self.b) if start is None else start
        return minimize(self.gradient, start, self.scale, small(tolerance), max_rounds=500)


def small(tolerance: float):
    return lambda x, slope: slope.norm(dim=1) <= tolerance


def test_one_variable_by_hand():
    # 3 x^2 / 2 - 6 x: the scaled slope is the distance itself, so the first step arrives at 2, but
    # for a first step longer than 1 in scaled variables, which is cut to that.
    calls = []

    def gradient(x):
        calls.append(x.item())
        return 3 * x - 6

    scale = torch.tensor([[3**-0.5]], dtype=torch.float64)
    found = minimize(gradient, torch.zeros(1, 1, dtype=torch.float64), scale, small(1e-6))
    assert calls[:2] == [0, pytest.approx(3**-0.5)]
    assert found.x.item() == pytest.approx(2)
    assert found.converged.tolist() == [True]
    assert found.rounds.tolist() == [len(calls)]
    assert len(calls) <= 4


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(1, 12))
def test_quadratics_end_at_their_minimum(seed, problems, variables):
    case = Quadratic(seed, problems, variables)
    found = case.minimize()
    assert found.converged.all()
    np.testing.assert_allclose(found.x.numpy(), case.minimum, atol=1e-7)


class Logistic:
    """Balanced log losses with an L2 term over random images."""

    def __init__(self, seed: int, problems: int, images: int = 40, variables: int = 6) -> None:
        generator = np.random.default_rng(seed)
        self.X = generator.normal(size=(images, variables)) * 10 ** generator.uniform(
            -1, 1, variables
        )
        told = self.X @ (generator.normal(size=(variables, problems)) / self.X.std(0)[:, None])
        self.t = told + generator.normal(0, 2, told.shape) > 0
        self.t[0], self.t[1] = True, False
        self.a = np.where(self.t, 0.5 / self.t.sum(0), 0.5 / (~self.t).sum(0))
        self.l2 = 0.01

    def gradient(self, X, places=slice(None)):
        X, t, a = torch.from_numpy(X), torch.from_numpy(self.t), torch.from_numpy(self.a)
        t, a = t[:, places], a[:, places]
        return lambda x: ((X @ x.T).sigmoid() - t.double()).mul(a).T @ X + self.l2 * x

    def minimize(self, start, places=slice(None), scale=None, tolerance: float = 1e-8):
        scale = torch.ones_like(start) if scale is None else scale
        return minimize(
            self.gradient(self.X, places), start, scale, small(tolerance), max_rounds=800
        )

    def newton(self) -> np.ndarray:
        l2 = np.full(self.X.shape[1], self.l2)
        return np.stack([oracle.balanced_optimum(self.X, t, l2) for t in self.t.T])


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32))
def test_log_losses_end_where_newton_does_from_any_start(seed):
    case = Logistic(seed, 3)
    generator = torch.Generator().manual_seed(seed % 2**31)
    for size in (0.0, 3.0):
        start = size * torch.randn(3, 6, generator=generator, dtype=torch.float64)
        scale = torch.from_numpy(1 / (0.25 * (case.X**2).mean(0) + case.l2) ** 0.5).expand(3, 6)
        found = case.minimize(start, scale=scale)
        assert found.converged.all()
        # Curvature is at least the strength of the L2 term.
        np.testing.assert_allclose(found.x.numpy(), case.newton(), atol=2e-8 / case.l2)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32))
def test_units_of_the_variables_change_nothing(seed):
    """In other units the scale changes with them, and every point of the search is the same."""
    case = Quadratic(seed, 2, 6, spread=4.0)
    # Powers of two: not even the last bit changes.
    unit = 2.0 ** torch.from_numpy(np.random.default_rng(seed).integers(-6, 7, (2, 6)))
    seen: tuple[list, list] = [], []

    def plain(x):
        seen[0].append(x)
        return case.gradient(x)

    def changed(y):
        seen[1].append(y * unit)
        return case.gradient(y * unit) * unit

    # The condition is on the slope in the old units in both.
    zero = torch.zeros(2, 6, dtype=torch.float64)
    first = minimize(plain, zero, case.scale, small(1e-8))
    other = minimize(
        changed, zero, case.scale / unit, lambda x, slope: (slope / unit).norm(dim=1) <= 1e-8
    )
    assert first.rounds.tolist() == other.rounds.tolist()
    for x, y in zip(*seen, strict=True):
        assert torch.equal(x, y)
    assert torch.equal(first.x, other.x * unit)


def test_a_poor_scale_ends_at_the_same_place():
    case = Quadratic(5, 3, 8)
    good = case.minimize()
    poor = minimize(
        case.gradient,
        torch.zeros_like(case.b),
        30 * torch.ones_like(case.b),
        small(1e-9),
        max_rounds=2000,
    )
    assert poor.converged.all()
    np.testing.assert_allclose(poor.x.numpy(), good.x.numpy(), atol=1e-7)


def test_a_variable_of_scale_zero_stays_where_it_is():
    case = Quadratic(3, 4, 6)
    start = torch.full_like(case.b, 0.5)
    scale = case.scale.clone()
    scale[:, 2] = 0
    moves = scale > 0
    found = minimize(lambda x: case.gradient(x) * moves, start, scale, small(1e-9), max_rounds=500)
    assert (found.x[:, 2] == 0.5).all()
    assert found.converged.all()
    rest = [0, 1, 3, 4, 5]
    pull = case.b[:, rest] - 0.5 * case.A[:, rest, 2]
    expected = torch.linalg.solve(case.A[:, rest][:, :, rest], pull)
    np.testing.assert_allclose(found.x[:, rest].numpy(), expected.numpy(), atol=1e-7)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_bit_hangs_on_the_problems_beside(dtype):
    """Problems that need a few rounds, many, or shorter steps, in any order and beside any."""
    case = Quadratic(1, 6, 7)
    case.A[4] *= 1e4
    A, b = case.A.to(dtype), case.b.to(dtype)
    scale = torch.ones_like(b)  # far from their lengths
    limit = 1e-3 if dtype == torch.float32 else 1e-9

    def run(order: list[int]):
        def gradient(x):
            # Elementwise, so that the gradient itself cannot depend on the shape.
            return (A[order] * x[:, None]).sum(2) - b[order]

        found = minimize(
            gradient, torch.zeros_like(b[order]), scale[order], small(limit), max_rounds=400
        )
        return found.x, found.rounds

    together, rounds = run(list(range(6)))
    assert len(set(rounds.tolist())) > 2
    for order in ([5, 4, 3, 2, 1, 0], [2, 0, 2, 2, 1, 1], [4] * 6, [3, 3, 3, 0, 5, 4]):
        x, counted = run(order)
        assert torch.equal(x, together[order])
        assert torch.equal(counted, rounds[order])


def test_what_is_given_up_says_so():
    case = Quadratic(2, 2, 10)
    found = minimize(
        case.gradient, torch.zeros_like(case.b), case.scale, small(1e-12), max_rounds=3
    )
    assert found.converged.tolist() == [False, False]
    assert found.rounds.tolist() == [3, 3]


def test_who_begins_at_its_minimum_takes_no_step():
    case = Quadratic(4, 2, 5)
    start = torch.from_numpy(case.minimum)
    start[1] += 1
    found = case.minimize(start, tolerance=1e-8)
    assert torch.equal(found.x[0], start[0])
    assert found.rounds[0] == 1
    assert found.rounds[1] > 1
