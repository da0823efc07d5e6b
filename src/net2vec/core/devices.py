"""Devices to compute on, and reproducible sums on a GPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.utils import deterministic

from net2vec.errors import ConfigError
from net2vec.vocabulary import DEVICES


def torch_device(device: str | torch.device) -> torch.device:
    """A device by its name, `auto` being CUDA where there is one.

    Raises:
        ConfigError: it is not known, or not there.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"no device {device!r}; wanted {', '.join(DEVICES)}") from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device cuda is not available here; use cpu")
    return found


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Sums in a fixed order inside, which on a GPU they have only where it is asked for.

    Torch is asked for the whole process, and left as it was found.
    """
    if device.type != "cuda":
        yield
        return
    # Read when cuBLAS is first used; without it torch refuses products that it calls.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    enabled = torch.are_deterministic_algorithms_enabled()
    warning = torch.is_deterministic_algorithms_warn_only_enabled()
    filling = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True)
    # That would also fill all memory before it is used, a call for almost every other one.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warning)
        deterministic.fill_uninitialized_memory = filling  # type: ignore[attr-defined]
