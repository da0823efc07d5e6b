"""Steps from a discriminant towards the least log loss of the cells of some images.

Conjugate gradients (Polak and Ribiere), preconditioned by the factor that gave the discriminant:
the Hessian of the log loss is about p (1 - p) S, where p is the share of the foreground. Each step
takes two looks at the activations, one for the gradient and one for z along the direction, on which
the best length is found from z alone.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor
from torch.nn import functional

# Newton steps of a line search; far from a solution each is halved until the loss falls.
_ROUNDS = 5
# Near a solution losses differ by their rounding in single precision.
_AS_GOOD = 1 + 1e-6

Vectors = Float64[Tensor, "vector filter"]
CellValues = Float[Tensor, "vector image cell"]


def descend(
    weight: Vectors,
    shares: Float[Tensor, "image cell"],
    learned: Bool[Tensor, "vector image"],
    strength: Float64[Tensor, "vector"],
    *,
    values: Callable[[Vectors], CellValues],
    sums: Callable[[CellValues], Vectors],
    precondition: Callable[[Vectors], Vectors],
    steps: int,
) -> tuple[Vectors, CellValues]:
    """Vectors after some steps, and z of all cells with the bias of the least loss.

    The loss of a vector is the mean log loss of the cells of the images that it is learned from,
    each cell foreground by its share, and p (1 - p) l / 2 times its squared length.

    Args:
        weight: where to begin, of standardised activations.
        shares: of foreground.
        learned: for every vector the images that it is learned from, with both kinds of cells.
        strength: of shrinkage (l).
        values: z of vectors on all cells, but for a constant.
        sums: of standardised activations, each times a number that adds up to about 0 over cells.
        precondition: multiplies by (S + l I)^-1.
        steps: how many to take.
    """
    used = learned.to(shares)[:, :, None] / (learned.sum(1)[:, None, None] * shares.shape[1])
    share = (used * shares).sum((1, 2), dtype=torch.float64)
    curvature = (share * (1 - share)).cpu()[:, None]
    ridge = curvature * strength[:, None]
    line = _Line(shares, used)

    direction = weight
    along = _centred(values(direction))
    z = torch.logit(share).to(along)[:, None, None].expand_as(along)
    length, z = line.search(z, along, 0 * ridge[:, 0], (ridge * direction**2).sum(1))
    weight = length[:, None] * direction
    before = None
    for _ in range(steps):
        gradient = sums((z.sigmoid() - shares) * used) + ridge * weight
        wanted = precondition(gradient) / curvature
        if before is None:
            direction = -wanted
        else:
            turned = (wanted * (gradient - before[0])).sum(1) / before[1].clamp(min=1e-300)
            direction = turned.clamp(min=0)[:, None] * direction - wanted
        before = gradient, (wanted * gradient).sum(1)
        along = _centred(values(direction))
        slope, bend = ((ridge * part * direction).sum(1) for part in (weight, direction))
        length, z = line.search(z, along, slope, bend)
        weight = weight + length[:, None] * direction
    return weight, z


class _Line:
    """The least loss along a direction and the bias.

    Args:
        shares: of foreground.
        used: by vector, what the cells of each image weigh.
    """

    def __init__(
        self, shares: Float[Tensor, "image cell"], used: Float[Tensor, "vector image 1"]
    ) -> None:
        self.shares = shares
        self.rest = 1 - shares
        self.used = used

    def search(
        self,
        z: CellValues,
        along: CellValues,
        slope: Float64[Tensor, "vector"],
        bend: Float64[Tensor, "vector"],
    ) -> tuple[Float64[Tensor, "vector"], CellValues]:
        """The best length of each vector's step, and z there.

        Args:
            z: where to begin.
            along: how z changes by a step of length 1.
            slope: derivative of the L2 term where to begin.
            bend: its second derivative.
        """
        slope, bend = slope.to(z.device), bend.to(z.device)
        length, offset, add_length, add_offset = torch.zeros(4, len(z)).to(slope)
        loss, here = torch.full_like(length, torch.inf), z
        for _ in range(_ROUNDS):
            new = length + add_length, offset + add_offset
            there = torch.addcmul(z, along, _wide(new[0], z)) + _wide(new[1], z)
            penalty = slope * new[0] + bend / 2 * new[0] ** 2
            found = self._mean(self.rest * there - functional.logsigmoid(there)) + penalty
            better = found <= loss * _AS_GOOD
            here = torch.where(better[:, None, None], there, here)
            loss = torch.where(better, found, loss)
            length = torch.where(better, new[0], length)
            offset = torch.where(better, new[1], offset)
            newton = self._newton(here, along, slope + bend * length, bend)
            add_length = torch.where(better, newton[0], add_length / 2)
            add_offset = torch.where(better, newton[1], add_offset / 2)
        return length.cpu(), here

    def _newton(
        self,
        z: CellValues,
        along: CellValues,
        slope: Float64[Tensor, "vector"],
        bend: Float64[Tensor, "vector"],
    ) -> tuple[Float64[Tensor, "vector"], Float64[Tensor, "vector"]]:
        chance = z.sigmoid()
        off, curved = chance - self.shares, chance * (1 - chance)
        by_length, by_offset = self._mean(off * along) + slope, self._mean(off)
        mixed = curved * along
        both, offsets = self._mean(mixed), self._mean(curved)
        lengths = self._mean(mixed * along) + bend
        scale = (lengths * offsets - both**2).clamp(min=1e-300)
        return (
            (both * by_offset - offsets * by_length) / scale,
            (both * by_length - lengths * by_offset) / scale,
        )

    def _mean(self, values: CellValues) -> Float64[Tensor, "vector"]:
        return (values.sum(2) * self.used[:, :, 0]).sum(1, dtype=torch.float64)


def _centred(values: CellValues) -> CellValues:
    return values - values.mean((1, 2), keepdim=True)


def _wide(number: Float64[Tensor, "vector"], like: CellValues) -> Float[Tensor, "vector 1 1"]:
    return number.to(like)[:, None, None]
