"""The covariance of a layer with too many filters for a matrix of all pairs of them.

The correlation of filters is taken as S = B diag(v) B^T + diag(r): the directions of most spread,
found by a randomised range finder with one power of S (X^T (X O) for random O), and what each
filter has beside them. Memory is filters times directions. Solving with S + l I costs as much, by
Woodbury's identity.

Source: Halko, Martinsson, Tropp, Finding structure with randomness, SIAM Review 2011, section 4.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from net2vec.kernels.discriminant.moments import scale_of
from net2vec.kernels.discriminant.ridge import SHRINKAGES

DIRECTIONS = 512
"""How many directions are kept."""

Blocks = Callable[[], Iterable[Float[Tensor, "_ cell filter"]]]


@dataclass(frozen=True)
class LowRankCovariance:
    """The covariance of standardised activations, of some directions and the rest of each filter.

    It does what `net2vec.kernels.discriminant.moments.Covariance` does.

    Attributes:
        mean: of every filter.
        scale: 1 / standard deviation; 0 for a filter that is constant.
        basis: the directions (B), orthonormal.
        values: variance along each (v).
        rest: variance of each filter beside these (r).
    """

    mean: Float64[Tensor, "filter"]
    scale: Float64[Tensor, "filter"]
    basis: Float64[Tensor, "filter direction"]
    values: Float64[Tensor, "direction"]
    rest: Float64[Tensor, "filter"]
    _factors: dict[float, WoodburyFactor] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(
        cls, blocks: Blocks, near: Float[Tensor, "filter"], directions: int = DIRECTIONS
    ) -> LowRankCovariance:
        """From the activations of some images, which are looked at three times.

        Args:
            blocks: gives them, block by block; the result depends on the blocks and nothing else.
            near: values near the means.
            directions: how many to keep.
        """
        mean, scale, cells = _spread(blocks, near)
        directions = min(directions, len(mean))

        def standardised() -> Iterable[Float[Tensor, "cell filter"]]:
            for block in blocks():
                yield (block.flatten(0, 1) - mean.float()) * scale.float()

        draw = torch.Generator().manual_seed(0)
        start = torch.randn(len(mean), directions, generator=draw)
        sketch = torch.zeros(len(mean), directions, dtype=torch.float64)
        for some in standardised():
            sketch += some.T @ (some @ start)
        found = torch.linalg.qr(sketch)[0]
        core = torch.zeros(directions, directions, dtype=torch.float64)
        for some in standardised():
            along = some @ found.float()
            core += along.T @ along
        values, turned = torch.linalg.eigh(core / max(cells, 1))
        values, basis = values.clamp(min=0), found @ turned
        held = (basis.square() * values).sum(1)
        rest = torch.where(scale > 0, 1.0, 0.0).double() - held
        return cls(mean, scale, basis, values, rest.clamp(min=0))

    @cached_property
    def factors(self) -> list[WoodburyFactor]:
        """Factors of the correlation with each strength of shrinkage, the strongest last."""
        return [self.factor(strength) for strength in SHRINKAGES]

    def factor(self, strength: float) -> WoodburyFactor:
        """The factor of the correlation with a strength of shrinkage, computed once."""
        if strength not in self._factors:
            self._factors[strength] = WoodburyFactor(self, strength)
        return self._factors[strength]

    def variances(self) -> Float64[Tensor, "filter"]:
        """The diagonal of the correlation."""
        return (self.basis.square() * self.values).sum(1) + self.rest

    def row(self, chosen: int) -> Float64[Tensor, "filter"]:
        """A filter's correlations with all."""
        found = self.basis @ (self.values * self.basis[chosen])
        found[chosen] += self.rest[chosen]
        return found

    def part(self, chosen: Int[Tensor, "chosen"]) -> Float64[Tensor, "chosen chosen"]:
        """The correlations of some filters."""
        basis = self.basis[chosen]
        return (basis * self.values) @ basis.T + torch.diag(self.rest[chosen])

    def whitened(
        self, pattern: Float64[Tensor, "filter"], strength: float
    ) -> Float64[Tensor, "filter"]:
        """(S + l I)^-1/2 d, as if what filters have beside the directions were the same for all."""
        along = self.basis.T @ pattern
        beside = (self.rest.mean() + strength).rsqrt()
        return beside * pattern + self.basis @ (along * ((self.values + strength).rsqrt() - beside))


class WoodburyFactor:
    """The matrix S + l I of a low-rank covariance, factored for any number of right-hand sides.

    Args:
        covariance: of the layer.
        strength: of shrinkage (l).
    """

    def __init__(self, covariance: LowRankCovariance, strength: float) -> None:
        self.strength = strength
        self._rest = covariance.rest + strength
        self._wide = covariance.basis * covariance.values.sqrt()
        inner = self._wide.T @ (self._wide / self._rest[:, None])
        inner.diagonal().add_(1)
        self._factor = torch.linalg.cholesky(inner)

    def solve(
        self, difference: Float64[Tensor, "*problem filter"]
    ) -> Float64[Tensor, "*problem filter"]:
        """The vectors (S + l I)^-1 d."""
        scaled = difference / self._rest
        inner = (scaled @ self._wide).reshape(-1, self._wide.shape[1])
        solved = torch.cholesky_solve(inner.T, self._factor).T
        return scaled - (solved @ self._wide.T).reshape(difference.shape) / self._rest

    solve_exactly = solve


def _spread(
    blocks: Blocks, near: Float[Tensor, "filter"]
) -> tuple[Float64[Tensor, "filter"], Float64[Tensor, "filter"], int]:
    """Mean and scale of every filter, and the number of cells."""
    near = near.float()
    first, second = torch.zeros(2, len(near), dtype=torch.float64)
    cells = 0
    for block in blocks():
        centred = block.flatten(0, 1) - near
        first += centred.sum(0, dtype=torch.float64)
        second += centred.square().sum(0, dtype=torch.float64)
        cells += len(centred)
    offset = first / max(cells, 1)
    mean = near.double() + offset
    deviation = (second / max(cells, 1) - offset.square()).clamp(min=0).sqrt()
    return mean, scale_of(mean, deviation), cells
