"""Classifying a concept: by all filters, by subsets of them, by a single one.

Source: paper, section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from net2vec.data.annotations import Annotations
from net2vec.kernels.sgd.logistic import (
    Draws,
    fit_logistic,
    largest_weights,
    right_side,
    share_right,
)
from net2vec.recording import LayerRecording
from net2vec.tasks.chance import generator, start_vector
from net2vec.tasks.fits.training import Training

TASK = "classify"


@dataclass(frozen=True)
class Sample:
    """The images that one concept is learned and judged on; as many with it as without.

    Attributes:
        draws: the rows of every epoch.
        rows, positive: by split (train, val) the images of its scores.
    """

    draws: Draws
    rows: tuple[Int[Tensor, "train_row"], Int[Tensor, "val_row"]]
    positive: tuple[Bool[Tensor, "train_row"], Bool[Tensor, "val_row"]]


def draw_sample(
    annotations: Annotations, label: int, *, epochs: int, seed: int, dataset: str
) -> Sample:
    """Draw a concept's images, keyed by seed, dataset and concept alone.

    All of the smaller side are taken and as many of the other are drawn without replacement:
    afresh for each epoch and then shuffled, once for each score.

    Args:
        annotations: who contains what.
        label: the concept.
        epochs: passes to draw for.
        seed: the run's seed.
        dataset: the dataset's digest.
    """
    name = annotations.names[label]
    sides = []
    for train in (True, False):
        inside = annotations.image[annotations.pairs(label, train=train)].astype(np.int64)
        is_outside = annotations.is_train == train
        is_outside[inside] = False
        sides.append((inside, np.flatnonzero(is_outside)))
    draws = _balanced(sides[0], generator(seed, "epochs", dataset, name), epochs, shuffled=True)
    scored = [
        _balanced(side, generator(seed, split, dataset, name), 1, shuffled=False)
        for split, side in zip(("train", "val"), sides, strict=True)
    ]
    return Sample(
        draws,
        rows=(scored[0].rows[0], scored[1].rows[0]),
        positive=(scored[0].positive[0], scored[1].positive[0]),
    )


def _balanced(
    sides: Sequence[Int[np.ndarray, "_"]], draw: np.random.Generator, times: int, *, shuffled: bool
) -> Draws:
    size = min(len(side) for side in sides)
    rows = np.empty((times, 2 * size), dtype=np.int64)
    order = np.tile(np.arange(2 * size), (times, 1))
    for time in range(times):
        for side, place in zip(sides, (slice(size), slice(size, None)), strict=True):
            whole = len(side) == size
            rows[time, place] = side if whole else draw.choice(side, size, replace=False)
        if shuffled:
            draw.shuffle(order[time])
    rows = np.take_along_axis(rows, order, axis=1)
    return Draws(torch.from_numpy(rows), torch.from_numpy(order < size))


@dataclass(frozen=True)
class Classified:
    """What was learned of one concept on one layer.

    Attributes:
        weight, bias: the concept's vector (w) and bias (b).
        l2: strength of the L2 term; NaN in the paper's fit, which has none.
        start_distance: norm(w - w0) / norm(w0); NaN where there is no start.
        best_filter: the filter of the largest absolute weight.
        score: accuracy by split (train, val).
        single_score: the same, learned again with the best filter alone.
        subset_weight, subset_bias, subset_score: the same for every subset size.
        path_weight, path_bias, path_score: the same for every subset size, with filters chosen by
            an L1 path; of length 0 in the paper's fit.
        trial_image, trial_positive: the balanced validation set that the scores are taken on, as
            images of the dataset, and whether each contains the concept.
        trial_correct: which of them fall on the right side, by method (the single filter, the
            combination).
        subset_trial_correct, path_trial_correct: the same by subset size.
    """

    weight: Float[np.ndarray, "filter"]
    bias: float
    l2: float
    start_distance: float
    best_filter: int
    score: Float[np.ndarray, "split"]
    single_score: Float[np.ndarray, "split"]
    subset_weight: Float[np.ndarray, "subset filter"]
    subset_bias: Float[np.ndarray, "subset"]
    subset_score: Float[np.ndarray, "split subset"]
    path_weight: Float[np.ndarray, "path filter"]
    path_bias: Float[np.ndarray, "path"]
    path_score: Float[np.ndarray, "split path"]
    trial_image: Int[np.ndarray, "trial"]
    trial_positive: Bool[np.ndarray, "trial"]
    trial_correct: Bool[np.ndarray, "method trial"]
    subset_trial_correct: Bool[np.ndarray, "subset trial"]
    path_trial_correct: Bool[np.ndarray, "path trial"]

    @classmethod
    def of(
        cls,
        features: Float[Tensor, "image filter"],
        sample: Sample,
        weight: Float[Tensor, "filter vector"],
        bias: Float[Tensor, "vector"],
        *,
        best_filter: int,
        subsets: int,
        l2: float = float("nan"),
        start_distance: float = float("nan"),
    ) -> Classified:
        """Learned vectors with the scores that they come to.

        Args:
            features: of all images, where the vectors are.
            sample: the concept's images.
            weight: learned on all filters, on the best one, on subsets of the largest weights, and
                on as many along an L1 path or on none.
            bias: likewise.
            best_filter: the best one.
            subsets: how many subsets there are.
            l2: strength of the L2 term.
            start_distance: norm(w - w0) / norm(w0).
        """
        device = features.device
        hits = [
            right_side(features, rows.to(device), positive.to(device), weight, bias)
            for rows, positive in zip(sample.rows, sample.positive, strict=True)
        ]
        score = torch.stack([share_right(hit) for hit in hits]).cpu().numpy()
        correct = hits[1].T.cpu().numpy()
        weights, biases = weight.T.cpu().numpy(), bias.cpu().numpy()
        subset, path = slice(2, 2 + subsets), slice(2 + subsets, None)
        return cls(
            weight=weights[0],
            bias=float(biases[0]),
            l2=l2,
            start_distance=start_distance,
            best_filter=best_filter,
            score=score[:, 0],
            single_score=score[:, 1],
            subset_weight=weights[subset],
            subset_bias=biases[subset],
            subset_score=score[:, subset],
            path_weight=weights[path],
            path_bias=biases[path],
            path_score=score[:, path],
            trial_image=sample.rows[1].numpy(),
            trial_positive=sample.positive[1].numpy(),
            trial_correct=correct[[1, 0]],
            subset_trial_correct=correct[subset],
            path_trial_correct=correct[path],
        )


def classify_concepts(
    recording: LayerRecording,
    names: Sequence[str],
    samples: Sequence[Sample],
    *,
    subset_sizes: Sequence[int],
    training: Training,
    seed: int,
    device: torch.device | str = "cpu",
) -> list[Classified]:
    """Learn to classify concepts with all filters of a layer, one filter and subsets of them.

    Args:
        recording: the layer.
        names: the concepts' names, which key their starts.
        samples: the concepts' images.
        subset_sizes: numbers of filters, above 1, to learn again with: those of largest absolute
            weight.
        training: how to learn.
        seed: the run's seed.
        device: where to learn.
    """
    filters = recording.filters
    features = torch.from_numpy(recording.means).to(device)
    sizes = [1, *subset_sizes]
    draws = [sample.draws for sample in samples]

    def learn(
        used: Sequence[int], kept: Bool[Tensor, "concept filter vector"]
    ) -> tuple[Tensor, Tensor, Tensor]:
        starts = [[_start(seed, recording, name, size) for size in used] for name in names]
        start = torch.stack([torch.stack([w for w, _ in row], 1) for row in starts])
        bias = torch.tensor([[b for _, b in row] for row in starts], dtype=torch.float32)
        start = start * kept
        weight, bias = fit_logistic(
            features,
            draws,
            start.to(device),
            bias.to(device),
            kept.to(device),
            batch=training.batch,
            rates=training.rates,
            momentum=training.momentum,
        )
        return start, weight, bias

    everything = torch.ones(len(names), filters, 1, dtype=torch.bool)
    start, full, full_bias = learn([filters], everything)
    weight = full[:, :, 0].cpu()
    kept = torch.stack([largest_weights(weight, min(size, filters)) for size in sizes], 2)
    _, smaller, smaller_bias = learn(sizes, kept)
    moved = (weight - start[:, :, 0]).norm(dim=1) / start[:, :, 0].norm(dim=1)
    return [
        Classified.of(
            features,
            sample,
            torch.cat([full[place], smaller[place]], 1),
            torch.cat([full_bias[place], smaller_bias[place]]),
            best_filter=int(torch.argmax(kept[place, :, 0].int())),
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
