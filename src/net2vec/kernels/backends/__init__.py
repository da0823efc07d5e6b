"""Operations that a CPU and a GPU compute in different ways.

A kernel asks `backend_of` for the backend of its device and calls the same methods on any device.
On a CPU some calls of NumPy and SciPy are several times as fast as those of PyTorch. On a GPU
libraries sum in another order for other shapes, or in any order; the backend's sums have a fixed
order there, so that no number depends on what else is computed.
"""

from __future__ import annotations

import torch

from net2vec.core.devices import policy_of
from net2vec.kernels.backends.base import Backend, IndexedSum
from net2vec.kernels.backends.cpu import CpuBackend
from net2vec.kernels.backends.cuda import CudaBackend

__all__ = ["Backend", "IndexedSum", "backend_of"]

_CPU, _CUDA = CpuBackend(), CudaBackend()


def backend_of(device: torch.device | str) -> Backend:
    """The backend of a device."""
    return _CUDA if policy_of(device).is_gpu else _CPU
