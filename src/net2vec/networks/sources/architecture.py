"""What every source of networks offers."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

from torch import nn

from net2vec.networks.preprocessing import Preprocessing


@runtime_checkable
class Architecture(Protocol):
    """A network before its weights are chosen."""

    @property
    def source(self) -> str:
        """Where the architecture comes from, for people."""
        ...

    @property
    def published(self) -> tuple[str, ...]:
        """Names of the published weights, the default first; empty where there are none."""
        ...

    @property
    def licence(self) -> str:
        """The terms of the published weights."""
        ...

    def untrained(self) -> nn.Module:
        """The module with fresh weights, drawn from torch's global generator."""
        ...

    def from_file(self, path: Path) -> nn.Module:
        """The module with the weights in a file, all of them and nothing else.

        Raises:
            NetworkError: they cannot be read or do not fit.
        """
        ...

    def from_published(self, weights: str) -> nn.Module:
        """The module with published weights, which are downloaded where they are not here.

        Raises:
            NetworkError: they cannot be had; the message says what to fetch.
        """
        ...

    def preprocessing(self, module: nn.Module, weights: str | None) -> Preprocessing:
        """What the network is fed.

        Args:
            module: what one of the methods above has made.
            weights: the name of the published weights in it, None for others.
        """
        ...
