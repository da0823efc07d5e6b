"""A run on a cluster whose workers and scheduler are killed at random moments.

A real scheduler and workers, processes connected by TCP, compute a small run; meanwhile workers are
killed by SIGKILL and replaced, and in the middle all of them with the scheduler. The tables must be
those of a run in threads, byte for byte. Beside, the cost of a task that does nothing.

    .venv/bin/python benchmarks/chaos.py [KILLS]
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from net2vec.core.dask_executor import DaskExecutor, connected
from net2vec.core.executors import map_items

WORKERS = 2
TASKS = 2000
PAUSE_SECONDS = (1.0, 6.0)
RUN = (
    "run", "--network", "efficientnet_lite0", "--data", "diorama:60", "--layers", "blocks.2.1.bn2",
    "--fit", "paper,lda", "--nulls", "19", "--subsets", "none",
)  # fmt: skip
COMPARED = ("scores.csv", "skipped.csv")


class Cluster:
    """A scheduler and workers, each a process that can be killed and started again."""

    def __init__(self, folder: Path, count: int = WORKERS) -> None:
        self.folder, self.count = folder, count
        self.file = folder / "scheduler.json"
        self.start()

    def start(self) -> None:
        """Start all."""
        self.scheduler = self._process("scheduler", "--host", "127.0.0.1", "--port", "0")
        while not self.file.exists():
            time.sleep(0.1)
        self.workers = [self._worker() for _ in range(self.count)]

    def kill_worker(self, number: int) -> None:
        """Kill a worker, and start another."""
        _kill(self.workers[number])
        self.workers[number] = self._worker()

    def kill_all(self) -> None:
        """Kill all."""
        for process in (self.scheduler, *self.workers):
            _kill(process)
        self.file.unlink(missing_ok=True)

    def _worker(self) -> subprocess.Popen[bytes]:
        return self._process("worker", "--nthreads", "1", "--no-nanny")

    def _process(self, kind: str, *options: str) -> subprocess.Popen[bytes]:
        file = ("--scheduler-file", str(self.file), "--no-dashboard")
        command = (sys.executable, "-m", f"distributed.cli.dask_{kind}", *file, *options)
        with (self.folder / f"{kind}.log").open("ab") as log:
            return subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)


def main() -> None:
    """Print a line of counts; exit with 1 if a table differs."""
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    drawn = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        net2vec = (sys.executable, "-m", "net2vec", *RUN, "--out")
        subprocess.run((*net2vec, folder / "threads"), check=True, stdout=subprocess.DEVNULL)
        cluster = Cluster(folder)
        os.environ["NET2VEC_CACHE"] = str(folder / "cache")  # annotations are compiled as well
        try:
            overhead = _overhead(cluster.file, folder)
            command = (*net2vec, str(folder / "cluster"), "--scheduler-file", str(cluster.file))
            sessions = killed = 0
            while not (folder / "cluster" / "provenance.json").exists() and sessions <= kills:
                sessions += 1
                run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
                while run.poll() is None:
                    time.sleep(drawn.uniform(*PAUSE_SECONDS))
                    if killed == kills // 2:
                        cluster.kill_all()
                        time.sleep(2)
                        cluster.start()
                    elif killed < kills:
                        cluster.kill_worker(drawn.randrange(WORKERS))
                    killed += killed < kills
        finally:
            cluster.kill_all()
        wrong = [
            table
            for table in COMPARED
            if (folder / "threads" / table).read_bytes()
            != (folder / "cluster" / table).read_bytes()
        ]
    print(
        f"{killed} kills, {sessions} sessions, {len(wrong)} of {len(COMPARED)} tables differ; "
        f"{overhead * 1000:.1f} ms a task"
    )
    sys.exit(bool(wrong))


def _overhead(scheduler_file: Path, folder: Path) -> float:
    """Seconds a task that does nothing."""
    with (
        connected(None, scheduler_file) as client,
        closing(DaskExecutor(client, folder, print)) as executor,
    ):
        for count in (WORKERS, TASKS):  # the first are loaded
            begin = time.perf_counter()
            list(map_items(executor, abs, dict.fromkeys(range(count), 1.0)))
    return (time.perf_counter() - begin) / TASKS


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


if __name__ == "__main__":
    main()
