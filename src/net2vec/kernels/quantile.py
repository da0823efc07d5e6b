"""Exact thresholds of activations, and who is above them, in one pass.

The threshold of a filter is the value at 0-based rank floor(tau n) of its n values sorted
downwards. Keeping the floor(tau n) + 1 largest values seen so far, with their positions, is enough
for the threshold and for every position above it: nothing else need ever be stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

# Slots a filter has for candidates, as a multiple of what must be kept. More slots mean fewer, but
# larger, clearings.
_ROOM = 1.5


def rank_of(quantile: float, count: int) -> int:
    """floor(tau n), with tau as it is written: 0.005 of 1000 is 5, not 4."""
    return int(Decimal(repr(float(quantile))) * count)


@dataclass
class TopValues:
    """The largest values of each filter, from a stream of activation maps.

    `add` maps in any order and any portions, `merge` with another stream of the same count, then
    read `above`. A filter keeps what is strictly above its `bound`, the smallest of the largest
    `keep` values so far: ties with the bound can never be above the threshold.

    Attributes:
        keep: floor(tau n) + 1.
        bound: a lower bound of each threshold; the threshold itself once all values are in and
            `settle` was called.
        value, position: candidates of each filter, in the first `held[k]` slots.
    """

    keep: int
    bound: Float[Tensor, "filter"]
    value: Float[Tensor, "filter slot"]
    position: Int[Tensor, "filter slot"]
    held: Int[Tensor, "filter"]
    seen: int = field(default=0)

    @classmethod
    def of(
        cls, filters: int, quantile: float, count: int, device: torch.device | str = "cpu"
    ) -> TopValues:
        """An empty stream, of which `count` values a filter will come."""
        keep = rank_of(quantile, count) + 1
        slots = int(_ROOM * keep) + 1
        index = torch.int32 if count < 2**31 else torch.int64
        return cls(
            keep=keep,
            bound=torch.full((filters,), -torch.inf, device=device),
            value=torch.empty(filters, slots, device=device),
            position=torch.empty(filters, slots, dtype=index, device=device),
            held=torch.zeros(filters, dtype=torch.int64, device=device),
        )

    def add(self, values: Float[Tensor, "filter n"], first: int) -> None:
        """Take in the values at positions first, first + 1, ... of every filter."""
        self.seen += values.shape[1]
        if values.shape[1] > self.keep and bool(torch.isinf(self.bound).any()):
            # The smallest of this portion's largest bounds the threshold too; without it the whole
            # of the first portions would be candidates.
            self.bound = torch.maximum(self.bound, _kth_largest(values, self.keep))
            # A filter whose portion has no value above the bound still has `keep` at or above it.
        filters, columns, found = _above(values, self.bound)
        self._insert(filters, found, (columns + first).to(self.position.dtype))

    def merge(self, other: TopValues) -> None:
        """Take in what another stream, of other positions, has kept."""
        self.seen += other.seen
        self.bound = torch.maximum(self.bound, other.bound)
        slots = torch.arange(other.value.shape[1], device=other.value.device)
        kept = slots < other.held[:, None]
        filters, columns = torch.nonzero(kept & (other.value > self.bound[:, None]), as_tuple=True)
        self._insert(filters, other.value[filters, columns], other.position[filters, columns])

    def settle(self) -> None:
        """Drop all candidates but those strictly above the bound of the values so far."""
        slots = torch.arange(self.value.shape[1], device=self.value.device)
        self.value.masked_fill_(slots >= self.held[:, None], -torch.inf)
        if self.value.shape[1] >= self.keep:
            self.bound = torch.maximum(self.bound, _kth_largest(self.value, self.keep))
        filters, columns, values = _above(self.value, self.bound)
        positions = _pick(self.position, filters * self.value.shape[1] + columns)
        self.held.zero_()
        self._place(filters, values, positions)

    def above(self) -> tuple[Int[Tensor, "entry"], Int[Tensor, "entry"]]:
        """Filter and position of every value strictly above its filter's threshold."""
        self.settle()
        slots = torch.arange(self.value.shape[1], device=self.value.device)
        filters, columns = torch.nonzero(slots < self.held[:, None], as_tuple=True)
        return filters, self.position[filters, columns]

    def _insert(
        self, filters: Int[Tensor, "n"], values: Float[Tensor, "n"], positions: Int[Tensor, "n"]
    ) -> None:
        if filters.numel() == 0:
            return
        coming = torch.bincount(filters, minlength=len(self.held))
        if bool((self.held + coming > self.value.shape[1]).any()):
            self.settle()
            still = values > self.bound[filters]
            filters, values, positions = filters[still], values[still], positions[still]
            coming = torch.bincount(filters, minlength=len(self.held))
            self._grow(int((self.held + coming).max()))
        self._place(filters, values, positions)

    def _place(
        self, filters: Int[Tensor, "n"], values: Float[Tensor, "n"], positions: Int[Tensor, "n"]
    ) -> None:
        """Append to each filter's slots; `filters` is sorted."""
        coming = torch.bincount(filters, minlength=len(self.held))
        first = torch.cumsum(coming, 0) - coming
        slots = self.value.shape[1]
        start = torch.arange(len(coming), device=coming.device) * slots + self.held - first
        place = torch.repeat_interleave(start, coming, output_size=len(filters))
        place += torch.arange(len(filters), device=filters.device)
        self.value.view(-1).index_copy_(0, place, values)
        self.position.view(-1).index_copy_(0, place, positions)
        self.held += coming

    def _grow(self, slots: int) -> None:
        """Make room for a portion that is larger than the slots left."""
        more = slots - self.value.shape[1]
        if more > 0:
            room = (len(self.held), more)
            self.value = torch.cat([self.value, self.value.new_empty(room)], 1)
            self.position = torch.cat([self.position, self.position.new_empty(room)], 1)


def _kth_largest(values: Float[Tensor, "filter n"], k: int) -> Float[Tensor, "filter"]:
    """The k-th largest value of every filter."""
    if values.is_cuda:
        return torch.topk(values, k, dim=1, sorted=False).values.amin(1)
    # Selection in NumPy is several times faster than in PyTorch.
    place = values.shape[1] - k
    rows = values.contiguous().numpy()
    return torch.from_numpy(np.partition(rows, place, axis=1)[:, place].copy())


def _above(
    values: Float[Tensor, "filter n"], bound: Float[Tensor, "filter"]
) -> tuple[Int[Tensor, "hit"], Int[Tensor, "hit"], Float[Tensor, "hit"]]:
    """Filter, column and value of what is above its filter's bound, by filter, then column.

    On a CPU NumPy finds the few that are above several times faster than PyTorch, in the order of
    memory; activations whose channels come last arrive with their columns outermost.
    """
    if values.is_cuda or not (values.is_contiguous() or values.T.is_contiguous()):
        filters, columns = torch.nonzero(values > bound[:, None], as_tuple=True)
        return filters, columns, values[filters, columns]
    if values.is_contiguous():
        hits = torch.from_numpy(np.flatnonzero(values.numpy() > bound.numpy()[:, None]))
        filters = torch.div(hits, values.shape[1], rounding_mode="floor")
        return filters, hits - filters * values.shape[1], _pick(values, hits)
    found = np.flatnonzero(values.T.numpy() > bound.numpy())
    column = found // len(bound)
    who = found - column * len(bound)
    # Short integers are sorted by their digits, in linear time.
    order = np.argsort(who.astype(_smallest(len(bound))), kind="stable")
    hits = torch.from_numpy(found[order])
    columns = torch.from_numpy(column[order])
    return hits - columns * len(bound), columns, _pick(values.T, hits)


def _pick(
    values: Shaped[Tensor, "rows columns"], places: Int[Tensor, "hit"]
) -> Shaped[Tensor, "hit"]:
    """Values at places counted through a contiguous array: indexing by one index is fast."""
    return torch.index_select(values.view(-1), 0, places)


def _smallest(count: int) -> type[np.integer]:
    return np.uint16 if count <= 2**16 else np.int64
