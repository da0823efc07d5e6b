"""The tables of docs/scale.md: what was measured, what the cost model says of it, and of more."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from cost_model import EPOCHS, GIB, LABELS, MASKS, TRAIN, Costs, Prediction, Size, predict

PAGE = Path(__file__).parents[1] / "docs" / "scale.md"
IMAGES, FILTERS = (63_000, 1_000_000, 100_000_000), (256, 2048, 32_768)
CONCEPTS, WORKERS = (1000, 20_000), (1, 8, 64, 512)
# The run that constants are taken from, and two that differ in filters alone.
REFERENCE, FEW_FILTERS, MANY_FILTERS = (20_000, 256), (5000, 256), (5000, 1024)
STAGES = ("single filters", "segment", "classify")
_UNITS = (("y", 31_536_000.0), ("d", 86_400.0), ("h", 3600.0), ("min", 60.0), ("s", 1.0))
_PREFIXES = (("PB", 1e15), ("TB", 1e12), ("GB", 1e9), ("MB", 1e6))

Facts = dict[str, Any]


def costs_of(facts: Facts) -> Costs:
    """The constants of the model, from what was measured."""
    runs = {(run["images"], run["filters"]): run for run in facts["runs"]}

    def seconds(size: tuple[int, int], stage: str) -> float:
        return float(runs[size]["stages"][stage]["processor"])

    images, filters = REFERENCE

    def by_filter(stage: str) -> float:
        """The seconds of an image that a filter more takes."""
        few, many = (seconds(size, stage) / size[0] for size in (FEW_FILTERS, MANY_FILTERS))
        return (many - few) / (MANY_FILTERS[1] - FEW_FILTERS[1])

    single, segment = by_filter("single filters"), by_filter("segment") / (TRAIN * MASKS)
    per_mask = seconds(REFERENCE, "segment") / (TRAIN * MASKS * images)
    largest = max(runs.values(), key=lambda run: int(run["images"]))
    return Costs(
        single=single,
        single_fixed=seconds(REFERENCE, "single filters") / images - single * filters,
        segment=segment,
        segment_fixed=per_mask - segment * filters,
        classify=seconds(REFERENCE, "classify") / (TRAIN * LABELS * images * filters),
        task=float(facts["tasks"]["wall"]),
        start_bytes=float(largest["start"]),
        work_bytes=max(stage["peak"] for stage in largest["stages"].values()) - largest["start"],
    )


def write_page(facts: Facts) -> None:
    """Replace the tables of the page."""
    costs = costs_of(facts)
    tables = {
        "constants": _constants(costs, facts),
        "runs": _runs(facts["runs"], costs),
        "predictions": _predictions(costs),
    }
    text = PAGE.read_text()
    for name, lines in tables.items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = marked.sub(lambda found, lines=lines: f"{found[1]}\n{lines}\n\n{found[2]}", text)
    PAGE.write_text(text)


def _constants(costs: Costs, facts: Facts) -> str:
    masked = costs.segment_fixed + 256 * costs.segment
    single = costs.single_fixed + 256 * costs.single
    tasks = facts["tasks"]
    return _table(
        ("what", "measured"),
        (
            (
                "single filters, an image, 256 filters",
                f"{single * 1e3:.2f} ms; {costs.single * 256 * 1e3:.2f} of them grow with filters",
            ),
            (
                f"segmentation, a training image of a concept, {EPOCHS} epochs, 256 filters",
                f"{masked * 1e3:.2f} ms; {costs.segment * 256 * 1e3:.2f} of them grow with filters",
            ),
            (
                f"classification, a training image of a concept and filter, {EPOCHS} epochs",
                f"{costs.classify * 1e6:.2f} us",
            ),
            (
                f"a task of Dask that does nothing, one of {tasks['count']:,}",
                f"{tasks['wall'] * 1e3:.2f} ms; {tasks['processor'] * 1e3:.2f} of them its own",
            ),
            ("memory of a process before it computes", _bytes(costs.start_bytes)),
            ("memory of two threads at work beside it", _bytes(costs.work_bytes)),
        ),
    )


def _runs(runs: Sequence[Facts], costs: Costs) -> str:
    rows = []
    for run in runs:
        found = predict(Size(run["images"], run["filters"], 1189), costs)
        cells = [f"{run['images']:,} x {run['filters']:,}"]
        for stage in STAGES:
            if stage in run["stages"]:
                seconds = run["stages"][stage]["processor"]
                cells.append(f"{seconds:.0f} / {found.seconds[stage]:.0f}")
            else:
                cells.append("not run")
        peaks = [stage["peak"] for stage in run["stages"].values()]
        cells += [_bytes(max(peaks)), f"{_bytes(run['disk'])} / {_bytes(found.disk)}"]
        rows.append(cells)
    heading = ("images x filters", *STAGES, "peak memory, measured", "disk")
    return _table(heading, rows)


def _predictions(costs: Costs) -> str:
    rows = []
    for images, filters, concepts in product(IMAGES, FILTERS, CONCEPTS):
        found = [predict(Size(images, filters, concepts, workers), costs) for workers in WORKERS]
        rows.append(
            (
                f"{images:,}",
                f"{filters:,}",
                f"{concepts:,}",
                *(_time(one.total) for one in found),
                _bytes(found[0].parent),
                _bytes(found[0].worker),
                _bytes(found[0].disk),
                _bytes(found[0].activations),
                f"{found[0].tasks:,}",
                _bottlenecks(found),
            )
        )
    heading = (
        "images", "filters", "concepts", *(f"{n} worker{'s' * (n > 1)}" for n in WORKERS), "parent",
        "worker", "disk", "activations", "tasks", "first bottleneck",
    )  # fmt: skip
    return _table(heading, rows)


def _bottlenecks(found: Sequence[Prediction]) -> str:
    """The bottleneck, or where it changes with the number of workers."""
    first, last = found[0].bottleneck, found[-1].bottleneck
    if first == last:
        return first
    begin = next(n for n, one in zip(WORKERS, found, strict=True) if one.bottleneck == last)
    return f"{first}; from {begin} workers {last}"


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _time(seconds: float) -> str:
    return next(
        (f"{seconds / size:.2g} {unit}" if seconds / size < 10 else f"{seconds / size:.0f} {unit}")
        for unit, size in (*_UNITS, ("s", 0.0001))
        if seconds >= size
    )


def _bytes(count: float) -> str:
    if count < 10 * GIB and count >= GIB / 10:
        return f"{count / GIB:.2f} GiB"
    unit, size = next((one for one in _PREFIXES if count >= one[1]), _PREFIXES[-1])
    return f"{count / size:.3g} {unit}"
