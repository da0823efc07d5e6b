"""Balanced log loss with an L2 term: solutions against Newton's method, from any start."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.kernels.convex.presence import Presence, balanced
from net2vec.kernels.convex.solver import ROUGH, solve
from net2vec.kernels.convex.standardised import Standardised

import oracle


class Case:
    """Concepts that features tell; a constant feature, and features that go together."""

    def __init__(self, seed: int, concepts: int = 4, images: int = 60, filters: int = 7) -> None:
        generator = np.random.default_rng(seed)
        x = np.maximum(generator.normal(0.3, 1, (images, filters)), 0)
        x[:, 1] = 0.7 * x[:, 0] + 0.1 * x[:, 1]
        x[:, 3] = 0.1
        self.x = (x * 10 ** generator.uniform(-2, 1, filters)).astype(np.float32)
        told = (x @ generator.normal(size=(filters, concepts))).T
        told += generator.normal(0, 0.7, told.shape)
        self.t = told > np.quantile(told, generator.uniform(0.2, 0.8, concepts))[:, None]
        self.t[:, 0], self.t[:, 1] = True, False

    def problem(self) -> tuple[Presence, Standardised]:
        features = Standardised.of(torch.from_numpy(self.x))
        t = torch.zeros(len(self.t), len(features.own), dtype=torch.bool)
        t[:, : features.images] = torch.from_numpy(self.t)
        weight = balanced(t, (torch.arange(t.shape[1]) < features.images).expand_as(t))
        return Presence.of(features.turned[None], t[None], weight[None]), features

    def solve(self, l2: float, start=None, **how):
        """Weights and biases for features as recorded, and whether they converged."""
        problem, features = self.problem()
        zero = features.turned.new_zeros(len(self.t), features.turned.shape[1])
        strength = torch.full_like(zero, l2)
        strength[:, -1] = 0
        found = solve(
            problem.gradient,
            zero if start is None else start,
            problem.curvature(zero),
            strength,
            **how,
        )
        weight, bias = features.recorded(features.unturned(found.x))
        return weight.numpy(), bias.numpy(), found


def cosine(a, b) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 2**32), st.sampled_from([1.0, 0.1, 1e-2, 1e-3]))
def test_solutions_are_those_of_newton_from_any_start(seed, l2):
    case = Case(seed)
    spread = np.where(np.ptp(case.x, axis=0) > 0, case.x.std(0, dtype=np.float64), 0)
    generator = torch.Generator().manual_seed(seed % 2**31)
    found = []
    for size in (0.0, 2.0):
        _, features = case.problem()
        start = size * torch.randn(4, features.turned.shape[1], generator=generator)
        weight, bias, minimum = case.solve(l2, start)
        assert minimum.converged.all()
        assert (weight[:, 3] == 0).all()
        for place in range(4):
            w, b = oracle.converged_classification(case.x, case.t[place], l2)
            # The bound that is proved: relative distance in units of the features' spread.
            far = np.linalg.norm((weight[place] - w) * spread)
            assert far <= 6e-3 * np.linalg.norm(w * spread)
            centre = case.x.mean(0, dtype=np.float64)
            assert bias[place] + weight[place] @ centre == pytest.approx(b + w @ centre, abs=0.05)
        found.append(weight * spread)
    for first, other in zip(*found, strict=True):
        assert cosine(first, other) > 0.9999


def test_a_rough_solution_is_near_and_takes_fewer_rounds():
    case = Case(3)
    exact, _, full = case.solve(1e-2)
    near, _, rough = case.solve(1e-2, rough=ROUGH)
    assert (rough.rounds < full.rounds).all()
    spread = case.x.std(0)
    for w, u in zip(exact, near, strict=True):
        assert cosine(w * spread, u * spread) > 0.95


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32), st.integers(2, 6))
def test_scaled_inputs_scale_the_weights(seed, power):
    """Features in other units, by a power of two, and the L2 term with them: the same logits."""
    case = Case(seed, concepts=3)
    problem, features = case.problem()
    unit = 2.0**power
    l2 = torch.full((3, features.turned.shape[1]), 0.01)
    l2[:, -1] = 0
    scaled = Presence.of(problem.inputs * unit, problem.positive, problem.weight)
    zero = torch.zeros_like(l2)
    w = solve(problem.gradient, zero, problem.curvature(zero), l2).x
    # With the column of ones scaled as well the bias is scaled too.
    v = solve(scaled.gradient, zero, scaled.curvature(zero), l2 * unit**2).x
    # Their conditions differ by the units of the bias alone.
    np.testing.assert_allclose(v.numpy() * unit, w.numpy(), rtol=2e-2, atol=2e-2)


def test_fixed_variables_stay_zero():
    case = Case(5)
    problem, features = case.problem()
    zero = features.turned.new_zeros(4, features.turned.shape[1])
    curvature = problem.curvature(zero)
    curvature[:, 2] = 0
    l2 = torch.full_like(zero, 0.01)
    l2[:, -1] = 0
    # A start elsewhere is not kept there.
    found = solve(problem.gradient, zero + 1, curvature, l2)
    assert found.converged.all()
    assert (found.x[:, 2] == 0).all()
    others = [k for k in range(zero.shape[1]) if k != 2]
    inputs = features.turned[: features.images, others].double().numpy()
    penalty = np.append(np.full(len(others) - 1, 0.01), 0)
    for place in range(4):
        w = oracle.balanced_optimum(inputs, case.t[place], penalty)
        x = found.x[place, others].double().numpy()
        assert np.linalg.norm(x[:-1] - w[:-1]) <= 6e-3 * np.linalg.norm(w[:-1])


def test_a_single_feature_by_hand():
    # Features 1 and -1, one image each: z = w x, both lose log(1 + exp(-w)), and no bias. At the
    # optimum l2 w = 1 / (1 + exp(w)): with w = 1 that is l2 = 0.26894.
    inputs = torch.tensor([[[1.0, 1.0], [-1.0, 1.0]]])
    positive = torch.tensor([[[True, False]]])
    problem = Presence.of(inputs, positive, balanced(positive, torch.ones_like(positive)))
    assert problem.weight.tolist() == [[[0.5, 0.5]]]
    zero = torch.zeros(1, 2)
    assert problem.gradient(zero).tolist() == [[-0.5, 0]]
    assert problem.curvature(zero).tolist() == [[0.25, 0.25]]
    l2 = torch.tensor([[1 / (1 + np.e), 0]], dtype=torch.float32)
    found = solve(problem.gradient, zero, problem.curvature(zero), l2)
    np.testing.assert_allclose(found.x.numpy(), [[1, 0]], atol=6e-3)
    lost = problem.loss(torch.tensor([[1.0, 0.0]]), problem.weight)
    assert lost.item() == pytest.approx(np.log(1 + np.exp(-1)))


def test_gradient_and_curvature_are_those_of_autograd():
    case = Case(8)
    problem, features = case.problem()
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, features.turned.shape[1], generator=generator, requires_grad=True)
    slope = torch.autograd.grad(problem.loss(x, problem.weight).sum(), x, create_graph=True)[0]
    np.testing.assert_allclose(problem.gradient(x.detach()), slope.detach(), atol=1e-6)
    for k in range(x.shape[1]):
        second = torch.autograd.grad(slope[:, k].sum(), x, retain_graph=True)[0][:, k]
        np.testing.assert_allclose(problem.curvature(x.detach())[:, k], second, atol=1e-5)
    zero = problem.curvature(torch.zeros_like(x))
    assert (zero >= problem.curvature(x.detach()) - 1e-6).all()


def test_own_inputs_and_shared_ones_give_the_same():
    case = Case(9)
    problem, features = case.problem()
    one = features.turned.expand(4, -1, -1)
    own = Presence.of(one, problem.positive.view(4, 1, -1), problem.weight.view(4, 1, -1))
    x = torch.randn(4, features.turned.shape[1], generator=torch.Generator().manual_seed(1))
    np.testing.assert_allclose(own.gradient(x), problem.gradient(x), atol=1e-6)
    np.testing.assert_allclose(own.curvature(x), problem.curvature(x), atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.booleans(), min_size=1, max_size=12), st.data())
def test_sides_weigh_one_half_each_or_nothing(positive, data):
    used = data.draw(st.lists(st.booleans(), min_size=len(positive), max_size=len(positive)))
    t, u = torch.tensor(positive), torch.tensor(used)
    weight = balanced(t, u)
    assert (weight[~u] == 0).all()
    mixed = bool((t & u).any() and (~t & u).any())
    for side in (t & u, ~t & u):
        assert float(weight[side].sum()) == pytest.approx(0.5 if mixed else 0)
        assert len(set(weight[side].tolist())) <= 1
