"""The interface of a source of networks, and of the architectures that most sources have."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, runtime_checkable

from torch import nn

from net2vec.core.messages import did_you_mean
from net2vec.errors import NetworkError
from net2vec.networks.layers.grids import prefix_tokens_of
from net2vec.networks.network import Network
from net2vec.networks.preprocessing import Preprocessing

RANDOM = "random"
"""The value of `weights` that asks for random weights."""

_WEIGHTS_SUFFIXES = (".pth", ".pt", ".tar", ".pkl", ".bin", ".ckpt", ".safetensors", ".caffemodel")


@dataclass(frozen=True)
class Entry:
    """A network that a source lists by name, before it is built.

    Attributes:
        task: what the network was trained for.
        training_set: the images it was trained on.
        layers: the layers to probe by default, by module path or alias.
        licence: the terms of the published weights.
        source: where they come from.
        aliases: other names of layers, each with its module path.
        preprocessing: what the network expects; None for what its architecture says.
    """

    task: str = ""
    training_set: str = ""
    layers: tuple[str, ...] = ()
    licence: str = "unknown"
    source: str = ""
    aliases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    preprocessing: Preprocessing | None = None


class NetworkSource(ABC):
    """Networks of one origin, known by how they are named.

    Attributes:
        usage: how its networks are named, for messages (`torchvision:NAME`); empty for names that
            are listed.
        install: how to install what it imports, where that is an extra.
        has_random: whether a network can be had with random weights and without a download.
        runs_code: whether a name leads to code that is not part of an installed library. A run
            of somebody else that names such a network is opened only if the user trusts it.
    """

    usage: str = ""
    install: str = ""
    has_random: bool = True
    runs_code: bool = False

    @abstractmethod
    def recognises(self, name: str) -> bool:
        """Whether a name is one of this source's; nothing is opened or imported for it.

        Sources of other packages are not asked: theirs are all names that begin with the name of
        their entry point and a colon.
        """

    @abstractmethod
    def load(self, name: str, weights: str | None, seed: int) -> Network:
        """Build a network.

        Args:
            name: the whole name, as the user gave it.
            weights: a file, "random", the name of published weights, or None for the usual ones.
            seed: which torch's global generator was seeded with; to be named in `Network.weights`.

        Raises:
            NetworkError: if the network or its weights cannot be had.
            ImportError: if a package is not installed.
        """

    def absolute(self, name: str) -> str:
        """The name as it holds from any working directory, where it names a file or folder."""
        return name

    def entries(self) -> Mapping[str, Entry]:
        """The networks to list, by name; none where there are too many."""
        return {}


@runtime_checkable
class Architecture(Protocol):
    """A network before its weights are chosen."""

    @property
    def source(self) -> str:
        """Where the architecture comes from, in words."""
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
            NetworkError: if they cannot be read or do not fit.
        """
        ...

    def from_published(self, weights: str) -> nn.Module:
        """The module with published weights, which are downloaded unless they are in a cache.

        Raises:
            NetworkError: if they cannot be had; the message says what to fetch.
        """
        ...

    def preprocessing(self, module: nn.Module, weights: str | None) -> Preprocessing:
        """The preprocessing that the network expects.

        Args:
            module: what one of the methods above returned.
            weights: the name of the published weights in it, None for others.
        """
        ...


def build_network(
    name: str,
    architecture: Architecture,
    weights: str | None,
    seed: int,
    entry: Entry | None = None,
) -> Network:
    """The network of an architecture, with the weights that are asked for.

    Args:
        name: of the network.
        architecture: what to build.
        weights: as in `NetworkSource.load`.
        seed: likewise.
        entry: what is known of the network beyond its architecture.

    Raises:
        NetworkError: if there are no such weights, or they do not fit.
    """
    published: str | None = None
    if weights == RANDOM:
        module = architecture.untrained()
    elif weights is not None and _is_file(weights, architecture.published):
        module = architecture.from_file(Path(weights))
    else:
        published = _published(architecture, weights)
        module = architecture.from_published(published)
    known = entry or Entry(licence=architecture.licence)
    aliases = {**getattr(module, "aliases", {}), **known.aliases}
    return Network(
        name=name,
        module=module,
        preprocessing=known.preprocessing or architecture.preprocessing(module, published),
        layers=tuple(aliases.get(layer, layer) for layer in known.layers),
        aliases=MappingProxyType(aliases),
        weights=published or describe_weights(weights or "", seed),
        trained=weights != RANDOM,
        licence=known.licence,
        source=architecture.source,
        prefix_tokens=prefix_tokens_of(module),
    )


def describe_weights(weights: str, seed: int) -> str:
    """The text of `Network.weights` for random weights, or for weights in a file."""
    return f"random (seed {seed})" if weights == RANDOM else f"file:{Path(weights).name}"


def absolute_path(name: str) -> str:
    """The absolute path of a file or folder; what does not exist stays as it is."""
    path = Path(name).expanduser()
    return str(path.resolve()) if path.exists() else name


def unknown_model(
    library: str, name: str, known_names: list[str], kind: str = "classifier"
) -> NetworkError:
    """The error for a library that has no such network."""
    hint = did_you_mean(name, known_names, "see its list of models")
    return NetworkError(f"{library} has no {kind} {name!r}; {hint}")


def _is_file(weights: str, published: tuple[str, ...]) -> bool:
    return weights not in published and (
        Path(weights).exists() or weights.lower().endswith(_WEIGHTS_SUFFIXES)
    )


def _published(architecture: Architecture, weights: str | None) -> str:
    known = architecture.published
    if weights is None and known:
        return known[0]
    if weights in known:
        return weights
    names = ", ".join(known) or "none"
    if weights is None:
        raise NetworkError(
            f"{architecture.source} has no published weights: give --weights FILE or random"
        )
    raise NetworkError(
        f"{architecture.source} has no weights {weights!r}, and there is no such file; "
        f"published: {names}"
    )
