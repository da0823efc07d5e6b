"""Features on a common footing: centred, in units of their spread, along their main directions.

An L2 term on weights in units of the features' spread does not change when the space is turned. In
the directions of the covariance the loss has its curvature along the axes, nearly, which is what a
search for its minimum asks for. Directions in which no image differs are left out: no data can move
a weight along them, and the L2 term keeps it at 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

# Shares of the largest variance below this are rounding.
_NOTHING = 1e-9


@dataclass(frozen=True)
class Standardised:
    """Features of training images; the last column of either matrix is 1, for a bias.

    Attributes:
        mean, spread: of every filter over the images (standard deviation; 0 if constant).
        own: features less their mean, over their spread; 0 if constant.
        turned: the same along the main directions, that of most variance first.
        turn: the main directions.
    """

    mean: Float[Tensor, "filter"]
    spread: Float[Tensor, "filter"]
    own: Float[Tensor, "image filter_and_one"]
    turned: Float[Tensor, "image direction_and_one"]
    turn: Float[Tensor, "filter direction"]

    @classmethod
    def of(cls, features: Float[Tensor, "image filter"]) -> Standardised:
        """Standardise the features of the training images; done in double precision."""
        x = features.double()
        mean = x.mean(0)
        # The mean of a constant may differ from it in the last bit.
        constant = x.amax(0) == x.amin(0)
        spread = torch.where(constant, 0.0, x.std(0, correction=0))
        x = torch.where(constant, 0.0, (x - mean) / torch.where(constant, 1.0, spread))
        turn = _main_directions(x)
        return cls(mean, spread, _with_one(x), _with_one(x @ turn), turn)

    def unturned(
        self, weight: Float[Tensor, "*vector direction"]
    ) -> Float[Tensor, "*vector filter"]:
        """Weights of filters in units of their spread, from weights of directions."""
        return weight.double() @ self.turn.T

    def recorded(
        self, weight: Float[Tensor, "*vector filter"], bias: Float[Tensor, "*vector"]
    ) -> tuple[Float[Tensor, "*vector filter"], Float[Tensor, "*vector"]]:
        """Weights and biases for features as they were recorded, in double precision."""
        constant = self.spread == 0
        scaled = weight.double() / torch.where(constant, 1.0, self.spread)
        scaled = torch.where(constant, 0.0, scaled)
        return scaled, bias.double() - scaled @ self.mean


def _main_directions(
    x: Float[Tensor, "image filter"],
) -> Float[Tensor, "filter direction"]:
    images, filters = x.shape
    if images < filters:
        value, vector = torch.linalg.eigh(x @ x.T)
        kept = value > _NOTHING * value[-1]
        turn = x.T @ vector[:, kept] / value[kept].sqrt()
    else:
        value, vector = torch.linalg.eigh(x.T @ x)
        turn = vector[:, value > _NOTHING * value[-1]]
    turned: Tensor = turn.flip(1)
    return turned


def _with_one(x: Float[Tensor, "image filter"]) -> Float[Tensor, "image filter_and_one"]:
    return torch.cat([x, torch.ones_like(x[:, :1])], 1).float()
