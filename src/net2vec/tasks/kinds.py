"""The two tasks as objects: what segmentation and classification do differently with a fit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Float

from net2vec.data.annotations import Annotations
from net2vec.tasks.concept import ConceptTask
from net2vec.tasks.fits.base import Fit, FitData
from net2vec.tasks.learned import ClassifiedConcept, LearnedConcept, SegmentedConcept
from net2vec.tasks.nulls import shuffle_images, shuffle_masks


@dataclass(frozen=True)
class NullFits:
    """Fits of a concept on shuffled annotations, draw by draw.

    Attributes:
        score: validation scores; methods are the single filter, where the task learns it with the
            concept, and the combination.
        weight: the vectors; of length 0 where they are not kept.
    """

    score: Float[np.ndarray, "draw method"]
    weight: Float[np.ndarray, "draw_or_none filter"]

    def first(self, draws: int) -> NullFits:
        """The first draws, at most so many."""
        return NullFits(self.score[:draws], self.weight[:draws])

    def followed_by(self, more: NullFits) -> NullFits:
        """The draws followed by others."""
        return NullFits(
            np.concatenate([self.score, more.score]), np.concatenate([self.weight, more.weight])
        )


class Task(ABC):
    """Segmentation or classification.

    Attributes:
        name: in settings, tables and files.
        learned: what learning a concept gives.
        null_methods: scores of a null draw that are learned with the concept.
        keeps_null_weights: whether the vectors of null draws are results.
        needs_grid: whether a layer must have activation maps, not only a vector.
        sizes_always_learned: numbers of filters that are learned whatever subsets are asked for.
        subset_layers: on how many of the last layers subsets are learned, unless they are named.
    """

    name: ClassVar[str]
    learned: ClassVar[type[LearnedConcept]]
    null_methods: ClassVar[int]
    keeps_null_weights: ClassVar[bool]
    needs_grid: ClassVar[bool]
    sizes_always_learned: ClassVar[tuple[int, ...]] = ()
    subset_layers: ClassVar[int]

    @abstractmethod
    def learn(
        self, fit: Fit, data: FitData, concepts: Sequence[ConceptTask], sizes: Sequence[int]
    ) -> Sequence[LearnedConcept]:
        """Learn concepts, with all filters and with subsets of them."""

    @abstractmethod
    def learn_null(
        self, fit: Fit, data: FitData, concepts: Sequence[ConceptTask]
    ) -> list[NullFits]:
        """Learn concepts on their shuffled annotations: one draw of each."""

    @abstractmethod
    def shuffle(
        self, annotations: Annotations, labels: Sequence[int], *, seed: int, dataset: str, draw: int
    ) -> Annotations:
        """A null draw of the annotations."""

    @abstractmethod
    def null_groups(
        self, fit: Fit, data: FitData, work: Mapping[int, int]
    ) -> list[tuple[int, ...]]:
        """Labels whose null draws are one item."""

    def draws_together(
        self, fit: Fit, data: FitData, draws: Sequence[int], images: int
    ) -> list[tuple[int, ...]]:
        """Draws of an item that are learned together."""
        return [(draw,) for draw in draws]


class SegmentTask(Task):
    """Segmentation: its single filter is chosen by IoU, apart from the fits."""

    name = "segment"
    learned = SegmentedConcept
    null_methods = 1
    keeps_null_weights = False
    needs_grid = True
    subset_layers = 1

    def learn(
        self, fit: Fit, data: FitData, concepts: Sequence[ConceptTask], sizes: Sequence[int]
    ) -> Sequence[SegmentedConcept]:
        """See `Task.learn`."""
        return fit.segment(data, concepts, sizes)

    def learn_null(
        self, fit: Fit, data: FitData, concepts: Sequence[ConceptTask]
    ) -> list[NullFits]:
        """See `Task.learn_null`."""
        none = np.zeros((0, data.recording.filters), dtype=np.float32)
        scores = fit.segmentation_scores(data, concepts)
        return [NullFits(np.array([[score]]), none) for score in scores]

    def shuffle(
        self, annotations: Annotations, labels: Sequence[int], *, seed: int, dataset: str, draw: int
    ) -> Annotations:
        """Masks paired with other images of their concept."""
        return shuffle_masks(annotations, labels, seed=seed, dataset=dataset, draw=draw)

    def null_groups(
        self, fit: Fit, data: FitData, work: Mapping[int, int]
    ) -> list[tuple[int, ...]]:
        """Every concept alone: its draws share its images."""
        return [(label,) for label in work]

    def draws_together(
        self, fit: Fit, data: FitData, draws: Sequence[int], images: int
    ) -> list[tuple[int, ...]]:
        """The number of draws of a concept that the fit learns together."""
        return fit.group_draws(data, dict.fromkeys(draws, images))


class ClassifyTask(Task):
    """Classification: its single filter is learned with the concept."""

    name = "classify"
    learned = ClassifiedConcept
    null_methods = 2
    keeps_null_weights = True
    needs_grid = False
    sizes_always_learned = (1,)
    subset_layers = 3

    def learn(
        self, fit: Fit, data: FitData, concepts: Sequence[ConceptTask], sizes: Sequence[int]
    ) -> Sequence[ClassifiedConcept]:
        """See `Task.learn`."""
        return fit.classify(data, concepts, sizes)

    def learn_null(
        self, fit: Fit, data: FitData, concepts: Sequence[ConceptTask]
    ) -> list[NullFits]:
        """See `Task.learn_null`."""
        return [
            NullFits(np.array([(one.single_score[1], one.score[1])]), one.weight[None])
            for one in fit.classify(data, concepts, ())
        ]

    def shuffle(
        self, annotations: Annotations, labels: Sequence[int], *, seed: int, dataset: str, draw: int
    ) -> Annotations:
        """Concepts in images drawn at random."""
        return shuffle_images(annotations, labels, seed=seed, dataset=dataset, draw=draw)

    def null_groups(
        self, fit: Fit, data: FitData, work: Mapping[int, int]
    ) -> list[tuple[int, ...]]:
        """The concepts that the fit learns together."""
        return list(fit.groups(data, self.name, work))


TASKS: tuple[Task, ...] = (SegmentTask(), ClassifyTask())
