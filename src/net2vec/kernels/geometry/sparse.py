"""Sums taken in a fixed order on any device.

On a GPU libraries sum in another order for other shapes, or in any order. Bags of embeddings are
sums in the order of their terms.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import scipy.sparse
import torch
from jaxtyping import Float, Int
from torch import Tensor


def in_order(
    left: Float[Tensor, "to from"], right: Float[Tensor, "from number"]
) -> Float[Tensor, "to number"]:
    """A small matrix times a wide one, where no number depends on how many there are."""
    index, starts = _all_terms(*left.shape, left.device)
    return _sum_bags(right, index, starts, left.flatten())


@lru_cache(maxsize=64)
def _all_terms(
    to: int, terms: int, device: torch.device
) -> tuple[Int[Tensor, "to_term"], Int[Tensor, "to_and_end"]]:
    every = torch.arange(terms, device=device).repeat(to)
    return every, torch.arange(to + 1, device=device) * terms


def _sum_bags(
    rows: Float[Tensor, "row number"],
    index: Int[Tensor, "term"],
    starts: Int[Tensor, "bag_and_end"],
    weight: Float[Tensor, "term"] | None = None,
) -> Float[Tensor, "bag number"]:
    """Of every bag of terms the sum of the rows that they name, one after the other."""
    return torch.embedding_bag(
        rows, index, starts, mode=0, per_sample_weights=weight, include_last_offset=True
    )[0]


@dataclass(frozen=True)
class ScatteredSum:
    """Sums by place of chosen values, the terms of each place in the order in which they came.

    So a place's sum does not depend on what other places there are.

    Attributes:
        source: which value each term is; None on a CPU where every value is one.
        place: on a CPU where each term goes; on a GPU, where terms lie sorted by place, the first
            term of each place, and the end.
        places: how many there are.
    """

    source: Int[Tensor, "term"] | None
    place: Int[Tensor, "_"]
    places: int

    @classmethod
    def of(
        cls, source: Int[Tensor, "term"] | None, place: Int[Tensor, "term"], places: int
    ) -> ScatteredSum:
        """A sum of terms; without `source` every value is a term."""
        if not place.is_cuda:
            return cls(source, place, places)
        by_place, order = torch.sort(place, stable=True)
        starts = torch.searchsorted(by_place, torch.arange(places + 1, device=place.device))
        return cls(order if source is None else source[order], starts, places)

    def add_to(
        self, total: Float[Tensor, "place *width"], values: Float[Tensor, "value *width"]
    ) -> None:
        """Add the sums of numbers, or of rows of numbers."""
        if self.source is not None and total.is_cuda:
            found = _sum_bags(values.view(len(values), -1), self.source, self.place)
            total.add_(found.view(total.shape))
            return
        # `index_select` and `scatter_add_` are faster than indexing and `index_add_`.
        if self.source is not None:
            values = torch.index_select(values, 0, self.source)
        if total.ndim == 1:
            total.scatter_add_(0, self.place, values)
        else:
            total.index_add_(0, self.place, values)

    def sums(self, values: Float[Tensor, "value"]) -> Float[Tensor, "place"]:
        """The sums of numbers."""
        if self.source is not None and values.is_cuda:
            # A thread a place, where a bag of single numbers would have a warp of its own. What has
            # one dimension is summed in another way.
            terms = torch.index_select(values, 0, self.source)[:, None]
            summed: Tensor = torch.segment_reduce(
                terms, "sum", offsets=self.place, unsafe=True, initial=0
            )
            return summed[:, 0]
        total = values.new_zeros(self.places)
        self.add_to(total, values)
        return total


@dataclass(frozen=True)
class SparseMatrix:
    """A sparse matrix on a device.

    Attributes:
        matrix: on a CPU SciPy is the fastest.
        rows: on a GPU, where each row's entries begin, their columns and their values.
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
        return _sum_bags(vectors.T.contiguous(), columns, starts, values)
