"""A network to probe: a module, its preprocessing, and the origin of both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import blake2b
from itertools import chain
from types import MappingProxyType
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from net2vec.core.devices import policy_of
from net2vec.core.image_size import width_and_height
from net2vec.errors import NetworkError
from net2vec.networks.bases.base import Basis
from net2vec.networks.digest import digest_network, tensor_digest
from net2vec.networks.layers.dry_images import dry_images
from net2vec.networks.layers.grids import prefix_tokens_of, to_grid
from net2vec.networks.layers.layouts import LayoutDecisions
from net2vec.networks.layers.modes import fixed_batch_of
from net2vec.networks.layers.names import split_basis, split_call
from net2vec.networks.layers.tracing import Output, Trace, trace_outputs
from net2vec.networks.preprocessing import (
    CustomPreprocessing,
    Preprocessing,
    imagenet_preprocessing,
    sample_picture,
)

AS_GIVEN = "as given in Python"
"""The text of `Network.weights` for a module whose weights have no other description."""


def usual_batch(device: torch.device | str) -> int:
    """The usual batch size: small on a CPU, so that activations fit into its caches."""
    return policy_of(device).network_batch_images


@dataclass(frozen=True, eq=False)
class Network:
    """A network to probe.

    Attributes:
        name: how the user names it.
        module: the network itself, which takes a batch of preprocessed images.
        preprocessing: from an image to the input of the module.
        layers: module paths to probe where nothing else is asked for, in forward order.
        aliases: other names of layers, each with its module path.
        weights: a description of where the weights come from.
        trained: False where the weights are random.
        licence: the terms of the weights.
        source: where architecture and weights come from.
        prefix_tokens: how many tokens a transformer puts before those of places (class,
            distillation, registers).
        bases: by the name of a layer with a basis (`layer4@pca`), the basis.
    """

    name: str
    module: nn.Module
    preprocessing: Preprocessing | CustomPreprocessing
    layers: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    weights: str = "as given"
    trained: bool = True
    licence: str = "unknown"
    source: str = ""
    prefix_tokens: int = 0
    bases: Mapping[str, Basis] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def digest(self) -> str:
        """Hexadecimal digest of all that can change what the layers put out; see `networks.digest`.

        It holds the number of prefix tokens, which decides what a layer's grid is.
        """
        text = f"{self._module_digest[0]} {self.prefix_tokens}"
        return blake2b(text.encode(), digest_size=16).hexdigest()

    @property
    def uncovered(self) -> str:
        """Changes of the network that its digest may not notice, for a message; usually empty."""
        return self._module_digest[1]

    @cached_property
    def _module_digest(self) -> tuple[str, str]:
        return digest_network(self.module, self.input_shape)

    @cached_property
    def input_digest(self) -> str:
        """Hexadecimal digest of the preprocessing's output for a fixed sample picture.

        It differs between any two transforms that treat images differently, also between custom
        ones of the same name.
        """
        return tensor_digest(self.preprocessing(sample_picture()))

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Channels, rows and columns of what the module takes."""
        fed = self.preprocessing
        width, height = width_and_height(fed.size)
        return (fed.channel_count, height, width)

    @cached_property
    def trace(self) -> Trace:
        """Every output of a dry pass."""
        # Two, so that an output without a row for each image differs from one with.
        images = fixed_batch_of(self.module) or 2
        return trace_outputs(self.module, dry_images(images, self.input_shape))

    def with_copy(self, module: nn.Module) -> Network:
        """The network with a copy of its module, whose trace is the same.

        Args:
            module: the copy.
        """
        found = replace(self, module=module)
        vars(found)["trace"] = self.trace
        return found

    @cached_property
    def layouts(self) -> LayoutDecisions:
        """The layouts of outputs, as far as they have been decided; see `decide_layouts`."""
        return LayoutDecisions(self.trace, self.prefix_tokens, self.input_shape[1:])

    def decide_layouts(self, layers: Iterable[str] | None = None) -> None:
        """Decide how outputs are grids where their shape leaves it open, by running the network.

        Args:
            layers: module paths, or calls of them (`path#2`); None for every output. Those that
                are not called are passed over.
        """
        if layers is None:
            outputs: Iterable[Output] = self.trace.outputs
        else:
            found = (self.trace.find(*split_call(layer)) for layer in layers)
            outputs = (output for output in found if output is not None)
        self.layouts.decide(outputs, self.module, self.input_shape)

    def to_grid(self, layer: str, output: Tensor) -> Tensor:
        """A layer's output as (image, channel, y, x) or (image, channel), in the layer's basis.

        An output that cannot be probed comes back as it is. A layout that was not decided is the
        usual one of the shape; nothing is run here, so that it can be called within a pass.

        Args:
            layer: a module path, or a call of it (`path#2`), also with a basis.
            output: what the module returned.

        Raises:
            NetworkError: if the basis of the layer is not there.
        """
        found = self.trace.find(*split_call(layer))
        if found is None or self.layouts.probed_shape(found) is None:
            return output
        rows, layout = found.image_rows(output), self.layouts.layout(found)
        grid = to_grid(rows, layout=layout, input_size=self.input_shape[1:])
        if not split_basis(layer)[1]:
            return grid
        basis = self.bases.get(layer)
        if basis is None or not basis.is_fitted:
            raise NetworkError(f"{self.name} has no basis of {layer}; the run that fitted it has")
        return basis(grid.movedim(1, -1)).movedim(-1, 1)

    def changed(self, **fields: Any) -> Network:
        """A copy with other values of fields, which keeps what is known of the outputs.

        Args:
            fields: other values, with which the outputs have the same shapes and layouts.
        """
        copy = replace(self, **fields)
        vars(copy).update({k: v for k, v in vars(self).items() if k in ("trace", "layouts")})
        return copy


def network_from_module(
    module: nn.Module,
    transform: Callable[[Image.Image], Tensor] | Preprocessing | None = None,
    *,
    name: str | None = None,
    layers: Sequence[str] = (),
    aliases: Mapping[str, str] | None = None,
    size: int = 224,
    prefix_tokens: int | None = None,
) -> Network:
    """A network to probe from any module.

    The module is used in place, neither copied nor changed.

    Args:
        module: takes float batches of shape (image, channel, size, size).
        transform: from a Pillow image to a float tensor of shape (channel, size, size); it must
            squash the whole image, not crop it. Without it, colours with the usual ImageNet
            normalisation.
        name: what to call the network; without it, the name of the module's class.
        layers: module paths to probe by default.
        aliases: other names of layers, each with its module path.
        size: side of the input in pixels where no transform is given.
        prefix_tokens: how many tokens a transformer puts before those of places; None for the
            number that the module has as an attribute.

    Raises:
        NetworkError: if the transform does not do what it must, or the module is TorchScript or
            has parameters without values (on the meta device).
    """
    if isinstance(module, torch.jit.ScriptModule):
        raise NetworkError(
            "layers of TorchScript cannot be recorded: give the module that it was made from, or "
            "a program of torch.export (.pt2)"
        )
    if any(tensor.is_meta for tensor in chain(module.parameters(), module.buffers())):
        raise NetworkError(
            f"{type(module).__name__} has parameters without values (the meta device): build it "
            f"on the CPU, with its weights"
        )
    # A module of torch.compile skips hooks; the original module is an attribute of it.
    module = getattr(module, "_orig_mod", module)
    preprocessing: Preprocessing | CustomPreprocessing
    if transform is None:
        preprocessing = imagenet_preprocessing(size)
    elif isinstance(transform, Preprocessing):
        preprocessing = transform
    else:
        preprocessing = CustomPreprocessing.wrap(transform)
    return Network(
        name=name or type(module).__name__,
        module=module,
        preprocessing=preprocessing,
        layers=tuple(layers),
        aliases=MappingProxyType(dict(aliases or {})),
        weights=AS_GIVEN,
        source=f"{type(module).__module__}.{type(module).__qualname__}",
        prefix_tokens=prefix_tokens_of(module) if prefix_tokens is None else prefix_tokens,
    )
