"""Reports of long work while it runs, and records of what it has cost."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, runtime_checkable

from net2vec.core.storage import Say, log, replacing

Advance = Callable[[int], object]


@runtime_checkable
class Progress(Protocol):
    """Displays stages."""

    def stage(self, name: str, total: int) -> Advance:
        """A stage of `total` steps begins; the returned function is called with steps done."""
        ...

    def say(self, text: str) -> None:
        """Show a line to the user."""
        ...


class SilentProgress:
    """Shows nothing."""

    def stage(self, name: str, total: int) -> Advance:
        """Begin a stage."""
        return lambda steps: None

    def say(self, text: str) -> None:
        """Say nothing."""


class TqdmProgress:
    """Shows stages as bars of tqdm, in a notebook or a terminal; nothing where there is neither.

    As a context manager it closes, at the end, the bars of stages that did not end.
    """

    def __init__(self) -> None:
        from tqdm.auto import tqdm
        from tqdm.notebook import tqdm_notebook

        self._tqdm = tqdm
        # Of output in a notebook tqdm thinks that nobody sees it.
        self._disable = False if issubclass(tqdm, tqdm_notebook) else None
        self._bars: list[Any] = []

    def __enter__(self) -> TqdmProgress:
        return self

    def __exit__(self, *_: object) -> None:
        for bar in self._bars:
            bar.close()

    def stage(self, name: str, total: int) -> Advance:
        """Begin a stage of `total` steps."""
        bar = self._tqdm(total=total, desc=name, disable=self._disable)
        self._bars.append(bar)
        lock = Lock()

        def advance(steps: int) -> None:
            with lock:
                bar.update(steps)
                if bar.n >= total:
                    bar.close()

        return advance

    def say(self, text: str) -> None:
        """Print one line without breaking the bars."""
        self._tqdm.write(text, file=sys.stderr)


@dataclass
class Ledger:
    """Seconds and peak memory by stage, over all the sessions that a run took.

    Attributes:
        path: a file that keeps them from session to session; None for nowhere.
        seconds: by stage.
        peak_memory: of the whole process by the end of each stage, in bytes.
        say: told if what is kept cannot be used.
    """

    path: Path | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    peak_memory: dict[str, int] = field(default_factory=dict)
    say: Say = log
    _lock: Lock = field(default_factory=Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        if self.path is None or not self.path.exists():
            return
        try:
            content = json.loads(self.path.read_bytes())
            seconds = {str(name): float(spent) for name, spent in content["seconds"].items()}
            memory = {str(name): int(most) for name, most in content["peak_memory"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self.say(f"{self.path} cannot be used; what earlier sessions took is not counted")
        else:
            self.seconds, self.peak_memory = seconds, memory

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what happens inside, also if it is interrupted."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            with self._lock:  # layers may be learned side by side
                self.seconds[name] = round(self.seconds.get(name, 0.0) + spent, 3)
                self.peak_memory[name] = max(peak_memory(), self.peak_memory.get(name, 0))
                if self.path is not None:
                    content = {"seconds": self.seconds, "peak_memory": self.peak_memory}
                    with replacing(self.path, lasting=False) as temporary:
                        temporary.write_text(json.dumps(content, indent=2))


def peak_memory() -> int:
    """The most memory that this process has held, in bytes; 0 where that cannot be known."""
    try:
        import resource
    except ImportError:  # not on Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
