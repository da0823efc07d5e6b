"""Single filters at thresholds of their own: for every concept and filter the best for training.

The paper's threshold T_k is one for all concepts: that of half a percent of the activations. Here
each filter has, for each concept, the threshold of the best set IoU on the training images that
contain it. Maps are thresholded and upsampled as in the paper, and all pixels are counted. It needs
the activations of all cells, so it is there where a fit has them kept.

The candidates are quantiles of the filter over the cells of all training images, denser towards the
highest values, T_k, and minus infinity, at which the whole image is predicted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from net2vec.core.executors import AnyExecutor, map_items
from net2vec.data.annotations import Annotations
from net2vec.kernels.overlap import Squares
from net2vec.kernels.thresholds import (
    CODES,
    codes_of,
    count_levels,
    count_steps,
    upper_quantiles,
)
from net2vec.recording import LayerRecording
from net2vec.recording.activations import Activations
from net2vec.tasks.concept import Counts, grid_of, masks_on
from net2vec.tasks.single import FilterCounts, count_maps

QUANTILES = 128
# Shares of the cells that lie above a candidate: denser towards 0, where rare concepts are told.
SHARES = (np.arange(1, QUANTILES + 1) / QUANTILES) ** 3
# Of the histograms that are held for the filters of an item.
_ITEM_BYTES = 1 << 28
_ITEM_FILTERS = 256
# Images whose pixels above thresholds are added to concepts together.
_IMAGES = 32


@dataclass(frozen=True)
class TunedFilters(FilterCounts):
    """Pixels that every filter and concept share at a threshold of their own.

    Attributes:
        threshold: a filter is on above it; minus infinity where the whole image is best.
    """

    threshold: Float[np.ndarray, "concept filter"]


def tune_thresholds(
    recording: LayerRecording,
    annotations: Annotations,
    labels: Sequence[int],
    *,
    workers: int = 1,
    executor: AnyExecutor | None = None,
    progress: Callable[[int], object] = lambda filters: None,
) -> TunedFilters:
    """The best threshold of every filter for every concept.

    Filters are independent of each other, and counts are integers: results do not depend on how
    filters are divided. Every item reads all activations of its filters twice.

    Args:
        recording: the layer; it must have a grid, and its activations must have been kept.
        annotations: the masks.
        labels: the concepts.
        workers: how many items are computed at a time.
        executor: maps over groups of filters; None for one after the other in this thread.
        progress: called with the number of filters since the last call.
    """
    tuner = _FilterTuner(recording, annotations, tuple(labels))
    items = tuner.items(workers)
    if executor is None:
        results = ((item, tuner(item)) for item in items)
    else:
        results = map_items(executor, tuner, items)
    found = {}
    with closing(results):
        for item, tuned in results:
            found[item] = tuned
            progress(items[item])
    parts = [found[item] for item in sorted(found)]
    return TunedFilters(
        *(
            np.concatenate([getattr(part, name) for part in parts], axis=-1)
            for name in ("intersection", "union", "threshold")
        )
    )


def tuned_counts(
    recording: LayerRecording, annotations: Annotations, labels: Sequence[int], tuned: TunedFilters
) -> list[Counts]:
    """By concept, pixels of its best filter at its own threshold, in all images that contain it."""
    activations, counts = activations_of(recording), []
    for concept, (label, best) in enumerate(zip(labels, tuned.best_filter, strict=True)):
        pairs, limit = annotations.pairs(label), tuned.threshold[concept, best]
        parts = [Counts.joined([])] if not len(pairs) else []
        for block in activations.blocks(len(pairs)):
            own = activations.values(annotations.image[pairs[block]], slice(best, best + 1))
            values = own[:, :, 0].astype(np.float32)
            active = torch.from_numpy(values > limit).view(-1, *grid_of(recording))
            parts.append(count_maps(active, annotations, pairs[block]))
        counts.append(Counts.joined(parts))
    return counts


def activations_of(recording: LayerRecording) -> Activations:
    """The kept activations of a layer.

    Raises:
        ValueError: if they were not kept.
    """
    if recording.activations is None:
        raise ValueError(f"the activations of layer {recording.layer} were not kept")
    return recording.activations


@dataclass(frozen=True, eq=False)
class _FilterTuner:
    """Tunes some filters, from one on and below another, for all concepts."""

    recording: LayerRecording
    annotations: Annotations
    labels: Sequence[int]

    def items(self, workers: int) -> dict[tuple[int, int], int]:
        """Consecutive filters, and how many they are."""
        filters, counts = self.recording.filters, 2 * (len(self.labels) + 1) * (QUANTILES + 2)
        fitting = _ITEM_BYTES // (8 * (CODES + counts))
        size = max(1, min(fitting, _ITEM_FILTERS, -(-filters // workers)))
        bounds = ((first, min(first + size, filters)) for first in range(0, filters, size))
        return {(first, last): last - first for first, last in bounds}

    def __call__(self, filters: tuple[int, int]) -> TunedFilters:
        candidates = self._candidates(filters)
        everywhere = np.full((len(candidates), 1), -np.inf, dtype=np.float32)
        ordered = np.concatenate([candidates[:, ::-1], everywhere], axis=1)
        every_filter = np.arange(len(candidates))
        best = np.empty((len(self.labels), len(candidates)), dtype=np.int64)
        hit, union = np.zeros((2, 2, *best.shape), dtype=np.int64)
        for split, train in enumerate((True, False)):
            histograms, totals = self._count(filters, candidates, train), self._totals(train)
            for concept, parts in enumerate(zip(*histograms, *totals, strict=True)):
                shared, either = _counts_above(*parts)
                if train:
                    # The highest candidate comes first: of equal scores that of the fewest pixels.
                    best[concept] = np.argmax(shared / np.maximum(either, 1), axis=1)
                hit[split, concept] = shared[every_filter, best[concept]]
                union[split, concept] = either[every_filter, best[concept]]
        return TunedFilters(hit, union, ordered[every_filter, best])

    def _candidates(self, filters: tuple[int, int]) -> Float[np.ndarray, "filter candidate"]:
        """Thresholds to choose from, ascending."""
        activations, images = (
            activations_of(self.recording),
            np.flatnonzero(self.annotations.is_train),
        )
        counts = np.zeros((filters[1] - filters[0], CODES), dtype=np.int64)
        for block in activations.blocks(len(images)):
            codes = codes_of(activations.values(images[block], slice(*filters)))
            for each, column in zip(counts, codes.reshape(-1, len(counts)).T, strict=True):
                each += np.bincount(column, minlength=CODES)
        own = self.recording.threshold[slice(*filters), None].astype(np.float32)
        return np.sort(np.concatenate([upper_quantiles(counts, SHARES), own], axis=1), axis=1)

    def _count(
        self,
        filters: tuple[int, int],
        candidates: Float[np.ndarray, "filter candidate"],
        train: bool,
    ) -> Float[np.ndarray, "two concept filter bin"]:
        """Pixels of the concept and all pixels, by how many candidates they are above."""
        bins = candidates.shape[1] + 1
        histograms = np.zeros((2, len(self.labels), len(candidates), bins))
        full_mask = torch.ones(1, len(self._squares.code), dtype=torch.bool)
        limits = torch.from_numpy(candidates)
        # All pixels, by image: a product adds some images to all concepts that they contain.
        predicted = np.zeros((_IMAGES, *histograms.shape[2:]))
        present = np.zeros((len(self.labels), _IMAGES))
        for place, (values, pairs, concepts) in enumerate(self._images(filters, train)):
            image = place % _IMAGES
            if image == 0:
                histograms[1] += np.tensordot(present, predicted, 1)
                present[:] = 0
            level = torch.searchsorted(limits, values.flatten(1), out_int32=True).view(values.shape)
            masks = torch.cat([masks_on("cpu", self.annotations, pairs).flatten(1), full_mask])
            *hit, predicted[image] = count_levels(level, count_steps(masks, self._squares), bins)
            present[concepts, image] = 1
            for concept, shared in zip(concepts, hit, strict=True):
                histograms[0, concept] += shared
        histograms[1] += np.tensordot(present, predicted, 1)
        return histograms

    def _images(
        self, filters: tuple[int, int], train: bool
    ) -> Iterator[
        tuple[Float[Tensor, "filter y x"], Int[np.ndarray, "pair"], Int[np.ndarray, "pair"]]
    ]:
        """By image of a split that contains any concept: activations, pairs, and their concepts."""
        annotations, activations = self.annotations, activations_of(self.recording)
        pairs, concept = self._pairs
        chosen = annotations.is_train[annotations.image[pairs]] == train
        pairs, concept = pairs[chosen], concept[chosen]
        images, starts = np.unique(annotations.image[pairs], return_index=True)
        bounds = np.append(starts, len(pairs))
        for block in activations.blocks(len(images)):
            values = activations.values(images[block], slice(*filters)).astype(np.float32)
            maps = torch.from_numpy(values).movedim(1, 2).contiguous()
            for place, one in enumerate(maps, start=block.start):
                own = slice(bounds[place], bounds[place + 1])
                yield one.view(-1, *grid_of(self.recording)), pairs[own], concept[own]

    def _totals(self, train: bool) -> tuple[Int[np.ndarray, "concept"], Int[np.ndarray, "concept"]]:
        """Pixels of each concept's masks, and of the images that contain it."""
        annotations = self.annotations
        pairs = [annotations.pairs(label, train=train) for label in self.labels]
        area = [int(annotations.area[each].sum(dtype=np.int64)) for each in pairs]
        return np.array(area), np.array([len(each) * np.prod(annotations.size) for each in pairs])

    @cached_property
    def _squares(self) -> Squares:
        return Squares.of(grid_of(self.recording), self.annotations.size)

    @cached_property
    def _pairs(self) -> tuple[Int[np.ndarray, "pair"], Int[np.ndarray, "pair"]]:
        """The concepts' pairs in the order of images, and the place of each concept."""
        pairs = [self.annotations.pairs(label) for label in self.labels]
        concept = np.repeat(np.arange(len(pairs)), [len(each) for each in pairs])
        joined = np.concatenate(pairs or [np.zeros(0, dtype=np.int64)])
        order = np.argsort(self.annotations.image[joined], kind="stable")
        return joined[order], concept[order]

    def __reduce__(self) -> tuple[type[_FilterTuner], tuple[object, ...]]:
        return _FilterTuner, (self.recording, self.annotations, self.labels)


def _counts_above(
    hit: Float[np.ndarray, "filter bin"],
    predicted: Float[np.ndarray, "filter bin"],
    area: np.int64,
    pixels: np.int64,
) -> list[Float[np.ndarray, "filter candidate"]]:
    """Intersection and union at every candidate, the highest first and the whole image last.

    Args:
        hit: pixels of the concept, by how many candidates they are above.
        predicted: all pixels likewise.
        area: pixels of the concept's masks.
        pixels: of the images.
    """
    shared, found = (
        np.pad(np.cumsum(part[:, :0:-1], axis=1), ((0, 0), (0, 1)), constant_values=int(total))
        for part, total in ((hit, area), (predicted, pixels))
    )
    return [shared, found + area - shared]
