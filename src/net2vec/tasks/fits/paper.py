"""The paper's fit: SGD from a random start, a fixed number of epochs.

Source: paper, sections 3.1.2 and 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from net2vec.core.executors import pack_by_cost
from net2vec.kernels.sgd.cuda_graphs import in_turn
from net2vec.kernels.sgd.logistic import concepts_in_block
from net2vec.tasks.concept import ConceptTask
from net2vec.tasks.fits.base import Fit, FitData, Item, pack_by_count
from net2vec.tasks.fits.paper_classification import classify_concepts
from net2vec.tasks.fits.paper_segmentation import (
    segment_concepts,
    segmentation_scores,
    training_images_per_group,
)
from net2vec.tasks.fits.training import Training
from net2vec.tasks.learned import ClassifiedConcept, SegmentedConcept
from net2vec.tasks.samples import draw_sample
from net2vec.vocabulary import FITS, PAPER


@dataclass(frozen=True)
class PaperFit(Fit):
    """The paper's training.

    Attributes:
        segmentation, classification: the settings of SGD.
    """

    segmentation: Training
    classification: Training

    name: ClassVar[str] = PAPER
    title: ClassVar[str] = FITS[PAPER].title
    has_start: ClassVar[bool] = FITS[PAPER].has_start

    @classmethod
    def from_training(cls, trainings: Mapping[str, Training]) -> PaperFit:
        """See `Fit.from_training`."""
        return cls(trainings["segment"], trainings["classify"])

    def cache_key(self, task: str) -> dict[str, object]:
        """See `Fit.cache_key`."""
        training = self.segmentation if task == "segment" else self.classification
        return {"fit": self.name, "version": self.version, "training": vars(training)}

    def cost(self, task: str, sizes: Sequence[int]) -> int:
        """See `Fit.cost`."""
        return 1 + len(sizes) if task == "segment" else 0  # concepts are classified in batches

    def groups(
        self, data: FitData, task: str, work: Mapping[Item, int]
    ) -> dict[tuple[Item, ...], int]:
        """See `Fit.groups`."""
        if task == "segment":
            limit = training_images_per_group(data.recording, data.annotations, data.device)
            return pack_by_cost(work, limit)
        filters, batch = data.recording.filters, self.classification.batch
        return pack_by_count(work, concepts_in_block(filters, batch, data.device))

    def segment(
        self, data: FitData, concepts: Sequence[ConceptTask], sizes: Sequence[int]
    ) -> list[SegmentedConcept]:
        """See `Fit.segment`."""
        return segment_concepts(
            data.recording,
            concepts,
            subset_sizes=sizes,
            training=self.segmentation,
            device=data.device,
        )

    def classify(
        self, data: FitData, concepts: Sequence[ConceptTask], sizes: Sequence[int]
    ) -> list[ClassifiedConcept]:
        """See `Fit.classify`; images are drawn anew in every epoch."""
        epochs = self.classification.epochs
        with in_turn(data.device):
            samples = [
                draw_sample(
                    one.annotations, one.label, epochs=epochs, seed=one.seed, dataset=data.dataset
                )
                for one in concepts
            ]
        return classify_concepts(
            data.recording,
            [one.concept for one in concepts],
            samples,
            subset_sizes=sizes,
            training=self.classification,
            seed=[one.seed for one in concepts],
            device=data.device,
        )

    def segmentation_scores(
        self, data: FitData, concepts: Sequence[ConceptTask]
    ) -> Float[np.ndarray, "concept"]:
        """See `Fit.segmentation_scores`."""
        return segmentation_scores(
            data.recording, concepts, training=self.segmentation, device=data.device
        )
