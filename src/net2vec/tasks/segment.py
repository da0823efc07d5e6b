"""Segmenting a concept: by the best single filter, by all filters, by subsets of them.

Source: paper, section 3.1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from net2vec.data.annotations import Annotations
from net2vec.kernels.fit import SegmentationProblem, fit_side_by_side
from net2vec.kernels.logistic import largest_weights
from net2vec.kernels.overlap import Squares, iou, overlaps, touch
from net2vec.kernels.strips import Strips
from net2vec.kernels.upsample import upsampled_is_on
from net2vec.recording import LayerRecording
from net2vec.tasks.chance import start_vector
from net2vec.tasks.training import Training
from net2vec.tasks.workers import map_in_threads

TASK = "segment"
# Masks that are unpacked at a time.
_PORTION = 256
# Numbers held at a time while filters are counted.
_NUMBERS = 1 << 24


@dataclass(frozen=True)
class SingleCounts:
    """Pixels shared by every filter and concept, summed over the images that contain the concept.

    Attributes:
        labels: the concepts.
        intersection, union: by split (train, val), concept and filter.
    """

    labels: Sequence[int]
    intersection: Int[Tensor, "split concept filter"]
    union: Int[Tensor, "split concept filter"]

    @property
    def set_iou(self) -> Float[np.ndarray, "split concept filter"]:
        """Set IoU of every filter (paper, equation 1)."""
        return iou(self.intersection, self.union).numpy()

    @property
    def best_filter(self) -> Int[np.ndarray, "concept"]:
        """The filter of the highest set IoU on the training images, the lowest index on a tie."""
        best: Int[np.ndarray, "concept"] = np.argmax(self.set_iou[0], axis=1)
        return best


def count_single_filters(
    recording: LayerRecording,
    annotations: Annotations,
    labels: Sequence[int],
    *,
    workers: int = 1,
    progress: Callable[[int], object] = lambda images: None,
) -> SingleCounts:
    """Overlap of every filter with every concept: image by image, all filters and masks at once.

    Args:
        recording: the layer; it must have a grid.
        annotations: the masks.
        labels: the concepts.
        workers: threads; the counts are integers and do not depend on it.
        progress: called with the number of images done since the last call.
    """
    images = len(annotations.is_train)
    squares = Squares.of(_grid(recording), annotations.size)
    height, width = _grid(recording)
    per_image = recording.filters * height * width + squares.places * _concepts_per_image(
        annotations, labels
    )
    portion = max(1, min(_PORTION, int(_NUMBERS / per_image)))
    concept_of = np.full(len(annotations.names), -1)
    concept_of[np.asarray(labels, dtype=int)] = np.arange(len(labels))
    pairs = np.concatenate([annotations.pairs(label) for label in labels] or [np.zeros(0, int)])
    pairs = pairs[np.argsort(annotations.image[pairs], kind="stable")]
    label_of = np.repeat(np.arange(len(annotations.names)), np.diff(annotations.starts))
    bounds = np.searchsorted(annotations.image[pairs], np.arange(0, images + portion, portion))

    def count(number: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        chosen = pairs[bounds[number] : bounds[number + 1]]
        first = number * portion
        here = np.arange(first, min(first + portion, images))
        touched = touch(recording.maps(here).dense(), squares)
        masks = torch.from_numpy(annotations.masks_of(chosen)).flatten(1)
        image = torch.from_numpy(annotations.image[chosen].astype(np.int64) - first)
        area = torch.from_numpy(annotations.area[chosen].astype(np.int64))
        shared, own = overlaps(touched, masks, image, squares)
        split = torch.from_numpy(~annotations.is_train[annotations.image[chosen]]).long()
        concept = torch.from_numpy(concept_of[label_of[chosen]])
        return split, concept, shared, own[image] + area[:, None] - shared

    shape = (2 * len(labels), recording.filters)
    intersection = torch.zeros(shape, dtype=torch.int64)
    union = torch.zeros(shape, dtype=torch.int64)
    for number, (split, concept, shared, joined) in map_in_threads(
        count, range(len(bounds) - 1), workers
    ):
        row = split * len(labels) + concept
        intersection.index_add_(0, row, shared)
        union.index_add_(0, row, joined)
        progress(min(portion, images - number * portion))
    by_split = (2, len(labels), recording.filters)
    return SingleCounts(labels, intersection.view(by_split), union.view(by_split))


@dataclass(frozen=True)
class Segmented:
    """What was learned of one concept on one layer.

    A pixel is predicted where w . up(B) + bias > cut.

    Attributes:
        weight: the concept's vector (w).
        bias, cut: 0 in the paper's fit.
        l2: strength of the L2 term; NaN in the paper's fit, which has none.
        start_distance: norm(w - w0) / norm(w0); NaN where there is no start.
        score: set IoU by split (train, val).
        subset_weight, subset_bias, subset_cut, subset_score: the same for every subset size.
        path_weight, path_bias, path_cut, path_score: the same for every subset size, with filters
            chosen by an L1 path; of length 0 in the paper's fit.
        pairs: the images that contain the concept, as pairs of the annotations, ascending.
        pair_intersection, pair_union: pixels of the predicted and the true mask in each of them,
            by method (the best single filter, the combination).
    """

    weight: Float[np.ndarray, "filter"]
    bias: float
    cut: float
    l2: float
    start_distance: float
    score: Float[np.ndarray, "split"]
    subset_weight: Float[np.ndarray, "subset filter"]
    subset_bias: Float[np.ndarray, "subset"]
    subset_cut: Float[np.ndarray, "subset"]
    subset_score: Float[np.ndarray, "split subset"]
    path_weight: Float[np.ndarray, "path filter"]
    path_bias: Float[np.ndarray, "path"]
    path_cut: Float[np.ndarray, "path"]
    path_score: Float[np.ndarray, "split path"]
    pairs: Int[np.ndarray, "pair"]
    pair_intersection: Int[np.ndarray, "method pair"]
    pair_union: Int[np.ndarray, "method pair"]

    @property
    def pair_iou(self) -> Float[np.ndarray, "method pair"]:
        """Individual IoU (paper, equation 3); 0 where the union is empty."""
        return iou(
            torch.from_numpy(self.pair_intersection), torch.from_numpy(self.pair_union)
        ).numpy()


def segment_concept(
    recording: LayerRecording,
    annotations: Annotations,
    label: int,
    *,
    best_filter: int,
    subset_sizes: Sequence[int],
    training: Training,
    seed: int,
    device: torch.device | str = "cpu",
) -> Segmented:
    """Learn to segment a concept with all filters of a layer, and with subsets of them.

    Args:
        recording: the layer; it must have a grid.
        annotations: the masks.
        label: the concept.
        best_filter: the best single filter, for its individual IoU.
        subset_sizes: numbers of filters to learn again with, those of largest absolute weight.
        training: how to learn.
        seed: the run's seed.
        device: where to learn.
    """
    strips = Strips.of(_grid(recording), annotations.size)
    splits = [annotations.pairs(label, train=train) for train in (True, False)]
    held = [
        _Split(recording, annotations, strips, pairs, training.batch, device) for pairs in splits
    ]
    alpha = 1 - annotations.concept_size(label)
    concept = annotations.names[label]

    def learn(
        problems: Sequence[Sequence[SegmentationProblem]], start: Float[Tensor, "problem filter"]
    ) -> tuple[Tensor, list[list[_Counts]]]:
        """Vectors of several choices of filters, and their counts by split."""
        weights = fit_side_by_side(
            [parts[0] for parts in problems],
            start.to(device),
            alpha=alpha,
            learning_rate=training.learning_rate,
            momentum=training.momentum,
            epochs=training.epochs,
        )
        counts = [
            [split.counts(part, weight) for split, part in zip(held, parts, strict=True)]
            for parts, weight in zip(problems, weights, strict=True)
        ]
        return weights.cpu(), counts

    def start_of(used: int) -> Float[Tensor, "filter"]:
        return start_vector(seed, TASK, recording.layer, concept, recording.filters, used)

    everything = [split.problem for split in held]
    start = start_of(recording.filters)
    full, (counts,) = learn([everything], start[None])
    weight = full[0]
    subset_weight = torch.zeros(0, recording.filters)
    subset_counts: list[list[_Counts]] = []
    if subset_sizes:
        kept = torch.stack([largest_weights(weight, size) for size in subset_sizes])
        subset_weight, subset_counts = learn(
            [[part.only(some) for part in everything] for some in kept],
            torch.stack([start_of(size) for size in subset_sizes]) * kept,
        )
    pairs = np.concatenate(splits)
    methods = [
        single_counts(recording, annotations, pairs, best_filter),
        _Counts.joined(counts),
    ]
    order = np.argsort(pairs)
    none = np.zeros(0)
    return Segmented(
        weight=weight.numpy(),
        bias=0.0,
        cut=0.0,
        l2=float("nan"),
        start_distance=float((weight - start).norm() / start.norm()),
        score=np.array([part.set_iou for part in counts]),
        subset_weight=subset_weight.numpy(),
        subset_bias=np.zeros(len(subset_sizes)),
        subset_cut=np.zeros(len(subset_sizes)),
        subset_score=np.array([[part.set_iou for part in by_split] for by_split in subset_counts])
        .reshape(-1, 2)
        .T,
        path_weight=np.zeros((0, recording.filters), dtype=np.float32),
        path_bias=none,
        path_cut=none,
        path_score=np.zeros((2, 0)),
        pairs=pairs[order],
        pair_intersection=np.stack([method.intersection for method in methods])[:, order],
        pair_union=np.stack([method.union for method in methods])[:, order],
    )


@dataclass(frozen=True)
class _Counts:
    """Pixels of a concept's predicted and true masks, image by image."""

    intersection: Int[np.ndarray, "pair"]
    union: Int[np.ndarray, "pair"]

    @property
    def set_iou(self) -> float:
        union = int(self.union.sum())
        return int(self.intersection.sum()) / union if union else 0.0

    @classmethod
    def joined(cls, parts: Sequence[_Counts]) -> _Counts:
        return cls(
            np.concatenate([part.intersection for part in parts]),
            np.concatenate([part.union for part in parts]),
        )


class _Split:
    """The images of one split that contain a concept, with its masks packed for learning."""

    def __init__(
        self,
        recording: LayerRecording,
        annotations: Annotations,
        strips: Strips,
        pairs: Int[np.ndarray, "pair"],
        batch: int,
        device: torch.device | str,
    ) -> None:
        maps = recording.maps(annotations.image[pairs]).to(device)
        masks = _packed(annotations, strips, pairs).to(device)
        self._area = annotations.area[pairs].astype(np.int64)
        self.problem = SegmentationProblem(maps, strips, masks, batch=batch)

    def counts(self, problem: SegmentationProblem, weight: Float[Tensor, "filter"]) -> _Counts:
        predicted, hit = problem.counts(weight)
        shared = hit.cpu().numpy()
        return _Counts(shared, predicted.cpu().numpy() + self._area - shared)


def _packed(
    annotations: Annotations, strips: Strips, pairs: Int[np.ndarray, "pair"]
) -> UInt8[Tensor, "pair strip byte"]:
    return torch.cat(
        [
            strips.pack(torch.from_numpy(annotations.masks_of(portion)))
            for portion in _portions(pairs)
        ]
    )


def _portions(pairs: Int[np.ndarray, "pair"]) -> Iterator[Int[np.ndarray, "pair"]]:
    for first in range(0, max(len(pairs), 1), _PORTION):
        yield pairs[first : first + _PORTION]


def single_counts(
    recording: LayerRecording,
    annotations: Annotations,
    pairs: Int[np.ndarray, "pair"],
    best_filter: int,
) -> _Counts:
    """Pixels of one filter and of the concept's mask in every image."""
    found = []
    for portion in _portions(pairs):
        maps = recording.maps(annotations.image[portion]).alone(best_filter)
        shared = np.zeros(len(portion), dtype=np.int64)
        own = np.zeros(len(portion), dtype=np.int64)
        # Where the filter is off nothing is shared, and it is off in most images.
        active = np.flatnonzero(np.diff(maps.starts.numpy()))
        on = upsampled_is_on(maps.dense()[active, 0], annotations.size).numpy()
        own[active] = np.count_nonzero(on, axis=(1, 2))
        both = on & annotations.masks_of(portion[active])
        shared[active] = np.count_nonzero(both, axis=(1, 2))
        area = annotations.area[portion].astype(np.int64)
        found.append(_Counts(shared, own + area - shared))
    return _Counts.joined(found)


def _concepts_per_image(annotations: Annotations, labels: Sequence[int]) -> float:
    pairs = sum(len(annotations.pairs(label)) for label in labels)
    return pairs / max(len(annotations.is_train), 1)


def _grid(recording: LayerRecording) -> tuple[int, int]:
    if recording.grid is None:
        raise ValueError(f"layer {recording.layer} has no grid")
    return recording.grid
