"""Segmenting a concept by a single filter: which is the best, and what it finds.

Source: paper, section 3.1.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from net2vec.core.devices import policy_of
from net2vec.core.executors import map_in_threads
from net2vec.data.annotations import Annotations
from net2vec.kernels.backends.base import BYTE
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.overlap import Squares, iou, overlaps, pixels_on, touch
from net2vec.recording import LayerRecording
from net2vec.tasks.concept import ConceptTask, Counts, by_annotations, grid_of, masks_on


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
    device: torch.device | str = "cpu",
    workers: int = 1,
    progress: Callable[[int], object] = lambda images: None,
) -> SingleCounts:
    """Overlap of every filter with every concept: image by image, all filters and masks at once.

    Args:
        recording: the layer; it must have a grid.
        annotations: the masks.
        labels: the concepts.
        device: where to count; the counts are integers and do not depend on it.
        workers: threads, on which they do not depend either.
        progress: called with the number of images done since the last call.
    """
    images = len(annotations.is_train)
    squares = Squares.of(grid_of(recording), annotations.size, device)
    portion = _portion(recording, annotations, labels, squares, device)
    concept_of = np.full(len(annotations.names), -1)
    concept_of[np.asarray(labels, dtype=int)] = np.arange(len(labels))
    pairs = np.concatenate([annotations.pairs(label) for label in labels] or [np.zeros(0, int)])
    pairs = pairs[np.argsort(annotations.image[pairs], kind="stable")]
    label_of = np.repeat(np.arange(len(annotations.names)), np.diff(annotations.starts))
    bounds = np.searchsorted(annotations.image[pairs], np.arange(0, images + portion, portion))

    def count(number: int) -> tuple[Tensor, Tensor, Tensor]:
        chosen = pairs[bounds[number] : bounds[number + 1]]
        first = number * portion
        here = np.arange(first, min(first + portion, images))
        touched = touch(recording.maps(here, device).dense(), squares)
        masks = masks_on(device, annotations, chosen).flatten(1)
        image = torch.from_numpy(annotations.image[chosen].astype(np.int64) - first).to(device)
        area = torch.from_numpy(annotations.area[chosen].astype(np.int64)).to(device)
        shared, own = overlaps(touched, masks, image, squares)
        split = ~annotations.is_train[annotations.image[chosen]]
        row = split * len(labels) + concept_of[label_of[chosen]]
        return torch.from_numpy(row).to(device), shared, own[image] + area[:, None] - shared

    shape = (2 * len(labels), recording.filters)
    intersection = torch.zeros(shape, dtype=torch.int64, device=device)
    union = torch.zeros(shape, dtype=torch.int64, device=device)
    for number, (row, shared, joined) in map_in_threads(count, range(len(bounds) - 1), workers):
        intersection.index_add_(0, row, shared)
        union.index_add_(0, row, joined)
        progress(min(portion, images - number * portion))
    by_split = (2, len(labels), recording.filters)
    return SingleCounts(labels, *(x.cpu().view(by_split) for x in (intersection, union)))


def _portion(
    recording: LayerRecording,
    annotations: Annotations,
    labels: Sequence[int],
    squares: Squares,
    device: torch.device | str,
) -> int:
    """How many images are counted at a time."""
    policy = policy_of(device)
    most, numbers = policy.single_filter_images, policy.single_filter_values
    height, width = squares.grid
    pairs = sum(len(annotations.pairs(label)) for label in labels)
    masks = squares.places * pairs / max(len(annotations.is_train), 1)
    return max(1, min(most, int(numbers / (recording.filters * height * width + masks))))


def single_counts(
    recording: LayerRecording,
    asked: Sequence[ConceptTask],
    pairs: Sequence[Int[np.ndarray, "_"]],
    device: torch.device | str = "cpu",
) -> list[Counts]:
    """Pixels of each concept's best filter and of its mask, in some of its images."""
    together = policy_of(device).counted_images
    found: list[Counts] = []
    for some in by_annotations(asked):
        own = pairs[len(found) : len(found) + len(some)]
        sizes = [len(part) for part in own]
        best = np.repeat([one.best_filter for one in some], sizes)
        joined = np.concatenate(own)
        annotations = some[0].annotations
        maps = recording.maps(annotations.image[joined], device)
        bounds = [
            (first, min(first + together, len(joined)))
            for first in range(0, max(len(joined), 1), together)
        ]
        parts = [
            _count_best(
                maps.slice_images(*part).alone(torch.from_numpy(best[slice(*part)])),
                annotations,
                joined[slice(*part)],
            )
            for part in bounds
        ]
        counts = Counts.joined(parts)
        ends = np.cumsum(sizes)[:-1]
        split = (np.split(part, ends) for part in (counts.intersection, counts.union))
        found += [Counts(*each) for each in zip(*split, strict=True)]
    return found


def _count_best(
    maps: SparseMaps, annotations: Annotations, pairs: Int[np.ndarray, "pair"]
) -> Counts:
    """Of the maps of one filter an image."""
    device = maps.cell.device
    squares = Squares.of(maps.grid, annotations.size, device)
    image, pixel = pixels_on(maps.dense()[:, 0], squares)
    # Few pixels are on: their bits are looked up where masks are kept.
    packed = torch.from_numpy(annotations.packed_of(pairs)).to(device)
    byte = packed.flatten()[image * packed.shape[1] + pixel // BYTE]
    inside = (byte >> (pixel % BYTE).to(torch.uint8)) & 1
    size, shared = (
        torch.bincount(part, minlength=len(pairs)).cpu().numpy()
        for part in (image, image[inside > 0])
    )
    return Counts(shared, size + annotations.area[pairs].astype(np.int64) - shared)
