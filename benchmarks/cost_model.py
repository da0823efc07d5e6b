"""What a run costs at any size: time, memory, disk, tasks, and what is the first bottleneck.

The constants are measured by `scale.py` at one size; all else follows from the sizes of arrays and
the numbers of items. Activations are drawn at random, every image has twelve masks, and concepts
have a long tail, as in `probes.py`: the largest is in two fifths of all images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CELLS, QUANTILE, MASK_BYTES = 169, 0.005, 1597
MASKS, LABELS = 12, 13  # of an image
TRAIN, LARGEST = 0.7, 0.385  # shares of images: for training; with the largest concept
EPOCHS, SHARD_IMAGES, RECORDED_IMAGES, GROUP_IMAGES, BLOCK = 30, 256, 1024, 512, 4
MAX_POSITIONS = 2**32
GIB = 1 << 30
PARENT_BYTES, WORKER_BYTES = 64 * GIB, 4 * GIB  # machines that are easily had
BUS_BYTES = 2e9  # a second: adding a table in the parent, reading a shared disk
MAX_TASKS = 100_000


@dataclass(frozen=True)
class Costs:
    """Measured constants.

    Attributes:
        single: processor seconds of an image and filter in counting single filters.
        single_fixed: of an image, whatever the filters.
        segment: of a training image with a mask and a filter, in learning to segment.
        segment_fixed: of a training image with a mask, whatever the filters.
        classify: of a training image with a label and a filter, in learning to classify.
        task: seconds that the scheduler takes for a task.
        start_bytes: memory of a worker before it computes.
        work_bytes: memory of a worker at work, that beside.
    """

    single: float
    single_fixed: float
    segment: float
    segment_fixed: float
    classify: float
    task: float
    start_bytes: float
    work_bytes: float


@dataclass(frozen=True)
class Size:
    """The size of a run."""

    images: int
    filters: int
    concepts: int
    workers: int = 1


@dataclass(frozen=True)
class Prediction:
    """What a run costs after its pass over the images, with the paper's fit.

    Attributes:
        seconds: wall time by stage.
        parent, worker: bytes of memory.
        disk: bytes, without activations.
        activations: bytes on disk where a fit reads them.
        tasks: number of tasks.
        bottleneck: what limits it first.
    """

    seconds: Mapping[str, float]
    parent: float
    worker: float
    disk: float
    activations: float
    tasks: int
    bottleneck: str

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def predict(size: Size, costs: Costs) -> Prediction:
    """The costs of a run of a size."""
    images, filters = size.images, size.filters
    trained = TRAIN * MASKS * images
    per_mask = costs.segment_fixed + costs.segment * filters
    work = {
        "single filters": (costs.single_fixed + costs.single * filters) * images,
        "segment": per_mask * trained,
        "classify": costs.classify * filters * TRAIN * LABELS * images,
    }
    shards = -(-images // SHARD_IMAGES)
    # A group has 512 training images or one concept; classification takes four concepts together.
    groups = min(size.concepts, int(trained / GROUP_IMAGES) + 1)
    tasks = {
        "single filters": shards,
        "segment": groups,
        "classify": -(-size.concepts // BLOCK),
    }
    longest = {
        "single filters": work["single filters"] / shards,
        "segment": per_mask * TRAIN * LARGEST * images,
        "classify": BLOCK * costs.classify * filters * TRAIN * LARGEST * images,
    }
    table = 32 * size.concepts * filters  # two counts of both splits, in eight bytes
    merged = shards * table / BUS_BYTES
    ideal = {stage: work[stage] / size.workers for stage in work}
    seconds = {stage: max(ideal[stage], longest[stage]) for stage in work}
    seconds["single filters"] = max(seconds["single filters"], merged)
    overhead = costs.task * sum(tasks.values()) * (size.workers > 1)
    seconds["scheduler"] = max(0.0, overhead - sum(seconds.values()))
    kept = QUANTILE * CELLS * images * filters
    parent = costs.start_bytes + 36 * kept + 208 * images + 4 * images * filters + table
    worker = costs.start_bytes + costs.work_bytes + 2 * table
    all_tasks = sum(tasks.values()) + -(-images // RECORDED_IMAGES)
    return Prediction(
        seconds,
        parent,
        worker,
        images * (MASKS * MASK_BYTES + 16 * LABELS + 4 * filters) + 4 * kept,
        2.0 * CELLS * images * filters,
        all_tasks,
        _bottleneck(
            size,
            parent,
            worker,
            all_tasks,
            {
                "processors": sum(ideal.values()),
                "concept": longest["segment"] + longest["classify"],
                "merge": merged,
                "scheduler": overhead,
            },
        ),
    )


def _bottleneck(
    size: Size,
    parent: float,
    worker: float,
    tasks: int,
    seconds: Mapping[str, float],
) -> str:
    """What is refused or does not fit, or else what takes most of the time."""
    if size.images * CELLS > MAX_POSITIONS:
        return "positions"
    if parent > PARENT_BYTES:
        return "parent"
    if worker > WORKER_BYTES:
        return "table"
    if tasks > MAX_TASKS:
        return "tasks"
    return max(seconds, key=lambda part: seconds[part])
