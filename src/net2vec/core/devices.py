"""Devices: their names, how much work each is given at a time, and repeatable sums on a GPU.

PyTorch is imported where it is needed: names of devices are also wanted where nothing is computed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from net2vec.errors import ConfigError
from net2vec.vocabulary import DEVICES

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class DevicePolicy:
    """How much work a kind of device is given at a time.

    A CPU is fastest on blocks that stay in its second-level cache, a GPU on few long calls: it
    waits for calls, not for arithmetic. No policy changes a result beyond rounding.

    Attributes:
        is_gpu: whether calls are asynchronous and reading a value synchronises with the device.
        network_batch_images: images of a batch of a network. Few stay near a CPU.
        learning_threads: threads that fit concepts. Calls are so short that more threads mostly
            wait for Python's lock; beside a GPU, some prepare what it does next.
        update_images: images by which thresholds are updated at a time; 0 for those of a batch.
        candidate_chunk: candidates for the largest values that are taken in at a time. On a GPU
            each chunk costs some dozens of calls.
        logistic_step_values: gathered values of a step of logistic regression. Concepts of a block
            that have run out of rows cost as much as the others, so a CPU takes few concepts.
        node_step_samples: samples of a step that problems of segmentation take together.
        unpacked_masks: masks, or strips of masks, that are unpacked at a time.
        mask_strip_multiple: the number of strips is padded to a multiple of this one, since
            products of few columns are computed in other ways.
        pixel_block: pixels of a block; fewer cost more calls, more fall out of the caches.
        lattice_block_values: values of a block of the cross-validation's lattice.
        single_filter_images: images whose single filters are counted at a time.
        single_filter_values: values of the table of their masks, at most.
        counted_images: images whose one filter is counted at a time.
        fitted_images: images of segmentation problems that are fitted together, at most.
        converged_concepts: concepts of a converged classification that are fitted together.
        converged_inputs: values of the inputs of their cross-validation, at most.
    """

    is_gpu: bool
    network_batch_images: int
    learning_threads: int
    update_images: int
    candidate_chunk: int
    logistic_step_values: int
    node_step_samples: int
    unpacked_masks: int
    mask_strip_multiple: int
    pixel_block: int
    lattice_block_values: int
    single_filter_images: int
    single_filter_values: int
    counted_images: int
    fitted_images: int
    converged_concepts: int
    converged_inputs: int


CPU = DevicePolicy(
    is_gpu=False,
    network_batch_images=16,
    learning_threads=4,
    update_images=0,
    candidate_chunk=1 << 16,
    logistic_step_values=1 << 16,
    node_step_samples=1 << 19,
    unpacked_masks=256,
    mask_strip_multiple=16,
    pixel_block=16 * 1024 * 24,
    lattice_block_values=1 << 18,
    single_filter_images=256,
    single_filter_values=1 << 24,
    counted_images=1 << 12,
    fitted_images=512,
    converged_concepts=32,
    converged_inputs=1 << 20,
)
CUDA = DevicePolicy(
    is_gpu=True,
    network_batch_images=64,
    learning_threads=3,
    update_images=256,
    candidate_chunk=1 << 22,
    logistic_step_values=1 << 27,
    # On a GPU memory is the limit, see `gpu_memory_bytes`.
    node_step_samples=1 << 62,
    unpacked_masks=1 << 12,
    mask_strip_multiple=1 << 12,
    pixel_block=1 << 25,
    lattice_block_values=1 << 26,
    single_filter_images=1024,
    single_filter_values=1 << 28,
    counted_images=1 << 13,
    fitted_images=1 << 17,
    converged_concepts=512,
    converged_inputs=1 << 28,
)


def policy_of(device: torch.device | str) -> DevicePolicy:
    """The policy of a device; `device` is a device or its name, such as `cuda:0`."""
    kind = device if isinstance(device, str) else device.type
    return CUDA if kind.partition(":")[0] == "cuda" else CPU


def gpu_memory_bytes(device: torch.device | str) -> int:
    """Memory of a GPU, that of other programs included."""
    import torch

    return int(torch.cuda.get_device_properties(device).total_memory)


def torch_device(device: str | torch.device) -> torch.device:
    """A device by its name; `auto` is CUDA where it is available.

    Raises:
        ConfigError: if the device is unknown or not available.
    """
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise ConfigError(f"no device {device!r}; wanted {', '.join(DEVICES)}") from error
    if policy_of(resolved).is_gpu and not torch.cuda.is_available():
        raise ConfigError("device cuda is not available here; use cpu")
    return resolved


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Take all sums in a fixed order; on a GPU that must be switched on.

    The switch is one of the whole process, and is set back at the end.
    """
    if not policy_of(device).is_gpu:
        yield
        return
    import torch
    from torch.utils import deterministic

    # Read when cuBLAS is first used; without it torch refuses its own products.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    enabled = torch.are_deterministic_algorithms_enabled()
    warning = torch.is_deterministic_algorithms_warn_only_enabled()
    filling = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True)
    # That would also fill all memory before it is used, one more call for almost every other.
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warning)
        deterministic.fill_uninitialized_memory = filling  # type: ignore[attr-defined]
