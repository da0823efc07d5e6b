"""Vectors from moments: of all filters, and of subsets."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Float64, Int
from torch import Tensor

SHRINKAGES = (1e-2, 3e-2, 1e-1, 3e-1, 1.0)
"""Candidates for what is added to the diagonal of the correlation matrix."""
# Each refinement leaves some 1e-5 of the error, more where few directions have all the spread.
_MAX_REFINEMENTS = 8
_TOLERANCE = 1e-10


class RidgeFactor:
    """The matrix S + l I, factored once for any number of right-hand sides.

    The factor is of single precision, which is twice as fast; where rounding leaves no positive
    definite matrix, of double precision.

    Args:
        correlation: of filters (S).
        strength: of shrinkage (l).
    """

    def __init__(self, correlation: Float[Tensor, "filter filter"], strength: float) -> None:
        self.correlation = correlation
        self.strength = strength
        self._factor, failed = torch.linalg.cholesky_ex(shifted(correlation.float(), strength))
        if failed:
            self._factor = torch.linalg.cholesky(shifted(correlation.double(), strength))

    def solve(
        self, difference: Float64[Tensor, "*problem filter"]
    ) -> Float64[Tensor, "*problem filter"]:
        """The vectors (S + l I)^-1 d, to about 1e-5 of their length.

        Args:
            difference: of means (d), standardised.
        """
        flat = difference.reshape(-1, difference.shape[-1]).T.to(self._factor.dtype)
        return torch.cholesky_solve(flat, self._factor).T.double().reshape(difference.shape)

    def solve_exactly(
        self, difference: Float64[Tensor, "*problem filter"]
    ) -> Float64[Tensor, "*problem filter"]:
        """The same in double precision, by iterative refinement."""
        exact, bound = self.correlation.double(), _TOLERANCE * difference.norm()
        vectors, residual = torch.zeros_like(difference), difference
        for _ in range(_MAX_REFINEMENTS):
            vectors = vectors + self.solve(residual)
            residual = difference - vectors @ exact - self.strength * vectors
            if residual.norm() <= bound:
                break
        return vectors


@runtime_checkable
class Correlation(Protocol):
    """The correlation of filters (S), whole or approximate."""

    def variances(self) -> Float64[Tensor, "filter"]:
        """The diagonal."""
        ...

    def row(self, chosen: int) -> Float64[Tensor, "filter"]:
        """A filter's correlations with all."""
        ...

    def part(self, chosen: Int[Tensor, "chosen"]) -> Float64[Tensor, "chosen chosen"]:
        """The correlations of some filters."""
        ...


@runtime_checkable
class Factor(Protocol):
    """The matrix S + l I, factored for any number of right-hand sides."""

    strength: float

    def solve(
        self, difference: Float64[Tensor, "*problem filter"]
    ) -> Float64[Tensor, "*problem filter"]:
        """The vectors (S + l I)^-1 d, nearly."""
        ...

    def solve_exactly(
        self, difference: Float64[Tensor, "*problem filter"]
    ) -> Float64[Tensor, "*problem filter"]:
        """The same in double precision."""
        ...


def solve_subset(
    correlation: Correlation,
    difference: Float64[Tensor, "*problem filter"],
    strength: float,
    kept: Bool[Tensor, "filter"],
) -> Float64[Tensor, "*problem filter"]:
    """The vectors (S + l I)^-1 d with the kept filters alone, 0 elsewhere.

    Args:
        correlation: of filters (S).
        difference: of means (d), standardised.
        strength: of shrinkage (l).
        kept: the filters.
    """
    chosen = torch.nonzero(kept)[:, 0]
    factor = torch.linalg.cholesky(shifted(correlation.part(chosen), strength))
    found = torch.zeros_like(difference)
    flat = difference[..., chosen].reshape(-1, len(chosen))
    solved = torch.cholesky_solve(flat.T, factor).T
    found[..., chosen] = solved.reshape(*difference.shape[:-1], -1)
    return found


def shifted(
    correlation: Float[Tensor, "filter filter"], strength: float
) -> Float[Tensor, "filter filter"]:
    """The matrix S + l I."""
    matrix = correlation.clone()
    matrix.diagonal().add_(strength)
    return matrix
