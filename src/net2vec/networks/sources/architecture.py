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

    def trained(self, weights: str) -> nn.Module:
        """The module with published weights, which may be downloaded.

        Raises:
            NetworkError: they cannot be had; the message says what to fetch.
        """
        ...

    def load_file(self, module: nn.Module, path: Path) -> None:
        """Load a file's weights into a module that `untrained` made.

        Raises:
            NetworkError: they cannot be read or do not fit.
        """
        ...

    def preprocessing(self, weights: str | None) -> Preprocessing:
        """What the network is fed under the published weights of that name, or by default."""
        ...
