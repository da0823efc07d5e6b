"""Learning to segment, and the sweep over subset sizes."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

import plain
import probes
from measure import Line, alternate, threads
from net2vec.core.executors import ThreadExecutor, map_items
from net2vec.kernels.geometry.strips import Strips
from net2vec.kernels.sgd.segmentation import SegmentationProblem, fit_segmentation
from net2vec.tasks.fits.paper_segmentation import segment_concept
from net2vec.tasks.fits.training import Training

SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 160, 192, 224)
PAPER = Training(learning_rate=1e-4, momentum=0.9, batch=64, epochs=30)


def learning(*, small: bool, pairs: int) -> list[Line]:
    images = 32 if small else 640
    filters, grid = probes.CONV5
    recording = probes.random_recording(images)
    rng = np.random.default_rng(2)
    maps = recording.maps(np.arange(images))
    packed = probes.random_masks(rng, images, probes.MASK)
    masks = torch.from_numpy(
        np.unpackbits(packed, axis=1, count=113 * 113, bitorder="little").reshape(-1, 113, 113)
    ).bool()
    start = torch.from_numpy(rng.uniform(-1 / 16, 1 / 16, filters).astype(np.float32))
    strips = Strips.of(grid, probes.MASK)
    dense, targets = maps.dense().float(), masks.float()
    alpha = 1 - float(targets.mean())
    settings = {
        "learning_rate": 1e-4,
        "momentum": 0.9,
        "epochs": 30,
    }

    def ours(_: int = 0) -> torch.Tensor:
        problem = SegmentationProblem(maps, strips, strips.pack(masks), 64, alpha)
        return fit_segmentation([problem], start[None], **settings)[0]

    def theirs() -> torch.Tensor:
        return plain.fit_segmentation(dense, targets, start, batch=64, alpha=alpha, **settings)

    lines = []
    for count in (1, 2):
        # A concept is learned on one thread; more threads learn as many concepts.
        concepts = range(count)
        with threads(count):
            found = alternate(
                lambda concepts=concepts: [
                    w
                    for _, w in map_items(
                        ThreadExecutor(len(concepts)), ours, dict.fromkeys(concepts, 1)
                    )
                ],
                lambda concepts=concepts: [theirs() for _ in concepts],
                pairs,
            )
        ratio, seconds = found.median()
        apart = float((found.our_result[0] - found.their_result[0]).abs().max())
        size = f"{images} images a concept, {filters} filters, 13x13 to 113x113, 30 epochs"
        what = f"learning to segment, {count} thread{'s' * (count > 1)}"
        agreement = f"weights to {apart:.1g}"
        lines.append(Line(what, size, ratio, 12, True, seconds, agreement, apart <= 1e-6))
    return lines


def sweep(*, small: bool, pairs: int) -> list[Line]:
    images = 60 if small else 920  # of which 70 % are for training
    recording = probes.random_recording(images)
    labels = probes.Labels(pixel=1, whole=0, an_image=1)
    annotations = probes.random_annotations(images, labels)
    learn = partial(
        segment_concept, recording, annotations, 1, best_filter=0, training=PAPER, seed=0
    )

    def run(sizes: tuple[int, ...]) -> object:
        with threads(1):
            return learn(subset_sizes=sizes)

    found = alternate(lambda: run(SIZES), lambda: run(()), pairs)
    ratio, seconds = found.median()
    same = bool(np.array_equal(found.our_result.weight, found.their_result.weight))
    agreement = "the full fit is the same to the bit" if same else "the full fit differs"
    agreement += f"; both together are {1 / ratio:.3g} fits"
    size = f"{int(annotations.is_train.sum())} training images, as above"
    line = Line(
        "11 subset sizes after the full fit / the full fit",
        size,
        1 / ratio - 1,
        6,
        False,
        (seconds[0] - seconds[1], seconds[1]),
        agreement,
        same,
    )
    return [line]
