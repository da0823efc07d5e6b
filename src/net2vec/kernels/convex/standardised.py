"""Standardised features: centred, in units of their spread, and along their main directions.

The unit is one for all filters, so that weights keep their proportions: in units of its own, a
filter that hardly varies would count as much as any, and have by far the largest weight as
recorded.

An L2 term on weights does not change when the space is turned. In
the directions of the covariance the loss has its curvature along the axes, nearly, which is what a
search for its minimum asks for. Directions in which no image differs are left out: no data can move
a weight along them, and the L2 term keeps it at 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

# Shares of the largest variance below this are rounding.
_MIN_VARIANCE_SHARE = 1e-12
# Rows and columns are padded with zeros to multiples of these: then all rows are aligned alike, and
# no last bit depends on the index of a row in a product.
_ROW_MULTIPLE = 64
_COLUMN_MULTIPLE = 16


@dataclass(frozen=True)
class Standardised:
    """Features of training images, padded with rows and columns of zeros.

    The last column of `own` and `turned` is 1 for every image: a variable for the bias.

    Attributes:
        images: number of images.
        mean: of every filter over the images.
        varies: whether each filter is not constant.
        spread: root mean square of the filters' standard deviations; 1 if all are constant.
        own: features less their mean, over the spread; 0 if constant.
        turned: the same along the main directions, that of most variance first.
        turn: variables of `own` from those of `turned`.
    """

    images: int
    mean: Float[Tensor, "filter"]
    varies: Bool[Tensor, "filter"]
    spread: float
    own: Float[Tensor, "row variable"]
    turned: Float[Tensor, "row direction"]
    turn: Float[Tensor, "variable direction"]

    @classmethod
    def of(cls, features: Float[Tensor, "image filter"]) -> Standardised:
        """Standardise the features of the training images; done in double precision."""
        x = features.double()
        mean = x.mean(0)
        # The mean of a constant may differ from it in the last bit.
        varies = x.amax(0) != x.amin(0)
        x = torch.where(varies, x - mean, 0.0)
        spread = float(x.square().mean().sqrt()) or 1.0
        x /= spread
        directions = _main_directions(x)
        own, turned = _padded(x), _padded(x @ directions)
        turn = x.new_zeros(own.shape[1], turned.shape[1])
        turn[: directions.shape[0], : directions.shape[1]] = directions
        turn[-1, -1] = 1
        return cls(len(x), mean, varies, spread, own.float(), turned.float(), turn)

    def unturned(self, x: Float[Tensor, "problem direction"]) -> Float[Tensor, "problem variable"]:
        """Variables of `own` from those of `turned`, in double precision."""
        return x.double() @ self.turn.T

    def recorded(
        self, x: Float[Tensor, "*problem variable"]
    ) -> tuple[Float[Tensor, "*problem filter"], Float[Tensor, "*problem"]]:
        """Weights and biases for features as they were recorded, from variables of `own`."""
        weight = x[..., : len(self.mean)].double() * self.varies / self.spread
        return weight, x[..., -1].double() - (weight * self.mean).sum(-1)


def _main_directions(
    x: Float[Tensor, "image filter"],
) -> Float[Tensor, "filter direction"]:
    images, filters = x.shape
    if images < filters:
        value, vector = torch.linalg.eigh(x @ x.T)
        is_main = value > _MIN_VARIANCE_SHARE * value[-1]
        turn = x.T @ vector[:, is_main] / value[is_main].sqrt()
    else:
        value, vector = torch.linalg.eigh(x.T @ x)
        turn = vector[:, value > _MIN_VARIANCE_SHARE * value[-1]]
    turned: Tensor = turn.flip(1)
    return turned


def _padded(x: Float[Tensor, "image column"]) -> Float[Tensor, "row variable"]:
    rows, columns = (
        -(-count // step) * step
        for count, step in zip(
            (x.shape[0], x.shape[1] + 1), (_ROW_MULTIPLE, _COLUMN_MULTIPLE), strict=True
        )
    )
    filled = x.new_zeros(rows, columns)
    filled[: x.shape[0], : x.shape[1]] = x
    filled[: x.shape[0], -1] = 1
    return filled
