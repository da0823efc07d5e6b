"""Run a module as a pure function and leave it as it was found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain

import torch
from torch import Tensor, nn

# Others, such as float8, are for keeping weights.
_COMPUTED_TYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode and no gradients inside; each submodule's own mode is restored after.

    A module that `nn.Module.compile` has compiled runs uncompiled inside: compiled code is made
    anew for every set of hooks, and may leave them out.

    Also in `torch.inference_mode`, whose tensors have no version counter and cannot be changed in
    other threads.
    """
    training = [part for part in module.modules() if part.training]
    calls = [(part, part._compiled_call_impl) for part in module.modules()]
    compiled = [(part, call) for part, call in calls if call is not None]
    try:
        for part in training:
            part.training = False
        for part, _ in compiled:
            part._compiled_call_impl = None
        with torch.inference_mode(False), torch.no_grad(), _full_precision():
            yield
    finally:
        for part in training:
            part.training = True
        for part, call in compiled:
            part._compiled_call_impl = call


@contextmanager
def device_restored(module: nn.Module) -> Iterator[None]:
    """Move the module back to its device after the block."""
    device = parameter_device(module)
    try:
        yield
    finally:
        module.to(device)


@contextmanager
def _full_precision() -> Iterator[None]:
    """Full single precision in convolutions of a GPU, which by default round to ten bits."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def parameter_device(module: nn.Module) -> torch.device:
    """The device of the module's parameters or buffers; the CPU for a module without any."""
    first = next(chain(module.parameters(), module.buffers()), None)
    return torch.device("cpu") if first is None else first.device


def network_input(module: nn.Module, batch: Tensor) -> Tensor:
    """A batch on the module's device and in its precision."""
    return batch.to(parameter_device(module), network_precision(module), non_blocking=True)


def network_precision(module: nn.Module) -> torch.dtype:
    """The type of the module's first float parameter; single precision for one without any."""
    every = chain(module.parameters(), module.buffers())
    return next((part.dtype for part in every if part.dtype in _COMPUTED_TYPES), torch.float32)


def fixed_batch_of(module: nn.Module) -> int | None:
    """The only batch size that the module takes; None where it takes any."""
    count = getattr(module, "fixed_batch", None)
    return count if isinstance(count, int) else None


def portions(batch: Tensor, fixed: int | None) -> Sequence[Tensor]:
    """The batch, or, where only a fixed number of images will do, that many at a time."""
    if fixed is None or len(batch) == fixed:
        return [batch]
    missing = -len(batch) % fixed
    filled = torch.cat([batch, batch.new_zeros(missing, *batch.shape[1:])])
    return torch.split(filled, fixed)
