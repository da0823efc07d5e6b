"""Balanced log loss with an L2 term, solved to its optimum: one rule for both tasks.

The L2 term is on the weights, not on the bias. It makes the problem strictly convex, so the
optimum does not depend on where the search began, and a small gradient proves that it is near:
norm(w - w*) is at most norm(gradient) / l2.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from net2vec.kernels.lbfgs import Minimum, minimize

STRENGTHS = (1e-2, 1e-3, 1e-4, 1e-5)
"""L2 strengths to choose from, from the strongest."""

# Relative distance from the optimum: two solutions then have a cosine above 0.9999.
CLOSE = 5e-3
# Enough to choose a strength by.
ROUGH = 5e-2
_BIAS = 1e-4

Gradient = Callable[[Float[Tensor, "problem variable"]], Float[Tensor, "problem variable"]]


def solve(
    gradient: Gradient,
    start: Float[Tensor, "problem variable"],
    curvature: Float[Tensor, "problem variable"],
    l2: Float[Tensor, "problem"],
    *,
    close: float = CLOSE,
    most: int = 200,
) -> Minimum:
    """Minimise the loss plus l2 / 2 times the squared norm of the weights.

    Args:
        gradient: of the loss without the L2 term, by x = (w, b).
        start: where to begin.
        curvature: of the loss along each variable, nearly; 0 for a variable that stays where it is.
        l2: strength of the L2 term of each problem.
        close: how near to the optimum, relative to the norm of its weights.
        most: rounds after which a problem is given up.
    """
    moves = curvature > 0
    strength = l2[:, None] * moves
    strength[:, -1] = 0
    scale = torch.where(moves, 1 / (curvature + strength).clamp(min=1e-30).sqrt(), 0.0)

    def total(x: Tensor) -> Tensor:
        return (gradient(x) + strength * x) * moves

    def is_done(x: Tensor, slope: Tensor) -> Bool[Tensor, "problem"]:
        distance = slope[:, :-1].norm(dim=1) / l2
        return (distance <= close * x[:, :-1].norm(dim=1)) & (slope[:, -1].abs() <= _BIAS)

    return minimize(total, start * moves, scale, is_done, most=most)
