"""Take the outputs of chosen layers out of a network's forward pass.

A layer is named by its module path and means exactly what that module returned, copied at once,
because an in-place operation downstream may overwrite it. A module that is called several times
in a pass stands for its last call; `path#1`, `path#2`, ... name a call.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from net2vec.errors import NetworkError
from net2vec.networks.layers.grids import to_grid
from net2vec.networks.layers.modes import evaluating, fixed_batch_of, parameter_device
from net2vec.networks.network import Network


@contextmanager
def capture_outputs(module: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Fill a dictionary with the outputs of layers at each forward pass of the module.

    Every pass starts from an empty dictionary. The copies are detached from the graph. The hooks
    are gone after the block, also after an error.

    Args:
        module: the network; its mode and gradients are the caller's affair.
        layers: module paths, or calls of them (`path#2`).

    Yields:
        The outputs of the latest pass by the names in `layers`.

    Raises:
        NetworkError: there is no such module, or what it returns is not one tensor.
    """
    with _capture(module, layers, stop_at=None) as outputs:
        yield outputs


def run_layers(
    network: Network | nn.Module,
    batch: Float[Tensor, "image 3 size size"],
    layers: Sequence[str],
    *,
    mixed_precision: bool = False,
) -> dict[str, Tensor]:
    """The outputs of layers for a batch of preprocessed images.

    Runs in evaluation mode, without gradients, and leaves the network as it was found. Of a
    `Network`, whose order of calls is known, nothing after the last of the layers is computed,
    and outputs are grids of channels (see `net2vec.networks.layers.grids`); a bare module's come
    as they are.

    Args:
        network: a network, or a bare module.
        batch: moved to the network's device.
        layers: module paths, or calls of them (`path#2`).
        mixed_precision: whether to compute in half precision where torch thinks it safe.

    Returns:
        The outputs by the names in `layers`, in that order, on the network's device: (image,
        channel, y, x) of a grid, (image, channel) of a vector. Single precision.

    Raises:
        NetworkError: a layer does not exist, was not called, or returned no single tensor.
    """
    module = network.module if isinstance(network, Network) else network
    stop_at = _last_call(network, layers) if isinstance(network, Network) else None
    device = parameter_device(module)
    portions: list[dict[str, Tensor]] = []
    with (
        _capture(module, layers, stop_at) as outputs,
        evaluating(module),
        torch.autocast(device.type, enabled=mixed_precision),
    ):
        for portion in _portions(batch.to(device), fixed_batch_of(module)):
            with suppress(_Stop):
                module(portion)
            portions.append(dict(outputs))
    missing = [layer for layer in layers if layer not in portions[0]]
    if missing:
        raise NetworkError(f"the network never called {', '.join(missing)} in this pass")
    return {
        layer: _as_grid(torch.cat([part[layer] for part in portions])[: len(batch)], network)
        for layer in layers
    }


def split_call(layer: str) -> tuple[str, int | None]:
    """The module path of a layer's name and the call that it asks for, None for the last."""
    path, sign, call = layer.rpartition("#")
    return (path, int(call)) if sign and call.isdecimal() else (layer, None)


class _Stop(Exception):  # noqa: N818 - a signal between the hook and `run_layers`, not an error
    """All that was asked for has been captured."""


@contextmanager
def _capture(
    module: nn.Module, layers: Sequence[str], stop_at: tuple[str, int] | None
) -> Iterator[dict[str, Tensor]]:
    wanted: defaultdict[str, list[tuple[str, int | None]]] = defaultdict(list)
    for layer in layers:
        path, call = split_call(layer)
        wanted[path].append((layer, call))

    outputs: dict[str, Tensor] = {}
    calls: Counter[str] = Counter()

    def begin(_: nn.Module, __: Any) -> None:
        outputs.clear()
        calls.clear()

    def keep(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_: nn.Module, __: Any, result: Any) -> None:
            calls[path] += 1
            for layer, call in wanted[path]:
                if call in (None, calls[path]):
                    outputs[layer] = _tensor(path, result).detach().clone()
            if (path, calls[path]) == stop_at:
                raise _Stop

        return hook

    with ExitStack() as stack:
        stack.callback(module.register_forward_pre_hook(begin).remove)
        for path in wanted:
            stack.callback(_submodule(module, path).register_forward_hook(keep(path)).remove)
        yield outputs


def _portions(batch: Tensor, fixed: int | None) -> Sequence[Tensor]:
    """The batch, or, where only a fixed number of images will do, that many at a time."""
    if fixed is None or len(batch) == fixed:
        return [batch]
    missing = -len(batch) % fixed
    filled = torch.cat([batch, batch.new_zeros(missing, *batch.shape[1:])])
    return torch.split(filled, fixed)


def _as_grid(output: Tensor, network: Network | nn.Module) -> Tensor:
    single = output.float()
    return to_grid(single, network.prefix_tokens) if isinstance(network, Network) else single


def _last_call(network: Network, layers: Sequence[str]) -> tuple[str, int] | None:
    """The last of the layers' calls in the network's dry pass; None if a layer is not in it."""
    listed = network.trace.duplicates
    order = {(output.path, output.call): i for i, output in enumerate(network.trace.outputs)}
    calls = network.trace.calls()
    wanted = []
    for layer in layers:
        path, call = split_call(layer)
        wanted.append((path, call or calls[listed.get(path, path)]))
    places = [order.get((listed.get(path, path), call)) for path, call in wanted]
    if not places or None in places:
        return None
    return max(zip(places, wanted, strict=True), key=lambda item: item[0] or 0)[1]


def _submodule(module: nn.Module, path: str) -> nn.Module:
    try:
        return module.get_submodule(path)
    except AttributeError as error:
        raise NetworkError(f"{type(module).__name__} has no module {path!r}") from error


def _tensor(path: str, result: Any) -> Tensor:
    if not isinstance(result, Tensor):
        raise NetworkError(
            f"layer {path} returns a {type(result).__name__}, not a tensor; take a layer inside it"
        )
    return result
