"""The interface of a basis: features that are functions of the channels of one place of a layer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from hashlib import blake2b
from typing import ClassVar, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from net2vec.networks.digest import tensor_digest

AnyBasis = TypeVar("AnyBasis", bound="Basis")


class Basis(ABC):
    """Features of a layer, computed at every place from the channels there.

    A basis is its tensors: they are what a run keeps of it.

    Attributes:
        kind: the name by which a run's file tells bases apart.
        usage: how it is named after the `@` of a layer, for messages.
        is_fitted: whether it can be used; else `fit` makes one that can.
    """

    kind: ClassVar[str]
    usage: ClassVar[str]

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the tensors, of single precision on the CPU."""
        self.tensors = dict(tensors)
        self._moved: dict[torch.device, dict[str, Tensor]] = {}

    @classmethod
    def recognises(cls, name: str) -> bool:
        """Whether a name is one of this kind's, by default `usage`; nothing is opened for it."""
        return name == cls.usage

    @classmethod
    @abstractmethod
    def make(cls: type[AnyBasis], name: str, layer: str, channels: int, seed: int) -> AnyBasis:
        """The basis of a layer.

        Args:
            name: as the user gave it.
            layer: the path of the layer.
            channels: of the layer.
            seed: of the run, for what is drawn.

        Raises:
            NetworkError: if it cannot be had, or is not for so many channels.
        """

    @property
    @abstractmethod
    def features(self) -> int:
        """The number of features."""

    @abstractmethod
    def __call__(self, values: Float[Tensor, "*place channel"]) -> Float[Tensor, "*place feature"]:
        """The features at places, on the device of the values."""

    @property
    def is_fitted(self) -> bool:
        """See the class."""
        return True

    def fit(self: AnyBasis, cells: Float[Tensor, "cell channel"]) -> AnyBasis:
        """The basis for the activations of a layer, of which some cells are given."""
        return self

    @property
    def digest(self) -> str:
        """Hexadecimal digest of kind and tensors."""
        parts = (f"{name} {tensor_digest(value)}" for name, value in sorted(self.tensors.items()))
        return blake2b(" ".join([self.kind, *parts]).encode(), digest_size=16).hexdigest()

    def on(self, device: torch.device) -> Mapping[str, Tensor]:
        """The tensors on a device; they are moved once."""
        if device.type == "cpu":
            return self.tensors
        if device not in self._moved:
            self._moved[device] = {k: value.to(device) for k, value in self.tensors.items()}
        return self._moved[device]

    def __reduce__(self) -> tuple[type[Basis], tuple[Mapping[str, Tensor]]]:
        return type(self), (self.tensors,)
