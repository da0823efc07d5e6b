"""Exact thresholds of activations, and who is above them, in one pass.

The threshold of a filter is the value at 0-based rank floor(tau n) of its n values sorted
downwards. Keeping the floor(tau n) + 1 largest values seen so far, with their positions, is enough
for the threshold and for every position above it: nothing else need ever be stored.

A candidate is one integer, a key: its value in the upper half, in falling order, and its position
in the lower. The smallest keys are the largest values, the earliest first among equals.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Int64, Shaped
from torch import Tensor

# Positions a stream can tell apart: what the lower half of a key holds.
MAX_POSITIONS = 2**32
# Slots a filter has for candidates, as a multiple of what must be kept. More slots mean fewer
# clearings, but a bound that lags behind and so more candidates.
_ROOM = 1.25
_LEAST_ROOM = 32
# About how many candidates are taken in at a time. On a CPU they stay in the caches; on a GPU each
# portion costs some dozens of calls.
_CPU_PORTION = 2**16
_GPU_PORTION = 2**22
# From how many candidates on a filter is cleared by itself, in place.
_LONG = 1000
# How many values of a filter `Highest` looks at together.
_WAITING = 512
# The key of a slot without a candidate; no value has it.
_NONE = torch.iinfo(torch.int64).max


def rank_of(quantile: float, count: int) -> int:
    """floor(tau n), with tau as it is written: 0.005 of 1000 is 5, not 4."""
    return int(Decimal(repr(float(quantile))) * count)


@dataclass
class TopValues:
    """The largest values of each filter, from a stream of activations.

    `add` values in any order and any portions, `merge` with another stream of the same count, then
    read `above`. What is not strictly above a filter's `bound`, the smallest of the
    largest `keep` values so far, is never taken in: ties with the bound can never be above the
    threshold.

    Attributes:
        keep: how many of the largest values are kept: floor(tau n) + 1 for a threshold.
        most: how many candidates a filter may have before all but the largest are dropped.
        bound: a lower bound of each threshold; the threshold itself once all values are in and
            `settle` was called.
        key: candidates of each filter, in the first `held[k]` slots.
        seen: how many values of each filter have come.
    """

    keep: int
    most: int
    bound: Float[Tensor, "filter"]
    key: Int64[Tensor, "filter slot"]
    held: Int64[Tensor, "filter"]
    seen: int = field(default=0)

    @classmethod
    def of(cls, filters: int, keep: int, device: torch.device | str = "cpu") -> TopValues:
        """An empty stream that keeps the `keep` largest values of each filter."""
        slots = most = max(int(_ROOM * keep), keep + _LEAST_ROOM)
        return cls(
            keep=keep,
            most=most,
            bound=torch.full((filters,), -torch.inf, device=device),
            key=torch.full((filters, slots), _NONE, device=device),
            held=torch.zeros(filters, dtype=torch.int64, device=device),
        )

    def add(
        self,
        values: Float[Tensor, "position filter"],
        first: int,
        highest: Float[Tensor, "block filter"] | None = None,
    ) -> None:
        """Take in the values at positions first, first + 1, ... of every filter.

        Args:
            values: contiguous, so that the filters of a position are side by side.
            first: the position of the first.
            highest: of every filter the highest value of each of so many blocks of positions, all
                of one length; blocks that have nothing above the bound are not looked at again.
        """
        highest = values if highest is None else highest
        block = len(values) // len(highest)
        done = 0
        while done < len(highest):
            # Portions of few candidates also raise the bound early.
            share = min(1.0, self.keep / max(self.seen, 1))
            portion = _GPU_PORTION if values.is_cuda else _CPU_PORTION
            blocks = max(1, int(portion / (share * len(self.held) * block)))
            some = values[done * block : (done + blocks) * block]
            who, position, found = _above(some, highest[done : done + blocks], self.bound)
            position += first + done * block
            self._insert(who, _keys(found, position))
            self.seen += len(some)
            done += blocks

    def merge(self, other: TopValues) -> None:
        """Take in what another stream, of other positions, has kept."""
        self.seen += other.seen
        self.bound = torch.maximum(self.bound, other.bound)
        place = _places(other.key != _NONE)
        self._insert(_divide(place, other.key.shape[1]), _pick(other.key, place))

    def settle(self) -> None:
        """Drop all candidates but the largest `keep`."""
        self._clear(torch.arange(len(self.held), device=self.held.device))

    def above(self) -> tuple[Int[Tensor, "entry"], Int[Tensor, "entry"]]:
        """Filter and position of every value strictly above its filter's threshold."""
        self.settle()
        place = _places((self.key != _NONE) & (_values(self.key) > self.bound[:, None]))
        return _divide(place, self.key.shape[1]), _pick(self.key, place) & 0xFFFFFFFF

    def _insert(self, who: Int64[Tensor, "n"], keys: Int64[Tensor, "n"]) -> None:
        """Take in candidates; `who` is sorted."""
        if who.numel() == 0:
            return
        coming = torch.bincount(who, minlength=len(self.held))
        self._grow(int((self.held + coming).max()))
        before = torch.cumsum(coming, 0) - coming
        start = torch.arange(len(coming), device=who.device) * self.key.shape[1]
        place = torch.index_select(start + self.held - before, 0, who)
        place += torch.arange(len(who), device=who.device)
        self.key.view(-1).index_copy_(0, place, keys)
        self.held += coming
        rows = _places(self.held > self.most)
        if len(rows):
            self._clear(rows)

    def _clear(self, rows: Int64[Tensor, "row"]) -> None:
        """Leave only the `keep` largest values of some filters, and raise their bounds."""
        used = self.key[:, : max(self.keep, int(self.held[rows].max()))]
        last = _leave_smallest(used, rows, self.keep)
        self.held[rows] = torch.clamp(self.held[rows], max=self.keep)
        reached = torch.where(last == _NONE, -torch.inf, _values(last))
        self.bound[rows] = torch.maximum(self.bound[rows], reached)

    def _grow(self, slots: int) -> None:
        """Make room for a portion that is larger than the slots left."""
        if slots > self.key.shape[1]:
            room = (len(self.held), slots - self.key.shape[1])
            self.key = torch.cat([self.key, self.key.new_full(room, _NONE)], 1)


class Highest:
    """The few largest values of each filter, the earliest among equals, of values in any order.

    Args:
        key: what `state` gave of another; or no candidate in each (filter, rank).
    """

    def __init__(self, key: Int64[Tensor, "filter rank"]) -> None:
        self._key = key
        self._waiting: list[Int64[Tensor, "filter n"]] = []

    @classmethod
    def of(cls, filters: int, ranks: int, device: torch.device | str = "cpu") -> Highest:
        """An empty one."""
        return cls(torch.full((filters, ranks), _NONE, device=device))

    def add(self, values: Float[Tensor, "position filter"], first: int) -> None:
        """Take in the values at positions first, first + 1, ... of every filter."""
        position = torch.arange(first, first + len(values), device=values.device)
        who = position[:, None].expand(values.shape).reshape(-1)
        self._waiting.append(_keys(values.reshape(-1), who).view(values.shape).T)
        # Many at once: selecting from a few has its price for each filter.
        if len(self._waiting) * len(values) >= _WAITING:
            self.state()

    def state(self) -> Int64[Tensor, "filter rank"]:
        """The candidates so far, to go on from."""
        ranks = self._key.shape[1]
        keys = torch.cat([self._key, *self._waiting], 1)
        if self._waiting:
            _leave_smallest(keys, torch.arange(len(keys), device=keys.device), ranks)
            self._key, self._waiting = keys[:, :ranks].clone(), []
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
    """Filter, position and value of what is above its filter's bound, by filter, then position."""
    filters = len(bound)
    length = len(values) // len(highest)
    place = _places(highest > bound)
    block = _divide(place, filters)
    who = place - block * filters
    order = _order(who, filters)
    who, block = torch.index_select(who, 0, order), torch.index_select(block, 0, order)
    if length == 1:
        return who, block, _pick(values, block * filters + who)
    first = block * length
    steps = torch.arange(0, length * filters, filters, device=values.device)
    near = _pick(values, ((first * filters + who)[:, None] + steps).view(-1)).view(-1, length)
    hit = _places(near > torch.index_select(bound, 0, who)[:, None])
    row = _divide(hit, length)
    first -= torch.arange(0, len(first) * length, length, device=values.device)
    position = torch.index_select(first, 0, row).add_(hit)
    return torch.index_select(who, 0, row), position, _pick(near, hit)


def _keys(values: Float[Tensor, "n"], position: Int64[Tensor, "n"]) -> Int64[Tensor, "n"]:
    """Candidates as integers: the larger the value, and then the earlier, the smaller."""
    bits = (values + 0.0).view(torch.int32)  # the sum makes one zero of both
    # The bits of floats are ordered as integers but for negative ones, whose order is reversed.
    rising = (bits >> 31).bitwise_and_(0x7FFFFFFF).bitwise_xor_(bits)
    return rising.bitwise_not_().long().bitwise_left_shift_(32).add_(position)


def _values(keys: Int64[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    rising = ~(keys >> 32).int()
    return (rising ^ ((rising >> 31) & 0x7FFFFFFF)).view(torch.float32)


def _leave_smallest(
    keys: Int64[Tensor, "filter slot"], rows: Int64[Tensor, "row"], k: int
) -> Int64[Tensor, "row"]:
    """Move the k smallest of some rows to their first slots, in no order, and empty the others.

    Returns:
        The k-th smallest of these rows.
    """
    # Selection in NumPy is many times faster than in PyTorch; a long row is not worth a copy.
    if not keys.is_cuda and k >= _LONG:
        all_rows = keys.numpy()
        for row in rows.tolist():
            all_rows[row].partition(k - 1)
            all_rows[row, k:] = _NONE
        return keys[rows, k - 1]
    chosen = torch.index_select(keys, 0, rows)
    if keys.is_cuda:
        chosen[:, :k] = torch.topk(chosen, k, dim=1, largest=False).values
    else:
        chosen.numpy().partition(k - 1, axis=1)
    chosen[:, k:] = _NONE
    keys.index_copy_(0, rows, chosen)
    return chosen[:, k - 1]


def _places(mask: Bool[Tensor, "*shape"]) -> Int64[Tensor, "hit"]:
    """Where a mask is set, counted through it; on a CPU NumPy is several times faster."""
    if mask.is_cuda:
        return torch.nonzero(mask.view(-1)).view(-1)
    return torch.from_numpy(np.flatnonzero(mask.numpy()))


def _divide(places: Int64[Tensor, "n"], by: int) -> Int64[Tensor, "n"]:
    if places.is_cuda:
        return torch.div(places, by, rounding_mode="floor")
    return torch.from_numpy(places.numpy() // by)  # vectorised, as in PyTorch it is not


def _order(who: Int64[Tensor, "n"], count: int) -> Int64[Tensor, "n"]:
    """The stable order of numbers below `count`."""
    if who.is_cuda or count > 2**16:
        return torch.sort(who, stable=True).indices
    # Short integers are sorted by their digits, in linear time.
    return torch.from_numpy(np.argsort(who.numpy().astype(np.uint16), kind="stable"))


def _pick(values: Shaped[Tensor, "*shape"], places: Int[Tensor, "hit"]) -> Shaped[Tensor, "hit"]:
    """Values at places counted through a contiguous array: indexing by one index is fast."""
    return torch.index_select(values.view(-1), 0, places)
