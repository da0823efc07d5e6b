"""A tiny run, killed by the system before each of its file operations, and made again.

Every attempt is a child of a process that has imported everything and done nothing yet: it starts
no threads, which would not live on in a child.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import torch

import net2vec
from net2vec import results
from net2vec.core.storage import is_temporary, replacing
from net2vec.pipeline import runner

from builders_runs import small_dataset, small_network
from builders_whole import squash

_HANGS_AFTER_SECONDS = 600
# Differ from one time to the next: they hold dates and times.
_TIMED = ("provenance.json",)


@dataclass(frozen=True)
class Place:
    """A folder for one attempt: the run, and the cache that runs share."""

    folder: Path

    @property
    def run(self) -> Path:
        return self.folder / "run"

    def make(self, nulls: int = 0) -> None:
        """Make the run, or add to it; its report is a page of one line."""
        torch.set_num_threads(1)
        os.fsync = lambda descriptor: None  # a killed process loses nothing of what it has written
        os.environ["NET2VEC_CACHE"] = str(self.folder / "shared")
        runner.write_report = _write_short_report  # type: ignore[assignment]
        fast = {"epochs": 1, "subsets": (), "batch": 8}
        net2vec.analyze(
            small_network(), small_dataset(14), self.run, layers=("1",), transform=squash,
            concepts=("red-c",), segment=fast, classify=fast, workers=1, nulls=nulls, fit="paper",
        )  # fmt: skip

    def content(self) -> dict[str, bytes]:
        """The files of the finished run, without its cache and what is hidden in the folder."""
        return {
            name: path.read_bytes()
            for path in sorted(self.run.rglob("*"))
            if path.is_file()
            and not (name := str(path.relative_to(self.run))).startswith(("cache", "."))
            and name not in _TIMED
        }

    def leftovers(self) -> list[Path]:
        return [path for path in self.folder.rglob(".*") if is_temporary(path)]


def _write_short_report(folders: Any, out: Path, **_: Any) -> None:
    run = net2vec.open_run(folders[0])
    results.save_table(run.scores, folders[0] / "tables" / "of_this_run.csv")
    with replacing(out) as temporary:
        temporary.mkdir()
        (temporary / "index.html").write_text(f"nulls: {run.settings['nulls']}")


@dataclass(frozen=True)
class Scenario:
    """What is killed: making a run, or adding nulls to a finished one."""

    name: str
    before: Path | None  # a place with a finished run
    nulls: int
    wanted: dict[str, bytes]

    def prepare(self, folder: Path) -> Place:
        if self.before is not None:
            shutil.copytree(self.before, folder)
        folder.mkdir(exist_ok=True)
        return Place(folder)

    def check(self, place: Place) -> str:
        """What is wrong after a kill and after the same command once more; empty if nothing is."""
        if self.before is not None:
            run = net2vec.open_run(place.run)
            nulls = run.arrays(task="segment").sizes.get("null", 0)
            same = self.wanted if nulls else Place(self.before).content()
            if place.content() != same or run.settings["nulls"] != nulls:
                return "neither the old results nor the new ones"
            if run.provenance["data"]["images"] != 14:
                return "provenance of another run"
        place.make(self.nulls)
        if place.content() != self.wanted:
            return "other results after the same command"
        return f"left: {left[0].name}" if (left := place.leftovers()) else ""


def scenarios(folder: Path) -> list[Scenario]:
    """Both scenarios, with the runs that they begin and end with in `folder`."""
    once, more = Place(folder / "once"), Place(folder / "more")
    imported = folder / "imported"

    def make() -> None:
        once.make()
        net2vec.open_run(once.run).arrays(task="segment")
        imported.write_text("\n".join(sys.modules))

    _must_succeed(make)
    for name in imported.read_text().split("\n"):
        with suppress(ImportError):
            importlib.import_module(name)
    shutil.copytree(once.folder, more.folder)
    _must_succeed(lambda: more.make(1))
    return [
        Scenario("a run", None, 0, once.content()),
        Scenario("nulls added", once.folder, 1, more.content()),
    ]


def count_operations(scenario: Scenario, folder: Path) -> int:
    """The number of file operations of a scenario that is not killed."""
    place = scenario.prepare(folder)
    counted = folder / "operations"

    def count() -> None:
        seen: list[str] = []
        _watch(folder, seen.append)
        place.make(scenario.nulls)
        counted.write_text(json.dumps(len(seen)))

    _must_succeed(count)
    operations = int(json.loads(counted.read_text()))
    shutil.rmtree(folder)
    return operations


def kill_at(scenario: Scenario, operation: int, folder: Path) -> str:
    """Kill a scenario before one file operation; what is wrong then, empty if nothing is."""
    place = scenario.prepare(folder)
    told = folder.with_suffix(".txt")

    def killed() -> None:
        left = iter(range(operation))
        _watch(folder, lambda _: next(left, None) is None and os.kill(os.getpid(), signal.SIGKILL))
        place.make(scenario.nulls)

    def again() -> None:
        told.write_text(scenario.check(place))

    status = _in_child(killed)
    if status not in (0, -signal.SIGKILL):
        return f"ended with {status} instead of being killed"
    status = _in_child(again, told)
    found = told.read_text() if told.exists() else ""
    shutil.rmtree(folder, ignore_errors=True)
    told.unlink(missing_ok=True)
    return found if status == 0 else f"afterwards: status {status} {found}"


def _watch(folder: Path, notify: Callable[[str], object]) -> None:
    """Call `notify` before each operation of this process that changes files in a folder."""
    inside = str(folder)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not (isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR)):
                return
        elif event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir"):
            path = arguments[0]
            if event == "os.remove" and arguments[-1] == -1 and not os.path.lexists(path):
                return
        else:
            return
        # Removing a tree names what is in a folder relative to the folder's descriptor.
        relative = event in ("os.remove", "os.rmdir") and arguments[-1] != -1
        if relative or str(path).startswith(inside):
            notify(f"{event} {path}")

    sys.addaudithook(hook)


def _in_child(work: Callable[[], object], told: Path | None = None) -> int:
    """Run a function in a child; its exit status, negative for a signal."""
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(_HANGS_AFTER_SECONDS)
            work()
            os._exit(0)
        except BaseException:
            if told is not None:
                told.write_text(traceback.format_exc())
            else:
                traceback.print_exc()
            os._exit(1)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _must_succeed(work: Callable[[], object]) -> None:
    status = _in_child(work)
    if status != 0:
        raise RuntimeError(f"a run that nothing disturbs ended with status {status}")


def run_kills(
    folder: Path, sample: int | None = None, processes: int = 1
) -> Iterator[tuple[str, int, int, str]]:
    """Kill every scenario before each file operation, or before some that are evenly spread.

    Yields:
        The scenario, the operation, the number of operations, and what was wrong.
    """
    context = multiprocessing.get_context("fork")
    for scenario in scenarios(folder):
        total = count_operations(scenario, folder / "count")
        chosen = range(total) if sample is None else sorted({
            round((place + 0.5) * total / sample) for place in range(sample)
        })  # fmt: skip
        with ProcessPoolExecutor(processes, context) as pool:
            folders = [folder / f"attempt {operation}" for operation in chosen]
            found = pool.map(kill_at, repeat(scenario), chosen, folders)
            for operation, wrong in zip(chosen, found, strict=True):
                yield scenario.name, operation, total, wrong


def main() -> None:
    """Print one line a failure, and the number of kills."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("kills", nargs="?", type=int, help="of each scenario; without it, all")
    options.add_argument("--processes", type=int, default=1)
    chosen = options.parse_args()
    begin, kills, failures = time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for name, operation, total, wrong in run_kills(
            Path(folder), chosen.kills, chosen.processes
        ):
            kills += 1
            if wrong:
                failures += 1
                print(f"{name}, operation {operation} of {total}: {wrong}", flush=True)
    print(f"{kills} kills, {failures} failures, {time.monotonic() - begin:.0f} s")


if __name__ == "__main__":
    main()
