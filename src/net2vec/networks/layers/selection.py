"""The choice among the layers of a network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from net2vec.core.messages import did_you_mean
from net2vec.errors import NetworkError
from net2vec.networks.layers.listing import (
    LayerInfo,
    blocks_without_grid,
    default_layers,
    list_layers,
)
from net2vec.networks.layers.names import short_name, split_basis, split_call
from net2vec.networks.network import Network
from net2vec.vocabulary import BASIS_MARK

LAST = "last"


def resolve_layers(network: Network, patterns: Sequence[str] | None = None) -> tuple[str, ...]:
    """The layers that a user asks for.

    Args:
        network: the network.
        patterns: module paths, aliases, calls (`path#2`), globs over both (`*` stays within one
            part of a path, `**` crosses the dots), or `last`, the last of the default layers;
            each also with a basis (`path@pca`). None or nothing stands for the default layers.

    Returns:
        Module paths without repetition, in the network's forward order; those with a basis that is
        a file with the name of the file alone.

    Raises:
        NetworkError: if a name is unknown, a glob matches nothing, or a layer cannot be probed.
    """
    defaults = network.layers or default_layers(network)
    listed = list_layers(network, decided=())
    if not patterns and not defaults and (blocks := blocks_without_grid(network, listed)):
        _check(network, blocks[-1], None)
    infos = {info.path: info for info in listed}
    aliases = {alias: info.path for info in listed for alias in info.aliases if alias not in infos}
    if not patterns and not defaults:
        raise NetworkError(f"{network.name} has no layer with a grid to probe")

    chosen: dict[str, None] = {}  # in the order of the patterns
    named: list[str] = []
    for asked in patterns or defaults:
        pattern, basis = split_basis(asked)
        mark = f"{BASIS_MARK}{short_name(basis)}" if BASIS_MARK in asked else ""
        if mark == BASIS_MARK:
            raise NetworkError(f"{asked} names no basis after {BASIS_MARK}")
        if pattern == LAST and LAST not in infos:
            if not defaults:
                raise NetworkError(f"{network.name} has no layer by default; name one")
            pattern = defaults[-1]
        if "*" in pattern or "?" in pattern:
            matching = _matching(network, pattern, infos, aliases)
            chosen |= dict.fromkeys(f"{path}{mark}" for path in matching)
        else:
            name, call = split_call(pattern)
            path = aliases.get(name, name)
            if path not in infos:
                raise NetworkError(_unknown(network, name, [*infos, *aliases]))
            named.append((path if call is None else f"{path}#{call}") + mark)
            chosen[named[-1]] = None
    # Those of globs are decided already; all others together, which takes fewer passes.
    decided = {split_call(layer)[0] for layer in named}
    infos = {info.path: info for info in list_layers(network, decided=decided)}
    for layer in named:
        path, call = split_call(layer)
        _check(network, infos[path], call)
    order = {(out.path, out.call): place for place, out in enumerate(network.trace.outputs)}

    def place(layer: str) -> int:
        path, call = split_call(layer)
        return order[path, call or infos[path].calls]

    return tuple(sorted(chosen, key=place))


def _matching(
    network: Network, pattern: str, infos: Mapping[str, LayerInfo], aliases: Mapping[str, str]
) -> Sequence[str]:
    parts = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
    tokens = re.split(r"(\*\*|\*|\?)", pattern)
    glob = re.compile("".join(parts.get(token, re.escape(token)) for token in tokens))
    names = {path: path for path in infos} | {**aliases}
    matching = {path for name, path in names.items() if glob.fullmatch(name)}
    decided = {info.path: info for info in list_layers(network, decided=matching)}
    matched = sorted(path for path in matching if decided[path].shape)
    if not matched:
        raise NetworkError(f"no layer matches {pattern!r}; `net2vec layers` lists them")
    return matched


def _check(network: Network, info: LayerInfo, call: int | None) -> None:
    if info.refused:
        raise NetworkError(f"layer {info.path} ({info.kind}) {info.refused}")
    if info.shape is None:
        raise NetworkError(
            f"layer {info.path} ({info.kind}) has no grid of channels that could be probed; "
            f"take a layer inside or after it{_prefix_hint(network, info)}"
        )
    if call is not None and not 1 <= call <= info.calls:
        raise NetworkError(
            f"layer {info.path} has no call {call}: calls in a pass are counted from 1, and it has "
            f"{info.calls}"
        )


def _prefix_hint(network: Network, info: LayerInfo) -> str:
    """A hint on how to name the tokens that stand for no place, where an output may have some."""
    output = network.trace.find(info.path)
    if output is None or len(output.shape or ()) != 2:
        return ""
    shape = " x ".join(map(str, output.shape or ()))
    known = f", beside the {network.prefix_tokens} that are known" if network.prefix_tokens else ""
    return (
        f"; if its {shape} are tokens, of which some in front stand for no place{known}, give "
        f"their number: network_from_module(module, prefix_tokens=...)"
    )


def _unknown(network: Network, name: str, names: Sequence[str]) -> str:
    hint = did_you_mean(name, names, "`net2vec layers` lists them")
    return f"{network.name} has no layer {name!r}; {hint}"
