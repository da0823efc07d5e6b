"""A third fit as another package would write it: one file, and one line in the table of fits.

Logistic regression with an L1 and an L2 term, on the cells of the grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch.nn.functional import interpolate

from net2vec.tasks.concept import ConceptTask, Counts
from net2vec.tasks.fits.base import Fit, FitData
from net2vec.tasks.learned import ClassifiedConcept, Segmentation, SegmentedConcept
from net2vec.tasks.samples import draw_sample
from net2vec.tasks.single import single_counts


@dataclass(frozen=True)
class ElasticNet(Fit):
    """Logistic regression with an L1 and an L2 term."""

    strength: float = 1.0
    l1_ratio: float = 0.5

    name: ClassVar[str] = "elastic_net"
    title: ClassVar[str] = "elastic net"

    def segment(
        self, data: FitData, concepts: Sequence[ConceptTask], sizes: Sequence[int]
    ) -> list[SegmentedConcept]:
        return [self._segment(data, concept, sizes) for concept in concepts]

    def classify(
        self, data: FitData, concepts: Sequence[ConceptTask], sizes: Sequence[int]
    ) -> list[ClassifiedConcept]:
        return [self._classify(data, concept, sizes) for concept in concepts]

    def _segment(
        self, data: FitData, concept: ConceptTask, sizes: Sequence[int]
    ) -> SegmentedConcept:
        annotations, label = concept.annotations, concept.label
        splits = [annotations.pairs(label, train=train) for train in (True, False)]
        maps = data.recording.maps(annotations.image[splits[0]]).dense().float()
        masks = torch.from_numpy(annotations.masks_of(splits[0])).float()[:, None]
        target = interpolate(masks, size=data.recording.grid, mode="area")[:, 0] > 0.5
        cells = maps.movedim(1, -1).flatten(0, 2).numpy()

        def learn(size: int, weight: np.ndarray | None = None) -> Segmentation:
            used = _largest(weight, size, data.recording.filters)
            found, bias = self._solve(cells * used, target.flatten().numpy())
            counts = [_counts(data, concept, pairs, found, bias) for pairs in splits]
            return Segmentation(found, counts, bias=bias)

        full = learn(data.recording.filters)
        pairs = np.concatenate(splits)
        (single,) = single_counts(data.recording, [concept], [pairs])
        subsets = [learn(size, full.weight) for size in sizes]
        return SegmentedConcept.of(full, single, pairs, subsets=subsets, l2=self.strength)

    def _classify(
        self, data: FitData, concept: ConceptTask, sizes: Sequence[int]
    ) -> ClassifiedConcept:
        annotations, means = concept.annotations, data.recording.means
        sample = draw_sample(
            annotations, concept.label, epochs=1, seed=concept.seed, dataset=data.dataset
        )
        images = np.flatnonzero(annotations.is_train)
        inside = annotations.image[annotations.pairs(concept.label, train=True)]
        positive = np.isin(images, inside)

        def learn(size: int, weight: np.ndarray | None = None) -> tuple[np.ndarray, float]:
            used = _largest(weight, size, data.recording.filters)
            return self._solve(means[images] * used, positive)

        full, bias = learn(data.recording.filters)
        smaller = [learn(size, full) for size in (1, *sizes)]
        return ClassifiedConcept.of(
            torch.tensor(means),  # a copy: recordings are mapped and read-only
            sample,
            torch.from_numpy(np.stack([full, *(weight for weight, _ in smaller)], 1)),
            torch.tensor([bias, *(bias for _, bias in smaller)], dtype=torch.float32),
            best_filter=int(np.abs(full).argmax()),
            subsets=len(sizes),
            l2=self.strength,
        )

    def _solve(self, inputs: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, float]:
        if target.all() or not target.any():
            return np.zeros(inputs.shape[1], dtype=np.float32), 0.0
        model = LogisticRegression(
            l1_ratio=self.l1_ratio, C=self.strength, solver="saga", class_weight="balanced",
            random_state=0, max_iter=10_000,
        ).fit(inputs, target)  # fmt: skip
        return model.coef_[0].astype(np.float32), float(model.intercept_[0])


def _largest(weight: np.ndarray | None, size: int, filters: int) -> np.ndarray:
    """1 for the filters of largest absolute weight, 0 for the others."""
    if weight is None:
        return np.ones(filters, dtype=np.float32)
    order = np.argsort(-np.abs(weight), kind="stable")
    return np.isin(np.arange(filters), order[:size]).astype(np.float32)


def _counts(
    data: FitData, concept: ConceptTask, pairs: np.ndarray, weight: np.ndarray, bias: float
) -> Counts:
    annotations = concept.annotations
    maps = data.recording.maps(annotations.image[pairs]).dense().float()
    summed = torch.einsum("nkyx,k->nyx", maps, torch.from_numpy(weight))[:, None]
    value = interpolate(summed, size=annotations.size, mode="bilinear", align_corners=True)[:, 0]
    predicted, truth = (value + bias > 0).numpy(), annotations.masks_of(pairs)
    return Counts((predicted & truth).sum((1, 2)), (predicted | truth).sum((1, 2)))
