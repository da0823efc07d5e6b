"""The operations of a backend, and what each comes to on any device."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import scipy.sparse
from jaxtyping import Bool, Float, Int, Int64, Shaped, UInt8
from torch import Tensor

BYTE = 8


class IndexedSum(ABC):
    """Sums of chosen values by target, the terms of each target in the order in which they came."""

    @abstractmethod
    def add_to(
        self, total: Float[Tensor, "target *width"], values: Float[Tensor, "value *width"]
    ) -> None:
        """Add the sums of numbers, or of rows of numbers, in place."""

    @abstractmethod
    def sums(self, values: Float[Tensor, "value"]) -> Float[Tensor, "target"]:
        """The sums of numbers."""


class SparseMatrix(ABC):
    """A sparse matrix of single precision on a device."""

    @abstractmethod
    def times(self, vectors: Float[Tensor, "vector from"]) -> Float[Tensor, "to vector"]:
        """The matrix times every vector."""


class Backend(ABC):
    """Operations that are computed in different ways on a CPU and on a GPU."""

    # Bits and masks

    @abstractmethod
    def greater(self, values: Float[Tensor, "*shape"], cut: float) -> Bool[Tensor, "*shape"]:
        """Whether each value is above a cut."""

    @abstractmethod
    def pack_bits(self, bits: Bool[Tensor, "*batch bit"]) -> UInt8[Tensor, "*batch byte"]:
        """Eight values a byte, the first in the lowest bit; the last byte is padded with zeros."""

    @abstractmethod
    def unpack_bits(self, packed: UInt8[Tensor, "row byte"]) -> UInt8[Tensor, "row bit"]:
        """Bits as zeros and ones."""

    @abstractmethod
    def count_bits(self, packed: UInt8[Tensor, "row byte"]) -> Int[Tensor, "row"]:
        """The number of bits of each row that are 1."""

    @abstractmethod
    def flat_nonzero(self, mask: Bool[Tensor, "*shape"]) -> Int64[Tensor, "hit"]:
        """Flat indices of the elements that are set, ascending."""

    # Integers

    @abstractmethod
    def floor_divide(self, index: Int64[Tensor, "n"], by: int) -> Int64[Tensor, "n"]:
        """Quotients, rounded down."""

    @abstractmethod
    def stable_order(self, index: Int64[Tensor, "n"], limit: int) -> Int64[Tensor, "n"]:
        """The stable order of numbers below `limit`."""

    @abstractmethod
    def keep_smallest(
        self, keys: Int64[Tensor, "row slot"], rows: Int64[Tensor, "chosen"], k: int, fill: int
    ) -> Int64[Tensor, "chosen"]:
        """Move the k smallest of some rows to their first slots, in no order; fill the others.

        Returns:
            The k-th smallest of these rows.
        """

    @abstractmethod
    def bincount(self, index: Int[Tensor, "n"], length: int) -> Int[np.ndarray, "number"]:
        """The number of times that each number below `length` occurs."""

    @abstractmethod
    def count_codes(
        self, masks: Bool[Tensor, "mask pixel"], code: Int[Tensor, "pixel"], codes: int
    ) -> Float[Tensor, "mask code"]:
        """Pixels of each mask by their code, below `codes`; exact up to 2**24."""

    # Sums

    @abstractmethod
    def indexed_sum(
        self, source: Int[Tensor, "term"] | None, target: Int[Tensor, "term"], targets: int
    ) -> IndexedSum:
        """Sums of the values at `source` into `targets` numbers.

        Args:
            source: which value each term is; None where every value is one term.
            target: where each term goes.
            targets: how many sums there are.
        """

    @abstractmethod
    def corner_sum(self, corner: Int[Tensor, "four square"], cells: int) -> IndexedSum:
        """Sums of what squares give to their corners.

        Args:
            corner: the cells of each square; a cell is at most once a square's first corner, and
                so on, but for the last cell. The last square gives nothing.
            cells: how many there are.
        """

    @abstractmethod
    def sparse_matrix(self, matrix: scipy.sparse.sparray, like: Tensor) -> SparseMatrix:
        """A matrix of single precision on the device of `like`."""

    @abstractmethod
    def sum_rows(
        self,
        starts: Int[Tensor, "row_and_end"],
        column: Int[Tensor, "entry"],
        table: Float[Tensor, "column slot"],
    ) -> Float[Tensor, "row slot"]:
        """For every row the sum of the table's rows at its entries; exact for whole numbers."""

    @abstractmethod
    def sum_first(self, values: Float[Tensor, "n *shape"]) -> Float[Tensor, "*shape"]:
        """The sum along the first axis."""

    @abstractmethod
    def span_first(self, values: Float[Tensor, "n number"]) -> Float[Tensor, "number"]:
        """Largest less smallest along the first axis."""

    # Products

    @abstractmethod
    def times(
        self, left: Float[Tensor, "row inner"], right: Float[Tensor, "inner outer"]
    ) -> Float[Tensor, "row outer"]:
        """Many short rows times a small matrix."""

    @abstractmethod
    def times_by_image(
        self, left: Float[Tensor, "image row inner"], right: Float[Tensor, "inner outer"]
    ) -> Float[Tensor, "image_row outer"]:
        """The product as of `times`, where no row may depend on the number of images."""

    @abstractmethod
    def reduce_strips(
        self,
        reduce: Float[Tensor, "strip 2 row"],
        by_pixel: Float[Tensor, "strip row column"],
    ) -> Float[Tensor, "strip_2 column"]:
        """The gradient of each strip's two grid rows, from that of its pixels."""

    @abstractmethod
    def corner_weights(self, reduce: Float[Tensor, "2 2 node"]) -> Float[Tensor, "..."]:
        """Weights of the four corners at all nodes of a square, as `reduce_nodes` takes them.

        Args:
            reduce: weights of both cells at the nodes along a side, twice.
        """

    @abstractmethod
    def reduce_nodes(
        self, weights: Float[Tensor, "..."], values: Float[Tensor, "row column square"]
    ) -> Float[Tensor, "2 2 square"]:
        """The gradient of each square's four corners, from that of its nodes."""


def flat(values: Shaped[Tensor, "n *shape"]) -> Shaped[Tensor, "n number"]:
    """All axes but the first as one."""
    return values.reshape(len(values), -1)
