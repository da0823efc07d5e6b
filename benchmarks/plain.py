"""The method as a PyTorch programmer would write it: dense float tensors and autograd.

Nothing here is slowed down: tensors are in memory, the sum over filters comes before the one
interpolation, steps are mini-batches, and of ways to write the same the faster one stands.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def fit_segmentation(
    maps: Tensor,
    masks: Tensor,
    start: Tensor,
    *,
    alpha: float,
    learning_rate: float,
    momentum: float,
    batch: int,
    epochs: int,
) -> Tensor:
    """Weights of one concept from maps [n, K, h, w] and masks [n, H, W], both float."""
    weight = start.clone().requires_grad_()
    optimizer = torch.optim.SGD([weight], lr=learning_rate, momentum=momentum)
    height, width = maps.shape[2:]
    for _ in range(epochs):
        for first in range(0, len(maps), batch):
            active, target = maps[first : first + batch], masks[first : first + batch]
            summed = torch.matmul(weight, active.flatten(2)).view(-1, 1, height, width)
            z = functional.interpolate(
                summed, masks.shape[1:], mode="bilinear", align_corners=True
            )[:, 0]
            p = torch.sigmoid(z)
            likeness = alpha * target * p + (1 - alpha) * (1 - target) * (1 - p)
            loss = -likeness.sum() / len(active)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return weight.detach()


def filter_counts(maps: Tensor, masks: Tensor, *, batch: int = 1) -> tuple[Tensor, Tensor]:
    """Intersection and union of every filter with one concept, over the concept's images."""
    intersection = torch.zeros(maps.shape[1], dtype=torch.float64)
    union = torch.zeros(maps.shape[1], dtype=torch.float64)
    for first in range(0, len(maps), batch):
        active, mask = maps[first : first + batch], masks[first : first + batch]
        value = functional.interpolate(active, masks.shape[1:], mode="bilinear", align_corners=True)
        # Ties at 1/2 are off; rounding is far below what lies between them and the next value.
        on = (value > 0.5 + 1e-5).float().flatten(2)
        shared = torch.bmm(on, mask.flatten(1)[:, :, None])[:, :, 0]
        own = on.sum(2)
        intersection += shared.sum(0)
        union += (own + mask.sum((1, 2))[:, None] - shared).sum(0)
    return intersection.long(), union.long()


def fit_classifier(
    features: Tensor,
    rows: Tensor,
    targets: Tensor,
    start: Tensor,
    bias: Tensor,
    kept: Tensor,
    *,
    rates: Sequence[float],
    momentum: float,
    batch: int,
) -> tuple[Tensor, Tensor]:
    """One vector of one concept; rows and float targets are [epoch, draw], kept [K] is 0 or 1."""
    weight, offset = (start * kept).requires_grad_(), bias.clone().requires_grad_()
    optimizer = torch.optim.SGD([weight, offset], lr=rates[0], momentum=momentum)
    masked = bool((kept == 0).any())
    for epoch, rate in enumerate(rates):
        optimizer.param_groups[0]["lr"] = rate
        for first in range(0, rows.shape[1], batch):
            seen = features[rows[epoch, first : first + batch]]
            logits = torch.addmv(offset, seen, weight)
            loss = functional.binary_cross_entropy_with_logits(
                logits, targets[epoch, first : first + batch]
            )
            optimizer.zero_grad()
            loss.backward()
            if masked:
                weight.grad.mul_(kept)
            optimizer.step()
    return weight.detach(), offset.detach()
