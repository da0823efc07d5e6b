"""The same work on a CPU and on a GPU: `python benchmarks/devices.py [--images N] [--workers N]`.

A line of Markdown each: seconds on either device and how the results compare. Needs a GPU; says so
where there is none.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import probes
from measure import threads, timed
from net2vec.core.devices import repeatable
from net2vec.core.executors import ThreadExecutor, map_items
from net2vec.recording import record
from net2vec.recording.feeding import image_batches
from net2vec.tasks.choice import choose_concepts
from net2vec.tasks.concept import ConceptTask
from net2vec.tasks.fits.converged_classification import classify_converged
from net2vec.tasks.fits.converged_segmentation import segment_converged
from net2vec.tasks.fits.paper_classification import classify_concepts
from net2vec.tasks.fits.paper_segmentation import segment_concepts
from net2vec.tasks.samples import draw_sample
from speed.recording import LAYERS, Pictures, alexnet
from speed.whole import CLASSIFY, SEGMENT, everything_after

_BATCH = {"cpu": 16, "cuda": 256}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    if not torch.cuda.is_available():
        print("there is no GPU here: nothing to compare", file=sys.stderr)
        return 2
    with repeatable(torch.device("cuda")):
        _compare(asked.images, asked.workers)
    return 0


def _compare(images: int, workers: int) -> None:
    print(f"{torch.cuda.get_device_name()}, {workers} threads", flush=True)
    print("| what | CPU s | GPU s | agreement |\n| --- | --- | --- | --- |", flush=True)
    _pass(images, workers)
    recording = probes.random_recording(images)
    annotations = probes.random_annotations(images)
    labels = choose_concepts(annotations, "segment").labels
    labels.sort(key=lambda label: -len(annotations.pairs(label, train=True)))
    few = labels[:: max(1, len(labels) // 32)]
    names = [annotations.names[label] for label in few]
    samples = [
        draw_sample(annotations, label, epochs=CLASSIFY.epochs, seed=0, dataset="") for label in few
    ]

    def segment(device: str) -> list[Any]:
        concepts = [ConceptTask(annotations, label) for label in few]
        return segment_concepts(
            recording, concepts, subset_sizes=(), training=SEGMENT, device=device
        )

    def converge(device: str) -> list[Any]:
        def one(label: int) -> Any:
            return segment_converged(
                recording, annotations, label, best_filter=0, subset_sizes=(), device=device
            )

        found = dict(map_items(ThreadExecutor(workers), one, dict.fromkeys(few, 1)))
        return [found[label] for label in few]

    def classify(device: str) -> list[Any]:
        return classify_concepts(
            recording, names, samples, subset_sizes=(10,), training=CLASSIFY, seed=0, device=device
        )

    def converge_classify(device: str) -> list[Any]:
        return classify_converged(
            recording, annotations, few, samples, subset_sizes=(10,), device=device
        )

    _both(f"segment {len(few)} concepts", segment)
    _both(f"segment {len(few)} concepts, converged", converge)
    _both(f"classify {len(few)} concepts", classify)
    _both(f"classify {len(few)} concepts, converged", converge_classify)
    stages: dict[str, dict[str, float]] = {}
    # A run learns on three threads beside a GPU.
    for device, threads_there in (("cpu", workers), ("cuda", min(3, workers))):
        stages[device] = everything_after(
            recording, annotations, device=device, workers=threads_there
        )
    for stage in stages["cpu"]:
        print(f"| all: {stage} | {stages['cpu'][stage]:.3g} | {stages['cuda'][stage]:.3g} | |")


def _pass(images: int, workers: int) -> None:
    """The bare pass, and the pass with recording, of pictures in memory."""
    pictures = Pictures(images)
    seconds: dict[tuple[str, str], float] = {}
    found = {}
    for device in ("cpu", "cuda"):
        network = alexnet()
        network.module.to(device)
        batch = _BATCH[device]
        bare = network.module.features[:12]

        def forward(
            bare: Any = bare, batch: int = batch, device: str = device, network: Any = network
        ) -> None:
            with torch.inference_mode():
                for _, some in image_batches(network, pictures, range(images), batch, workers):
                    bare(some.to(device))
            if device == "cuda":
                torch.cuda.synchronize()

        def recorded(network: Any = network, batch: int = batch, device: str = device) -> Any:
            return record(
                network, pictures, LAYERS, quantile=probes.QUANTILE, batch=batch, device=device,
                workers=workers,
            )  # fmt: skip

        with threads(workers):
            if device == "cuda":  # the first calls load kernels
                forward()
                recorded()
            seconds["bare pass", device], _ = timed(forward)
            seconds["pass with recording", device], found[device] = timed(recorded)
    one, other = found["cpu"], found["cuda"]
    apart = max(
        float(np.abs(one[layer].threshold - other[layer].threshold).max())
        / float(one[layer].threshold.max())
        for layer in LAYERS
    )
    for what in ("bare pass", "pass with recording"):
        agreement = f"thresholds to {apart:.1g}" if what != "bare pass" else ""
        cells = (f"{seconds[what, device]:.3g}" for device in ("cpu", "cuda"))
        print(f"| {what}, {images} images | {' | '.join(cells)} | {agreement} |", flush=True)


def _both(what: str, work: Callable[[str], list[Any]]) -> None:
    seconds, found = {}, {}
    work("cuda")  # the first call loads kernels
    for device in ("cpu", "cuda"):
        seconds[device], found[device] = timed(lambda device=device: work(device))
    again = work("cuda")
    weights = {device: np.stack([one.weight for one in found[device]]) for device in found}
    apart = float(np.abs(weights["cpu"] - weights["cuda"]).max() / np.abs(weights["cpu"]).max())
    scores = max(
        float(np.abs(one.score - other.score).max())
        for one, other in zip(found["cpu"], found["cuda"], strict=True)
    )
    same = all(
        np.array_equal(one.weight, other.weight)
        for one, other in zip(found["cuda"], again, strict=True)
    )
    told = f"weights to {apart:.1g}, scores to {scores:.1g}, again {'equal' if same else 'DIFFER'}"
    print(f"| {what} | {seconds['cpu']:.3g} | {seconds['cuda']:.3g} | {told} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
