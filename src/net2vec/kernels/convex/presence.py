"""The log loss of whether a concept is in an image, for many problems side by side.

A problem weighs images: those that contain the concept together one half, the others one half, and
held-out images 0. Problems come in groups that share their inputs, so that a gradient is two matrix
products. In a given number of groups and problems none depends on others.

Source: paper, section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import softplus


@dataclass(frozen=True)
class Presence:
    """Problems in groups; variables are weights, the last a bias if inputs end with a column of 1.

    Attributes:
        inputs: features of the images, by group or one matrix for all groups.
        squares: their squares.
        positive: which images contain the concept.
        weight: weight of each image.
    """

    inputs: Float[Tensor, "group_or_one image variable"]
    squares: Float[Tensor, "group_or_one image variable"]
    positive: Bool[Tensor, "group problem image"]
    weight: Float[Tensor, "group problem image"]

    @classmethod
    def of(
        cls,
        inputs: Float[Tensor, "group_or_one image variable"],
        positive: Bool[Tensor, "group problem image"],
        weight: Float[Tensor, "group problem image"],
    ) -> Presence:
        """Problems on some images."""
        return cls(inputs, inputs**2, positive, weight)

    def gradient(self, x: Float[Tensor, "row variable"]) -> Float[Tensor, "row variable"]:
        """The gradient of each problem's loss; rows are problems, group by group."""
        error = self._logit(x).sigmoid_().sub_(self.positive.to(x.dtype)).mul_(self.weight)
        return _times(error, self.inputs)

    def curvature(self, x: Float[Tensor, "row variable"]) -> Float[Tensor, "row variable"]:
        """The curvature of each problem's loss along each variable at 0, where it is largest."""
        share = self._logit(x).sigmoid_()
        return _times(share * (1 - share) * self.weight, self.squares)

    def loss(
        self, x: Float[Tensor, "row variable"], weight: Float[Tensor, "group problem image"]
    ) -> Float[Tensor, "group problem"]:
        """Log loss (nats) with other weights of images, such as of those held out."""
        logit = self._logit(x)
        return (weight * softplus(torch.where(self.positive, -logit, logit))).sum(2)

    def _logit(self, x: Float[Tensor, "row variable"]) -> Float[Tensor, "group problem image"]:
        rows = x.view(*self.weight.shape[:2], -1)
        return _times(rows, self.inputs.mT).view(self.weight.shape)


def _times(
    rows: Float[Tensor, "group problem inner"], matrix: Float[Tensor, "group_or_one inner outer"]
) -> Float[Tensor, "row outer"]:
    if len(matrix) == 1:  # one product for all groups
        return rows.flatten(0, 1) @ matrix[0]
    return torch.bmm(rows, matrix).flatten(0, 1)


def balanced(
    positive: Bool[Tensor, "*problem image"], used: Bool[Tensor, "*problem image"]
) -> Float[Tensor, "*problem image"]:
    """Weights of used images: together one half on either side.

    All are 0 where a side is missing: such a problem has no solution.
    """
    inside, outside = positive & used, ~positive & used
    of_inside, of_outside = (side.sum(-1, keepdim=True) for side in (inside, outside))
    both = (of_inside > 0) & (of_outside > 0)
    weight = inside / of_inside.clamp(min=1) + outside / of_outside.clamp(min=1)
    return weight * both / 2
