"""What the converged fit costs beside the paper's, on a real network and rendered pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from measure import Line, alternate, threads
from net2vec.data import open_dataset
from net2vec.data.annotations import Annotations, compile_annotations
from net2vec.data.diorama.dataset import Diorama
from net2vec.kernels.sgd.logistic import concepts_in_block
from net2vec.networks import load_network
from net2vec.recording import LayerRecording, record
from net2vec.tasks.choice import choose_concepts
from net2vec.tasks.fits.converged_classification import classify_converged, concepts_together
from net2vec.tasks.fits.converged_segmentation import segment_converged
from net2vec.tasks.fits.paper_classification import classify_concepts
from net2vec.tasks.fits.paper_segmentation import segment_concept
from net2vec.tasks.samples import draw_sample
from speed.classification import PAPER as CLASSIFY
from speed.classification import SIZES as CLASSIFY_SIZES
from speed.segmentation import PAPER as SEGMENT
from speed.segmentation import SIZES as SEGMENT_SIZES

NETWORK, LAYERS = "efficientnet_lite0", ("blocks.4.1.bn1", "blocks.6.0.bn2")
_REACH = 2.0


def converged(*, small: bool, pairs: int) -> list[Line]:
    dataset = Diorama(60) if small else open_dataset("diorama")
    network = load_network(NETWORK)
    with tempfile.TemporaryDirectory() as folder:
        annotations = compile_annotations(dataset, (112, 112), Path(folder))
        recordings = record(network, dataset, LAYERS, quantile=0.005, batch=16)
        lines = []
        for layer, recording in recordings.items():
            for task, learn in (("segment", _segment), ("classify", _classify)):
                labels = choose_concepts(annotations, task, min_train=2 if small else 1).labels
                # Every so many concepts, all sizes of them.
                labels = labels[:2] if small else labels[::8]
                for sizes in ((), SEGMENT_SIZES if task == "segment" else CLASSIFY_SIZES[1:]):
                    work = partial(learn, recording, annotations, labels, sizes)
                    lines.append(_line(work, layer, task, labels, sizes, pairs))
        return lines


def _line(work, layer, task, labels, sizes, pairs) -> Line:
    with threads(1):
        found = alternate(partial(work, "converged"), partial(work, "paper"), pairs)
    ratio, seconds = found.median()
    ours, theirs = (
        np.mean([one.score[1] for one in some])
        for some in (found.our_result, found.their_result)
    )  # fmt: skip
    what = f"converged fit / the paper's, {task}{', with subsets' if sizes else ''}"
    size = f"{layer}, {len(labels)} concepts of the diorama"
    agreement = f"mean val score {ours:.3f} / {theirs:.3f}"
    return Line(what, size, 1 / ratio, _REACH, False, seconds, agreement, True)


def _segment(
    recording: LayerRecording,
    annotations: Annotations,
    labels: Sequence[int],
    sizes: Sequence[int],
    fit: str,
) -> list:
    learn = (
        segment_converged
        if fit == "converged"
        else partial(segment_concept, training=SEGMENT, seed=0)
    )
    return [
        # Which filter is the best one matters for its individual IoU alone.
        learn(recording, annotations, label, best_filter=0, subset_sizes=sizes)
        for label in labels
    ]


def _classify(
    recording: LayerRecording,
    annotations: Annotations,
    labels: Sequence[int],
    sizes: Sequence[int],
    fit: str,
) -> list:
    size = (
        concepts_together()
        if fit == "converged"
        else concepts_in_block(recording.filters, CLASSIFY.batch)
    )
    found = []
    for first in range(0, len(labels), size):
        block = labels[first : first + size]
        samples = [
            draw_sample(annotations, label, epochs=CLASSIFY.epochs, seed=0, dataset="random")
            for label in block
        ]
        if fit == "converged":
            found += classify_converged(recording, annotations, block, samples, subset_sizes=sizes)
        else:
            names = [annotations.names[label] for label in block]
            found += classify_concepts(
                recording, names, samples, subset_sizes=sizes, training=CLASSIFY, seed=0
            )
    return found
