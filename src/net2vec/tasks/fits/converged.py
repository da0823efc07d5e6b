"""The converged fit: the optimum of a convex problem, on the features of the paper's fit.

Nothing is drawn but the balanced images that classification is scored on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from net2vec.kernels.sgd.cuda_graphs import in_turn
from net2vec.tasks.concept import ConceptTask, by_annotations
from net2vec.tasks.fits.base import Fit, FitData, Item, pack_by_count
from net2vec.tasks.fits.converged_classification import (
    classify_converged,
    concepts_together,
    standardise,
)
from net2vec.tasks.fits.converged_segmentation import segment_converged
from net2vec.tasks.learned import ClassifiedConcept, SegmentedConcept
from net2vec.tasks.samples import draw_sample
from net2vec.vocabulary import CONVERGED, FITS


@dataclass(frozen=True)
class ConvergedFit(Fit):
    """A balanced log loss with an L2 term, solved to its optimum."""

    name: ClassVar[str] = CONVERGED
    title: ClassVar[str] = FITS[CONVERGED].title
    version: ClassVar[int] = 2  # folds of classification are solved to their optimum

    def groups(
        self, data: FitData, task: str, work: Mapping[Item, int]
    ) -> dict[tuple[Item, ...], int]:
        """See `Fit.groups`."""
        if task == "segment":
            return super().groups(data, task, work)
        return pack_by_count(work, concepts_together(data.device))

    def segment(
        self, data: FitData, concepts: Sequence[ConceptTask], sizes: Sequence[int]
    ) -> list[SegmentedConcept]:
        """See `Fit.segment`."""
        return [
            segment_converged(
                data.recording,
                one.annotations,
                one.label,
                best_filter=one.best_filter,
                subset_sizes=sizes,
                device=data.device,
            )
            for one in concepts
        ]

    def classify(
        self, data: FitData, concepts: Sequence[ConceptTask], sizes: Sequence[int]
    ) -> list[ClassifiedConcept]:
        """See `Fit.classify`."""
        recording, device = data.recording, data.device
        features = data.derived(
            self, "standardised", lambda: standardise(recording, data.annotations, device)
        )
        learned: list[ClassifiedConcept] = []
        for group in by_annotations(concepts):
            with in_turn(device):
                samples = [
                    draw_sample(
                        one.annotations, one.label, epochs=1, seed=one.seed, dataset=data.dataset
                    )
                    for one in group
                ]
            learned += classify_converged(
                recording,
                group[0].annotations,
                [one.label for one in group],
                samples,
                subset_sizes=sizes,
                device=device,
                features=features,
            )
        return learned
