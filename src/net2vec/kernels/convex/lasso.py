"""Which variables an L1 path lets in, and in what order: many convex problems side by side.

Along the path the L1 strength falls from where all variables are 0, each step beginning where the
last ended, by accelerated proximal gradient steps in scaled variables. The order alone is wanted:
whoever learns on the chosen variables does so again without the L1 term, which shrinks them.

Source: Beck and Teboulle, A fast iterative shrinkage-thresholding algorithm (2009); restarts after
O'Donoghue and Candes (2015).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

_FALL = 0.85
_STEPS = 60
_ROUNDS = 12
_MOVED = 3e-3
# Power iteration comes from below.
_SAFETY = 1.3
_POWER = 8

Gradient = Callable[[Float[Tensor, "problem variable"]], Float[Tensor, "problem variable"]]


def entry_order(
    gradient: Gradient,
    scale: Float[Tensor, "problem variable"],
    wanted: int,
    *,
    free: int = 0,
    fall: float = _FALL,
) -> Int[Tensor, "problem penalised"]:
    """Variables of each problem in the order in which they become other than 0.

    Args:
        gradient: of every problem at its point; its curvature must be largest at 0.
        scale: typical lengths of the variables, such as 1 / sqrt(curvature); 0 for one that stays.
        wanted: variables to let in; those beyond come in the order of their slopes at the end.
        free: how many variables at the end, such as a bias, are not penalised and not listed.
        fall: what the strength falls to from step to step; who comes in at the same step comes in
            the order of size.
    """
    at = torch.zeros_like(scale)
    penalised = at.shape[1] - free
    reach = _SAFETY * _largest_curvature(gradient, scale)[:, None]
    if free:
        held = torch.full_like(scale, torch.inf)
        held[:, penalised:] = 0
        at = _descend(gradient, at, scale, held, reach)
    slope = gradient(at) * (scale > 0)
    strength = slope[:, :penalised].abs().amax(1, keepdim=True)
    # Who came in when: steps of the path, ties told apart by size; never is past the last.
    came = torch.full_like(at[:, :penalised], _STEPS)
    size = slope[:, :penalised].abs()
    for step in range(_STEPS):
        strength = strength * fall
        shrink = strength * scale / reach
        shrink[:, penalised:] = 0
        at = _descend(gradient, at, scale, shrink, reach)
        fresh = (came == _STEPS) & (at[:, :penalised] != 0)
        came[fresh] = step
        size = torch.where(fresh, at[:, :penalised].abs(), size)
        if bool(((came < _STEPS).sum(1) >= min(wanted, penalised)).all()):
            break
    late = came == _STEPS
    slope = gradient(at) * (scale > 0)
    size = torch.where(late, slope[:, :penalised].abs(), size)
    by_size = torch.sort(size, dim=1, descending=True, stable=True).indices
    by_time = torch.sort(torch.gather(came, 1, by_size), dim=1, stable=True).indices
    return torch.gather(by_size, 1, by_time)


def _descend(
    gradient: Gradient,
    start: Float[Tensor, "problem variable"],
    scale: Float[Tensor, "problem variable"],
    shrink: Float[Tensor, "problem variable"],
    reach: Float[Tensor, "problem 1"],
) -> Float[Tensor, "problem variable"]:
    """Proximal steps at one strength; `shrink` is in scaled variables."""
    last = ahead = start / torch.where(scale > 0, scale, 1.0)
    pace = torch.ones_like(reach)
    done = torch.zeros_like(reach, dtype=torch.bool)
    for _ in range(_ROUNDS):
        moved = ahead - gradient(ahead * scale) * scale / reach
        found = moved.sign() * (moved.abs() - shrink).clamp(min=0)
        # Where the step turns back against the momentum, that begins again.
        back = ((ahead - found) * (found - last)).sum(1, keepdim=True) > 0
        faster = (1 + (1 + 4 * pace**2).sqrt()) / 2
        push = torch.where(back, 0.0, (pace - 1) / faster)
        pace = torch.where(back, 1.0, faster)
        ahead = found + push * (found - last)
        change = (found - last).norm(dim=1, keepdim=True)
        # Who has arrived waits for the others.
        last = torch.where(done, last, found)
        done = done | (change <= _MOVED * found.norm(dim=1, keepdim=True))
        if bool(done.all()):
            break
    return last * scale


def _largest_curvature(
    gradient: Gradient, scale: Float[Tensor, "problem variable"]
) -> Float[Tensor, "problem"]:
    """The largest curvature at 0 along any direction of scaled variables, by power iteration."""
    zero = torch.zeros_like(scale)
    base, size = gradient(zero), 1e-2
    # Positive features overlap: the direction in which all grow is close to the steepest.
    along = torch.ones_like(scale) / scale.shape[1] ** 0.5
    largest = scale.new_ones(len(scale))
    for _ in range(_POWER):
        change = (gradient(size * along * scale) - base) * scale / size
        largest = change.norm(dim=1).clamp(min=1e-12)
        along = change / largest[:, None]
    return largest
