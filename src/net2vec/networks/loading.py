"""From the name of a network and of its weights to the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType

import torch

from net2vec.errors import NetworkError
from net2vec.networks.layers.grids import prefix_tokens_of
from net2vec.networks.layers.listing import default_layers
from net2vec.networks.network import Network
from net2vec.networks.sources.architecture import Architecture
from net2vec.networks.sources.exported import network_from_program
from net2vec.networks.sources.libraries import TimmArchitecture, TorchvisionArchitecture
from net2vec.networks.sources.python import network_from_function
from net2vec.networks.sources.zoo import CaffeArchitecture
from net2vec.networks.table import Entry, available_networks

RANDOM = "random"

_LIBRARIES: dict[str, Callable[[str], Architecture]] = {
    "torchvision": TorchvisionArchitecture,
    "timm": TimmArchitecture,
}
_WEIGHTS_SUFFIXES = (".pth", ".pt", ".tar", ".pkl", ".bin", ".ckpt", ".safetensors", ".caffemodel")


def load_network(name: str, *, weights: str | None = None, seed: int = 0) -> Network:
    """Build a network with its weights, in evaluation mode.

    Args:
        name: a name of `available_networks`, `torchvision:NAME`, `timm:NAME`, a Caffe
            `deploy.prototxt`, an exported program (`.pt2`), or `package.module:function` or
            `file.py:function`, which return a module.
        weights: a file of weights; "random"; the name of published weights (`IMAGENET1K_V2`); or
            None for the default published weights, or for those that a function or program
            brings. Published weights may be downloaded, nothing else is.
        seed: of whatever is drawn in building the network; torch's global generator is left as
            it was.

    Raises:
        NetworkError: the network or its weights cannot be had.
    """
    entry = available_networks().get(name)
    library, _, model = name.partition(":")
    if entry is not None:
        network = _build(name, entry.architecture(), entry, weights, seed)
    elif library in _LIBRARIES:
        network = _build(name, _LIBRARIES[library](model), None, weights, seed)
    elif name.endswith(".prototxt"):
        caffe = CaffeArchitecture.from_prototxt(Path(name))
        network = _build(Path(name).name, caffe, None, weights, seed)
    elif name.endswith(".pt2"):
        network = replace(network_from_program(Path(name), weights=weights), name=Path(name).name)
    elif model:
        with _seeded(seed):
            # Without the folder of a file, which differs from machine to machine.
            place, _, function = name.rpartition(":")
            shown = f"{Path(place).name}:{function}"
            network = replace(network_from_function(name, weights=weights), name=shown)
        if weights is not None:  # else it is as the function says
            told = _weights_text(weights, seed, published="")
            network = replace(network, weights=told, trained=weights != RANDOM)
    else:
        raise NetworkError(_unknown(name))
    network.module.eval()
    if not network.layers:
        network = network.changed(layers=default_layers(network))
    return network


def _build(
    name: str, architecture: Architecture, entry: Entry | None, weights: str | None, seed: int
) -> Network:
    published: str | None = None
    with _seeded(seed):
        if weights == RANDOM:
            module = architecture.untrained()
        elif weights is not None and _is_file(weights, architecture.published):
            module = architecture.from_file(Path(weights))
        else:
            published = _published(architecture, weights)
            module = architecture.from_published(published)
    aliases = {**getattr(module, "aliases", {}), **(entry.aliases if entry else {})}
    return Network(
        name=name,
        module=module,
        preprocessing=(entry and entry.preprocessing)
        or architecture.preprocessing(module, published),
        layers=tuple(aliases.get(layer, layer) for layer in entry.layers) if entry else (),
        aliases=MappingProxyType(aliases),
        weights=_weights_text(weights, seed, published=published or ""),
        trained=weights != RANDOM,
        licence=entry.licence if entry else architecture.licence,
        source=architecture.source,
        prefix_tokens=prefix_tokens_of(module),
    )


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


def _weights_text(weights: str | None, seed: int, *, published: str) -> str:
    if weights == RANDOM:
        return f"random (seed {seed})"
    return published if weights is None or weights == published else f"file:{Path(weights).name}"


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _unknown(name: str) -> str:
    close = get_close_matches(name, available_networks(), n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(close)}?" if close else "`net2vec networks` lists them;"
    return (
        f"there is no network {name!r}; {hint} also torchvision:NAME, timm:NAME, FILE.prototxt, "
        f"FILE.pt2, package.module:function and file.py:function"
    )
