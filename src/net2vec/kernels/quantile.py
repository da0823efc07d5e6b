"""Exact thresholds of activations, and the positions above them, in one pass.

The threshold of a filter is the value at 0-based rank floor(tau n) of its n values sorted
downwards. Keeping the floor(tau n) + 1 largest values seen so far, with their positions, is enough
for the threshold and for every position above it: nothing else is ever stored. What is reported is
the middle between the threshold and the next larger value, above which the same values lie.

A candidate is one integer, a key: its value in the upper half, in falling order, and its position
in the lower. The smallest keys are the largest values, the earliest first among equals.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

import torch
from jaxtyping import Float, Int, Int64, Shaped
from torch import Tensor

from net2vec.core.devices import policy_of
from net2vec.kernels.backends import backend_of

# Positions that the lower half of a key can tell apart.
MAX_POSITIONS = 2**32
# Filters whose largest values are read at a time.
_FILTERS_AT_ONCE = 32
# Slots of a filter for candidates, as a multiple of the values to keep. More slots are emptied less
# often, but then the bound rises later and there are more candidates.
_SLOTS_PER_KEPT = 1.25
_MIN_FREE_SLOTS = 32
# Values of a filter that `Highest` selects from together.
_PENDING_VALUES = 512
# The key of a slot without a candidate; no value has it.
_EMPTY = torch.iinfo(torch.int64).max


def rank_of(quantile: float, count: int) -> int:
    """floor(tau n), with tau as its decimal digits say: 0.005 of 1000 is 5, not 4."""
    return int(Decimal(repr(float(quantile))) * count)


@dataclass
class TopValues:
    """The largest values of each filter, from a stream of activations.

    `add` values in any order and in chunks of any size, `merge` with another stream of the same
    count, then read `above`. A value must be strictly above the `bound` of its filter, the smallest
    of the largest `keep` values so far, to become a candidate: ties with the bound can never be
    above the threshold.

    Attributes:
        keep: number of largest values that are kept: floor(tau n) + 1 for a threshold.
        limit: candidates of a filter above which all but the largest are dropped.
        bound: a lower bound of each threshold; the threshold itself after all values were added
            and `settle` was called.
        key: candidates of each filter, in the first `used[k]` slots.
        seen: number of values of each filter so far.
    """

    keep: int
    limit: int
    bound: Float[Tensor, "filter"]
    key: Int64[Tensor, "filter slot"]
    used: Int64[Tensor, "filter"]
    seen: int = field(default=0)

    @classmethod
    def of(
        cls,
        filters: int,
        keep: int,
        device: torch.device | str = "cpu",
        count: int = MAX_POSITIONS,
    ) -> TopValues:
        """An empty stream that keeps the `keep` largest of up to `count` values of each filter."""
        limit = max(int(_SLOTS_PER_KEPT * keep), keep + _MIN_FREE_SLOTS)
        return cls(
            keep=keep,
            limit=limit,
            bound=torch.full((filters,), -torch.inf, device=device),
            key=torch.full((filters, min(limit, count)), _EMPTY, device=device),
            used=torch.zeros(filters, dtype=torch.int64, device=device),
        )

    def add(
        self,
        values: Float[Tensor, "position filter"],
        first: int,
        highest: Float[Tensor, "block filter"] | None = None,
    ) -> None:
        """Add the values at positions first, first + 1, ... of every filter.

        Args:
            values: contiguous, so that the filters of a position are side by side.
            first: the first position.
            highest: of every filter the highest value of each block of positions, all of one
                length; blocks without a value above the bound are skipped.
        """
        highest = values if highest is None else highest
        block = len(values) // len(highest)
        done = 0
        while done < len(highest):
            # Chunks of few candidates also raise the bound early.
            share = min(1.0, self.keep / max(self.seen, 1))
            chunk = policy_of(values.device).candidate_chunk
            blocks = max(1, int(chunk / (share * len(self.used) * block)))
            some = values[done * block : (done + blocks) * block]
            filters, position, found = _above(some, highest[done : done + blocks], self.bound)
            position += first + done * block
            self._insert(filters, _keys(found, position))
            self.seen += len(some)
            done += blocks

    def merge(self, other: TopValues) -> None:
        """Add what another stream, of other positions, has kept: exact, in any order."""
        self.seen += other.seen
        self.bound = torch.maximum(self.bound, other.bound)
        backend = backend_of(self.key.device)
        index = backend.flat_nonzero(other.key != _EMPTY)
        filters = backend.floor_divide(index, other.key.shape[1])
        self._insert(filters, _pick(other.key, index))

    def compact(self) -> None:
        """Drop all candidates but the largest `keep`, and the memory of the empty slots."""
        self.settle()
        self.key = self.key[:, : int(self.used.max())].clone()

    def settle(self) -> None:
        """Drop all candidates but the largest `keep`."""
        self._clear(torch.arange(len(self.used), device=self.used.device))

    def above(self) -> Iterator[tuple[Int[Tensor, "entry"], Int[Tensor, "entry"]]]:
        """Filter and position of every value strictly above its filter's threshold.

        Yields:
            Those of some filters at a time: copies of all would be several times what is kept.
        """
        self.settle()
        backend = backend_of(self.key.device)
        for first in range(0, len(self.key), _FILTERS_AT_ONCE):
            some = slice(first, first + _FILTERS_AT_ONCE)
            key = self.key[some]
            is_above = (key != _EMPTY) & (_values(key) > self.bound[some, None])
            index = backend.flat_nonzero(is_above)
            filters = backend.floor_divide(index, key.shape[1])
            yield filters + first, _pick(key, index) & 0xFFFFFFFF

    def thresholds(self) -> Float[Tensor, "filter"]:
        """The middle between the threshold and the next larger value, of each filter.

        The same values are above it. A threshold that is itself a value would be exceeded by that
        value, or not, as another batch size or device rounds. Where no value is above, or no number
        lies between, it is the threshold itself.
        """
        self.settle()
        least = []
        parts = (torch.split(part, _FILTERS_AT_ONCE) for part in (self.key, self.bound))
        for key, bound in zip(*parts, strict=True):
            found = _values(key)
            is_above = (key != _EMPTY) & (found > bound[:, None])
            least.append(torch.where(is_above, found, torch.inf).amin(1))
        larger = torch.cat(least)
        middle = ((self.bound.double() + larger.double()) / 2).float()
        return torch.where((middle < larger) & larger.isfinite(), middle, self.bound)

    def _insert(self, filters: Int64[Tensor, "n"], keys: Int64[Tensor, "n"]) -> None:
        """Add candidates, sorted by filter."""
        if filters.numel() == 0:
            return
        added = torch.bincount(filters, minlength=len(self.used))
        self._grow(int((self.used + added).max()))
        before = torch.cumsum(added, 0) - added
        start = torch.arange(len(added), device=filters.device) * self.key.shape[1]
        slot = torch.index_select(start + self.used - before, 0, filters)
        slot += torch.arange(len(filters), device=filters.device)
        self.key.view(-1).index_copy_(0, slot, keys)
        self.used += added
        rows = backend_of(filters.device).flat_nonzero(self.used > self.limit)
        if len(rows):
            self._clear(rows)

    def _clear(self, rows: Int64[Tensor, "row"]) -> None:
        """Leave only the `keep` largest values of some filters, and raise their bounds."""
        if self.key.shape[1] < self.keep:
            return  # there is nothing to drop
        used = self.key[:, : max(self.keep, int(self.used[rows].max()))]
        last = backend_of(used.device).keep_smallest(used, rows, self.keep, _EMPTY)
        self.used[rows] = torch.clamp(self.used[rows], max=self.keep)
        reached = torch.where(last == _EMPTY, -torch.inf, _values(last))
        self.bound[rows] = torch.maximum(self.bound[rows], reached)

    def _grow(self, slots: int) -> None:
        missing = slots - self.key.shape[1]
        if missing > 0:
            empty = self.key.new_full((len(self.key), missing), _EMPTY)
            self.key = torch.cat([self.key, empty], 1)


class Highest:
    """The few largest values of each filter, the earliest among equals, of values in any order.

    Args:
        key: candidates by filter and rank, from `state` of another one.
    """

    def __init__(self, key: Int64[Tensor, "filter rank"]) -> None:
        self._key = key
        self._pending: list[Int64[Tensor, "filter n"]] = []

    @classmethod
    def of(cls, filters: int, ranks: int, device: torch.device | str = "cpu") -> Highest:
        """An empty one."""
        return cls(torch.full((filters, ranks), _EMPTY, device=device))

    def add(self, values: Float[Tensor, "position filter"], first: int) -> None:
        """Add the values at positions first, first + 1, ... of every filter."""
        index = torch.arange(first, first + len(values), device=values.device)
        position = index[:, None].expand(values.shape).reshape(-1)
        self._pending.append(_keys(values.reshape(-1), position).view(values.shape).T)
        # Many at once: each selection has a fixed cost for every filter.
        if len(self._pending) * len(values) >= _PENDING_VALUES:
            self.state()

    def merge(self, other: Highest) -> None:
        """Add the largest values of other positions: exact, in any order."""
        self._pending.append(other.state())
        self.state()

    def state(self) -> Int64[Tensor, "filter rank"]:
        """The candidates so far, from which another one can be made."""
        ranks = self._key.shape[1]
        keys = torch.cat([self._key, *self._pending], 1)
        if self._pending:
            rows = torch.arange(len(keys), device=keys.device)
            backend_of(keys.device).keep_smallest(keys, rows, ranks, _EMPTY)
            self._key, self._pending = keys[:, :ranks].clone(), []
        return self._key

    def largest(self) -> tuple[Float[Tensor, "filter rank"], Int64[Tensor, "filter rank"]]:
        """The largest values of every filter and their positions, largest first."""
        key = torch.sort(self.state(), dim=1).values
        return _values(key), key & 0xFFFFFFFF


def _above(
    values: Float[Tensor, "position filter"],
    highest: Float[Tensor, "block filter"],
    bound: Float[Tensor, "filter"],
) -> tuple[Int64[Tensor, "hit"], Int64[Tensor, "hit"], Float[Tensor, "hit"]]:
    """Filter, position and value of all above their filter's bound, by filter, then position."""
    backend, count = backend_of(values.device), len(bound)
    length = len(values) // len(highest)
    index = backend.flat_nonzero(highest > bound)
    block = backend.floor_divide(index, count)
    filters = index - block * count
    order = backend.stable_order(filters, count)
    filters, block = torch.index_select(filters, 0, order), torch.index_select(block, 0, order)
    if length == 1:
        return filters, block, _pick(values, block * count + filters)
    first = block * length
    steps = torch.arange(0, length * count, count, device=values.device)
    near = _pick(values, ((first * count + filters)[:, None] + steps).view(-1)).view(-1, length)
    hit = backend.flat_nonzero(near > torch.index_select(bound, 0, filters)[:, None])
    row = backend.floor_divide(hit, length)
    first -= torch.arange(0, len(first) * length, length, device=values.device)
    position = torch.index_select(first, 0, row).add_(hit)
    return torch.index_select(filters, 0, row), position, _pick(near, hit)


def _keys(values: Float[Tensor, "n"], position: Int64[Tensor, "n"]) -> Int64[Tensor, "n"]:
    """Candidates as integers: the larger the value, and then the earlier, the smaller."""
    bits = (values + 0.0).view(torch.int32)  # the sum makes one zero of both
    # The bits of floats are ordered as integers but for negative ones, whose order is reversed.
    rising = (bits >> 31).bitwise_and_(0x7FFFFFFF).bitwise_xor_(bits)
    return rising.bitwise_not_().long().bitwise_left_shift_(32).add_(position)


def _values(keys: Int64[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    rising = ~(keys >> 32).int()
    return (rising ^ ((rising >> 31) & 0x7FFFFFFF)).view(torch.float32)


def _pick(values: Shaped[Tensor, "*shape"], index: Int[Tensor, "hit"]) -> Shaped[Tensor, "hit"]:
    """Values at flat indices of a contiguous array."""
    return torch.index_select(values.view(-1), 0, index)
