"""On a CPU: NumPy and SciPy where they are faster than PyTorch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Int
from torch import Tensor

from net2vec.kernels.backends.base import Backend, IndexedSum, SparseMatrix

# From how many slots on a row is partitioned by itself, in place: it is not worth a copy.
_LONG_ROW = 1000
# Masks that are counted at a time, as floats that stay in a cache.
_CHUNK_MASKS = 128


@dataclass(frozen=True)
class _ScatterSum(IndexedSum):
    source: Tensor | None
    target: Tensor
    targets: int

    def add_to(self, total: Tensor, values: Tensor) -> None:
        # `index_select` and `scatter_add_` are faster than indexing and `index_add_`.
        if self.source is not None:
            values = torch.index_select(values, 0, self.source)
        if total.ndim == 1:
            total.scatter_add_(0, self.target, values)
        else:
            total.index_add_(0, self.target, values)

    def sums(self, values: Tensor) -> Tensor:
        total = values.new_zeros(self.targets)
        self.add_to(total, values)
        return total


@dataclass(frozen=True)
class _ScipyMatrix(SparseMatrix):
    matrix: scipy.sparse.sparray

    def times(self, vectors: Tensor) -> Tensor:
        return torch.from_numpy(self.matrix @ vectors.T.contiguous().numpy())


class CpuBackend(Backend):
    """See `Backend`."""

    def greater(self, values: Tensor, cut: float) -> Tensor:
        return torch.from_numpy(values.numpy() > np.float32(cut))

    def pack_bits(self, bits: Tensor) -> Tensor:
        return torch.from_numpy(np.packbits(bits.numpy(), axis=-1, bitorder="little"))

    def unpack_bits(self, packed: Tensor) -> Tensor:
        return torch.from_numpy(np.unpackbits(packed.numpy(), axis=1, bitorder="little"))

    def count_bits(self, packed: Tensor) -> Tensor:
        return torch.from_numpy(np.bitwise_count(packed.numpy()).sum(1, dtype=np.int64))

    def flat_nonzero(self, mask: Tensor) -> Tensor:
        return torch.from_numpy(np.flatnonzero(mask.numpy()))

    def floor_divide(self, index: Tensor, by: int) -> Tensor:
        return torch.from_numpy(index.numpy() // by)  # vectorised, as in PyTorch it is not

    def stable_order(self, index: Tensor, limit: int) -> Tensor:
        if limit > 2**16:
            return torch.sort(index, stable=True).indices
        # Short integers are sorted by their digits, in linear time.
        return torch.from_numpy(np.argsort(index.numpy().astype(np.uint16), kind="stable"))

    def keep_smallest(self, keys: Tensor, rows: Tensor, k: int, fill: int) -> Tensor:
        # Selection in NumPy is many times faster than in PyTorch.
        if k >= _LONG_ROW:
            array = keys.numpy()
            for row in rows.tolist():
                array[row].partition(k - 1)
                array[row, k:] = fill
            return keys[rows, k - 1]
        chosen = torch.index_select(keys, 0, rows)
        chosen.numpy().partition(k - 1, axis=1)
        chosen[:, k:] = fill
        keys.index_copy_(0, rows, chosen)
        return chosen[:, k - 1]

    def bincount(self, index: Tensor, length: int) -> Int[np.ndarray, "number"]:
        return np.bincount(index.numpy(), minlength=length)

    def count_codes(self, masks: Tensor, code: Tensor, codes: int) -> Tensor:
        matrix = _one_per_column(code, codes)
        counts = torch.empty(len(masks), codes)
        for first in range(0, len(masks), _CHUNK_MASKS):
            pixels = masks[first : first + _CHUNK_MASKS].T.contiguous().float()
            counts[first : first + _CHUNK_MASKS] = torch.from_numpy(matrix @ pixels.numpy()).T
        return counts

    def indexed_sum(self, source: Tensor | None, target: Tensor, targets: int) -> IndexedSum:
        return _ScatterSum(source, target, targets)

    def corner_sum(self, corner: Tensor, cells: int) -> IndexedSum:
        return _ScatterSum(None, corner.flatten(), cells)

    def sparse_matrix(self, matrix: scipy.sparse.sparray, like: Tensor) -> SparseMatrix:
        return _ScipyMatrix(matrix)

    def sum_rows(self, starts: Tensor, column: Tensor, table: Tensor) -> Tensor:
        ones = np.ones(len(column), dtype=np.float32)
        shape = (len(starts) - 1, len(table))
        matrix = scipy.sparse.csr_array((ones, column.numpy(), starts.numpy()), shape=shape)
        return torch.from_numpy(matrix @ table.numpy())

    def sum_first(self, values: Tensor) -> Tensor:
        return values.sum(0)

    def span_first(self, values: Tensor) -> Tensor:
        return values.amax(0) - values.amin(0)

    def times(self, left: Tensor, right: Tensor) -> Tensor:
        return left @ right

    def times_by_image(self, left: Tensor, right: Tensor) -> Tensor:
        # Products of other shapes may differ in the last bit.
        return torch.bmm(left, right.expand(len(left), -1, -1)).flatten(0, 1)

    def reduce_strips(self, reduce: Tensor, by_pixel: Tensor) -> Tensor:
        return torch.bmm(reduce, by_pixel).flatten(0, 1)

    def corner_weights(self, reduce: Tensor) -> Tensor:
        return reduce

    def reduce_nodes(self, weights: Tensor, values: Tensor) -> Tensor:
        count = len(values)
        rows = torch.mm(weights[0], values.view(count, -1))
        return torch.bmm(weights, rows.view(2, count, -1))


@lru_cache(maxsize=8)
def _one_per_column(code: Tensor, codes: int) -> scipy.sparse.csr_array:
    """A matrix with a 1 in each column, at its code; kept while `code` is in use."""
    entries = (np.ones(len(code), dtype=np.float32), (code.numpy(), np.arange(len(code))))
    return scipy.sparse.csr_array(entries, shape=(codes, len(code)))
