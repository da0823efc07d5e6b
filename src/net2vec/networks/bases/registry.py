"""All kinds of bases: those of this package, and those of others through entry points."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from net2vec.core.plugins import Registry
from net2vec.core.storage import replacing
from net2vec.errors import NetworkError, ResultsError
from net2vec.networks.bases.base import Basis
from net2vec.networks.layers.names import split_basis
from net2vec.vocabulary import BASIS_MARK

_HERE = "net2vec.networks.bases"
BASES: Registry[Basis] = Registry(
    "basis",
    f"{_HERE}.base:Basis",
    {
        "random": f"{_HERE}.linear:RandomBasis",
        "pca": f"{_HERE}.linear:PrincipalBasis",
        "autoencoder": f"{_HERE}.autoencoder:SparseAutoencoder",
    },
    NetworkError,
    group="net2vec.bases",
)
"""Kinds of bases, in the order in which they are asked; installed ones are asked after these."""


def make_basis(basis: str, layer: str, channels: int, seed: int) -> Basis:
    """The basis of a layer by its name; see `Basis.make`.

    Raises:
        NetworkError: if the name is unknown, or the basis cannot be had.
    """
    kinds = BASES.classes().values()
    for kind in kinds:
        if kind.recognises(basis):
            return kind.make(basis, layer, channels, seed)
    known = ", ".join(f"{BASIS_MARK}{kind.usage}" for kind in kinds)
    raise NetworkError(f"{layer}{BASIS_MARK}{basis}: there is no such basis; known are {known}")


def absolute_basis(layer: str) -> str:
    """The name of a layer as it holds from any working directory, where its basis is a file."""
    name, basis = split_basis(layer)
    path = Path(basis).expanduser()
    return f"{name}{BASIS_MARK}{path.resolve()}" if basis and path.is_file() else layer


def save_bases(bases: Mapping[str, Basis], path: Path) -> None:
    """Write bases by the names of their layers."""
    layers = list(bases)
    kinds = {"layers": json.dumps([[layer, bases[layer].kind] for layer in layers])}
    tensors = {
        f"{number}.{name}": value.contiguous()
        for number, layer in enumerate(layers)
        for name, value in bases[layer].tensors.items()
    }
    with replacing(path) as temporary:
        save_file(tensors, temporary, kinds)


def load_bases(path: Path) -> Mapping[str, Basis]:
    """Read what `save_bases` has written.

    Raises:
        ResultsError: if it is missing, damaged, or of a kind that is not installed here.
    """
    try:
        with safe_open(path, framework="pt") as file:
            layers = json.loads((file.metadata() or {})["layers"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        kinds = {kind.kind: kind for kind in BASES.classes().values()}
        bases = {
            layer: kinds[kind](dict(_with_prefix(tensors, f"{number}.")))
            for number, (layer, kind) in enumerate(layers)
        }
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ResultsError(f"{path} cannot be read as bases of layers: {error!r}") from error
    return MappingProxyType(bases)


def _with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> Iterable[tuple[str, Tensor]]:
    return ((k.removeprefix(prefix), value) for k, value in tensors.items() if k.startswith(prefix))
