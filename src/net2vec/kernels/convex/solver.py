"""Balanced log loss with an L2 term, solved to its optimum: one rule for both tasks.

The L2 term makes the problem strictly convex: the optimum does not depend on the start, and a small
gradient proves that it is near, since norm(w - w*) is at most norm(gradient) / l2.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from net2vec.kernels.convex.lbfgs import Minimum, minimize

STRENGTHS = (1e-1, 1e-2, 1e-3, 1e-4)
"""L2 strengths to choose from, from the strongest."""

# Relative distance from the optimum: two solutions then have a cosine above 0.9999.
_MAX_DISTANCE = 5e-3
_MAX_BIAS_SLOPE = 1e-4
ROUGH = 5e-2
"""Relative distance in scaled variables that suffices to choose a strength or a cut."""

_MAX_ROUNDS = 200  # after which a problem is given up

Gradient = Callable[[Float[Tensor, "problem variable"]], Float[Tensor, "problem variable"]]


def solve(
    gradient: Gradient,
    start: Float[Tensor, "problem variable"],
    curvature: Float[Tensor, "problem variable"],
    l2: Float[Tensor, "problem variable"],
    *,
    rough: float = 0.0,
) -> Minimum:
    """Minimise the loss plus half of the squared weights times their L2 strength.

    Args:
        gradient: of the loss without the L2 term.
        start: the first points.
        curvature: of the loss along each variable, approximately; 0 for one that is fixed at 0.
        l2: strength of the L2 term, the same for all weights of a problem; 0 for a bias.
        rough: relative distance in scaled variables that is near enough; 0 for the optimum itself.
    """
    moves = curvature > 0
    scale = torch.where(moves, 1 / (curvature + l2).clamp(min=1e-30).sqrt(), 0.0)
    is_weight = l2 > 0
    strength = l2.amax(1)

    def total(x: Tensor) -> Tensor:
        return (gradient(x) + l2 * x) * moves

    def is_close(x: Tensor, slope: Tensor) -> Bool[Tensor, "problem"]:
        distance = (slope * is_weight).norm(dim=1) / strength
        level = (slope * ~is_weight).abs().amax(1) <= _MAX_BIAS_SLOPE
        close: Tensor = distance <= _MAX_DISTANCE * (x * is_weight).norm(dim=1)
        return close & level

    def is_near(x: Tensor, slope: Tensor) -> Bool[Tensor, "problem"]:
        size = (x / torch.where(moves, scale, 1.0)).norm(dim=1)
        near: Tensor = (slope * scale).norm(dim=1) <= rough * size
        return near

    return minimize(
        total, start * moves, scale, is_near if rough else is_close, max_rounds=_MAX_ROUNDS
    )
