"""Digests of modules: of their state where that can be read, of what they put out elsewhere.

Read are classes, settings, parameters, buffers, packed weights and plain attributes. Code that no
version number stands for, hooks and objects of unknown classes cannot be read: what they do is seen
in the outputs for a fixed batch (`networks.fingerprint`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from functools import partial
from hashlib import blake2b
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, fx, nn

from net2vec.core.chance import seeded_torch
from net2vec.networks.fingerprint import (
    HOOKS,
    Shape,
    fixed_pass,
    outputs_in_double,
    outputs_in_single,
    tensors_in,
)

Update = Callable[[bytes | memoryview], None]
State = dict[tuple[str, str], bytes]
"""Digests of plain attributes by the module's path and the attribute's name."""

DIGEST_VERSION = 2
"""Raised whenever the digests of unchanged networks change."""

# Their version, which a run's provenance contains, stands for the code of their classes.
_VERSIONED_PACKAGES = ("torch", "torchvision", "timm", "transformers", "open_clip", "net2vec")
# Attributes of every module; those that hold parameters, buffers and hooks are treated apart.
_OF_EVERY_MODULE = frozenset({*vars(nn.Module()), "_compiled_call_impl"})
# Names, places, and what weights say of their preprocessing, which has a digest of its own.
_LABELS = frozenset({"name_or_path", "warnings_issued", "transformers_version"})
# Of the classes of some packages: where weights come from, and how images are fed. Elsewhere such
# names may be of what a module does.
_LABELS_OF = {
    "transformers": frozenset(
        {
            *("architectures", "auto_map", "dtype", "torch_dtype", "id2label", "label2id"),
            "_weight_conversions",
        }
    ),
    "timm": frozenset({"default_cfg", "pretrained_cfg"}),
    "open_clip": frozenset({"preprocess_cfg", "image_mean", "image_std"}),
}
_MAX_DEPTH = 16


def digest_network(module: nn.Module, shape: Shape) -> tuple[str, str]:
    """The digest of a module, and what it does not cover.

    The module is run only if its state cannot be read completely, and left as it was found.

    Args:
        module: takes a float batch of images.
        shape: channels, rows and columns of an image.

    Returns:
        A hexadecimal digest, and the changes of the module that it may not notice, for a message;
        empty where it notices all that change an output on a fixed batch.
    """
    unread = _unread_parts(module)
    if not unread:
        return module_digest(module), ""
    with seeded_torch(0):
        state = _lasting_state(module, shape)
        outputs, uncovered = outputs_in_double(module, shape), ""
        if (
            outputs is not None
            and all(part.startswith("hooks") for part in unread)
            and outputs == outputs_in_double(module, shape, hooked=False)
        ):
            return module_digest(module), ""  # they only look on
        if outputs is None:
            outputs, uncovered = outputs_in_single(module, shape), "small changes"
        if outputs is None:
            outputs, uncovered = [], "changes"
    digest = _hexadecimal(f"{module_digest(module, state)} {' '.join(outputs)}".encode())
    return digest, f"{uncovered} of {', '.join(unread)}" if uncovered else ""


def module_digest(module: nn.Module, attributes: State | None = None) -> str:
    """Hexadecimal digest of the state of a module that can be read, in name order.

    Args:
        module: any module.
        attributes: plain attributes; without them, all that it has now.
    """
    state = blake2b(digest_size=16)
    for name, part in sorted(module.named_modules(remove_duplicate=False)):
        kind = type(part)
        source = _own_source(kind)
        # The place of a custom class does not matter: its file may be moved, or imported.
        whose = kind.__qualname__ if source else f"{kind.__module__}.{kind.__qualname__}"
        code = part.code if isinstance(part, fx.GraphModule) else ""
        state.update(f"{name}\0{whose}\0{part.extra_repr()}\0{source}{code}".encode())
    for name, tensor in _named_tensors(module):
        state.update(f"{name}\0".encode())
        _add_tensor(state.update, tensor)
    for key, value in sorted(_packed_state(module).items()):
        state.update(f"{key}\0".encode())
        _add_value(state.update, value)
    attributes_of_module = _attributes(module) if attributes is None else attributes
    for (path, name), digest in sorted(attributes_of_module.items()):
        state.update(f"{path}\0{name}\0".encode() + digest)
    return state.hexdigest()


def tensor_digest(tensor: Tensor) -> str:
    """Hexadecimal digest of a tensor's type, shape and bytes."""
    state = blake2b(digest_size=16)
    _add_tensor(state.update, tensor)
    return state.hexdigest()


def _hexadecimal(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()


def _own_source(kind: type[nn.Module]) -> str:
    if _is_versioned(kind):
        return ""
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):  # typed in at a prompt, or made at run time
        return ""


def _is_versioned(value: Any) -> bool:
    """Whether the code of a class or function is that of a package whose version is kept."""
    return str(getattr(value, "__module__", "")).partition(".")[0] in _VERSIONED_PACKAGES


def _own_attributes(part: nn.Module) -> Iterator[tuple[str, Any]]:
    for name, value in vars(part).items():
        if isinstance(part, fx.GraphModule):  # its code stands for all but its constants
            left_out = not isinstance(value, Tensor)
        else:  # tables in modules of libraries are made of their parameters in a pass
            left_out = _is_versioned(type(part)) and _is_table(value)
        if not (left_out or name in _OF_EVERY_MODULE or _is_label(name, type(part))):
            yield name, value


def _is_label(name: str, owner: type) -> bool:
    return name in _LABELS or name in _LABELS_OF.get(owner.__module__.partition(".")[0], ())


def _is_table(value: Any) -> bool:
    return any(True for _ in tensors_in(value)) or (isinstance(value, dict) and not value)


def _attributes(module: nn.Module) -> State:
    attributes = {}
    for path, part in module.named_modules():
        for name, value in _own_attributes(part):
            state = blake2b(digest_size=16)
            _add_value(state.update, value)
            attributes[path, name] = state.digest()
    return attributes


def _unread_parts(module: nn.Module) -> list[str]:
    """Descriptions of the parts of a module that may change its outputs and cannot be read."""
    unread: dict[str, None] = {}
    packed = _packed_state(module)
    if any(getattr(nn.modules.module, f"_global{hooks}") for hooks in HOOKS):
        unread["global hooks"] = None
    for path, part in module.named_modules():
        if not _is_versioned(type(part)):
            unread[f"code of {type(part).__qualname__}"] = None
        if any(getattr(part, hooks) for hooks in HOOKS):
            unread[f"hooks of {path or 'the network'}"] = None
        for name, value in _own_attributes(part):
            if isinstance(value, torch.ScriptObject) and any(
                key.startswith(path) for key in packed
            ):
                continue  # packed weights, which the state of the module holds unpacked
            # The functions of this package's modules stand in their `extra_repr`.
            ours = isinstance(value, FunctionType) and type(part).__module__.startswith("net2vec.")
            if not ours and _add_value(lambda _: None, value):
                unread[f"attribute {path}.{name}".replace(" .", " ")] = None
    return list(unread)


def _packed_state(module: nn.Module) -> dict[str, Any]:
    """The entries of a module's state that are neither parameters nor buffers.

    Quantised modules have their weights there, and modules with an extra state of their own.
    """
    try:
        state = module.state_dict()
    except Exception:  # a module's own code
        return {}
    known = {name for name, _ in _named_tensors(module)}
    return {key: value for key, value in state.items() if key not in known}


def _named_tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
    """Parameters and buffers, under every name that they have."""
    tensors = [
        *module.named_parameters(remove_duplicate=False),
        *module.named_buffers(remove_duplicate=False),
    ]
    return sorted(tensors, key=lambda item: item[0])


def _add_value(update: Update, value: Any, depth: int = 0) -> bool:
    """Add a plain value to a digest; whether a part of it cannot be read."""

    def add_all(values: Iterable[Any]) -> bool:
        return sum(_add_value(update, each, depth + 1) for each in values) > 0

    update(f"{type(value).__name__}\0".encode())
    match value:
        case _ if depth > _MAX_DEPTH:
            return True
        case nn.Module():  # not registered as a part; it may refer to the whole network
            update(module_digest(value, {}).encode())
            return True
        case Tensor():
            _add_tensor(update, value)
        case torch.device():
            pass
        case None | bool() | int() | float() | complex() | str() | torch.dtype() | Enum() | slice():
            update(f"{value!r}\0".encode())
        case bytes() | bytearray():
            update(bytes(value))
        case np.ndarray() | np.generic() if value.dtype != object:
            update(f"{value.dtype}{value.shape}\0".encode() + np.ascontiguousarray(value).tobytes())
        case Mapping():
            items = sorted(value.items(), key=lambda item: str(item[0]))
            return add_all(each for item in items for each in item)
        case set() | frozenset():
            return add_all(sorted(value, key=str))
        case tuple() | list() | range():
            return add_all(value)
        case partial():
            return add_all((value.func, value.args, value.keywords))
        case type() | FunctionType() | BuiltinFunctionType() | MethodType():
            update(f"{value.__qualname__}\0".encode())
            own = isinstance(value, FunctionType) and value.__closure__ is not None
            return own or not _is_versioned(value)
        case _ if _is_versioned(type(value)) and hasattr(value, "to_dict"):  # configurations
            settings = {str(name): setting for name, setting in value.to_dict().items()}
            return add_all(
                each
                for name, setting in sorted(settings.items())
                if not (name.startswith("_") or _is_label(name, type(value)))
                for each in (name, setting)
            )
        case _:
            return True
    return False


def _add_tensor(update: Update, tensor: Tensor) -> None:
    update(f"{tensor.dtype}{tuple(tensor.shape)}\0".encode())
    if type(tensor) not in (Tensor, nn.Parameter) and hasattr(tensor, "__tensor_flatten__"):
        names, context = tensor.__tensor_flatten__()
        update(f"{context}\0".encode())
        for name in names:
            _add_tensor(update, getattr(tensor, name))
        return
    tensor = tensor.detach().cpu()
    if tensor.is_quantized:
        per_channel = tensor.qscheme() in (
            torch.per_channel_affine, torch.per_channel_affine_float_qparams
        )  # fmt: skip
        scales = (
            (tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points())
            if per_channel
            else (torch.tensor(tensor.q_scale()), torch.tensor(tensor.q_zero_point()))
        )
        for each in scales:
            _add_tensor(update, each)
        tensor = tensor.int_repr()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    # As raw bytes, since numpy has no bfloat16.
    flat = tensor.resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8)
    update(flat.numpy().data)


def _lasting_state(module: nn.Module, shape: Shape) -> State:
    """The plain attributes of a module that a pass does not change.

    Some modules note their last activations or sizes; others make a table in their first pass.
    Attributes are therefore taken after a pass, and those that another picture changes are left
    out.
    """
    if not any(True for part in module.modules() for _ in _own_attributes(part)):
        return {}
    lasting = []
    for number in (1, 2):
        try:
            fixed_pass(module, shape, number)
        except Exception:  # the network fails, which is told where it is traced
            return _attributes(module)
        lasting.append(_attributes(module))
    return {key: value for key, value in lasting[1].items() if lasting[0].get(key) == value}
