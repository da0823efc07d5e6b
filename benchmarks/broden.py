"""Everything after the forward pass at Broden's scale: `python benchmarks/broden.py [SHARE]`.

63,305 images (or a share of them), conv5 of AlexNet, 12 pixel concepts an image of 682 with a long
tail and 1,189 concepts in all; recorded activations are drawn at random. Prints seconds by stage,
peak memory and what a plain implementation would take at its rate measured here.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

import plain
import probes
from measure import PeakMemory, threads, timed
from net2vec.data.annotations import Annotations
from net2vec.recording import LayerRecording
from speed.whole import SEGMENT, everything_after

IMAGES = 63_305


class Remaining:
    """Says on one line how far a stage is and how long it will take."""

    def __init__(self) -> None:
        self._stage, self._begun, self._said = "", 0.0, 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if stage != self._stage:
            self._stage, self._begun = stage, now
        if now - self._said > 5 or done == total:
            self._said = now
            left = (now - self._begun) * (total - done) / max(done, 1)
            print(f"\r{stage}: {done} of {total}, {left:.0f} s left   ", end="", file=sys.stderr)
            if done == total:
                print(file=sys.stderr)


def plain_rate(recording: LayerRecording, annotations: Annotations) -> tuple[float, float]:
    """Seconds an image and epoch of segmentation, and an image of single filters, the plain way."""
    label = int(np.argmax(np.diff(annotations.starts)[: int(annotations.has_pixels.sum())]))
    pairs = annotations.pairs(label, train=True)[:128]
    maps = recording.maps(annotations.image[pairs]).dense().float()
    masks = torch.from_numpy(annotations.masks_of(pairs)).float()
    start = torch.zeros(recording.filters)
    epochs = 5
    learning, _ = timed(
        lambda: plain.fit_segmentation(
            maps,
            masks,
            start,
            alpha=0.9,
            learning_rate=SEGMENT.learning_rate,
            momentum=SEGMENT.momentum,
            batch=SEGMENT.batch,
            epochs=epochs,
        )
    )
    counting, _ = timed(lambda: plain.filter_counts(maps, masks))
    return learning / (len(pairs) * epochs), counting / len(pairs)


def main(share: float) -> None:
    images = round(IMAGES * share)
    recording = probes.random_recording(images)
    annotations = probes.random_annotations(images, probes.Labels(682, 507, 12))
    with tempfile.TemporaryDirectory() as folder:
        # In a run the masks are on disk too.
        path = Path(folder) / "masks.npy"
        np.save(path, annotations.masks)
        masks = np.load(path, mmap_mode="r")
        _run(images, recording, replace(annotations, masks=masks))


def _run(images: int, recording: LayerRecording, annotations: Annotations) -> None:
    workers = min(2, os.cpu_count() or 1)
    with threads(workers):
        with PeakMemory() as memory:
            seconds = everything_after(recording, annotations, Remaining())
        learning, counting = plain_rate(recording, annotations)
    rows = np.diff(annotations.starts)[annotations.has_pixels]
    train = sum(
        len(annotations.pairs(label, train=True))
        for label in np.flatnonzero(annotations.has_pixels)
    )
    disk = sum(array.nbytes for array in (annotations.masks, recording.filter, recording.cell))
    disk += recording.means.nbytes
    print(f"{images} images, {int(rows.sum())} masks of {len(rows)} concepts, {workers} threads")
    for stage, value in seconds.items():
        print(f"{stage}: {value:.1f} s")
    print(f"together: {sum(seconds.values()):.1f} s")
    print(f"peak memory: {memory.bytes / 2**30:.2f} GiB; disk: {disk / 1e9:.2f} GB")
    plainly = train * SEGMENT.epochs * learning
    singles = int(rows.sum()) * counting
    print(
        f"the plain way, at {learning * 1e6:.0f} us an image and epoch and {counting * 1e3:.1f} ms "
        f"an image and concept: segment {plainly:.0f} s, single filters {singles:.0f} s"
    )


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 1.0)
