"""Similarity of an annotator and the network to be probed: equal weights, equal architecture."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from net2vec.data.annotator_record import WeightTensor

# Smaller ones (scales, shifts) may be equal by chance: all 1 or 0 in models of any origin.
_MIN_NUMBERS = 256
# Networks of different families have some shapes in common; of one family nearly all.
_MIN_SHARED = 0.5


@dataclass(frozen=True)
class Likeness:
    """Shares of a network's parameters that an annotator has too.

    Attributes:
        known: whether both have weights that could be compared.
        shared: share of the network's large parameters that the annotator has too, value by value.
        shapes: share of them for which the annotator has one of the same shape.
    """

    known: bool
    shared: float
    shapes: float

    @property
    def is_family(self) -> bool:
        """Whether both are built alike, as networks of one family are."""
        return self.shapes >= _MIN_SHARED


def likeness(module: nn.Module, annotator: Sequence[WeightTensor]) -> Likeness:
    """Compare a network with the parameters of an annotator.

    Args:
        module: the network.
        annotator: of `weights_of`, in this or in another process.
    """
    own = weights_of(module)
    if not own or not annotator:
        return Likeness(known=False, shared=0.0, shapes=0.0)
    theirs = {one.digest for one in annotator}
    shared = sum(one.digest in theirs for one in own)
    shapes = _shapes(own) & _shapes(annotator)
    return Likeness(True, shared / len(own), shapes.total() / len(own))


def weights_of(module: nn.Module) -> tuple[WeightTensor, ...]:
    """The large parameters of a module, without their values; constant ones are left out."""
    return tuple(
        WeightTensor(_digest(tensor), tuple(tensor.shape))
        for tensor in _tensors(module)
        if tensor.numel() >= _MIN_NUMBERS and not bool((tensor == tensor.flatten()[0]).all())
    )


def _tensors(module: nn.Module) -> list[Tensor]:
    return [tensor.detach() for tensor in module.parameters() if tensor.is_floating_point()]


def _shapes(weights: Iterable[WeightTensor]) -> Counter[tuple[int, ...]]:
    return Counter(one.shape for one in weights)


def _digest(tensor: Tensor) -> str:
    # In single precision, so that a checkpoint in half precision is found to be the same.
    flat = tensor.to("cpu", torch.float32).contiguous().reshape(-1)
    return hashlib.blake2b(flat.numpy().data, digest_size=12).hexdigest()
