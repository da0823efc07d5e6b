"""A linear discriminant on activations, not on where filters are on, and steps that follow it.

Nothing is drawn; see `net2vec.kernels.discriminant`. It is a fit of
segmentation: images are classified by the vectors of the converged fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from net2vec.kernels.discriminant.low_rank import DIRECTIONS, LowRankCovariance
from net2vec.kernels.discriminant.moments import Covariance, central_moments
from net2vec.tasks.concept import ConceptTask
from net2vec.tasks.fits.base import Fit, FitData, Item
from net2vec.tasks.fits.converged import ConvergedFit
from net2vec.tasks.fits.lda_learner import AnyCovariance
from net2vec.tasks.fits.lda_segmentation import discriminant_scores, segment_discriminant
from net2vec.tasks.learned import ClassifiedConcept, SegmentedConcept
from net2vec.vocabulary import FITS, LDA

# Filters of whose pairs a matrix is made: 0.5 GiB, several at a time.
_MAX_PAIRED_FILTERS = 1 << 13
# Null draws of a group, at most: their annotations are in memory, and with few large groups some
# workers end long before others.
_DRAWS = 8


@dataclass(frozen=True)
class LdaFit(Fit):
    """Fisher's discriminant with a shrunk covariance, then steps; see the module."""

    name: ClassVar[str] = LDA
    title: ClassVar[str] = FITS[LDA].title
    reads_activations: ClassVar[bool] = True
    version: ClassVar[int] = 5

    def cache_key(self, task: str) -> dict[str, object]:
        """See `Fit.cache_key`; what the converged fit has learned to classify is found again."""
        return super().cache_key(task) if task == "segment" else ConvergedFit().cache_key(task)

    @classmethod
    def remark(cls, filters: int) -> str:
        """See `Fit.remark`: of wide layers the covariance is of some directions."""
        if filters <= _MAX_PAIRED_FILTERS:
            return ""
        return (
            f"with {filters} filters the linear discriminant takes their covariance along "
            f"{DIRECTIONS} directions, and beside these each filter alone"
        )

    def cost(self, task: str, sizes: Sequence[int]) -> int:
        """See `Fit.cost`: calls are long, and all concepts share what is taken once."""
        return 0

    def groups(
        self, data: FitData, task: str, work: Mapping[Item, int]
    ) -> dict[tuple[Item, ...], int]:
        """See `Fit.groups`: one by one to segment, as the converged fit to classify."""
        return ConvergedFit().groups(data, task, work)

    def group_draws(self, data: FitData, work: Mapping[int, int]) -> list[tuple[int, ...]]:
        """See `Fit.group_draws`: they share activations of the concept's images."""
        if not work:
            return []
        groups = np.array_split(list(work), -(-len(work) // _DRAWS))
        return [tuple(group.tolist()) for group in groups]

    def layer_arrays(self, data: FitData, task: str) -> dict[str, np.ndarray]:
        """See `Fit.layer_arrays`."""
        if task != "segment":
            return {}
        return {"filter_scale": self._covariance(data).scale.float().numpy()}

    def segment(
        self, data: FitData, concepts: Sequence[ConceptTask], sizes: Sequence[int]
    ) -> list[SegmentedConcept]:
        """See `Fit.segment`."""
        return [
            segment_discriminant(
                data.recording,
                self._covariance(data),
                one.annotations,
                one.label,
                best_filter=one.best_filter,
                subset_sizes=sizes,
                device=data.device,
            )
            for one in concepts
        ]

    def segmentation_scores(
        self, data: FitData, concepts: Sequence[ConceptTask]
    ) -> Float[np.ndarray, "concept"]:
        """See `Fit.segmentation_scores`; neighbours with the same images share a look at them."""
        return discriminant_scores(data.recording, self._covariance(data), concepts, data.device)

    def classify(
        self, data: FitData, concepts: Sequence[ConceptTask], sizes: Sequence[int]
    ) -> list[ClassifiedConcept]:
        """See `Fit.classify`."""
        return ConvergedFit().classify(data, concepts, sizes)

    def _covariance(self, data: FitData) -> AnyCovariance:
        """The covariance over the cells of all training images; computed once for all concepts."""
        return data.derived(self, "covariance", lambda: _covariance_of(data))


def _covariance_of(data: FitData) -> AnyCovariance:
    recording, kept = data.recording, data.recording.activations
    if kept is None:
        raise ValueError(f"the activations of layer {recording.layer} were not kept")
    images = np.flatnonzero(data.annotations.is_train)
    near = torch.from_numpy(recording.means[images].mean(0, dtype=np.float64))

    def blocks() -> Iterator[Float[Tensor, "_ cell filter"]]:
        return (kept.of(images[some]) for some in kept.blocks(len(images)))

    if recording.filters > _MAX_PAIRED_FILTERS:
        return LowRankCovariance.of(blocks, near)
    return Covariance.of(*central_moments(blocks(), near))
