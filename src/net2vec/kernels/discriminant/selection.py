"""Which filters a discriminant needs, from moments alone: without a look at an image.

A subset S of the filters explains d_S^T (S_SS + l I)^-1 d_S of the difference of means d. Forward
selection adds the filter that raises it the most, as orthogonal matching pursuit does; backward
elimination begins with all and removes those that it hardly needs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float64, Int
from torch import Tensor

from net2vec.kernels.discriminant.ridge import Correlation, shifted

# Of so many filters that are left one is removed at a time; of twice as many two.
_LEFT_FOR_EACH_REMOVED = 16


def forward_order(
    correlation: Correlation,
    difference: Float64[Tensor, "filter"],
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
    left = correlation.variances() + strength
    factor = torch.zeros(count, filters, dtype=difference.dtype)
    free = torch.ones(filters, dtype=torch.bool)
    order = torch.zeros(count, dtype=torch.int64)
    for step in range(count):
        gain = torch.where(free, residual.square() / left.clamp(min=1e-12), -1.0)
        chosen = int(gain.argmax())
        order[step] = chosen
        free[chosen] = False
        pivot = left[chosen].clamp(min=1e-12).sqrt()
        row = correlation.row(chosen) - factor[:step, chosen] @ factor[:step]
        factor[step] = row / pivot
        factor[step, chosen] = pivot
        residual = residual - factor[step] * (residual[chosen] / pivot)
        left = left - factor[step].square()
    return order


def backward_masks(
    correlation: Correlation,
    difference: Float64[Tensor, "filter"],
    strength: float,
    sizes: Sequence[int],
    begin: Int[Tensor, "begin"],
) -> Bool[Tensor, "size filter"]:
    """By size the filters that greedy backward elimination leaves.

    Without filter k of the remaining ones d_S^T (S_SS + l I)^-1 d_S falls by w_k^2 / v_k, with w
    the vector and v the diagonal of (S_SS + l I)^-1. Each stage removes the filters of the least
    fall, a sixteenth of those that are left, so that below 32 it is one at a time. The inverse of
    what remains is a Schur complement: all stages together cost some K^3.

    Args:
        correlation: of filters (S).
        difference: of means (d), standardised.
        strength: of shrinkage (l).
        sizes: numbers of filters.
        begin: the filters to begin with, ascending.
    """
    left = begin
    factor = torch.linalg.cholesky(shifted(correlation.part(left), strength))
    inverse = torch.cholesky_inverse(factor)
    weight = inverse @ difference[left]
    found = torch.zeros(len(sizes), len(difference), dtype=torch.bool)
    for place in sorted(range(len(sizes)), key=lambda place: -sizes[place]):
        while (extra := len(left) - sizes[place]) > 0:
            fall = weight.square() / inverse.diagonal()
            order = torch.argsort(fall, stable=True)
            count = min(max(len(left) // _LEFT_FOR_EACH_REMOVED, 1), extra)
            out, stay = order[:count], order[count:].sort().values
            across = inverse[out][:, stay]
            solved = torch.linalg.solve(inverse[out][:, out], across)
            weight = weight[stay] - solved.T @ weight[out]
            inverse = inverse[stay][:, stay].addmm_(across.T, solved, alpha=-1)
            left = left[stay]
        found[place, left] = True
    return found
