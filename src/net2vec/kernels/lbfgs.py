"""A quasi-Newton method for smooth, strictly convex functions: many problems side by side.

Limited-memory BFGS in scaled variables. Every round asks once for the gradients of all problems.
A problem takes its step where the slope along it has not turned up too much, and else shortens it
by the secant rule: for convex functions slopes are enough, no function value is computed. What
a problem does depends on its own gradients alone, not on those beside it.

Source: Nocedal and Wright, Numerical Optimization, algorithm 7.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_MEMORY = 12
# A step is taken unless the slope at its end is above this share of the slope at its beginning.
_OVERSHOOT = 0.5


@dataclass(frozen=True)
class Minimum:
    """Where the problems ended.

    Attributes:
        x: the last points.
        converged: whether each met its condition.
        rounds: how often each was asked for its gradient.
    """

    x: Float[Tensor, "problem variable"]
    converged: Bool[Tensor, "problem"]
    rounds: Int[Tensor, "problem"]


def minimize(
    gradient: Callable[[Float[Tensor, "problem variable"]], Float[Tensor, "problem variable"]],
    start: Float[Tensor, "problem variable"],
    scale: Float[Tensor, "problem variable"],
    is_done: Callable[[Tensor, Tensor], Bool[Tensor, "problem"]],
    *,
    most: int = 200,
) -> Minimum:
    """Minimise convex functions.

    Args:
        gradient: of every problem at its point.
        start: where to begin.
        scale: typical lengths of the variables, such as 1 / sqrt(curvature); 0 for one that stays.
        is_done: from points and gradients, which problems need no further step.
        most: rounds after which a problem is given up.
    """
    x, slope = start.clone(), gradient(start)
    done = is_done(x, slope)
    rounds = torch.ones(len(x), dtype=torch.int64, device=x.device)
    history = _History.of(x)
    step = history.direction(slope * scale)
    length = _first_length(step)
    for _ in range(most - 1):
        if bool(done.all()):
            break
        move = torch.where(done, 0.0, length)[:, None] * step
        tried = x + move * scale
        found = gradient(tried)
        rounds += ~done
        before = (slope * scale * step).sum(1)
        after = (found * scale * step).sum(1)
        taken = ~done & (after <= -_OVERSHOOT * before)
        history.add(taken, move, (found - slope) * scale)
        x = torch.where(taken[:, None], tried, x)
        slope = torch.where(taken[:, None], found, slope)
        # The secant's root lies between the ends where the slope has changed its sign.
        shorter = length * (before / (before - after)).clamp(0.05, 0.8)
        fresh = history.direction(slope * scale)
        step = torch.where(taken[:, None], fresh, step)
        length = torch.where(taken, torch.ones_like(length), torch.where(done, length, shorter))
        done = done | (taken & is_done(x, slope))
    return Minimum(x, done, rounds)


def _first_length(step: Float[Tensor, "problem variable"]) -> Float[Tensor, "problem"]:
    """The first step goes straight down; scaled variables are of the order of 1."""
    return 1 / step.norm(dim=1).clamp(min=1.0)


@dataclass
class _History:
    """The last steps of every problem and what they did to its gradient, newest last."""

    step: Float[Tensor, "memory problem variable"]
    change: Float[Tensor, "memory problem variable"]
    inverse: Float[Tensor, "memory problem"]

    @classmethod
    def of(cls, x: Float[Tensor, "problem variable"]) -> _History:
        # A slot with inverse 0 has no effect: empty ones need no case of their own.
        room = (_MEMORY, *x.shape)
        return cls(x.new_zeros(room), x.new_zeros(room), x.new_zeros(room[:2]))

    def add(
        self,
        taken: Bool[Tensor, "problem"],
        step: Float[Tensor, "problem variable"],
        change: Float[Tensor, "problem variable"],
    ) -> None:
        """Remember the steps that were taken."""
        product = (step * change).sum(1)
        # Rounding may hide the curvature of a tiny step; such a step teaches nothing.
        taken = taken & (product > 1e-12 * step.norm(dim=1) * change.norm(dim=1))
        inverse = torch.where(taken, 1 / product.where(taken, 1.0), 0.0)
        for kept, new in ((self.step, step), (self.change, change), (self.inverse, inverse)):
            mine = taken.view(-1, *[1] * (new.ndim - 1))
            kept[:-1] = torch.where(mine, kept[1:], kept[:-1])
            kept[-1] = torch.where(mine, new, kept[-1])

    def direction(self, slope: Float[Tensor, "problem variable"]) -> Tensor:
        """Minus the approximate inverse of the curvature, times the gradient."""
        newest = self.inverse[-1] > 0
        square = (self.change[-1] ** 2).sum(1).where(newest, 1.0)
        size = torch.where(newest, 1 / (self.inverse[-1].where(newest, 1.0) * square), 1.0)
        back, shares = slope.clone(), []
        for step, change, inverse in reversed(
            list(zip(self.step, self.change, self.inverse, strict=True))
        ):
            share = inverse * (step * back).sum(1)
            back = back - share[:, None] * change
            shares.append(share)
        back = back * size[:, None]
        for step, change, inverse, share in zip(
            self.step, self.change, self.inverse, reversed(shares), strict=True
        ):
            back = back + (share - inverse * (change * back).sum(1))[:, None] * step
        return -back
