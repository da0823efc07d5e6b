"""Learning to classify all concepts, with all filters and with 16 subset sizes."""

from __future__ import annotations

import numpy as np
import torch

import plain
import probes
from measure import Line, alternate, threads
from net2vec.kernels.sgd.logistic import concepts_in_block
from net2vec.recording import LayerRecording
from net2vec.tasks.chance import generator, start_vector
from net2vec.tasks.fits.paper_classification import classify_concepts
from net2vec.tasks.fits.training import Training
from net2vec.tasks.learned import ClassifiedConcept
from net2vec.tasks.samples import Sample, draw_sample

SIZES = (1, 2, 3, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 80, 100, 128)
PAPER = Training(learning_rate=0.1, momentum=0.9, batch=64, epochs=30, drop_after=15)
_SAMPLE = 30


def classification(*, small: bool, pairs: int) -> list[Line]:
    images = 200 if small else 60_000
    labels = probes.Labels(*(6, 4, 2) if small else (682, 507, 12))
    annotations = probes.random_annotations(images, labels, size=(8, 8))
    training = Training(0.1, 0.9, 64, 2, 1) if small else PAPER
    recording = _features(images)
    everything = list(range(1, len(annotations.names)))

    def work(label: int) -> int:
        rows = 2 * len(annotations.pairs(label, train=True))
        return min(rows, 2 * int(annotations.is_train.sum()) - rows)

    def sample_of(label: int) -> Sample:
        return draw_sample(annotations, label, epochs=training.epochs, seed=0, dataset="random")

    def ours() -> dict[int, ClassifiedConcept]:
        found = {}
        order = sorted(everything, key=lambda label: (-work(label), label))
        size = concepts_in_block(recording.filters, training.batch)
        for first in range(0, len(order), size):
            block = order[first : first + size]
            results = classify_concepts(
                recording,
                [annotations.names[label] for label in block],
                [sample_of(label) for label in block],
                subset_sizes=SIZES[1:],
                training=training,
                seed=0,
            )
            found.update(zip(block, results, strict=True))
        return found

    # The rarer half of the sample would cost the plain way hardly anything: every so many
    # concepts of the long tail, scaled by the number of steps.
    sample = sorted(everything, key=work)[:: max(1, len(everything) // _SAMPLE)]
    samples = {label: sample_of(label) for label in sample}

    def theirs() -> dict[int, tuple[torch.Tensor, list[torch.Tensor]]]:
        return {
            label: _plain(recording, annotations.names[label], samples[label], training)
            for label in sample
        }

    def steps(chosen: list[int]) -> int:
        return sum(-(-work(label) // training.batch) for label in chosen)

    with threads(1):
        found = alternate(ours, theirs, pairs, warm=small)
    ratio, seconds = found.median(steps(everything) / steps(sample))
    apart = max(
        float(np.abs(found.our_result[label].weight - weight.numpy()).max())
        for label, weight in found.their_result.items()
    )
    return [
        Line(
            "learning to classify, all concepts and 16 sizes",
            f"{images} x {recording.filters} features, {len(everything)} concepts, "
            f"{training.epochs} epochs",
            ratio,
            20,
            True,
            seconds,
            f"weights of {len(sample)} concepts to {apart:.1g}",
            apart <= 1e-4,
        )
    ]


def _features(images: int) -> LayerRecording:
    few = probes.random_recording(2)
    means = np.random.default_rng(3).gamma(2.0, 0.1, (images, few.filters)).astype(np.float32)
    return LayerRecording(**{**vars(few), "means": means})


def _plain(
    recording: LayerRecording, name: str, sample: Sample, training: Training
) -> torch.Tensor:
    """The vector with all filters; those of the subset sizes are learned and thrown away."""
    features = torch.from_numpy(recording.means)
    rows, targets = sample.draws.rows, sample.draws.positive.float()

    def fit(size: int, kept: torch.Tensor) -> torch.Tensor:
        start = start_vector(0, "classify", recording.layer, name, recording.filters, size)
        key = ("bias", "classify", recording.layer, name, size)
        bias = torch.tensor(generator(0, *key).uniform(0, 1), dtype=torch.float32)
        weight, _ = plain.fit_classifier(
            features,
            rows,
            targets,
            start,
            bias,
            kept,
            rates=training.rates,
            momentum=training.momentum,
            batch=training.batch,
        )
        return weight

    full = fit(recording.filters, torch.ones(recording.filters))
    order = torch.argsort(full.abs(), descending=True, stable=True)
    for size in SIZES:
        kept = torch.zeros(recording.filters)
        kept[order[:size]] = 1
        fit(size, kept)
    return full
