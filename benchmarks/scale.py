"""Costs at growing sizes, and what they predict: `python benchmarks/scale.py WHAT`.

    measure IMAGES[xFILTERS] ...   everything after the pass, in a process of its own for each size
    tasks [COUNT]                  what a task costs the scheduler, by tasks that do nothing
    page                           the tables of docs/scale.md, from what was measured

What is measured is kept in `benchmarks/scale.json`. Recordings and masks are drawn at random, 12
masks an image as in `broden.py`, and lie on disk in the folder `SCALE_FOLDER` or a temporary one.
The pass of the network over the images is not included.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import torch

import probes
from measure import PeakMemory, threads
from net2vec.core.dask_executor import DaskExecutor, connected
from net2vec.core.executors import ThreadExecutor, map_items
from net2vec.recording.layer import load_recording, save_recording
from net2vec.tasks.choice import choose_concepts
from net2vec.tasks.concept import ConceptTask
from net2vec.tasks.fits.base import FitData
from net2vec.tasks.fits.paper import PaperFit
from net2vec.tasks.kinds import TASKS
from net2vec.tasks.single import count_single_filters
from scale_page import write_page
from speed.classification import PAPER as CLASSIFY
from speed.whole import SEGMENT

FACTS = Path(__file__).with_suffix(".json")
CONCEPTS = probes.Labels(682, 507, 12)
WORKERS = 2
TASK_COUNT = 100_000


def main() -> None:
    """Do what the command line says."""
    match sys.argv[1:]:
        case ["measure", *sizes] if sizes:
            for size in sizes:
                _keep("runs", _measured(*_numbers(size)))
        case ["tasks", *count]:
            _keep("tasks", task_seconds(int(count[0]) if count else TASK_COUNT))
        case ["page"]:
            write_page(json.loads(FACTS.read_text()))
        case ["_draw", size, folder]:
            draw(*_numbers(size), Path(folder))
        case ["_run", folder]:
            print(json.dumps(run(Path(folder))))
        case _:
            sys.exit(__doc__)


def draw(images: int, filters: int, folder: Path) -> None:
    """Write a random recording and random annotations."""
    save_recording(probes.random_recording(images, filters=filters), folder / "layer.npz")
    probes.save_annotations(probes.random_annotations(images, CONCEPTS), folder)


def run(folder: Path) -> dict[str, object]:
    """Processor seconds, wall seconds and peak memory of each stage on what is in a folder."""
    started = _memory()
    recording = load_recording(folder / "layer.npz")
    annotations = probes.load_annotations(folder)
    if recording is None:
        raise FileNotFoundError(folder)
    data = FitData(recording, annotations, "random", torch.device("cpu"))
    fit, executor = PaperFit(SEGMENT, CLASSIFY), ThreadExecutor(WORKERS)
    best: dict[int, int] = {}
    stages: dict[str, dict[str, float]] = {}

    def count() -> None:
        labels = choose_concepts(annotations, "segment").labels
        counts = count_single_filters(recording, annotations, labels, executor=executor)
        best.update(zip(labels, counts.best_filter.tolist(), strict=True))

    def learn(task: str) -> None:
        (kind,) = (one for one in TASKS if one.name == task)
        labels = choose_concepts(annotations, task).labels
        work = {label: len(annotations.pairs(label, train=True)) for label in labels}

        def learn_group(group: tuple[int, ...]) -> None:
            concepts = [ConceptTask(annotations, label, best.get(label, 0)) for label in group]
            kind.learn(fit, data, concepts, ())

        for _ in map_items(executor, learn_group, fit.groups(data, task, work)):
            pass

    def measured(name: str, work: Callable[[], None]) -> None:
        wall, processor = time.perf_counter(), time.process_time()
        with PeakMemory() as memory:
            work()
        stages[name] = {
            "processor": time.process_time() - processor,
            "wall": time.perf_counter() - wall,
            "peak": memory.bytes,
        }
        print(images, name, stages[name], file=sys.stderr)

    images = len(recording.means)
    with threads(1):
        measured("single filters", count)
        measured("segment", lambda: learn("segment"))
        measured("classify", lambda: learn("classify"))
    disk = sum(path.stat().st_size for path in folder.iterdir())
    return {
        "images": images,
        "filters": recording.filters,
        "threads": WORKERS,
        "start": started,
        "stages": stages,
        "disk": disk,
    }


def task_seconds(count: int) -> dict[str, float]:
    """What a task costs that does nothing, by worker processes of this machine."""
    with (
        tempfile.TemporaryDirectory() as folder,
        connected(f"local:{WORKERS}", None) as client,
        closing(DaskExecutor(client, Path(folder), print)) as executor,
    ):
        for tasks in (WORKERS, count):  # the first are loaded
            begun, processor = time.perf_counter(), time.process_time()
            for _ in map_items(executor, abs, dict.fromkeys(range(tasks), 1.0)):
                pass
        wall, processor = time.perf_counter() - begun, time.process_time() - processor
    return {"count": count, "wall": wall / count, "processor": processor / count}


def _measured(images: int, filters: int) -> dict[str, object]:
    """What `run` says of a size, in a process that has drawn nothing."""
    size = f"{images}x{filters}"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.get("SCALE_FOLDER", temporary)) / size
        if not folder.exists():
            folder.mkdir(parents=True)
            _child("_draw", size, str(folder))
        found: dict[str, object] = json.loads(_child("_run", str(folder)))
    return found


def _child(*arguments: str) -> str:
    command = (sys.executable, __file__, *arguments)
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _keep(name: str, value: dict[str, object] | dict[str, float]) -> None:
    """Add what was measured to the file; a run takes the place of one of the same size."""
    facts = json.loads(FACTS.read_text()) if FACTS.exists() else {"runs": []}
    if name == "runs":
        size = (value["images"], value["filters"])
        others = [one for one in facts["runs"] if (one["images"], one["filters"]) != size]
        value = sorted([*others, value], key=lambda one: (one["filters"], one["images"]))
    facts[name] = value
    FACTS.write_text(json.dumps(facts, indent=1) + "\n")


def _numbers(size: str) -> tuple[int, int]:
    images, _, filters = size.partition("x")
    return int(images), int(filters or probes.CONV5[0])


def _memory() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(dict(line.split(":", 1) for line in lines)["RssAnon"].split()[0]) * 1024


if __name__ == "__main__":
    main()
