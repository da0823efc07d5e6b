"""A fit: how a concept's vector is learned on a layer.

A fit is a frozen dataclass whose fields are its settings. It says what it is called, whether it has
a random start, what its results depend on, what it costs and which concepts it learns together; and
it learns to segment and to classify. Nothing else in the package asks which fit it has: add a fit
as one file here and one line in `net2vec.vocabulary.FITS`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from jaxtyping import Float

from net2vec.core.executors import pack_by_cost
from net2vec.data.annotations import Annotations
from net2vec.recording import LayerRecording
from net2vec.tasks.concept import ConceptTask
from net2vec.tasks.fits.training import Training
from net2vec.tasks.learned import ClassifiedConcept, SegmentedConcept

Item = TypeVar("Item", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class FitData:
    """The data that all concepts of a layer are learned from; it can be sent to another process.

    Attributes:
        recording: the layer.
        annotations: which image contains what, with masks. Null tests shuffle them concept by
            concept (see `ConceptTask`); the split of images stays.
        dataset: the dataset's digest, which keys the samples of classification.
        device: where to learn.
    """

    recording: LayerRecording
    annotations: Annotations
    dataset: str
    device: torch.device
    _derived: dict[tuple[str, str], Any] = field(default_factory=dict, init=False, repr=False)
    _lock: Any = field(default_factory=Lock, init=False, repr=False)

    def derived(self, fit: Fit, name: str, make: Callable[[], Value]) -> Value:
        """A value that a fit computes once for all concepts of the layer.

        Args:
            fit: the fit; the names of other fits are others.
            name: of the value.
            make: computes it at the first call.
        """
        key = (fit.name, name)
        with self._lock:
            if key not in self._derived:
                self._derived[key] = make()
            value: Value = self._derived[key]
            return value

    def __reduce__(self) -> tuple[type[FitData], tuple[Any, ...]]:
        return FitData, (self.recording, self.annotations, self.dataset, self.device)


class Fit(ABC):
    """A way to learn concept vectors.

    Attributes:
        name: in settings, tables and files.
        title: in reports.
        has_start: whether learning starts from a random vector, so that seeds make a difference.
        reads_activations: whether a segmenting vector weighs activations as they are, interpolated
            between the centres of cells, in place of thresholded maps with corners aligned.
        version: to be raised whenever the code changes the fit's results, so that those that are
            cached by an earlier version are not used.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    has_start: ClassVar[bool] = False
    reads_activations: ClassVar[bool] = False
    version: ClassVar[int] = 1

    @classmethod
    def from_training(cls, trainings: Mapping[str, Training]) -> Fit:
        """The fit of a run. Fields that are not set from `trainings` keep their defaults.

        Args:
            trainings: by task, the settings of SGD; most fits ignore them.
        """
        return cls()

    def cache_key(self, task: str) -> dict[str, object]:
        """All of the fit that determines its results, for the name of its cache."""
        return {"fit": self.name, "version": self.version, "settings": vars(self)}

    @classmethod
    def remark(cls, filters: int) -> str:
        """A line for the user on segmenting with a layer of so many filters; usually empty."""
        return ""

    def cost(self, task: str, sizes: Sequence[int]) -> int:
        """The number of fits a concept takes, if they consist of many short calls; else 0.

        Threads serialise short calls, so that processes are used where there is enough of them.

        Args:
            task: `segment` or `classify`.
            sizes: numbers of filters to learn again with.
        """
        return 2 * (1 + len(sizes)) if task == "segment" else 0

    def groups(
        self, data: FitData, task: str, work: Mapping[Item, int]
    ) -> dict[tuple[Item, ...], int]:
        """Items that are best learned together, with their work; results do not depend on it.

        Args:
            data: what concepts are learned from.
            task: `segment` or `classify`.
            work: by item, its training images that contain the concept.
        """
        return pack_by_cost(work, 1)

    def group_draws(self, data: FitData, work: Mapping[int, int]) -> list[tuple[int, ...]]:
        """Null draws of a concept to segment, in order, that are best learned together.

        Args:
            data: as for `groups`.
            work: by draw, its training images that contain the concept.
        """
        return list(self.groups(data, "segment", work))

    @abstractmethod
    def segment(
        self, data: FitData, concepts: Sequence[ConceptTask], sizes: Sequence[int]
    ) -> list[SegmentedConcept]:
        """Learn to segment concepts with all filters of a layer, and with subsets of them.

        Args:
            data: what to learn from; the layer has a grid.
            concepts: the concepts, with annotations of their own.
            sizes: numbers of filters to learn again with.
        """

    @abstractmethod
    def classify(
        self, data: FitData, concepts: Sequence[ConceptTask], sizes: Sequence[int]
    ) -> list[ClassifiedConcept]:
        """Learn to classify concepts with all filters, with one, and with subsets of them.

        Args:
            data: what to learn from.
            concepts: the concepts, with annotations of their own.
            sizes: numbers of filters, above 1, to learn again with.
        """

    def layer_arrays(self, data: FitData, task: str) -> dict[str, np.ndarray]:
        """Arrays of the results that are the same for all concepts, by their names in the schema.

        Args:
            data: as for `segment`.
            task: `segment` or `classify`.
        """
        return {}

    def segmentation_scores(
        self, data: FitData, concepts: Sequence[ConceptTask]
    ) -> Float[np.ndarray, "concept"]:
        """Set IoU on validation images after learning to segment with all filters.

        Args:
            data: as for `segment`.
            concepts: as for `segment`; their best filters are not used.
        """
        return np.array([one.score[1] for one in self.segment(data, concepts, ())])


def pack_by_count(work: Mapping[Item, int], size: int) -> dict[tuple[Item, ...], int]:
    """Groups of a fixed number of items, of about equally many training images each.

    Args:
        work: by item, its training images.
        size: items of a group.
    """
    order = sorted(work, key=lambda item: (-work[item], item))
    groups = (tuple(order[first : first + size]) for first in range(0, len(order), size))
    return {group: sum(work[item] for item in group) for group in groups}
