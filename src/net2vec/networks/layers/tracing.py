"""One dry pass of a network: the modules that are called, in order, and their outputs.

Whether a layer's output follows an activation function is observed, not guessed from class names:
the pass notes every tensor that such a function returns, and a module's output is *activated* if
it is one of these tensors, untouched since. So a residual block that ends in a ReLU counts, one
that ends in a sum does not, and an in-place sum after a ReLU revokes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from weakref import WeakValueDictionary

from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from net2vec.errors import NetworkError
from net2vec.networks.layers.dry_images import is_turned, sketch
from net2vec.networks.layers.grids import TOKENS, layouts_of
from net2vec.networks.layers.modes import evaluating, network_input
from net2vec.networks.layers.outputs import main_tensor

_IN_PLACE_TOO = (
    *("relu", "relu6", "leaky_relu", "rrelu", "elu", "selu", "celu", "gelu", "silu", "mish"),
    *("sigmoid", "tanh", "hardtanh", "hardsigmoid", "hardswish", "threshold"),
    *("clamp", "clamp_min"),  # a ReLU written by hand
)
_ACTIVATIONS = frozenset(
    {*_IN_PLACE_TOO, *(f"{name}_" for name in _IN_PLACE_TOO), "prelu", "softplus"}
)
# What these return is made of the values that went in: still activations.
_KEEPING = frozenset(
    {
        *("cat", "concat", "max_pool2d", "max_pool2d_with_indices", "avg_pool2d"),
        *("adaptive_avg_pool2d", "adaptive_max_pool2d", "dropout", "dropout2d", "alpha_dropout"),
        *("flatten", "reshape", "view", "permute", "transpose", "contiguous", "squeeze", "clone"),
    }
)

_IN_PLACE_OPERATORS = ("__iadd__", "__isub__", "__imul__", "__itruediv__", "__setitem__")


@dataclass(frozen=True)
class Output:
    """One output of one module in the dry pass.

    Attributes:
        path: the module's path.
        call: which of the module's calls in the pass it is of, from 1.
        kind: the module's class.
        shape: the output's shape without the batch; None where it stands for no float tensor with
            a row for each image (windows of images, for instance, are rows of their own).
        activation: whether it comes straight from an activation function.
        tensor: number of the tensor, the same for outputs that are one unchanged tensor.
        image_axis: which axis of the output has the images: the first, or the second of (token,
            image, channel), as in `nn.TransformerEncoder` without `batch_first`.
        turned: whether it changes elsewhere than where an image does; see `dry_images`. False of
            tokens.
    """

    path: str
    call: int
    kind: str
    shape: tuple[int, ...] | None
    activation: bool
    tensor: int = 0
    image_axis: int = 0
    turned: bool = False

    def image_rows(self, tensor: Tensor) -> Tensor:
        """The output with a row for each image."""
        return tensor.movedim(self.image_axis, 0)


@dataclass(frozen=True)
class Trace:
    """The outputs of a dry pass in the order in which they were ready.

    Attributes:
        outputs: a container comes after its parts; a module called twice is there twice.
        duplicates: other paths of modules that stand in several places, each with the path under
            which the module is listed.
        sketches: of the outputs with a row for each image, by path and call, for the first image.
    """

    outputs: tuple[Output, ...]
    duplicates: Mapping[str, str]
    sketches: Mapping[tuple[str, int], Tensor] = field(default_factory=dict)

    def calls(self) -> Counter[str]:
        """The number of calls of each module."""
        return Counter(output.path for output in self.outputs)

    def find(self, path: str, call: int | None = None) -> Output | None:
        """The output of a module's call, without one of its last; None where there is none."""
        path = self.duplicates.get(path, path)
        outputs = self._by_path.get(path, [])
        if call is None:
            return outputs[-1] if outputs else None
        return outputs[call - 1] if 1 <= call <= len(outputs) else None

    @cached_property
    def _by_path(self) -> dict[str, list[Output]]:
        outputs: dict[str, list[Output]] = {}
        for output in self.outputs:
            outputs.setdefault(output.path, []).append(output)
        return outputs


def trace_outputs(module: nn.Module, batch: Float[Tensor, "image channel row column"]) -> Trace:
    """Run a module once and note what its submodules put out.

    Args:
        module: is left as it was found.
        batch: moved to the module's device.

    Raises:
        NetworkError: if the module fails on the batch.
    """
    outputs: list[Output] = []
    sketches: dict[tuple[str, int], Tensor] = {}
    calls: Counter[str] = Counter()
    watch = _ActivationWatch()
    returned = _TensorTable()

    def note(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(part: nn.Module, _: Any, result: Any) -> None:
            calls[path] += 1
            tensor = main_tensor(result)
            axis = None
            if tensor is not None and not watch.is_weighting(tensor):
                axis = _image_axis(tensor, len(batch))
            shape, turned = None, False
            if tensor is not None and axis is not None:
                shape = (*tensor.shape[:axis], *tensor.shape[axis + 1 :])
                rows = tensor.detach().movedim(axis, 0)
                sketches[path, calls[path]] = sketch(rows[0])
                layouts = layouts_of(shape, input_size=(batch.shape[2], batch.shape[3]))
                if len(layouts) == 1 and layouts[0].kind != TOKENS:
                    turned = is_turned(rows, layouts[0])
            outputs.append(
                Output(
                    path=path,
                    call=calls[path],
                    kind=str(part._get_name()),  # type: ignore[no-untyped-call]
                    shape=shape,
                    activation=tensor is not None and bool(shape) and watch.is_activated(tensor),
                    tensor=returned.number(tensor),
                    image_axis=axis or 0,
                    turned=turned,
                )
            )

        return hook

    with ExitStack() as stack:
        for path, part in module.named_modules():
            if path:
                stack.callback(part.register_forward_hook(note(path)).remove)
        stack.enter_context(evaluating(module))
        stack.enter_context(watch)
        try:
            module(network_input(module, batch))
        except (Exception, SystemExit) as error:  # sys.exit(0) would end as a success
            reason = str(error).partition("\n")[0] or repr(error)
            raise NetworkError(
                f"{type(module).__name__} fails on an input of shape {tuple(batch.shape)}: {reason}"
                f"{_input_hint(module, batch.shape[1])}"
            ) from error
    return Trace(tuple(outputs), _duplicates(module), sketches)


def _image_axis(tensor: Tensor, images: int) -> int | None:
    """The axis of an output that has the images, None if it has no row for each of them."""
    if not tensor.is_floating_point() or tensor.ndim < 2:
        return None
    if len(tensor) == images:
        return 0
    return 1 if tensor.ndim == 3 and tensor.shape[1] == images else None


class _TensorTable:
    """Numbers for tensors and what was done to them in place.

    Tensors are known by identity, with weak references: they must not stay in memory.
    """

    def __init__(self) -> None:
        self._tensors: WeakValueDictionary[int, Tensor] = WeakValueDictionary()
        self._states: dict[int, tuple[int, int]] = {}
        self._count = 0

    def __contains__(self, tensor: Tensor) -> bool:
        """Whether the tensor was numbered and not changed since."""
        known = self._tensors.get(id(tensor)) is tensor
        return known and self._states[id(tensor)][1] == _version(tensor)

    def number(self, value: Any) -> int:
        """The number of a tensor; a new one if it is new or was changed, and of anything else."""
        if not isinstance(value, Tensor) or value not in self:
            self._count += 1
            if not isinstance(value, Tensor):
                return self._count
            self._tensors[id(value)] = value
            self._states[id(value)] = (self._count, _version(value))
        return self._states[id(value)][0]

    def forget(self, tensor: Tensor) -> None:
        """Take a tensor for one that was changed."""
        self._tensors.pop(id(tensor), None)


class _ActivationWatch(TorchFunctionMode):
    """Notes the tensors that certain functions return, called by modules or otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self._activated = _TensorTable()
        self._weightings: WeakValueDictionary[int, Tensor] = WeakValueDictionary()

    def is_activated(self, tensor: Tensor) -> bool:
        """Whether it comes from an activation function and was not changed since."""
        return tensor in self._activated

    def is_weighting(self, tensor: Tensor) -> bool:
        """Whether it says how places attend to each other, which only looks like a grid."""
        return self._weightings.get(id(tensor)) is tensor

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        # Operators of exported programs are called `relu.default`.
        name = getattr(func, "__name__", "").partition(".")[0]
        activated = name in _ACTIVATIONS or (name in _KEEPING and self._all_activated(args))
        result = func(*args, **(kwargs or {}))
        # In inference mode a tensor does not count its changes.
        if _changes_in_place(name) and isinstance(args[0], Tensor) and args[0].is_inference():
            self._activated.forget(args[0])
        if activated and isinstance(result, Tensor):
            self._activated.number(result)
        if name == "softmax" and result.ndim == 4:
            self._weightings[id(result)] = result
        return result

    def _all_activated(self, args: tuple[Any, ...]) -> bool:
        first = args[0] if args else None
        tensors = first if isinstance(first, (list, tuple)) else [first]
        return bool(tensors) and all(
            isinstance(tensor, Tensor) and self.is_activated(tensor) for tensor in tensors
        )


def _input_hint(module: nn.Module, channels: int) -> str:
    """The advice for a module that takes something else than images of so many channels."""
    if any(hasattr(module, tower) for tower in ("vision_model", "visual")):
        return "; give the part of it that takes images, vision_model or visual"
    wanted = next((n for p in module.modules() if (n := getattr(p, "in_channels", None))), channels)
    if wanted == channels:
        return ""
    origin = (
        "Preprocessing(SIZE, mean=(127.5,), std=(127.5,), channels='L')"
        if wanted == 1
        else ("TRANSFORM")
    )
    return (
        f"; it takes {wanted} channels: say how they are made of an image, "
        f"network_from_module(module, {origin})"
    )


def _changes_in_place(function: str) -> bool:
    return function in _IN_PLACE_OPERATORS or (
        function.endswith("_") and not function.endswith("__")
    )


def _version(tensor: Tensor) -> int:
    """The number of changes in place of a tensor; 0 in inference mode, where it is not counted."""
    return 0 if tensor.is_inference() else tensor._version


def _duplicates(module: nn.Module) -> dict[str, str]:
    first_path: dict[int, str] = {}
    duplicates = {}
    for path, part in module.named_modules(remove_duplicate=False):
        listed = first_path.setdefault(id(part), path)
        if listed != path:
            duplicates[path] = listed
    return duplicates
