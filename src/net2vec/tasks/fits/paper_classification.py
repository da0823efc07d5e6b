"""The paper's training to classify: SGD on the log loss of balanced images.

Source: paper, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from net2vec.core.chance import generator
from net2vec.kernels.sgd.logistic import fit_logistic, largest_weights
from net2vec.recording import LayerRecording
from net2vec.tasks.chance import start_vector
from net2vec.tasks.fits.training import Training
from net2vec.tasks.learned import ClassifiedConcept
from net2vec.tasks.samples import Sample

TASK = "classify"


def classify_concepts(
    recording: LayerRecording,
    names: Sequence[str],
    samples: Sequence[Sample],
    *,
    subset_sizes: Sequence[int],
    training: Training,
    seed: int | Sequence[int],
    device: torch.device | str = "cpu",
) -> list[ClassifiedConcept]:
    """Learn to classify concepts with all filters of a layer, one filter and subsets of them.

    Args:
        recording: the layer.
        names: the concepts' names, which key their starts.
        samples: the concepts' images.
        subset_sizes: numbers of filters, above 1, to learn again with: those of largest absolute
            weight.
        training: how to learn.
        seed: the seed of the starts, or that of each concept.
        device: where to learn.
    """
    seeds = [seed] * len(names) if isinstance(seed, int) else seed
    filters = recording.filters
    features = recording.features(device)
    sizes = [1, *subset_sizes]
    draws = [sample.draws for sample in samples]

    def learn(
        used: Sequence[int], choices: Bool[Tensor, "concept filter vector"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        starts = [
            [_start(own, recording, name, size) for size in used]
            for own, name in zip(seeds, names, strict=True)
        ]
        start = torch.stack([torch.stack([w for w, _ in row], 1) for row in starts])
        bias = torch.tensor([[b for _, b in row] for row in starts], dtype=torch.float32)
        start = start * choices
        weight, bias = fit_logistic(
            features,
            draws,
            start.to(device),
            bias.to(device),
            choices.to(device),
            batch=training.batch,
            rates=training.rates,
            momentum=training.momentum,
        )
        return start, weight, bias

    all_filters = torch.ones(len(names), filters, 1, dtype=torch.bool)
    start, full, full_bias = learn([filters], all_filters)
    weight = full[:, :, 0].cpu()
    choices = torch.stack([largest_weights(weight, min(size, filters)) for size in sizes], 2)
    _, smaller, smaller_bias = learn(sizes, choices)
    moved = (weight - start[:, :, 0]).norm(dim=1) / start[:, :, 0].norm(dim=1)
    return [
        ClassifiedConcept.of(
            features,
            sample,
            torch.cat([full[place], smaller[place]], 1),
            torch.cat([full_bias[place], smaller_bias[place]]),
            best_filter=int(torch.argmax(choices[place, :, 0].int())),
            subsets=len(subset_sizes),
            start_distance=float(moved[place]),
        )
        for place, sample in enumerate(samples)
    ]


def _start(
    seed: int, recording: LayerRecording, name: str, used: int
) -> tuple[Float[Tensor, "filter"], float]:
    weight = start_vector(seed, TASK, recording.layer, name, recording.filters, used)
    bias = generator(seed, "bias", TASK, recording.layer, name, used).uniform(0, 1)
    return weight, float(bias)
