"""Two ways of doing the same, timed in turns, as one line of a table."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

HEADER = (
    "| what | size | ratio | reach | seconds | agreement |\n| --- | --- | --- | --- | --- | --- |"
)


@dataclass(frozen=True)
class Line:
    """What one benchmark found.

    Attributes:
        what, size: what was timed.
        ratio: the median over the pairs.
        reach: what the ratio must come to.
        at_least: whether a larger ratio is better.
        seconds: both sides of the median pair.
        agreement: how the results of both ways compare.
        agrees: whether that is good enough.
    """

    what: str
    size: str
    ratio: float
    reach: float
    at_least: bool
    seconds: tuple[float, float]
    agreement: str
    agrees: bool

    @property
    def met(self) -> bool:
        return self.agrees and (self.ratio >= self.reach) == self.at_least

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        mark = "" if self.met else " **missed**"
        seconds = f"{self.seconds[0]:.3g} / {self.seconds[1]:.3g}"
        cells = (self.what, self.size, f"{self.ratio:.3g}", f"{sign} {self.reach:g}{mark}", seconds)
        return f"| {' | '.join((*cells, self.agreement))} |"


@dataclass(frozen=True)
class Pairs:
    """Seconds of two ways, one pair a repetition, and what they returned at last."""

    ours: list[float]
    theirs: list[float]
    our_result: Any
    their_result: Any

    def median(self, scale: float = 1.0) -> tuple[float, tuple[float, float]]:
        """The median of theirs * scale / ours, and the seconds of that pair."""
        pairs = [
            (theirs * scale, ours) for theirs, ours in zip(self.theirs, self.ours, strict=True)
        ]
        ratio = statistics.median_low(theirs / ours for theirs, ours in pairs)
        theirs, ours = min(pairs, key=lambda pair: abs(pair[0] / pair[1] - ratio))
        return ratio, (ours, theirs)


def alternate(
    ours: Callable[[], Any], theirs: Callable[[], Any], repetitions: int, warm: bool = True
) -> Pairs:
    """Run two ways in turns, so that what else the machine does falls on both."""
    if warm:
        ours()
    our_seconds, their_seconds = [], []
    our_result = their_result = None
    for _ in range(repetitions):
        seconds, our_result = timed(ours)
        our_seconds.append(seconds)
        seconds, their_result = timed(theirs)
        their_seconds.append(seconds)
    return Pairs(our_seconds, their_seconds, our_result, their_result)


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    result = function()
    return time.perf_counter() - begun, result


@contextmanager
def threads(count: int) -> Iterator[None]:
    """PyTorch on a number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class PeakMemory:
    """The largest anonymous memory of this process while a block runs.

    Pages of files that are mapped do not count: the system takes them back when it needs them.
    """

    def __init__(self) -> None:
        self.bytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        status = Path("/proc/self/status")
        while True:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
            self.bytes = max(self.bytes, int(lines["RssAnon"].split()[0]) * 1024)
            if self._done.wait(0.05):
                return
