"""Segmenting a concept: by all filters, and by subsets of them.

Source: paper, section 3.1.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from net2vec.core.devices import gpu_memory_bytes, policy_of
from net2vec.core.scratch import Empty, Scratch, in_memory
from net2vec.data.annotations import Annotations
from net2vec.kernels.geometry.strips import Strips
from net2vec.kernels.sgd.cuda_graphs import in_turn
from net2vec.kernels.sgd.logistic import largest_weights
from net2vec.kernels.sgd.segmentation import (
    IN_MEMORY_IMAGES,
    SegmentationProblem,
    count_predicted,
    fit_segmentation,
)
from net2vec.recording import LayerRecording
from net2vec.tasks.chance import start_vector
from net2vec.tasks.concept import (
    ConceptTask,
    Counts,
    by_annotations,
    grid_of,
    masks_on,
)
from net2vec.tasks.fits.training import Training
from net2vec.tasks.learned import Segmentation, SegmentedConcept
from net2vec.tasks.single import single_counts

TASK = "segment"
# The share of a GPU's memory that they may take; a few such groups are there at once.
_GPU_SHARE = 8
# Bytes of a pixel of a mask and of an entry of the maps, with what is made of them on the way.
_GPU_PIXEL, _GPU_ENTRY = 2, 64


def training_images_per_group(
    recording: LayerRecording, annotations: Annotations, device: torch.device | str
) -> int:
    """The number of training images of the concepts that are learned side by side.

    Args:
        recording: the layer.
        annotations: the masks.
        device: where concepts are learned; a GPU should have room for their images.
    """
    policy = policy_of(device)
    if not policy.is_gpu:
        return policy.fitted_images
    entries = len(recording.cell) / max(len(recording.starts) - 1, 1)
    image = math.prod(annotations.size) * _GPU_PIXEL + entries * _GPU_ENTRY
    memory = gpu_memory_bytes(device)
    return max(1, min(policy.fitted_images, int(memory / _GPU_SHARE / image)))


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
) -> SegmentedConcept:
    """Learn to segment a single concept; see `segment_concepts`."""
    concept = ConceptTask(annotations, label, best_filter, seed)
    (found,) = segment_concepts(
        recording, [concept], subset_sizes=subset_sizes, training=training, device=device
    )
    return found


def segment_concepts(
    recording: LayerRecording,
    concepts: Sequence[ConceptTask],
    *,
    subset_sizes: Sequence[int],
    training: Training,
    device: torch.device | str = "cpu",
) -> list[SegmentedConcept]:
    """Learn to segment concepts with all filters of a layer, and with subsets of them.

    The result of a concept is the same to the last bit, whichever concepts are learned with it.

    Args:
        recording: the layer; it must have a grid.
        concepts: the concepts.
        subset_sizes: numbers of filters to learn again with, those of largest absolute weight.
        training: the settings of SGD.
        device: where to learn.
    """
    train, start, weight = _learn_all(recording, concepts, training, device)
    with in_turn(device):
        val = _split_images(recording, concepts, training.batch, device, train=False)
    splits = [train, val]
    counts = [_count(split, weight, device) for split in splits]
    choices = [[largest_weights(one, size) for one in weight] for size in subset_sizes]
    # All concepts with the first size, then with the second, and so on.
    subsets = [
        [
            one.keep_filters(own)
            for by_concept in choices
            for one, own in zip(split, by_concept, strict=True)
        ]
        for split in splits
    ]
    subset_start = [
        _starts(recording, concepts, size) * torch.stack(by_concept)
        for size, by_concept in zip(subset_sizes, choices, strict=True)
    ]
    none = torch.zeros(0, recording.filters)
    subset_weight = _fit(subsets[0], torch.cat([none, *subset_start]), training, device)
    subset_counts = [_count(split, subset_weight, device) for split in subsets]
    pairs = [np.concatenate([one.pairs for one in both]) for both in zip(*splits, strict=True)]
    single = single_counts(recording, concepts, pairs, device)
    distance = (weight - start).norm(dim=1) / start.norm(dim=1)
    return [
        SegmentedConcept.of(
            Segmentation(weight[i].numpy(), [split[i] for split in counts]),
            single[i],
            pairs[i],
            subsets=[
                Segmentation(subset_weight[k].numpy(), [split[k] for split in subset_counts])
                for k in range(i, len(subset_weight), len(concepts))
            ],
            start_distance=float(distance[i]),
        )
        for i in range(len(concepts))
    ]


def segmentation_scores(
    recording: LayerRecording,
    concepts: Sequence[ConceptTask],
    *,
    training: Training,
    device: torch.device | str = "cpu",
) -> Float[np.ndarray, "concept"]:
    """Set IoU on validation images after learning to segment concepts with all filters of a layer.

    Args:
        recording: the layer; it must have a grid.
        concepts: the concepts; their best filters are not used.
        training: the settings of SGD.
        device: where to learn.
    """
    _, _, weight = _learn_all(recording, concepts, training, device)
    with in_turn(device):
        val = _split_images(recording, concepts, training.batch, device, train=False)
    return np.array([counts.set_iou for counts in _count(val, weight, device)])


@dataclass(frozen=True)
class _SplitImages:
    """The images of one split that contain a concept.

    Attributes:
        problem: learned from them, or counted in them.
        pairs: the images, as pairs of the annotations.
        area: pixels of their masks.
    """

    problem: SegmentationProblem
    pairs: Int[np.ndarray, "pair"]
    area: Int[np.ndarray, "pair"]

    def keep_filters(self, kept: Bool[Tensor, "filter"]) -> _SplitImages:
        """The same images with all other filters off."""
        return replace(self, problem=self.problem.keep_filters(kept))


def _learn_all(
    recording: LayerRecording,
    concepts: Sequence[ConceptTask],
    training: Training,
    device: torch.device | str,
) -> tuple[list[_SplitImages], Float[Tensor, "concept filter"], Float[Tensor, "concept filter"]]:
    """The training images, the initial weights, and those learned with all filters."""
    with in_turn(device):
        train = _split_images(recording, concepts, training.batch, device, train=True)
    start = _starts(recording, concepts, recording.filters)
    return train, start, _fit(train, start, training, device)


def _split_images(
    recording: LayerRecording,
    concepts: Sequence[ConceptTask],
    batch: int,
    device: torch.device | str,
    *,
    train: bool,
) -> list[_SplitImages]:
    """Each concept's images of one split, with its masks packed for learning."""
    pairs = [one.annotations.pairs(one.label, train=train) for one in concepts]
    images = [one.annotations.image[own] for one, own in zip(concepts, pairs, strict=True)]
    total = sum(map(len, images))
    is_large = total > IN_MEMORY_IMAGES and not policy_of(device).is_gpu
    empty = Scratch().empty if is_large else in_memory
    maps = recording.maps(np.concatenate(images), device, empty)
    split_images: list[_SplitImages] = []
    first = 0
    for group in by_annotations(concepts):
        annotations = group[0].annotations
        strips = Strips.of(grid_of(recording), annotations.size)
        own_pairs = pairs[len(split_images) : len(split_images) + len(group)]
        masks = packed_masks(annotations, strips, np.concatenate(own_pairs), device, empty)
        offset = first
        for one, own in zip(group, own_pairs, strict=True):
            last = first + len(own)
            problem = SegmentationProblem(
                maps.slice_images(first, last),
                strips,
                masks[first - offset : last - offset],
                batch,
                1 - annotations.concept_size(one.label),
            )
            split_images.append(_SplitImages(problem, own, annotations.area[own].astype(np.int64)))
            first = last
    return split_images


def _starts(
    recording: LayerRecording, concepts: Sequence[ConceptTask], used: int
) -> Float[Tensor, "concept filter"]:
    """Initial weights of vectors that may use `used` filters."""
    layer, filters = recording.layer, recording.filters
    return torch.stack(
        [start_vector(one.seed, TASK, layer, one.concept, filters, used) for one in concepts]
    )


def _fit(
    images: Sequence[_SplitImages],
    start: Float[Tensor, "problem filter"],
    training: Training,
    device: torch.device | str,
) -> Float[Tensor, "problem filter"]:
    return fit_segmentation(
        [one.problem for one in images],
        start,
        learning_rate=training.learning_rate,
        momentum=training.momentum,
        epochs=training.epochs,
        device=device,
    )


def _count(
    images: Sequence[_SplitImages],
    weight: Float[Tensor, "problem filter"],
    device: torch.device | str,
) -> list[Counts]:
    """Pixels that the vectors predict (z > 0), and those of each concept's masks."""
    counts = count_predicted([one.problem for one in images], weight, device=device)
    return [
        Counts(hit.numpy(), predicted.numpy() + one.area - hit.numpy())
        for one, (predicted, hit) in zip(images, counts, strict=True)
    ]


def packed_masks(
    annotations: Annotations,
    strips: Strips,
    pairs: Int[np.ndarray, "pair"],
    device: torch.device | str = "cpu",
    empty: Empty = in_memory,
) -> UInt8[Tensor, "pair strip byte"]:
    """The masks of some pairs, packed for learning; `empty` makes the memory for them on a CPU."""
    portion = policy_of(device).unpacked_masks
    packed = empty((len(pairs), *strips.whole.shape), torch.uint8).to(device)
    for first in range(0, len(pairs), portion):
        rows = slice(first, first + portion)
        packed[rows] = strips.pack(masks_on(device, annotations, pairs[rows]))
    return packed
