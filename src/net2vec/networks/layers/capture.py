"""Take the outputs of chosen layers out of a network's forward pass.

A layer is named by its module path and means exactly what that module returned. Its output is
copied,
or passed to a callback, at once, because a later in-place operation may overwrite it. Of a module
that is called several times in a pass the last call is meant; `path#1`, `path#2`, ... name a call.
"""

from __future__ import annotations

import copy
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from net2vec.errors import NetworkError
from net2vec.networks.layers.modes import (
    evaluating,
    fixed_batch_of,
    network_input,
    parameter_device,
    portions,
)
from net2vec.networks.layers.names import split_call
from net2vec.networks.layers.outputs import main_tensor, usable_tensor
from net2vec.networks.network import Network


@contextmanager
def capture_outputs(module: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Fill a dictionary with the outputs of layers at each forward pass of the module.

    Every pass starts from an empty dictionary. The copies are detached from the graph. The hooks
    are gone after the block, also after an error.

    Args:
        module: the network, in the mode that the caller wants.
        layers: module paths, or calls of them (`path#2`).

    Yields:
        The outputs of the latest pass by the names in `layers`.

    Raises:
        NetworkError: if there is no such module, or what it returns is not one tensor.
    """
    with _capture(module, layers, stop_at=None) as outputs:
        yield outputs


def run_layers(
    network: Network | nn.Module,
    batch: Float[Tensor, "image channel row column"],
    layers: Sequence[str],
    *,
    mixed_precision: bool = False,
    as_grids: bool = True,
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
        as_grids: whether outputs of a `Network` are made grids.

    Returns:
        The outputs by the names in `layers`, in that order, on the network's device: (image,
        channel, y, x) of a grid, (image, channel) of a vector. Single precision.

    Raises:
        NetworkError: if a layer does not exist, was not called, or returned no single tensor.
    """
    module, order = (network, {}) if isinstance(network, nn.Module) else (network.module, {})
    if isinstance(network, Network):
        if as_grids:
            network.decide_layouts(layers)
        order = _order_of_calls(network, layers)
    stop_at = max(order.values())[1] if order and len(order) == len(layers) else None
    device = parameter_device(module)
    parts: list[dict[str, Tensor]] = []
    with (
        _capture(module, layers, stop_at) as outputs,
        evaluating(module),
        torch.autocast(device.type, enabled=mixed_precision),
    ):
        for portion in portions(network_input(module, batch), fixed_batch_of(module)):
            with suppress(_Stop):
                module(portion)
            parts.append(dict(outputs))
    _refuse_missing(layers, parts[0])
    shaped = network if as_grids else module
    return {
        layer: torch.cat([_as_grid(part[layer], layer, shaped) for part in parts])[: len(batch)]
        for layer in layers
    }


class _Stop(Exception):  # noqa: N818 - a signal between the hook and `run_layers`, not an error
    """All outputs that were asked for have been captured."""


@contextmanager
def output_callback(
    network: Network,
    layers: Sequence[str],
    callback: Callable[[str, Tensor, int], None],
    *,
    module: nn.Module | None = None,
    mixed_precision: bool = False,
) -> Iterator[Callable[[Tensor, int], None]]:
    """Pass the outputs of layers to a callback during the forward pass, without copies.

    The network is in evaluation mode inside the block, and as it was found afterwards.

    Args:
        network: a network.
        layers: module paths, or calls of them (`path#2`).
        callback: called within the pass with a layer's name, its output (a grid of channels, or a
            vector, in single precision) and the number of the output's first image. The output may
            be overwritten after `callback` returns.
        module: a replica of the network's module to run in its place (see `replicas`).
        mixed_precision: whether to compute in half precision where torch thinks it safe.

    Yields:
        A function that runs a batch, given the batch and the number of its first image; it may be
        called in any thread.

    Raises:
        NetworkError: if a layer does not exist, was not called, or returned no single tensor.
    """
    module = network.module if module is None else module
    network.decide_layouts(layers)
    order = _order_of_calls(network, layers)
    for layer in layers:
        _submodule(module, split_call(layer)[0])
    _refuse_missing(layers, order)
    stop_at = max(order.values())[1] if order else None
    device, fixed = parameter_device(module), fixed_batch_of(module)
    first_image, end = 0, 0  # of the pass that is running
    seen: set[str] = set()

    def pass_on(layer: str, output: Tensor) -> None:
        seen.add(layer)
        with torch.autocast(device.type, enabled=False):
            callback(layer, _as_grid(output, layer, network)[: end - first_image], first_image)

    def run(batch: Tensor, first: int) -> None:
        nonlocal first_image, end
        first_image, end = first, first + len(batch)
        seen.clear()
        with torch.no_grad(), torch.autocast(device.type, enabled=mixed_precision):
            for portion in portions(network_input(module, batch), fixed):
                with suppress(_Stop):
                    module(portion)
                first_image += len(portion)
        _refuse_missing(layers, seen)

    named = {layer: order[layer][1] for layer in layers}
    with evaluating(module), _hooked(module, layers, named, pass_on, stop_at):
        yield run


def share_replicas(module: nn.Module, count: int) -> list[nn.Module]:
    """The module and copies that share its parameters and buffers, to run in parallel threads.

    A module may keep state during a pass: threads must not share it. There are fewer than `count`
    where it cannot be copied or takes only a fixed number of images.
    """
    shared = {id(part): part for part in chain(module.parameters(), module.buffers())}
    replicas = [module]
    if fixed_batch_of(module) is None:
        # An attribute of a module that cannot be copied may raise anything.
        with suppress(Exception):
            while len(replicas) < count:
                replicas.append(copy.deepcopy(module, dict(shared)))
    return replicas


@contextmanager
def _capture(
    module: nn.Module, layers: Sequence[str], stop_at: tuple[str, int] | None
) -> Iterator[dict[str, Tensor]]:
    outputs: dict[str, Tensor] = {}

    def keep(layer: str, output: Tensor) -> None:
        outputs[layer] = output.detach().clone()

    named = {layer: split_call(layer) for layer in layers}
    with _hooked(module, layers, named, keep, stop_at, begin=outputs.clear):
        yield outputs


@contextmanager
def _hooked(
    module: nn.Module,
    layers: Sequence[str],
    named: Mapping[str, tuple[str, int | None]],
    callback: Callable[[str, Tensor], None],
    stop_at: tuple[str, int] | None,
    begin: Callable[[], object] = lambda: None,
) -> Iterator[None]:
    """Call `callback` with a layer's name and output, and leave the pass at `stop_at`.

    `named` has the module path of layers and the call that is meant, None for every call.
    """
    wanted: defaultdict[str, list[tuple[str, int | None]]] = defaultdict(list)
    for layer in layers:
        path, call = named[layer]
        wanted[path].append((layer, call))
    calls: Counter[str] = Counter()

    def start(_: nn.Module, __: Any) -> None:
        begin()
        calls.clear()

    def hook_of(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_: nn.Module, __: Any, result: Any) -> None:
            calls[path] += 1
            for layer, call in wanted[path]:
                if call in (None, calls[path]):
                    with torch.inference_mode(False), torch.no_grad():
                        callback(layer, _tensor(path, result))
            if (path, calls[path]) == stop_at:
                raise _Stop

        return hook

    with ExitStack() as stack:
        stack.callback(module.register_forward_pre_hook(start).remove)
        for path in wanted:
            stack.callback(_submodule(module, path).register_forward_hook(hook_of(path)).remove)
        yield


def _as_grid(output: Tensor, layer: str, network: Network | nn.Module) -> Tensor:
    single = output.float()
    return network.to_grid(layer, single) if isinstance(network, Network) else single


def _order_of_calls(
    network: Network, layers: Sequence[str]
) -> dict[str, tuple[int, tuple[str, int]]]:
    """When each layer is called in the network's dry pass, and the module path and call.

    Layers that are not called in it are left out.
    """
    listed = network.trace.duplicates
    order = {(output.path, output.call): i for i, output in enumerate(network.trace.outputs)}
    calls = network.trace.calls()
    found = {}
    for layer in layers:
        path, call = split_call(layer)
        call = call or calls[listed.get(path, path)]
        place = order.get((listed.get(path, path), call))
        if place is not None:
            found[layer] = (place, (path, call))
    return found


def _refuse_missing(layers: Sequence[str], reached: Container[str]) -> None:
    missing = [layer for layer in layers if layer not in reached]
    if missing:
        raise NetworkError(f"the network never called {', '.join(missing)} in this pass")


def _submodule(module: nn.Module, path: str) -> nn.Module:
    try:
        return module.get_submodule(path)
    except AttributeError as error:
        raise NetworkError(f"{type(module).__name__} has no module {path!r}") from error


def _tensor(path: str, result: Any) -> Tensor:
    tensor = main_tensor(result)
    if tensor is None:
        raise NetworkError(
            f"layer {path} returns a {type(result).__name__}, not a tensor; take a layer inside it"
        )
    return usable_tensor(tensor)
