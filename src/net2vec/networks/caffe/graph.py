"""A Caffe network as one module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from net2vec.errors import NetworkError
from net2vec.networks.caffe.messages import CaffeLayer, layers_for_testing, read_weights
from net2vec.networks.caffe.modules import Shape, build_module, state_of
from net2vec.networks.weights.checkpoints import fit_state_dict

# Inputs, and what a network has for its training: without labels there is nothing to compute.
_NOT_COMPUTED = (
    *("Input", "Data", "ImageData", "MemoryData", "WindowData", "Hdf5Data", "HDF5Data"),
    *("DummyData", "Accuracy", "Silence"),
)

_RESERVED = frozenset(dir(nn.Module()))


class InPlaceChain(nn.Sequential):
    """A layer and those that work in place on its result, as Caffe's ReLUs do."""

    def forward(self, *blobs: Tensor) -> Tensor:
        """Run them one after the other."""
        first, *rest = self
        value: Tensor = first(*blobs)
        for part in rest:
            value = part(value)
        return value


@dataclass(frozen=True)
class _Step:
    """A submodule, the layers in it, and the blobs that it reads and writes."""

    path: str
    layers: tuple[CaffeLayer, ...]

    @property
    def reads(self) -> tuple[str, ...]:
        return self.layers[0].bottoms

    @property
    def writes(self) -> tuple[str, ...]:
        return self.layers[0].tops

    def path_of(self, layer: CaffeLayer) -> str:
        return self.path if len(self.layers) == 1 else f"{self.path}.{_module_name(layer)}"


class CaffeNetwork(nn.Module):
    """The layers of a prototxt, run in its order.

    A submodule has the name of its layer. Where other layers work in place on its result, the
    name stands for the result after them, which is what Caffe shows under it: `conv5` is what
    its ReLU leaves, `conv5.conv5` what the convolution gives, `conv5.relu5` the same as `conv5`.

    Attributes:
        input_shape: (channels, height, width) that the prototxt asks for.
        aliases: names of blobs and of layers that differ from their module path.
    """

    def __init__(self, net: Any) -> None:
        """Build the module with fresh weights.

        Args:
            net: the message that `read_definition` reads.

        Raises:
            NetworkError: if the input is not given, or a layer is not supported or does not fit.
        """
        super().__init__()
        layers = layers_for_testing(net)
        self._input, self.input_shape = _input_blob(net, layers)
        computed = [
            layer
            for layer in layers
            if layer.type not in _NOT_COMPUTED and not layer.type.endswith("Loss")
        ]
        self._steps = _steps(computed)
        shapes = {self._input: (1, *self.input_shape)}
        for step in self._steps:
            self.add_module(step.path, _build(step, shapes))
        self._last_use = {
            name: place for place, step in enumerate(self._steps) for name in step.reads
        }
        paths = {path for path, _ in self.named_modules()}
        names = {layer.name: step.path_of(layer) for step in self._steps for layer in step.layers}
        names |= {blob: step.path for step in self._steps for blob in step.writes}
        self.aliases = {name: path for name, path in names.items() if name not in paths}

    def forward(self, batch: Tensor) -> Any:
        """The result of the last layer."""
        blobs: dict[str, Any] = {self._input: batch}
        result: Any = batch
        for place, step in enumerate(self._steps):
            result = self.get_submodule(step.path)(*(blobs[name] for name in step.reads))
            for name in step.reads:
                if self._last_use[name] == place:
                    blobs.pop(name, None)
            results = result if isinstance(result, tuple) else (result,)
            blobs.update(zip(step.writes, results, strict=True))
        return result

    def extra_repr(self) -> str:
        """The inputs of each submodule, which are part of the architecture."""
        return "\n".join(f"{step.path}: {', '.join(step.reads)}" for step in self._steps)

    def load_caffemodel(self, path: Path) -> None:
        """Take the weights of a `.caffemodel`.

        As in Caffe, layers are matched by name, and layers that only the file has are left out:
        it holds those of the training too.

        Raises:
            NetworkError: if the file cannot be read, or weights are missing or of another shape.
        """
        weights = read_weights(path)
        state = {}
        for step in self._steps:
            for layer in step.layers:
                at = step.path_of(layer)
                found = state_of(self.get_submodule(at), weights.get(layer.name, []))
                state.update({f"{at}.{name}": tensor for name, tensor in found.items()})
        fit_state_dict(self, state, str(path))


def _input_blob(net: Any, layers: Sequence[CaffeLayer]) -> tuple[str, Shape]:
    """The name and the (channels, height, width) of what the network is fed."""
    blob, sizes = "", tuple(net.input_dim[:4])
    if net.input:
        blob = net.input[0]
        sizes = tuple(net.input_shape[0].dim) if net.input_shape else sizes
    for layer in layers:
        if layer.type == "Input" and not blob and layer.message.input_param.shape:
            blob, sizes = layer.tops[0], tuple(layer.message.input_param.shape[0].dim)
    if not blob or len(sizes) != 4:
        raise NetworkError(
            f"{net.name or 'the prototxt'} does not say the four sizes of its input: take the "
            f"network's deploy.prototxt, not the one for training"
        )
    return blob, sizes[1:]


def _steps(layers: Sequence[CaffeLayer]) -> list[_Step]:
    """Put layers that work in place to the layer whose result they work on."""
    steps: list[_Step] = []
    writer: dict[str, int] = {}  # of each blob that no layer has read yet
    for layer in layers:
        place = writer.get(layer.bottoms[0]) if layer.bottoms else None
        if layer.bottoms == layer.tops and len(layer.tops) == 1 and place is not None:
            steps[place] = _Step(steps[place].path, (*steps[place].layers, layer))
            continue
        for name in layer.bottoms:
            writer.pop(name, None)
        if len(layer.tops) == 1:
            writer[layer.tops[0]] = len(steps)
        steps.append(_Step(_module_name(layer), (layer,)))
    twice = [path for path, times in Counter(step.path for step in steps).items() if times > 1]
    if twice:
        raise NetworkError(f"several layers are called {', '.join(twice)}")
    return steps


def _build(step: _Step, shapes: dict[str, Shape]) -> nn.Module:
    """The module of a step; notes the shapes of what it writes."""
    unknown = [name for name in step.reads if name not in shapes]
    if unknown:
        raise NetworkError(f"layer {step.path} reads {', '.join(unknown)}, which no layer writes")
    first, *rest = step.layers
    inputs = [shapes[name] for name in step.reads]
    try:
        module = build_module(first, inputs).eval()
        outputs = _output_shapes(module, inputs)
        if any(0 in shape for shape in outputs):
            raise ValueError("it puts out nothing")
        shapes.update(zip(step.writes, outputs, strict=True))
    except (RuntimeError, ValueError, IndexError) as error:
        reason = str(error).partition("\n")[0]
        raise NetworkError(f"layer {step.path} does not fit what it reads: {reason}") from error
    if not rest:
        return module
    chain = InPlaceChain()
    chain.add_module(_module_name(first), module)
    for layer in rest:
        chain.add_module(_module_name(layer), build_module(layer, outputs))
    return chain


def _output_shapes(module: nn.Module, shapes: Sequence[Shape]) -> list[Shape]:
    """The output of the module on the meta device: its shape, without computing it."""
    weights = {
        name: torch.empty_like(tensor, device="meta")
        for name, tensor in (*module.named_parameters(), *module.named_buffers())
    }
    blobs = tuple(torch.empty(shape, device="meta") for shape in shapes)
    result = functional_call(module, weights, blobs)
    return [tuple(part.shape) for part in (result if isinstance(result, tuple) else (result,))]


def _module_name(layer: CaffeLayer) -> str:
    """The layer's name, changed where a module cannot be called so."""
    name = layer.name.replace(".", "_")
    return f"{name}_" if not name or name in _RESERVED else name
