"""Learning to classify concepts: logistic regression by SGD, many concepts side by side.

A step of one concept is far too small to keep a GPU busy, so a block of concepts takes its steps
together, as batched matrix products over the rows of each concept; on a CPU a few suffice. All
vectors of a concept (subset sizes) share those rows. The shape of the block is fixed and concepts
without rows left do not move, so that the result of a concept does not depend on the others.

Source: paper, section 3.2 and equation 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from net2vec.core.devices import policy_of
from net2vec.kernels.sgd.cuda_graphs import Replayed

# Concepts of a block, at most; more are slower on a GPU as well.
_MAX_CONCEPTS = 64
# Rows that are judged at a time.
_JUDGED_ROWS = 1 << 15
# Rows whose order is prepared at a time.
_PREPARED_ROWS = 1 << 20


@dataclass(frozen=True)
class Draws:
    """The rows of one concept: an epoch has as many of either side, shuffled.

    Attributes:
        rows: rows of the feature matrix, in the order of training.
        positive: whether each contains the concept.
    """

    rows: Int[Tensor, "epoch draw"]
    positive: Bool[Tensor, "epoch draw"]


def concepts_in_block(filters: int, batch: int, device: torch.device | str = "cpu") -> int:
    """How many concepts are learned side by side; it depends only on the shapes."""
    values = policy_of(device).logistic_step_values
    return max(1, min(_MAX_CONCEPTS, values // (filters * batch)))


def fit_logistic(
    features: Float[Tensor, "image filter"],
    draws: Sequence[Draws],
    start: Float[Tensor, "concept filter vector"],
    bias: Float[Tensor, "concept vector"],
    kept: Bool[Tensor, "concept filter vector"],
    *,
    batch: int,
    rates: Sequence[float],
    momentum: float,
) -> tuple[Float[Tensor, "concept filter vector"], Float[Tensor, "concept vector"]]:
    """Weights and biases after SGD with momentum on the mean log loss of every mini-batch.

    Args:
        features: mean activation of each filter in each image.
        draws: for every concept the rows of every epoch.
        start: initial weights; what is not kept is fixed at 0.
        bias: initial biases.
        kept: filters that each vector may use.
        batch: rows of a mini-batch; the last one of an epoch may be smaller.
        rates: the learning rate of every epoch.
        momentum: share of the last step that is taken again.
    """
    size = concepts_in_block(features.shape[1], batch, features.device)
    weights, biases = [], []
    for first in range(0, len(draws), size):
        chosen = slice(first, first + size)
        block = _Block(features, draws[chosen], start[chosen], bias[chosen], kept[chosen], size)
        block.learn(batch=batch, rates=rates, momentum=momentum)
        weights.append(block.weight[: len(draws[chosen])].mT)
        biases.append(block.bias[: len(draws[chosen]), :, 0])
    if not weights:
        return start.clone(), bias.clone()
    return torch.cat(weights), torch.cat(biases)


class _Block:
    """Concepts that take their steps together, padded to a fixed number."""

    def __init__(
        self,
        features: Float[Tensor, "image filter"],
        draws: Sequence[Draws],
        start: Float[Tensor, "concept filter vector"],
        bias: Float[Tensor, "concept vector"],
        kept: Bool[Tensor, "concept filter vector"],
        size: int,
    ) -> None:
        self.features = features
        self.draws = draws
        self.size = size
        # Vectors before filters: products of few vectors are several times faster.
        self.kept = _padded(kept.mT.to(features.dtype), size)
        self.weight = _padded(start.mT, size) * self.kept
        self.bias = _padded(bias, size)[:, :, None]

    def learn(self, *, batch: int, rates: Sequence[float], momentum: float) -> None:
        vectors, filters = self.weight.shape[1:]
        pushed_weight, pushed_bias = torch.zeros_like(self.weight), torch.zeros_like(self.bias)
        # Workspace of all steps.
        seen = self.features.new_empty(self.size * batch, filters)
        by_row = seen.view(self.size, batch, filters)
        error = self.features.new_empty(self.size, vectors, batch)
        gradient = torch.empty_like(self.weight)

        def take(steps: Sequence[Tensor]) -> None:
            for row, target, share, fading, stride in zip(*steps, strict=True):
                torch.index_select(self.features, 0, row, out=seen)
                torch.baddbmm(self.bias, self.weight, by_row.mT, out=error)
                error.sigmoid_().sub_(target).mul_(share)
                torch.bmm(error, by_row, out=gradient)
                pushed_bias.mul_(fading).add_(error.sum(2, keepdim=True))
                pushed_weight.mul_(fading).addcmul_(gradient, self.kept)
                self.weight.addcmul_(pushed_weight, stride)
                self.bias.addcmul_(pushed_bias, stride)

        if policy_of(self.features.device).is_gpu:
            with Replayed(take) as replayed:
                for steps in self._steps(batch, rates, momentum):
                    replayed.take(steps)
        else:
            for steps in self._steps(batch, rates, momentum):
                take(steps)

    def _steps(
        self, batch: int, rates: Sequence[float], momentum: float
    ) -> Iterator[tuple[Tensor, ...]]:
        """The inputs of each step, stacked over the steps of some epochs.

        Yields:
            Rows (concept row); by concept and row their targets and their share of the mean, 0 for
            padding; by concept the momentum and minus the learning rate, 1 and 0 for a concept
            without rows left.
        """
        device = self.features.device
        count = torch.tensor([draw.rows.shape[1] for draw in self.draws] + [0] * self.size)
        count = count[: self.size]
        steps = -(-int(count.max()) // batch)
        # All rows one after the other; padding is the first row.
        rows = torch.cat([draw.rows.flatten() for draw in self.draws]).to(device)
        positive = torch.cat([draw.positive.flatten() for draw in self.draws]).to(device)
        epochs = torch.tensor([len(draw.rows) for draw in self.draws] + [0] * self.size)
        first = torch.cat([count.new_zeros(1), torch.cumsum(epochs[: self.size] * count, 0)])[:-1]
        count, first = count.to(device)[:, None], first.to(device)[:, None]
        row = torch.arange(steps * batch, device=device).view(steps, 1, batch)
        part = row < count
        in_batch = part.sum(2, keepdim=True)
        share = part / in_batch.clamp(min=1)
        moving = (in_batch > 0).float()[:, :, :, None]
        fading = 1 - (1 - momentum) * moving
        epochs_at_once = max(1, _PREPARED_ROWS // max(part.numel(), 1))
        for begin in range(0, len(rates), epochs_at_once):
            rate = torch.tensor(rates[begin : begin + epochs_at_once], device=device)
            epoch = torch.arange(begin, begin + len(rate), device=device)[:, None, None, None]
            chosen = torch.where(part, first + epoch * count + row, 0).flatten(0, 1)
            yield (
                rows[chosen].flatten(1),
                positive[chosen].float()[:, :, None],
                share.repeat(len(rate), 1, 1)[:, :, None],
                fading.repeat(len(rate), 1, 1, 1),
                (-rate[:, None, None, None, None] * moving).flatten(0, 1),
            )


def _padded(values: Float[Tensor, "concept *rest"], size: int) -> Float[Tensor, "size *rest"]:
    padded = values.new_zeros(size, *values.shape[1:])
    padded[: len(values)] = values
    return padded


def accuracy(
    features: Float[Tensor, "image filter"],
    rows: Int[Tensor, "row"],
    positive: Bool[Tensor, "row"],
    weight: Float[Tensor, "filter vector"],
    bias: Float[Tensor, "vector"],
) -> Float[Tensor, "vector"]:
    """Share of rows on the right side: positive iff the logit is above 0."""
    return share_right(right_side(features, rows, positive, weight, bias))


def right_side(
    features: Float[Tensor, "image filter"],
    rows: Int[Tensor, "row"],
    positive: Bool[Tensor, "row"],
    weight: Float[Tensor, "filter vector"],
    bias: Float[Tensor, "vector"],
) -> Bool[Tensor, "row vector"]:
    """Which rows fall on the right side: positive iff the logit is above 0."""
    sides = [
        torch.index_select(features, 0, block) @ weight + bias > 0
        for block in torch.split(rows, _JUDGED_ROWS)
    ]
    return torch.cat(sides) == positive[:, None]


def share_right(right: Bool[Tensor, "row vector"]) -> Float[Tensor, "vector"]:
    """Accuracy of every vector."""
    return right.double().mean(0)


def largest_weights(
    weight: Float[Tensor, "*batch filter"], count: int
) -> Bool[Tensor, "*batch filter"]:
    """The `count` filters of largest absolute weight, the lowest index on a tie."""
    order = torch.sort(weight.abs(), dim=-1, descending=True, stable=True).indices
    is_largest = torch.zeros_like(weight, dtype=torch.bool)
    return is_largest.scatter_(-1, order[..., :count], True)
