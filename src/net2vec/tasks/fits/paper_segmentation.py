"""Segmenting a concept: by all filters, and by subsets of them.

Source: paper, section 3.1.2.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from net2vec.core.devices import gpu_memory_bytes, policy_of
from net2vec.data.annotations import Annotations
from net2vec.kernels.geometry.strips import Strips
from net2vec.kernels.sgd.cuda_graphs import in_turn
from net2vec.kernels.sgd.logistic import largest_weights
from net2vec.kernels.sgd.segmentation import (
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
    stack_counts,
)
from net2vec.tasks.fits.training import Training
from net2vec.tasks.segmented import Segmented
from net2vec.tasks.single import single_counts

TASK = "segment"
# The share of a GPU's memory that they may take; a few such groups are there at once.
_GPU_SHARE = 8
# Bytes of a pixel of a mask and of an entry of the maps, with what is made of them on the way.
_GPU_PIXEL, _GPU_ENTRY = 2, 64


def training_images_per_group(
    recording: LayerRecording, annotations: Annotations, device: torch.device | str
) -> int:
    """How many training images the concepts should have that are learned side by side.

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


def segment_concepts(
    recording: LayerRecording,
    asked: Sequence[ConceptTask],
    *,
    subset_sizes: Sequence[int],
    training: Training,
    device: torch.device | str = "cpu",
) -> list[Segmented]:
    """Learn to segment concepts with all filters of a layer, and with subsets of them.

    What is learned of a concept is the same to the last bit, whoever is learned beside it.

    Args:
        recording: the layer; it must have a grid.
        asked: the concepts.
        subset_sizes: numbers of filters to learn again with, those of largest absolute weight.
        training: how to learn.
        device: where to learn.
    """
    with in_turn(device):
        train = _hold(recording, asked, training.batch, device, train=True)
    start = _starts(recording, asked, recording.filters)
    weight = _fit([one.problem for one in train], start, training, device)
    with in_turn(device):
        val = _hold(recording, asked, training.batch, device, train=False)
    splits = [train, val]
    counts = [_count(split, weight, device) for split in splits]
    kept = [[largest_weights(one, size) for one in weight] for size in subset_sizes]
    # Subset by subset, of every concept.
    chosen = [[_only(split, some) for some in kept] for split in splits]
    subsets = [list(itertools.chain(*by_size)) for by_size in chosen]
    begin = [
        _starts(recording, asked, size) * torch.stack(some)
        for size, some in zip(subset_sizes, kept, strict=True)
    ]
    none = torch.zeros(0, recording.filters)
    subset_weight = _fit(
        [one.problem for one in subsets[0]], torch.cat([none, *begin]), training, device
    )
    subset_counts = [_count(split, subset_weight, device) for split in subsets]
    pairs = [np.concatenate([one.pairs for one in both]) for both in zip(*splits, strict=True)]
    single = single_counts(recording, asked, pairs, device)
    distance = (weight - start).norm(dim=1) / start.norm(dim=1)
    return [
        _segmented(
            weight[i],
            float(distance[i]),
            [split[i] for split in counts],
            subset_weight[i :: len(asked)],
            [split[i :: len(asked)] for split in subset_counts],
            single[i],
            pairs[i],
        )
        for i in range(len(asked))
    ]


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
    """Learn to segment a single concept; see `segment_concepts`."""
    asked = ConceptTask(annotations, label, best_filter, seed)
    (found,) = segment_concepts(
        recording, [asked], subset_sizes=subset_sizes, training=training, device=device
    )
    return found


def segmentation_scores(
    recording: LayerRecording,
    asked: Sequence[ConceptTask],
    *,
    training: Training,
    device: torch.device | str = "cpu",
) -> Float[np.ndarray, "concept"]:
    """Set IoU on validation images after learning to segment concepts with all filters of a layer.

    Args:
        recording: the layer; it must have a grid.
        asked: the concepts; their best filters are not looked at.
        training: how to learn.
        device: where to learn.
    """
    with in_turn(device):
        train = _hold(recording, asked, training.batch, device, train=True)
    start = _starts(recording, asked, recording.filters)
    weight = _fit([one.problem for one in train], start, training, device)
    with in_turn(device):
        val = _hold(recording, asked, training.batch, device, train=False)
    return np.array([counts.set_iou for counts in _count(val, weight, device)])


@dataclass(frozen=True)
class _Held:
    """The images of one split that contain a concept.

    Attributes:
        problem: what is to be learned or counted there.
        pairs: the images, as pairs of the annotations.
        area: pixels of their masks.
    """

    problem: SegmentationProblem
    pairs: Int[np.ndarray, "pair"]
    area: Int[np.ndarray, "pair"]


def _hold(
    recording: LayerRecording,
    asked: Sequence[ConceptTask],
    batch: int,
    device: torch.device | str,
    *,
    train: bool,
) -> list[_Held]:
    """Each concept's images of one split, with its masks packed for learning."""
    pairs = [one.annotations.pairs(one.label, train=train) for one in asked]
    images = [one.annotations.image[own] for one, own in zip(asked, pairs, strict=True)]
    maps = recording.maps(np.concatenate(images), device)
    found: list[_Held] = []
    first = 0
    for some in by_annotations(asked):
        annotations = some[0].annotations
        strips = Strips.of(grid_of(recording), annotations.size)
        own_pairs = pairs[len(found) : len(found) + len(some)]
        masks = packed_masks(annotations, strips, np.concatenate(own_pairs), device)
        before = first
        for one, own in zip(some, own_pairs, strict=True):
            last = first + len(own)
            problem = SegmentationProblem(
                maps.slice_images(first, last),
                strips,
                masks[first - before : last - before],
                batch,
                1 - annotations.concept_size(one.label),
            )
            found.append(_Held(problem, own, annotations.area[own].astype(np.int64)))
            first = last
    return found


def _only(split: Sequence[_Held], kept: Sequence[Bool[Tensor, "filter"]]) -> list[_Held]:
    """The same with all filters but some off, for each concept its own."""
    return [
        replace(one, problem=one.problem.keep_filters(some))
        for one, some in zip(split, kept, strict=True)
    ]


def _starts(
    recording: LayerRecording, asked: Sequence[ConceptTask], used: int
) -> Float[Tensor, "concept filter"]:
    """Initial weights of vectors that may use so many filters."""
    layer, filters = recording.layer, recording.filters
    return torch.stack(
        [start_vector(one.seed, TASK, layer, one.concept, filters, used) for one in asked]
    )


def _fit(
    problems: Sequence[SegmentationProblem],
    start: Float[Tensor, "problem filter"],
    training: Training,
    device: torch.device | str,
) -> Float[Tensor, "problem filter"]:
    return fit_segmentation(
        problems,
        start,
        learning_rate=training.learning_rate,
        momentum=training.momentum,
        epochs=training.epochs,
        device=device,
    )


def _count(
    split: Sequence[_Held], weight: Float[Tensor, "problem filter"], device: torch.device | str
) -> list[Counts]:
    """What vectors predict (z > 0) of each concept's masks."""
    counts = count_predicted([one.problem for one in split], weight, device=device)
    return [
        Counts(hit.numpy(), predicted.numpy() + one.area - hit.numpy())
        for one, (predicted, hit) in zip(split, counts, strict=True)
    ]


def _segmented(
    weight: Float[Tensor, "filter"],
    start_distance: float,
    counts: Sequence[Counts],
    subset_weight: Float[Tensor, "subset filter"],
    subset_counts: Sequence[Sequence[Counts]],
    single: Counts,
    pairs: Int[np.ndarray, "pair"],
) -> Segmented:
    """What was learned of a concept; counts are by split, and then by subset."""
    subsets, filters = subset_weight.shape
    none, none_counted = np.zeros(0), np.zeros((0, len(pairs)), dtype=np.int32)
    order = np.argsort(pairs)
    methods = [one.by(order) for one in (single, Counts.joined(counts))]
    by_subset = [Counts.joined(both).by(order) for both in zip(*subset_counts, strict=True)]
    subset_intersection, subset_union = stack_counts(by_subset, len(pairs))
    return Segmented(
        weight=weight.numpy(),
        bias=0.0,
        cut=0.0,
        l2=float("nan"),
        start_distance=start_distance,
        score=np.array([part.set_iou for part in counts]),
        subset_weight=subset_weight.numpy(),
        subset_bias=np.zeros(subsets),
        subset_cut=np.zeros(subsets),
        subset_score=np.array(
            [[part.set_iou for part in split] for split in subset_counts]
        ).reshape(2, subsets),
        path_weight=np.zeros((0, filters), dtype=np.float32),
        path_bias=none,
        path_cut=none,
        path_score=np.zeros((2, 0)),
        pairs=pairs[order],
        pair_intersection=np.stack([method.intersection for method in methods]),
        pair_union=np.stack([method.union for method in methods]),
        subset_pair_intersection=subset_intersection,
        subset_pair_union=subset_union,
        path_pair_intersection=none_counted,
        path_pair_union=none_counted,
    )


def packed_masks(
    annotations: Annotations,
    strips: Strips,
    pairs: Int[np.ndarray, "pair"],
    device: torch.device | str = "cpu",
) -> UInt8[Tensor, "pair strip byte"]:
    """The masks of some pairs, packed for learning."""
    portion = policy_of(device).unpacked_masks
    chosen = (pairs[first : first + portion] for first in range(0, max(len(pairs), 1), portion))
    return torch.cat([strips.pack(masks_on(device, annotations, some)) for some in chosen])
