"""Vectors from moments: of all filters, of subsets, and the order in which filters help most."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

SHRINKAGES = (1e-2, 3e-2, 1e-1, 3e-1)
"""Candidates for what is added to the diagonal of the correlation matrix."""


def solve_ridge(
    correlation: Float[Tensor, "filter filter"],
    difference: Float[Tensor, "*problem filter"],
    strength: float,
) -> Float[Tensor, "*problem filter"]:
    """The vectors (S + l I)^-1 d.

    Args:
        correlation: of filters (S).
        difference: of means (d), standardised.
        strength: of shrinkage (l).
    """
    everything = torch.ones(len(correlation), dtype=torch.bool)
    return solve_subset(correlation, difference, strength, everything)


def solve_subset(
    correlation: Float[Tensor, "filter filter"],
    difference: Float[Tensor, "*problem filter"],
    strength: float,
    kept: Bool[Tensor, "filter"],
) -> Float[Tensor, "*problem filter"]:
    """The vectors with the kept filters alone, 0 elsewhere; see `solve_ridge`."""
    chosen = torch.nonzero(kept)[:, 0]
    part = correlation[chosen[:, None], chosen]
    part = part + strength * torch.eye(len(chosen), dtype=part.dtype)
    found = torch.zeros_like(difference)
    flat = difference[..., chosen].reshape(-1, len(chosen))
    factor = torch.linalg.cholesky(part)
    solved = torch.cholesky_solve(flat.T, factor).T
    found[..., chosen] = solved.reshape(*difference.shape[:-1], -1)
    return found


def forward_order(
    correlation: Float[Tensor, "filter filter"],
    difference: Float[Tensor, "filter"],
    strength: float,
    count: int,
) -> Int[Tensor, "chosen"]:
    """Filters in the order in which greedy forward selection takes them in.

    Each step adds the filter that raises d_S^T (S_SS + l I)^-1 d_S the most: the fall of the
    squared error. An incremental Cholesky factor of the chosen rows makes a step cost K times the
    number of filters that are chosen.

    Args:
        correlation: of filters (S).
        difference: of means (d), standardised.
        strength: of shrinkage (l).
        count: how many to choose, at most all.
    """
    filters = len(difference)
    count = min(count, filters)
    residual = difference.clone()
    left = correlation.diagonal() + strength
    factor = torch.zeros(count, filters, dtype=difference.dtype)
    free = torch.ones(filters, dtype=torch.bool)
    order = torch.zeros(count, dtype=torch.int64)
    for step in range(count):
        gain = torch.where(free, residual.square() / left.clamp(min=1e-12), -1.0)
        chosen = int(gain.argmax())
        order[step] = chosen
        free[chosen] = False
        pivot = left[chosen].clamp(min=1e-12).sqrt()
        row = correlation[chosen] - factor[:step, chosen] @ factor[:step]
        factor[step] = row / pivot
        factor[step, chosen] = pivot
        residual = residual - factor[step] * (residual[chosen] / pivot)
        left = left - factor[step].square()
    return order
