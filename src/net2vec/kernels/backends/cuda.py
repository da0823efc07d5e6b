"""On a GPU: sums in a fixed order, in few calls.

Bags of embeddings are sums in the order of their terms, whatever the shape.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Int
from torch import Tensor

from net2vec.kernels.backends.base import BYTE, Backend, IndexedSum, SparseMatrix, flat


@dataclass(frozen=True)
class _SortedSum(IndexedSum):
    """Terms sorted by target: `starts` is the first term of each target, and the end."""

    source: Tensor
    starts: Tensor

    def add_to(self, total: Tensor, values: Tensor) -> None:
        total.add_(_sum_bags(flat(values), self.source, self.starts).view(total.shape))

    def sums(self, values: Tensor) -> Tensor:
        # One thread a target, where a bag of single numbers would have a warp of its own. What has
        # one dimension is summed in another way.
        terms = torch.index_select(values, 0, self.source)[:, None]
        summed: Tensor = torch.segment_reduce(
            terms, "sum", offsets=self.starts, unsafe=True, initial=0
        )
        return summed[:, 0]


@dataclass(frozen=True)
class _CornerSum(IndexedSum):
    """Which square's first, second, third and fourth corner each cell is."""

    source: Tensor

    def add_to(self, total: Tensor, values: Tensor) -> None:
        total += self.sums(values)

    def sums(self, values: Tensor) -> Tensor:
        return torch.index_select(values, 0, self.source).view(4, -1).sum(0)


@dataclass(frozen=True)
class _CsrMatrix(SparseMatrix):
    starts: Tensor
    columns: Tensor
    values: Tensor

    def times(self, vectors: Tensor) -> Tensor:
        return _sum_bags(vectors.T.contiguous(), self.columns, self.starts, self.values)


class CudaBackend(Backend):
    """See `Backend`."""

    def greater(self, values: Tensor, cut: float) -> Tensor:
        return values > cut

    def pack_bits(self, bits: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(bits, (0, -bits.shape[-1] % BYTE))
        by_byte = padded.view(*bits.shape[:-1], -1, BYTE).to(torch.uint8)
        return (by_byte << _bit_numbers(bits.device)).sum(-1, dtype=torch.uint8)

    def unpack_bits(self, packed: Tensor) -> Tensor:
        return ((packed[:, :, None] >> _bit_numbers(packed.device)) & 1).flatten(1)

    def count_bits(self, packed: Tensor) -> Tensor:
        return _bits_of_bytes(packed.device)[packed.int()].sum(1, dtype=torch.int64)

    def flat_nonzero(self, mask: Tensor) -> Tensor:
        return torch.nonzero(mask.view(-1)).view(-1)

    def floor_divide(self, index: Tensor, by: int) -> Tensor:
        return torch.div(index, by, rounding_mode="floor")

    def stable_order(self, index: Tensor, limit: int) -> Tensor:
        return torch.sort(index, stable=True).indices

    def keep_smallest(self, keys: Tensor, rows: Tensor, k: int, fill: int) -> Tensor:
        chosen = torch.index_select(keys, 0, rows)
        chosen[:, :k] = torch.topk(chosen, k, dim=1, largest=False).values
        chosen[:, k:] = fill
        keys.index_copy_(0, rows, chosen)
        return chosen[:, k - 1]

    def bincount(self, index: Tensor, length: int) -> Int[np.ndarray, "number"]:
        counts: Int[np.ndarray, "number"] = torch.bincount(index, minlength=length).cpu().numpy()
        return counts

    def count_codes(self, masks: Tensor, code: Tensor, codes: int) -> Tensor:
        mask, pixel = torch.nonzero(masks, as_tuple=True)
        counts = torch.bincount(mask * codes + code[pixel], minlength=len(masks) * codes)
        return counts.view(-1, codes).float()

    def indexed_sum(self, source: Tensor | None, target: Tensor, targets: int) -> IndexedSum:
        by_target, order = torch.sort(target, stable=True)
        starts = torch.searchsorted(by_target, torch.arange(targets + 1, device=target.device))
        return _SortedSum(order if source is None else source[order], starts)

    def corner_sum(self, corner: Tensor, cells: int) -> IndexedSum:
        index = torch.arange(corner.numel(), device=corner.device).view(corner.shape)
        # Cells that are no corner of a square read the last square, which is padding and gives 0.
        source = index[:, -1:].repeat(1, cells).flatten()
        row = torch.arange(0, 4 * cells, cells, device=corner.device)[:, None]
        source[(corner + row).flatten()] = index.flatten()
        return _CornerSum(source)

    def sparse_matrix(self, matrix: scipy.sparse.sparray, like: Tensor) -> SparseMatrix:
        rows = scipy.sparse.csr_array(matrix)
        indices = (rows.indptr.astype(np.int64), rows.indices.astype(np.int64))
        parts = (torch.from_numpy(part).to(like.device) for part in (*indices, rows.data))
        return _CsrMatrix(*parts)

    def sum_rows(self, starts: Tensor, column: Tensor, table: Tensor) -> Tensor:
        length = starts.diff()
        row = torch.repeat_interleave(torch.arange(len(length), device=length.device), length)
        return table.new_zeros(len(length), table.shape[1]).index_add_(0, row, table[column])

    def sum_first(self, values: Tensor) -> Tensor:
        ones = values.new_ones(1, len(values))
        return product_in_order(ones, flat(values)).view(values.shape[1:])

    def span_first(self, values: Tensor) -> Tensor:
        least, most = torch.aminmax(values, dim=0)
        return most - least

    def times(self, left: Tensor, right: Tensor) -> Tensor:
        return product_in_order(right.T, left.T.contiguous()).T.contiguous()

    def times_by_image(self, left: Tensor, right: Tensor) -> Tensor:
        return self.times(left.flatten(0, 1), right)

    def reduce_strips(self, reduce: Tensor, by_pixel: Tensor) -> Tensor:
        two = reduce[:, :, 0, None] * by_pixel[:, None, 0]
        for row in range(1, by_pixel.shape[1]):
            two.addcmul_(reduce[:, :, row, None], by_pixel[:, None, row])
        return two.flatten(0, 1)

    def corner_weights(self, reduce: Tensor) -> Tensor:
        return torch.kron(reduce[0], reduce[0])

    def reduce_nodes(self, weights: Tensor, values: Tensor) -> Tensor:
        return product_in_order(weights, values.flatten(0, 1)).view(2, 2, -1)


def product_in_order(left: Tensor, right: Tensor) -> Tensor:
    """A small matrix times a wide one, where no number depends on how many columns there are.

    Args:
        left: of shape (to, from).
        right: of shape (from, number).
    """
    index, starts = _all_terms(*left.shape, left.device)
    return _sum_bags(right, index, starts, left.flatten())


@lru_cache(maxsize=64)
def _all_terms(to: int, terms: int, device: torch.device) -> tuple[Tensor, Tensor]:
    every = torch.arange(terms, device=device).repeat(to)
    return every, torch.arange(to + 1, device=device) * terms


def _sum_bags(rows: Tensor, index: Tensor, starts: Tensor, weight: Tensor | None = None) -> Tensor:
    """Sum the rows that the terms of each bag name, one after the other."""
    return torch.embedding_bag(
        rows, index, starts, mode=0, per_sample_weights=weight, include_last_offset=True
    )[0]


@cache
def _bits_of_bytes(device: torch.device) -> Tensor:
    return torch.from_numpy(np.bitwise_count(np.arange(1 << BYTE, dtype=np.uint8))).to(device)


def _bit_numbers(device: torch.device) -> Tensor:
    return torch.arange(BYTE, dtype=torch.uint8, device=device)
