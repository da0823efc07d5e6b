"""Bases as parts of a network: made for the layers that are asked for, and fitted to images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

import torch
from jaxtyping import Float
from torch import Tensor

from net2vec.errors import NetworkError
from net2vec.networks.bases.base import Basis
from net2vec.networks.bases.registry import make_basis
from net2vec.networks.layers.capture import run_layers
from net2vec.networks.layers.listing import LayerInfo, list_layers
from net2vec.networks.layers.names import short_name, split_basis
from net2vec.networks.network import Network

# Cells of an image that a basis is fitted to, evenly spread over the grid.
_CELLS_OF_IMAGE = 64


def with_bases(
    network: Network, layers: Sequence[str], patterns: Sequence[str], seed: int
) -> Network:
    """The network with the bases of some layers; what it has already is kept.

    Args:
        network: the network.
        layers: as from `resolve_layers`.
        patterns: those that `resolve_layers` was given; bases that are files have their folder.
        seed: of the run.

    Raises:
        NetworkError: a basis cannot be had, or is not for the layer.
    """
    full: dict[str, str] = {}
    for basis in (split_basis(pattern)[1] for pattern in patterns):
        if basis and full.setdefault(short_name(basis), basis) != basis:
            raise NetworkError(
                f"bases {full[short_name(basis)]} and {basis} would have one name in the results; "
                f"rename one of the files"
            )
    bases = dict(network.bases)
    for layer in layers:
        name, basis = split_basis(layer)
        if basis and layer not in bases:
            shape = layer_info(network, name, decided=layers).shape or (0,)
            bases[layer] = make_basis(full.get(basis, basis), name, shape[0], seed)
    return network.changed(bases=MappingProxyType(bases)) if bases else network


def layer_info(network: Network, layer: str, *, decided: Sequence[str]) -> LayerInfo:
    """Properties of a layer, in its basis.

    Args:
        network: the network.
        layer: as from `resolve_layers`.
        decided: see `list_layers`.
    """
    name, basis = split_basis(layer)
    known = {info.path: info for info in list_layers(network, decided=decided)}
    found = known.get(name) or known[name.partition("#")[0]]
    if not basis or layer not in network.bases:
        return found
    features = network.bases[layer].features
    shape = None if found.shape is None else (features, *found.shape[1:])
    return replace(found, path=layer, aliases=(), shape=shape, activation=None)


def fit_bases(
    network: Network, batches: Iterable[Float[Tensor, "_ channel row column"]]
) -> Network:
    """The network with its bases fitted to the activations of some images, where they need it.

    Args:
        network: with bases.
        batches: preprocessed images.
    """
    wanted = [layer for layer, basis in network.bases.items() if not basis.is_fitted]
    names = list(dict.fromkeys(split_basis(layer)[0] for layer in wanted))
    cells: dict[str, list[Tensor]] = {name: [] for name in names}
    for batch in batches:
        for name, output in run_layers(network, batch, names).items():
            places = output.flatten(2).transpose(1, 2) if output.ndim == 4 else output[:, None]
            step = -(-places.shape[1] // _CELLS_OF_IMAGE)
            cells[name].append(places[:, ::step].flatten(0, 1).cpu())
    fitted: Mapping[str, Basis] = {
        layer: network.bases[layer].fit(torch.cat(cells[split_basis(layer)[0]])) for layer in wanted
    }
    return network.changed(bases=MappingProxyType({**network.bases, **fitted}))
