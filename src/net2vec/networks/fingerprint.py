"""The outputs of a network for a fixed batch, as text: for what its digest cannot read.

The batch passes a copy in double precision, and what comes out is rounded so far that neither the
number of threads nor the processor moves it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from copy import deepcopy
from math import prod, sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.utils._python_dispatch import TorchDispatchMode

from net2vec.core.chance import seeded_torch
from net2vec.networks.layers.modes import evaluating, fixed_batch_of, network_input

HOOKS = ("_forward_hooks", "_forward_pre_hooks")
"""The attributes of modules that hold the hooks of a forward pass."""

Shape = tuple[int, int, int]

_MAX_DEPTH = 16
# Rounding errors are near 1e-13 of a layer's largest value in double precision, 1e-6 in single.
# So rounded, outputs of the same network differ once in thousands of pairs of machines.
_DECIMALS, _DECIMALS_SINGLE = 5, 2
_FREQUENCIES, _FREQUENCIES_SINGLE = (0.0, 0.7, 1.9), tuple(0.3 * number for number in range(8))
# Values are summed by their place modulo a prime first: cosines of all places take longer.
_PERIOD = 997
# Below it, what is left of equal values that were subtracted.
_MIN_SCALE = 1e-9
_SINGLE = (torch.float32, torch.float16, torch.bfloat16)


def fixed_pass(module: nn.Module, shape: Shape, number: int = 0) -> Any:
    """The outputs of a module for a fixed batch of noise."""
    full = (fixed_batch_of(module) or 1, *shape)
    places = np.arange(prod(full), dtype=np.uint64) + np.uint64(number * 7919)
    # A multiplicative hash: the same numbers in every version of every library.
    noise = (places * np.uint64(2654435761) % np.uint64(2**32)) / 2**30 - 2
    batch = torch.from_numpy(noise).reshape(full)
    threads = torch.get_num_threads()
    # Convolutions in double precision wait for all threads at each image and group: on a busy
    # machine that takes many times longer than one thread does.
    torch.set_num_threads(1)
    try:
        with seeded_torch(0), evaluating(module):
            return module(network_input(module, batch))
    except SystemExit as error:  # of the network's own code: it would end as a success
        raise RuntimeError(f"the network called sys.exit({error.code})") from error
    finally:
        torch.set_num_threads(threads)


def outputs_in_double(module: nn.Module, shape: Shape, *, hooked: bool = True) -> list[str] | None:
    """The outputs of all parts in double precision, rounded; None where that is impossible.

    Args:
        module: is copied.
        shape: channels, rows and columns of an image.
        hooked: whether hooks of the module are called.
    """
    texts: list[str] = []

    def note(part: nn.Module, _: Any, result: Any) -> None:
        texts.extend(text for tensor in tensors_in(result) for text in _rounded(tensor))

    watch = _PrecisionWatch()  # type: ignore[no-untyped-call]
    try:
        copy = _in_double(module)
        with ExitStack() as hooks:
            for part in copy.modules():
                for name in () if hooked else HOOKS:
                    getattr(part, name).clear()
                hooks.callback(part.register_forward_hook(note).remove)
            hooks.enter_context(watch)
            fixed_pass(copy, shape)
    except Exception:  # modules that cannot be copied, or have no double precision
        return None
    return None if watch.single else texts


def _in_double(module: nn.Module) -> nn.Module:
    """A copy in double precision on the CPU, with the plain tensors among its attributes."""
    copy = deepcopy(module).cpu().double()
    for part in copy.modules():
        for name, value in list(vars(part).items()):
            if isinstance(value, Tensor) and value.is_floating_point():
                setattr(part, name, value.cpu().double())
    return copy


class _PrecisionWatch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Notes whether an operation gave a result in less than double precision."""

    single = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.single |= any(tensor.dtype in _SINGLE for tensor in tensors_in(result))
        return result


def outputs_in_single(module: nn.Module, shape: Shape) -> list[str] | None:
    """The output of the whole module, rounded coarsely; None where it differs by itself."""
    try:
        first, second = (
            [
                text
                for tensor in tensors_in(fixed_pass(module, shape))
                if tensor.dtype in (torch.float32, torch.float64)
                for text in _rounded(tensor, _FREQUENCIES_SINGLE, _DECIMALS_SINGLE)
            ]
            for _ in range(2)
        )
    except Exception:
        return None
    return first if first and first == second else None


def tensors_in(result: Any, depth: int = 0) -> Iterator[Tensor]:
    """The tensors in a value, in containers as well."""
    if isinstance(result, Tensor):
        yield result.dequantize() if result.is_quantized else result
    elif depth < _MAX_DEPTH and isinstance(result, (Mapping, list, tuple)):
        for value in result.values() if isinstance(result, Mapping) else result:
            yield from tensors_in(value, depth + 1)


def _rounded(
    tensor: Tensor, frequencies: tuple[float, ...] = _FREQUENCIES, decimals: int = _DECIMALS
) -> Iterator[str]:
    """A tensor's shape, scale and projections onto cosines, as text without rounding errors."""
    yield str(tuple(tensor.shape))
    flat = torch.nan_to_num(tensor.detach().cpu().double().reshape(-1), 1e3, 1e6, -1e6)
    scale = float(flat.abs().max()) if len(flat) else 0.0
    if scale < _MIN_SCALE:
        return
    yield f"{scale:.{decimals - 1}e}"
    sums = pad(flat, (0, -len(flat) % _PERIOD)).reshape(-1, _PERIOD).sum(0)
    for frequency in frequencies:
        weights = torch.cos(frequency * torch.arange(_PERIOD, dtype=torch.float64))
        value = float(weights @ sums) / (scale * sqrt(len(flat)))
        yield f"{round(value, decimals) + 0.0:.{decimals}f}"
