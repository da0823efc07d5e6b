"""Values that are computed once and kept while there is room."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock, RLock
from typing import Any, TypeVar

Value = TypeVar("Value")


class LimitedCache:
    """Values by key; those that were used least recently give way.

    Two threads that ask for one key at a time wait for one computation.
    """

    def __init__(self, limit: int) -> None:
        """Keep values of up to `limit` in all, in the unit of the sizes given to `get`."""
        self._limit = limit
        self._used = 0
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._making: dict[Hashable, RLock] = {}
        self._lock = Lock()

    def get(
        self,
        key: Hashable,
        make: Callable[[], Value],
        size: Callable[[Value], int] = lambda _: 1,
    ) -> Value:
        """The value of a key, made if need be.

        Args:
            key: names the value.
            make: makes it.
            size: its size; one that is larger than the limit is not kept.
        """
        with self._lock:
            making = self._making.setdefault(key, RLock())
        with making:
            with self._lock:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    value: Value = self._kept[key][0]
                    return value
            value = make()
            with self._lock:
                self._put(key, value, size(value))
                self._making.pop(key, None)
        return value

    def peek(self, key: Hashable) -> Any:
        """The value of a key; None where it is not kept."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: Hashable, value: Any, size: int = 1) -> None:
        """Keep a value that was made elsewhere."""
        with self._lock:
            self._put(key, value, size)

    def _put(self, key: Hashable, value: Any, size: int) -> None:
        if size > self._limit or key in self._kept:
            return
        self._kept[key] = (value, size)
        self._used += size
        while self._used > self._limit:
            _, (_, freed) = self._kept.popitem(last=False)
            self._used -= freed
