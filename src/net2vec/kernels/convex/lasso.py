"""The order in which variables enter an L1 path, for many convex problems side by side.

Along the path the L1 strength falls from where all variables are 0; each strength is solved by
accelerated proximal gradient steps in scaled variables, from the solution of the one before. Only
the order is returned: the L1 term shrinks the variables, so they are fitted again without it.

Source: Beck and Teboulle, A fast iterative shrinkage-thresholding algorithm (2009); restarts after
O'Donoghue and Candes (2015).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

_STRENGTH_RATIO = 0.85
_MAX_STRENGTHS = 60
_MAX_ROUNDS = 12
# Relative change of a step below which a strength counts as solved.
_TOLERANCE = 3e-3
# Power iteration estimates the largest curvature from below.
_SAFETY_FACTOR = 1.3
_POWER_ROUNDS = 8

Gradient = Callable[[Float[Tensor, "problem variable"]], Float[Tensor, "problem variable"]]


def entry_order(
    gradient: Gradient,
    scale: Float[Tensor, "problem variable"],
    count: int,
    *,
    free: int = 0,
    fall: float = _STRENGTH_RATIO,
) -> Int[Tensor, "problem penalised"]:
    """Variables of each problem in the order in which they become other than 0.

    Args:
        gradient: of every problem at its point; its curvature must be largest at 0.
        scale: typical lengths of the variables, such as 1 / sqrt(curvature); 0 for one that stays.
        count: variables that should enter; the others follow in the order of their slopes.
        free: number of last variables, such as a bias, that are not penalised and not listed.
        fall: ratio of each strength to the one before; variables that enter at the same strength
            are ordered by size.
    """
    at = torch.zeros_like(scale)
    penalised = at.shape[1] - free
    lipschitz = _SAFETY_FACTOR * _largest_curvature(gradient, scale)[:, None]
    if free:
        threshold = torch.full_like(scale, torch.inf)
        threshold[:, penalised:] = 0
        at = _fista(gradient, at, scale, threshold, lipschitz)
    slope = gradient(at) * (scale > 0)
    strength = slope[:, :penalised].abs().amax(1, keepdim=True)
    # The strength at which each variable entered, the number of strengths if never; ties by size.
    entered = torch.full_like(at[:, :penalised], _MAX_STRENGTHS)
    size = slope[:, :penalised].abs()
    for step in range(_MAX_STRENGTHS):
        strength = strength * fall
        threshold = strength * scale / lipschitz
        threshold[:, penalised:] = 0
        at = _fista(gradient, at, scale, threshold, lipschitz)
        fresh = (entered == _MAX_STRENGTHS) & (at[:, :penalised] != 0)
        entered[fresh] = step
        size = torch.where(fresh, at[:, :penalised].abs(), size)
        if bool(((entered < _MAX_STRENGTHS).sum(1) >= min(count, penalised)).all()):
            break
    late = entered == _MAX_STRENGTHS
    slope = gradient(at) * (scale > 0)
    size = torch.where(late, slope[:, :penalised].abs(), size)
    by_size = torch.sort(size, dim=1, descending=True, stable=True).indices
    by_time = torch.sort(torch.gather(entered, 1, by_size), dim=1, stable=True).indices
    return torch.gather(by_size, 1, by_time)


def _fista(
    gradient: Gradient,
    start: Float[Tensor, "problem variable"],
    scale: Float[Tensor, "problem variable"],
    threshold: Float[Tensor, "problem variable"],
    lipschitz: Float[Tensor, "problem 1"],
) -> Float[Tensor, "problem variable"]:
    """Accelerated proximal gradient steps at one L1 strength, restarted where they turn back.

    Source: Beck and Teboulle 2009, with the adaptive restart of O'Donoghue and Candes 2015.

    Args:
        gradient: of the smooth part of the loss, in unscaled variables.
        start: where to begin, in unscaled variables.
        scale: unscaled variables are scaled ones times this.
        threshold: of the soft threshold, in scaled variables.
        lipschitz: a bound on the curvature of the smooth part, in scaled variables.
    """
    x = y = start / torch.where(scale > 0, scale, 1.0)
    t = torch.ones_like(lipschitz)
    done = torch.zeros_like(lipschitz, dtype=torch.bool)
    for _ in range(_MAX_ROUNDS):
        moved = y - gradient(y * scale) * scale / lipschitz
        shrunk = moved.sign() * (moved.abs() - threshold).clamp(min=0)
        restart = ((y - shrunk) * (shrunk - x)).sum(1, keepdim=True) > 0
        next_t = (1 + (1 + 4 * t**2).sqrt()) / 2
        momentum = torch.where(restart, 0.0, (t - 1) / next_t)
        t = torch.where(restart, 1.0, next_t)
        y = shrunk + momentum * (shrunk - x)
        change = (shrunk - x).norm(dim=1, keepdim=True)
        # Solved problems stay where they are.
        x = torch.where(done, x, shrunk)
        done = done | (change <= _TOLERANCE * shrunk.norm(dim=1, keepdim=True))
        if bool(done.all()):
            break
    return x * scale


def _largest_curvature(
    gradient: Gradient, scale: Float[Tensor, "problem variable"]
) -> Float[Tensor, "problem"]:
    """The largest curvature at 0 along any direction of scaled variables, by power iteration."""
    zero = torch.zeros_like(scale)
    base, size = gradient(zero), 1e-2
    # Positive features overlap: the direction in which all grow is close to the steepest.
    along = torch.ones_like(scale) / scale.shape[1] ** 0.5
    largest = scale.new_ones(len(scale))
    for _ in range(_POWER_ROUNDS):
        change = (gradient(size * along * scale) - base) * scale / size
        largest = change.norm(dim=1).clamp(min=1e-12)
        along = change / largest[:, None]
    return largest
