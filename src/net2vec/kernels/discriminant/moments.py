"""Moments of a layer's activations: the covariance that all concepts share."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from net2vec.kernels.discriminant.ridge import SHRINKAGES, RidgeFactor

# Filters of a strip of a symmetric product, of which only the lower triangle is computed, at least.
_MIN_STRIP = 128
_MAX_STRIPS = 8
# If one of 2**32 cells differs from the others in half precision, the deviation is as large.
_MIN_DEVIATION = 2.0**-40


@dataclass(frozen=True)
class Covariance:
    """The covariance of standardised activations over the cells of some images.

    Attributes:
        mean: of every filter.
        scale: 1 / standard deviation; 0 for a filter that is constant.
        correlation: of filters; 0 in rows and columns of constant filters.
        eigen: its eigenvalues, at least 0, and its eigenvectors as columns.
    """

    mean: Float[Tensor, "filter"]
    scale: Float[Tensor, "filter"]
    correlation: Float[Tensor, "filter filter"]
    eigen: tuple[Float[Tensor, "filter"], Float[Tensor, "filter filter"]]
    _factors: dict[float, RidgeFactor] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(
        cls, mean: Float[Tensor, "filter"], second: Float[Tensor, "filter filter"]
    ) -> Covariance:
        """From the mean and the covariance of activations, see `central_moments`."""
        scale = scale_of(mean, second.diagonal().clamp(min=0).sqrt())
        correlation = second * scale[:, None] * scale
        values, vectors = torch.linalg.eigh((correlation + correlation.T) / 2)
        return cls(mean, scale, correlation, (values.clamp(min=0), vectors))

    @cached_property
    def factors(self) -> list[RidgeFactor]:
        """Factors of the correlation with each strength of shrinkage, the strongest last."""
        return [self.factor(strength) for strength in SHRINKAGES]

    def factor(self, strength: float) -> RidgeFactor:
        """The factor of the correlation with a strength of shrinkage, computed once."""
        if strength not in self._factors:
            self._factors[strength] = RidgeFactor(self.correlation, strength)
        return self._factors[strength]

    def variances(self) -> Float64[Tensor, "filter"]:
        """The diagonal of the correlation."""
        return self.correlation.diagonal().double()

    def row(self, chosen: int) -> Float64[Tensor, "filter"]:
        """A filter's correlations with all."""
        return self.correlation[chosen].double()

    def part(self, chosen: Int[Tensor, "chosen"]) -> Float64[Tensor, "chosen chosen"]:
        """The correlations of some filters."""
        return self.correlation[chosen[:, None], chosen].double()

    def whitened(
        self, pattern: Float64[Tensor, "filter"], strength: float
    ) -> Float64[Tensor, "filter"]:
        """A pattern with filters made uncorrelated: (S + l I)^-1/2 d."""
        values, vectors = self.eigen
        return vectors @ (vectors.T @ pattern / (values + strength).sqrt())


def scale_of(
    mean: Float[Tensor, "filter"], deviation: Float[Tensor, "filter"]
) -> Float[Tensor, "filter"]:
    """1 / standard deviation of every filter; 0 for one that is constant.

    What is left of a constant by rounding is no spread: two values of half precision are at least
    2**-24 apart.
    """
    constant = deviation <= (1e-6 * mean.abs()).clamp(min=_MIN_DEVIATION)
    return torch.where(constant, 0.0, 1 / deviation.clamp(min=1e-300))


def central_moments(
    blocks: Iterable[Float[Tensor, "_ cell filter"]], near: Float[Tensor, "filter"]
) -> tuple[Float[Tensor, "filter"], Float[Tensor, "filter filter"]]:
    """Mean and covariance of activations over the cells of blocks of images.

    Products of a block are taken in single precision and added in double precision, block after
    block, so that the result depends on the blocks and on nothing else.

    Args:
        blocks: activations of images, on the CPU.
        near: values near the means; the closer, the less is lost to rounding.
    """
    near = near.float()
    first = torch.zeros(len(near), dtype=torch.float64)
    second = torch.zeros(len(near), len(near), dtype=torch.float64)
    count = max(1, min(len(near) // _MIN_STRIP, _MAX_STRIPS))
    edges = [len(near) * strip // count for strip in range(count + 1)]
    strips = list(itertools.pairwise(edges))
    cells = 0
    for block in blocks:
        centred = block.flatten(0, 1) - near
        first += centred.new_ones(len(centred)) @ centred
        for begin, end in strips:
            second[begin:end, :end] += centred[:, begin:end].T @ centred[:, :end]
        cells += len(centred)
    for begin, end in strips:
        second[:begin, begin:end] = second[begin:end, :begin].T
    offset = first / max(cells, 1)
    second /= max(cells, 1)
    return near.double() + offset, second.addr_(offset, offset, alpha=-1)


@dataclass(frozen=True)
class ForegroundSums:
    """Sums of activations over the cells of some images that contain a concept.

    Cells count by the share of them that the mask covers.

    Attributes:
        inside: activations of cells, each times its share.
        everywhere: activations of all cells.
        shares: sum of the shares.
        cells: number of cells.
    """

    inside: Float[Tensor, "*group filter"]
    everywhere: Float[Tensor, "*group filter"]
    shares: Float[Tensor, "*group"]
    cells: Float[Tensor, "*group"]

    @property
    def is_mixed(self) -> bool:
        """Whether there are foreground and background in all groups."""
        return bool(((self.shares > 0) & (self.shares < self.cells)).all())

    def total(self) -> ForegroundSums:
        """The sums over the groups."""
        return ForegroundSums(*(part.sum(0) for part in vars(self).values()))

    def without_each(self) -> ForegroundSums:
        """The sums over all groups but one, for each."""
        return ForegroundSums(*(part.sum(0) - part for part in vars(self).values()))

    def means(self) -> tuple[Float[Tensor, "*group filter"], Float[Tensor, "*group filter"]]:
        """Mean activations of the foreground and of the background."""
        rest = (self.cells - self.shares)[..., None]
        return self.inside / self.shares[..., None], (self.everywhere - self.inside) / rest


def sum_cells(
    activations: Float[Tensor, "image cell filter"], shares: Float[Tensor, "image cell"]
) -> Float[Tensor, "image two filter"]:
    """For every image two sums of its activations: by the shares of its cells, and of all."""
    return torch.bmm(torch.stack([shares, torch.ones_like(shares)], 1), activations)
