"""A quasi-Newton method for smooth, strictly convex functions: many problems side by side.

Limited-memory BFGS in scaled variables. Every round asks once for the gradients of all problems.
A problem takes its step where the slope along it has not turned up too much, and else shortens it
by the secant rule: for convex functions slopes are enough, no function value is computed. What
a problem does depends on its own gradients alone, not on those beside it.

Source: Byrd, Nocedal and Schnabel, Representations of quasi-Newton matrices (1994), theorem 2.2.
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
    length: Tensor = 1 / step.norm(dim=1).clamp(min=1.0)
    return length


@dataclass
class _History:
    """The last steps of every problem and what they did to its gradient, newest last.

    The approximate inverse is applied in its compact form, a few products of small matrices.
    """

    step: Float[Tensor, "problem memory variable"]
    change: Float[Tensor, "problem memory variable"]
    size: Float[Tensor, "problem"]

    @classmethod
    def of(cls, x: Float[Tensor, "problem variable"]) -> _History:
        room = (len(x), _MEMORY, x.shape[1])
        return cls(x.new_zeros(room), x.new_zeros(room), x.new_ones(len(x)))

    def add(
        self,
        taken: Bool[Tensor, "problem"],
        step: Float[Tensor, "problem variable"],
        change: Float[Tensor, "problem variable"],
    ) -> None:
        """Remember the steps that were taken."""
        product, square = (step * change).sum(1), (change * change).sum(1)
        # Rounding may hide the curvature of a tiny step; such a step teaches nothing.
        taken = taken & (product > 1e-12 * step.norm(dim=1) * square.sqrt())
        mine = taken[:, None, None]
        for kept, new in ((self.step, step), (self.change, change)):
            shifted = torch.cat([kept[:, 1:], new[:, None]], 1)
            kept.copy_(torch.where(mine, shifted, kept))
        self.size = torch.where(taken, product / square.clamp(min=1e-300), self.size)

    def direction(
        self, slope: Float[Tensor, "problem variable"]
    ) -> Float[Tensor, "problem variable"]:
        """Minus the approximate inverse of the curvature, times the gradient."""
        products = self.step @ self.change.mT
        own = products.diagonal(dim1=1, dim2=2)
        # Empty slots are 0; a 1 in their place keeps them out of each other's way.
        upper = products.triu() + torch.diag_embed((own == 0).to(own.dtype))
        along = self.step @ slope[:, :, None]
        across = self.size[:, None, None] * (self.change @ slope[:, :, None])
        inner = torch.linalg.solve_triangular(upper, along, upper=True)
        middle = self.size[:, None, None] * (self.change @ (self.change.mT @ inner))
        middle = own[:, :, None] * inner + middle - across
        outer = torch.linalg.solve_triangular(upper.mT, middle, upper=False)
        back = self.step.mT @ outer - self.size[:, None, None] * (self.change.mT @ inner)
        along_slope: Tensor = self.size[:, None] * slope
        return -(along_slope + back[:, :, 0])
