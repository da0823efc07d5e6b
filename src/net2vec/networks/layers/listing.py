"""The layers of a network as a table, and those worth probing by default."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import prod

from net2vec.kernels.quantile import rank_of
from net2vec.networks.network import Network

# A recording keeps the largest activations, each with its position, in room for half as many
# again, and the mean of every image.
_BYTES_OF_ENTRY = 8
_ROOM = 1.5
_BYTES_OF_MEAN = 4

# How often a class of containers must occur to be taken for the blocks of a network.
_MIN_REPEATS = 4
# How many blocks are taken of a stack with one size of grid.
_MAX_OF_A_STACK = 4
# How often layers are chosen again because a chosen one cannot be probed, before all are decided.
_MAX_ROUNDS = 3


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
        refused: why there is nothing to probe though the shape is that of a grid; else empty.
    """

    path: str
    aliases: tuple[str, ...]
    kind: str
    shape: tuple[int, ...] | None
    calls: int
    activation: bool | None
    refused: str = ""

    @property
    def is_grid(self) -> bool:
        """Whether the layer has places, so that concepts can be segmented with it."""
        return self.shape is not None and len(self.shape) == 3

    def recording_bytes(self, images: int, quantile: float = 0.005) -> int:
        """The memory that recording the layer takes while it lasts, in bytes.

        Args:
            images: number of probe images.
            quantile: share of activations above the threshold (tau, paper section 3).
        """
        if self.shape is None:
            return 0
        channels, *places = self.shape
        kept = rank_of(quantile, images * prod(places)) + 1 if places else 0
        return channels * (int(_ROOM * kept) * _BYTES_OF_ENTRY + images * _BYTES_OF_MEAN)


def list_layers(network: Network, *, decided: Collection[str] | None = None) -> list[LayerInfo]:
    """Every layer of a network, in the order in which a dry pass finishes them.

    A container comes right after its parts, and a module that is called several times stands
    where its last call is.

    Args:
        network: the network.
        decided: module paths of layers whose layout must be decided where their shape leaves it
            open, which takes passes of the network; None for all. Others have the usual layout of
            their shape, unless theirs was decided before.

    Raises:
        NetworkError: if the network cannot run on its own preprocessing's size.
    """
    network.decide_layouts(decided)
    names: defaultdict[str, list[str]] = defaultdict(list)
    for alias, path in (*network.aliases.items(), *network.trace.duplicates.items()):
        names[path].append(alias)
    calls = network.trace.calls()
    return [
        LayerInfo(
            path=output.path,
            aliases=tuple(names[output.path]),
            kind=output.kind,
            shape=shape,
            calls=output.call,
            activation=output.activation if shape else None,
            refused=network.layouts.refusal(output),
        )
        for output in network.trace.outputs
        if output.call == calls[output.path]
        for shape in [network.layouts.probed_shape(output)]
    ]


def default_layers(network: Network) -> tuple[str, ...]:
    """Layers worth probing in a network of which nothing is known: one for every size of grid.

    Of the layers that an activation follows, if any does, the last with each size, the outermost
    first: where a whole stage ends in an activation, the stage is taken, not a part of the next
    one that has the same size still. Pooling, which only repeats another layer, does not count.

    Networks that normalise layers (transformers, ConvNeXt) have their activations in the middle
    of blocks that add to a common stream: there it is the blocks, and of a stack of blocks with
    one size of grid, four, evenly spaced and with the last. Where the blocks of such a network put
    out tokens that make no grid there is none: layers before them would be a poor choice.
    """
    decided: tuple[str, ...] | None = ()
    for rounds in range(_MAX_ROUNDS + 1):
        listed = list_layers(network, decided=decided)
        chosen = () if blocks_without_grid(network, listed) else _choose(listed)
        # Only the layers that are chosen need to be decided, unless some of them turn out unfit.
        if decided is None or set(chosen) <= set(decided):
            break
        decided = None if rounds == _MAX_ROUNDS - 1 else (*decided, *chosen)
    return chosen


def blocks_without_grid(network: Network, listed: Sequence[LayerInfo]) -> list[LayerInfo]:
    """The blocks of a network that normalises layers, if they put out tokens and none a grid."""
    if not any("LayerNorm" in info.kind for info in listed):
        return []
    if _blocks([info for info in listed if info.is_grid]):
        return []
    outputs = {info.path: network.trace.find(info.path) for info in listed if not info.shape}
    return _blocks(
        [info for info in listed if (out := outputs.get(info.path)) and len(out.shape or ()) == 2]
    )


def _choose(listed: Sequence[LayerInfo]) -> tuple[str, ...]:
    grids = [info for info in listed if info.is_grid and "Pool" not in info.kind]
    blocks = _blocks(grids) if any("LayerNorm" in info.kind for info in listed) else []
    chosen: dict[tuple[int, ...], LayerInfo] = {}
    for info in blocks or [info for info in grids if info.activation] or grids:
        size = info.shape[1:] if info.shape else ()
        rival = chosen.get(size)
        if rival is None or info.path.count(".") <= rival.path.count("."):
            chosen[size] = info
    if blocks and len(chosen) == 1:
        count = min(_MAX_OF_A_STACK, len(blocks))
        return tuple(blocks[(part + 1) * len(blocks) // count - 1].path for part in range(count))
    return tuple(info.path for info in sorted(chosen.values(), key=listed.index))


def _blocks(grids: Sequence[LayerInfo]) -> list[LayerInfo]:
    """The containers of the repeated class that most of the network is in."""
    parts = Counter(
        ".".join(names[:depth])
        for names in (info.path.split(".") for info in grids)
        for depth in range(1, len(names))
    )
    by_kind: defaultdict[str, list[LayerInfo]] = defaultdict(list)
    for info in grids:
        if parts[info.path] and info.kind != "Sequential":
            by_kind[info.kind].append(info)
    repeated = [infos for infos in by_kind.values() if len(infos) >= _MIN_REPEATS]
    return max(repeated, key=lambda infos: sum(parts[info.path] for info in infos), default=[])
