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
from jaxtyping import Bool, Float, Int
from torch import Tensor

# Slots a filter has for candidates, as a multiple of what must be kept. More slots mean fewer, but
# larger, clearings.
_ROOM = 1.5


def rank_of(quantile: float, count: int) -> int:
    """floor(tau n), with tau as it is written: 0.005 of 1000 is 5, not 4."""
    return int(Decimal(repr(quantile)) * count)


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
            largest = torch.topk(values, self.keep, dim=1, sorted=False).values
            self.bound = torch.maximum(self.bound, largest.amin(1))
            # A filter whose portion has no value above the bound still has `keep` at or above it.
        filters, columns = _where(values > self.bound[:, None])
        self._insert(filters, values[filters, columns], (columns + first).to(self.position.dtype))

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
        value = self.value.masked_fill(slots >= self.held[:, None], -torch.inf)
        if value.shape[1] >= self.keep:
            largest = torch.topk(value, self.keep, dim=1, sorted=False).values
            self.bound = torch.maximum(self.bound, largest.amin(1))
        filters, columns = torch.nonzero(value > self.bound[:, None], as_tuple=True)
        values, positions = self.value[filters, columns], self.position[filters, columns]
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
        slot = self.held[filters] + torch.arange(len(filters), device=filters.device)
        slot -= first[filters]
        self.value[filters, slot] = values
        self.position[filters, slot] = positions
        self.held += coming

    def _grow(self, slots: int) -> None:
        """Make room for a portion that is larger than the slots left."""
        more = slots - self.value.shape[1]
        if more > 0:
            room = (len(self.held), more)
            self.value = torch.cat([self.value, self.value.new_empty(room)], 1)
            self.position = torch.cat([self.position, self.position.new_empty(room)], 1)


def _where(mask: Bool[Tensor, "filter n"]) -> tuple[Int[Tensor, "hit"], Int[Tensor, "hit"]]:
    """Filter and column of what is set, sorted by filter, then column.

    On a CPU NumPy finds the few that are set several times faster than PyTorch, in the order of
    memory; activations whose channels come last arrive with their columns outermost.
    """
    filters, columns = mask.shape
    if mask.is_cuda or not (mask.is_contiguous() or mask.T.is_contiguous()):
        found: tuple[Tensor, Tensor] = torch.nonzero(mask, as_tuple=True)  # type: ignore[assignment]
        return found
    if mask.is_contiguous():
        hits = torch.from_numpy(np.flatnonzero(mask.numpy()))
        return torch.div(hits, columns, rounding_mode="floor"), hits % columns
    hits = torch.from_numpy(np.flatnonzero(mask.T.numpy()))
    by_filter, order = torch.sort(hits % filters, stable=True)
    return by_filter, torch.div(hits, filters, rounding_mode="floor")[order]
