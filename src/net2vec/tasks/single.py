"""Segmenting a concept by a single filter: which is the best, and what it finds.

Source: paper, section 3.1.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from net2vec.core.devices import policy_of
from net2vec.core.executors import AnyExecutor, map_items
from net2vec.data.annotations import Annotations
from net2vec.kernels.backends.base import BYTE
from net2vec.kernels.overlap import Squares, iou, overlaps, pixels_on, touch
from net2vec.recording import LayerRecording
from net2vec.tasks.concept import ConceptTask, Counts, by_annotations, grid_of, masks_on


@dataclass(frozen=True)
class FilterCounts:
    """Pixels shared by every filter and concept, summed over the images that contain the concept.

    Attributes:
        intersection, union: by split (train, val), concept and filter.
    """

    intersection: Int[np.ndarray, "split concept filter"]
    union: Int[np.ndarray, "split concept filter"]

    @property
    def set_iou(self) -> Float[np.ndarray, "split concept filter"]:
        """Set IoU of every filter (paper, equation 1)."""
        return iou(torch.from_numpy(self.intersection), torch.from_numpy(self.union)).numpy()

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
    device: torch.device | str = "cpu",
    executor: AnyExecutor | None = None,
    progress: Callable[[int], object] = lambda images: None,
) -> FilterCounts:
    """Overlap of every filter with every concept, summed over shards of images.

    Args:
        recording: the layer; it must have a grid.
        annotations: the masks.
        labels: the concepts.
        device: where to count; the counts are integers and do not depend on it.
        executor: maps over the shards, on which the counts do not depend either; None for one shard
            after the other in this thread.
        progress: called with the number of images counted since the last call.
    """
    counter = _ShardCounter(recording, annotations, tuple(labels), torch.device(device))
    shards = counter.shards()
    total = torch.zeros(2, 2, len(labels), recording.filters, dtype=torch.int64)
    if executor is None:
        results = ((shard, counter(shard)) for shard in shards)
    else:
        results = map_items(executor, counter, shards)
    with closing(results):
        for shard, counts in results:
            total += counts
            progress(shards[shard])
    return FilterCounts(*total.numpy())


@dataclass(frozen=True, eq=False)
class _ShardCounter:
    """Counts the pixels of one shard of images: all filters and masks of an image at once.

    Attributes:
        recording, annotations, labels, device: see `count_single_filters`.
    """

    recording: LayerRecording
    annotations: Annotations
    labels: Sequence[int]
    device: torch.device

    def __call__(self, shard: tuple[int, int]) -> Int[Tensor, "counted split concept filter"]:
        """Intersections and unions, from one image on and below another."""
        annotations, device = self.annotations, self.device
        squares, concept_of, pairs, images = self._plan
        chosen = pairs[slice(*np.searchsorted(images, shard))]
        touched = touch(self.recording.maps(np.arange(*shard), device).dense(), squares)
        masks = masks_on(device, annotations, chosen).flatten(1)
        in_shard = annotations.image[chosen].astype(np.int64) - shard[0]
        image = torch.from_numpy(in_shard).to(device)
        area = torch.from_numpy(annotations.area[chosen].astype(np.int64)).to(device)
        shared, own = overlaps(touched, masks, image, squares)
        is_val = ~annotations.is_train[annotations.image[chosen]]
        label = np.searchsorted(annotations.starts, chosen, side="right") - 1
        row = torch.from_numpy(is_val * len(self.labels) + concept_of[label]).to(device)
        shape = (2 * len(self.labels), self.recording.filters)
        counts = torch.zeros(2, *shape, dtype=torch.int64, device=device)
        counts[0].index_add_(0, row, shared)
        counts[1].index_add_(0, row, own[image] + area[:, None] - shared)
        return counts.cpu().view(2, 2, len(self.labels), shape[1])

    def shards(self) -> dict[tuple[int, int], int]:
        """Consecutive images, and how many they are."""
        images = len(self.annotations.is_train)
        size = _images_per_shard(
            self.recording, self.annotations, self.labels, self._plan[0], self.device
        )
        bounds = ((first, min(first + size, images)) for first in range(0, images, size))
        return {(first, last): last - first for first, last in bounds}

    @cached_property
    def _plan(
        self,
    ) -> tuple[Squares, Int[np.ndarray, "label"], Int[np.ndarray, "pair"], Int[np.ndarray, "pair"]]:
        """The geometry, the place of each label, the labels' pairs by image, and their images."""
        annotations, labels = self.annotations, self.labels
        squares = Squares.of(grid_of(self.recording), annotations.size, self.device)
        concept_of = np.full(len(annotations.names), -1)
        concept_of[np.asarray(labels, dtype=int)] = np.arange(len(labels))
        pairs = np.concatenate([annotations.pairs(label) for label in labels] or [np.zeros(0, int)])
        images = annotations.image[pairs]
        order = np.argsort(images, kind="stable")
        return squares, concept_of, pairs[order], images[order]

    def __reduce__(self) -> tuple[type[_ShardCounter], tuple[object, ...]]:
        return _ShardCounter, (self.recording, self.annotations, self.labels, self.device)


def _images_per_shard(
    recording: LayerRecording,
    annotations: Annotations,
    labels: Sequence[int],
    squares: Squares,
    device: torch.device,
) -> int:
    policy = policy_of(device)
    limit, numbers = policy.single_filter_images, policy.single_filter_values
    height, width = squares.grid
    pairs = sum(len(annotations.pairs(label)) for label in labels)
    masks = squares.places * pairs / max(len(annotations.is_train), 1)
    return max(1, min(limit, int(numbers / (recording.filters * height * width + masks))))


def single_counts(
    recording: LayerRecording,
    concepts: Sequence[ConceptTask],
    pairs: Sequence[Int[np.ndarray, "_"]],
    device: torch.device | str = "cpu",
) -> list[Counts]:
    """Pixels of each concept's best filter and of its mask, in some of its images."""
    together = policy_of(device).counted_images
    found: list[Counts] = []
    for group in by_annotations(concepts):
        own = pairs[len(found) : len(found) + len(group)]
        sizes = [len(part) for part in own]
        best = np.repeat([one.best_filter for one in group], sizes)
        joined = np.concatenate(own)
        annotations = group[0].annotations
        parts = []
        for first in range(0, max(len(joined), 1), together):
            part = slice(first, first + together)
            maps = recording.maps(annotations.image[joined[part]], device)
            active = maps.alone(torch.from_numpy(best[part])).dense()[:, 0]
            parts.append(count_maps(active, annotations, joined[part]))
        counts = Counts.joined(parts)
        ends = np.cumsum(sizes)[:-1]
        split = (np.split(part, ends) for part in (counts.intersection, counts.union))
        found += [Counts(*each) for each in zip(*split, strict=True)]
    return found


def count_maps(
    active: Bool[Tensor, "pair y x"], annotations: Annotations, pairs: Int[np.ndarray, "pair"]
) -> Counts:
    """Pixels of a thresholded map and of a mask, pair by pair.

    Args:
        active: the thresholded map of a filter in the image of each pair.
        annotations: the masks.
        pairs: images and the concepts in them.
    """
    device = active.device
    squares = Squares.of((active.shape[1], active.shape[2]), annotations.size, device)
    image, pixel = pixels_on(active, squares)
    # Few pixels are on: their bits are looked up where masks are kept.
    packed = torch.from_numpy(annotations.packed_of(pairs)).to(device)
    byte = packed.flatten()[image * packed.shape[1] + pixel // BYTE]
    inside = (byte >> (pixel % BYTE).to(torch.uint8)) & 1
    size, shared = (
        torch.bincount(part, minlength=len(pairs)).cpu().numpy()
        for part in (image, image[inside > 0])
    )
    return Counts(shared, size + annotations.area[pairs].astype(np.int64) - shared)
