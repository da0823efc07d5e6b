"""A sparse matrix times several vectors, summed in a fixed order on any device."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import embedding_bag


@dataclass(frozen=True)
class SparseMatrix:
    """A sparse matrix on a device.

    Attributes:
        matrix: on a CPU SciPy is the fastest.
        rows: on a GPU, where each row's entries begin, their columns and their values. Bags of
            embeddings are sums in the order of the entries: the libraries' own products of sparse
            matrices may differ in the last bit from one call to the next.
    """

    matrix: scipy.sparse.sparray
    rows: tuple[Int[Tensor, "row_and_end"], Int[Tensor, "entry"], Float[Tensor, "entry"]] | None

    @classmethod
    def of(cls, matrix: scipy.sparse.sparray, device: torch.device) -> SparseMatrix:
        """A matrix of single precision, moved to the device."""
        if device.type != "cuda":
            return cls(matrix, None)
        parts = scipy.sparse.csr_array(matrix)
        starts, columns = (
            torch.from_numpy(part.astype(np.int64)) for part in (parts.indptr, parts.indices)
        )
        rows = (starts, columns, torch.from_numpy(parts.data))
        return cls(matrix, tuple(part.to(device) for part in rows))  # type: ignore[arg-type]

    def times(self, vectors: Float[Tensor, "vector from"]) -> Float[Tensor, "to vector"]:
        """The matrix times every vector."""
        if self.rows is None:
            return torch.from_numpy(self.matrix @ vectors.T.contiguous().numpy())
        starts, columns, values = self.rows
        found: Tensor = embedding_bag(
            columns,
            vectors.T.contiguous(),
            starts,
            mode="sum",
            per_sample_weights=values,
            include_last_offset=True,
        )
        return found
