"""The closed-form fit: a linear discriminant on activations, not on where filters are on.

Nothing is drawn and nothing iterates; see `net2vec.kernels.discriminant`. Images are classified by
the converged fit: in closed form nothing is as good for spatial means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from net2vec.kernels.discriminant.moments import Covariance
from net2vec.tasks.concept import ConceptTask
from net2vec.tasks.fits.base import Fit, FitData, Item
from net2vec.tasks.fits.converged import ConvergedFit
from net2vec.tasks.fits.lda_segmentation import LayerActivations, segment_discriminant
from net2vec.tasks.learned import ClassifiedConcept, SegmentedConcept


@dataclass(frozen=True)
class LdaFit(Fit):
    """Fisher's discriminant with a shrunk covariance; see the module."""

    name: ClassVar[str] = "lda"
    title: ClassVar[str] = "linear discriminant"
    reads_activations: ClassVar[bool] = True

    def cache_key(self, task: str) -> dict[str, object]:
        """See `Fit.cache_key`; what the converged fit has learned to classify is found again."""
        return super().cache_key(task) if task == "segment" else ConvergedFit().cache_key(task)

    def cost(self, task: str, sizes: Sequence[int]) -> int:
        """See `Fit.cost`: calls are long, and all concepts share what is taken once."""
        return 0

    def groups(
        self, data: FitData, task: str, work: Mapping[Item, int]
    ) -> dict[tuple[Item, ...], int]:
        """See `Fit.groups`."""
        if task == "segment":
            return super().groups(data, task, work)
        return ConvergedFit().groups(data, task, work)

    def layer_arrays(self, data: FitData, task: str) -> dict[str, np.ndarray]:
        """See `Fit.layer_arrays`."""
        if task != "segment":
            return {}
        return {"filter_scale": self._covariance(data).scale.float().numpy()}

    def segment(
        self, data: FitData, concepts: Sequence[ConceptTask], sizes: Sequence[int]
    ) -> list[SegmentedConcept]:
        """See `Fit.segment`."""
        layer = LayerActivations.of(data.recording)
        covariance = self._covariance(data)
        return [
            segment_discriminant(
                layer,
                covariance,
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
        return ConvergedFit().classify(data, concepts, sizes)

    def _covariance(self, data: FitData) -> Covariance:
        """The covariance of the layer, with its eigenvectors; computed once for all concepts."""

        def make() -> Covariance:
            return LayerActivations.of(data.recording).covariance(data.annotations.is_train)

        return data.derived(self, "covariance", make)
