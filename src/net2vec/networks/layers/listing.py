"""The layers of a network as a table, and the choice among them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from net2vec.errors import NetworkError
from net2vec.networks.layers.capture import split_call
from net2vec.networks.network import Network

LAST = "last"


@dataclass(frozen=True)
class LayerInfo:
    """A layer that can be asked for.

    Attributes:
        path: its module path.
        aliases: its other names.
        kind: the module's class.
        shape: (channels, height, width) of a grid, (channels,) of a vector, None of anything
            else, which cannot be probed.
        calls: how often it is called in a pass; the path alone means the last call.
        activation: whether the output comes straight from an activation function; otherwise the
            raw values are taken. None where there is nothing to probe.
    """

    path: str
    aliases: tuple[str, ...]
    kind: str
    shape: tuple[int, ...] | None
    calls: int
    activation: bool | None

    @property
    def is_grid(self) -> bool:
        """Whether the layer has places, so that concepts can be segmented with it."""
        return self.shape is not None and len(self.shape) == 3


def list_layers(network: Network) -> list[LayerInfo]:
    """Every layer of a network, in the order in which a dry pass finishes them.

    A container comes right after its parts, and a module that is called several times stands
    where its last call is.

    Raises:
        NetworkError: the network cannot run on its own preprocessing's size.
    """
    names: defaultdict[str, list[str]] = defaultdict(list)
    for alias, path in (*network.aliases.items(), *network.trace.duplicates.items()):
        names[path].append(alias)
    calls = network.trace.calls()
    return [
        LayerInfo(
            path=output.path,
            aliases=tuple(names[output.path]),
            kind=output.kind,
            shape=output.shape if output.shape and len(output.shape) in (1, 3) else None,
            calls=output.call,
            activation=output.activation if output.shape is not None else None,
        )
        for output in network.trace.outputs
        if output.call == calls[output.path]
    ]


def resolve_layers(network: Network, patterns: Sequence[str] | None = None) -> tuple[str, ...]:
    """The layers that a user asks for.

    Args:
        network: the network.
        patterns: module paths, aliases, calls (`path#2`), globs over both (`*` stays within one
            part of a path, `**` crosses the dots), or `last`, the last of the default layers.
            None or nothing stands for the default layers.

    Returns:
        Module paths without repetition, in the network's forward order.

    Raises:
        NetworkError: a name is unknown, a glob matches nothing, or a layer cannot be probed.
    """
    listed = list_layers(network)
    order = {info.path: place for place, info in enumerate(listed)}
    aliases = {alias: info.path for info in listed for alias in info.aliases if alias not in order}
    infos = {info.path: info for info in listed}
    defaults = network.layers or default_layers(listed)
    if not defaults:
        raise NetworkError(f"{network.name} has no layer with a grid to probe")

    chosen: dict[str, tuple[int, int]] = {}
    for pattern in patterns or defaults:
        if pattern == LAST and LAST not in order:
            pattern = defaults[-1]
        if "*" in pattern or "?" in pattern:
            layers = _matching(pattern, infos, aliases)
        else:
            name, call = split_call(pattern)
            path = aliases.get(name, name)
            if path not in infos:
                raise NetworkError(_unknown(network, name, [*order, *aliases]))
            _check(infos[path], call)
            layers = [path if call is None else f"{path}#{call}"]
        for layer in layers:
            path, call = split_call(layer)
            chosen[layer] = (order[path], call or infos[path].calls)
    return tuple(sorted(chosen, key=lambda layer: chosen[layer]))


def default_layers(listed: Sequence[LayerInfo]) -> tuple[str, ...]:
    """Layers worth probing in a network of which nothing is known: the last of every grid.

    Among the layers with a grid of more than one place, and among these the ones that follow an
    activation if any does, the last with each size of grid, largest modules first: where a
    container puts out what its last part does, the container is taken.
    """
    grids = [info for info in listed if info.shape and info.is_grid and info.shape[1] > 1]
    active = [info for info in grids if info.activation]
    last_of_size = {info.shape[1:]: info.path for info in active or grids if info.shape}
    return tuple(last_of_size.values())


def _matching(pattern: str, infos: dict[str, LayerInfo], aliases: dict[str, str]) -> Sequence[str]:
    parts = {"**": ".*", "*": "[^.]*", "?": "[^.]"}
    tokens = re.split(r"(\*\*|\*|\?)", pattern)
    glob = re.compile("".join(parts.get(token, re.escape(token)) for token in tokens))
    names = {path: path for path in infos} | aliases
    found = {path for name, path in names.items() if glob.fullmatch(name) and infos[path].shape}
    if not found:
        raise NetworkError(f"no layer matches {pattern!r}; `net2vec layers` lists them")
    return sorted(found)


def _check(info: LayerInfo, call: int | None) -> None:
    if info.shape is None:
        raise NetworkError(
            f"layer {info.path} ({info.kind}) has no grid of channels that could be probed; "
            f"take a layer inside or after it"
        )
    if call is not None and not 1 <= call <= info.calls:
        raise NetworkError(
            f"layer {info.path} is called {info.calls} times in a pass, so there is no call {call}"
        )


def _unknown(network: Network, name: str, names: Sequence[str]) -> str:
    close = get_close_matches(name, names, n=5, cutoff=0.5)
    hint = f"did you mean {', '.join(close)}?" if close else "`net2vec layers` lists them"
    return f"{network.name} has no layer {name!r}; {hint}"
