"""Everything after the forward pass, against the pass, and how it grows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

import probes
from measure import Line, alternate, threads, timed
from net2vec.core.executors import ProcessExecutor, ThreadExecutor, map_items, pack_by_cost
from net2vec.data.annotations import Annotations
from net2vec.kernels.sgd.logistic import concepts_in_block
from net2vec.recording import LayerRecording, record
from net2vec.tasks.choice import choose_concepts
from net2vec.tasks.concept import ConceptTask
from net2vec.tasks.fits.paper_classification import classify_concepts
from net2vec.tasks.fits.paper_segmentation import segment_concepts, training_images_per_group
from net2vec.tasks.fits.training import Training
from net2vec.tasks.samples import draw_sample
from net2vec.tasks.single import count_single_filters
from speed.classification import PAPER as CLASSIFY
from speed.recording import BATCH, LAYERS, Pictures, alexnet, forward

SEGMENT = Training(learning_rate=1e-4, momentum=0.9, batch=64, epochs=30)
WORKERS = min(2, os.cpu_count() or 1)


def everything_after(
    recording: LayerRecording,
    annotations: Annotations,
    progress: Callable[[str, int, int], object] = lambda stage, done, total: None,
    device: str = "cpu",
    workers: int = WORKERS,
) -> dict[str, float]:
    """Single filters and all vectors of both tasks, all filters; seconds by stage."""
    seconds = {}
    labels = choose_concepts(annotations, "segment").labels
    seconds["single filters"], counts = timed(
        lambda: count_single_filters(
            recording, annotations, labels, device=device, executor=ThreadExecutor(workers)
        )
    )
    best = dict(zip(labels, counts.best_filter.tolist(), strict=True))

    def segment(labels: tuple[int, ...]) -> object:
        asked = [ConceptTask(annotations, label, best[label]) for label in labels]
        return segment_concepts(recording, asked, subset_sizes=(), training=SEGMENT, device=device)

    images = {label: len(annotations.pairs(label, train=True)) for label in labels}
    groups = pack_by_cost(images, training_images_per_group(recording, annotations, device))
    # As a run does, but for two workers: processes that have to be started are no steady ratio.
    executor = ProcessExecutor if device == "cpu" and workers > 2 else ThreadExecutor
    seconds["segment"], _ = timed(
        lambda: _drain(
            map_items(executor(workers), segment, groups), "segment", len(groups), progress
        )
    )
    chosen = choose_concepts(annotations, "classify").labels
    chosen.sort(key=lambda label: -len(annotations.pairs(label, train=True)))
    size = concepts_in_block(recording.filters, CLASSIFY.batch, device)
    blocks = [tuple(chosen[first : first + size]) for first in range(0, len(chosen), size)]

    def classify(block: tuple[int, ...]) -> object:
        samples = [
            draw_sample(annotations, label, epochs=CLASSIFY.epochs, seed=0, dataset="random")
            for label in block
        ]
        names = [annotations.names[label] for label in block]
        return classify_concepts(
            recording,
            names,
            samples,
            subset_sizes=(),
            training=CLASSIFY,
            seed=0,
            device=device,
        )

    seconds["classify"], _ = timed(
        lambda: _drain(
            map_items(ThreadExecutor(workers), classify, dict.fromkeys(blocks, 1)),
            "classify",
            len(blocks),
            progress,
        )
    )
    return seconds


def _drain(
    results: Iterable[object], stage: str, total: int, progress: Callable[[str, int, int], object]
) -> None:
    for done, _ in enumerate(results, start=1):
        progress(stage, done, total)


def everything(*, small: bool, pairs: int) -> list[Line]:
    images = 40 if small else 5000
    labels = probes.Labels(*(5, 3, 8) if small else (682, 507, 8))
    recording, annotations = (
        probes.random_recording(images),
        probes.random_annotations(images, labels),
    )
    pictures, network = Pictures(images), alexnet()

    def after() -> dict[str, float]:
        stages = everything_after(recording, annotations)
        # What recording conv5 adds to the pass counts as well: `record` less the bare pass.
        with_recording, _ = timed(
            lambda: record(network, pictures, LAYERS[-1:], quantile=0.005, batch=BATCH)
        )
        return {"pass with recording": with_recording, **stages}

    seconds = []
    with threads(WORKERS):
        for _ in range(pairs):
            stages = after()
            bare, _ = timed(lambda: forward(network, pictures))
            recorded = max(stages.pop("pass with recording") - bare, 0.0)
            seconds.append(
                (recorded + sum(stages.values()), bare, {"recording": recorded, **stages})
            )
    seconds.sort(key=lambda item: item[0] / item[1])
    ours, bare, stages = seconds[len(seconds) // 2]
    told = ", ".join(f"{name} {value:.2g} s" for name, value in stages.items())
    size = f"{images} images, conv5, {WORKERS} threads"
    what = "everything after the forward pass / the pass"
    return [Line(what, size, ours / bare, 1.0, False, (ours, bare), told, True)]


def growth(*, small: bool, pairs: int) -> list[Line]:
    few = 40 if small else 2000
    labels = probes.Labels(*(5, 3, 8) if small else (682, 507, 8))
    probed = {
        images: (probes.random_recording(images), probes.random_annotations(images, labels))
        for images in (few, 4 * few)
    }
    with threads(WORKERS):
        found = alternate(
            lambda: everything_after(*probed[4 * few]),
            lambda: everything_after(*probed[few]),
            pairs,
        )
    ratio, seconds = found.median()
    # So few images are all fixed cost: there is no growth to judge.
    reach = 100.0 if small else 4.4
    size = f"{4 * few} images against {few}"
    return [Line("growth of the same", size, 1 / ratio, reach, False, seconds, "", True)]
