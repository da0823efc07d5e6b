"""Average precision of the pixels of concepts on a layer, by the vectors of all fits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from net2vec.pipeline.stages.context import LayerContext
from net2vec.tasks.fits.base import FitData
from net2vec.tasks.ranking import rank_pixels


@dataclass(frozen=True)
class RankedVectors:
    """Vectors of concepts that rank pixels.

    Attributes:
        weight: the vectors.
        of_activations: whether they weigh activations; see `rank_pixels`.
    """

    weight: Float[np.ndarray, "concept filter"]
    of_activations: bool


def rank_concepts(
    context: LayerContext,
    data: FitData,
    labels: Sequence[int],
    vectors: Mapping[str, RankedVectors],
) -> dict[str, Float[np.ndarray, "concept"]]:
    """Average precision on validation images by the name of the vectors.

    Args:
        context: the run.
        data: the layer.
        labels: the concepts.
        vectors: by any name, vectors of the concepts.
    """
    images = [len(data.annotations.pairs(label, train=False)) for label in labels]
    items = {(name, place): images[place] for name in vectors for place in range(len(labels))}
    title = f"{data.recording.layer}: average precision"
    ranked = context.run("ranking", title, _Ranker(data, labels, vectors), items)
    return {
        name: np.array([ranked[name, place] for place in range(len(labels))]) for name in vectors
    }


@dataclass(frozen=True)
class _Ranker:
    data: FitData
    labels: Sequence[int]
    vectors: Mapping[str, RankedVectors]

    def __call__(self, item: tuple[str, int]) -> float:
        name, place = item
        vectors = self.vectors[name]
        return rank_pixels(
            self.data.recording,
            self.data.annotations,
            self.labels[place],
            vectors.weight[place],
            of_activations=vectors.of_activations,
        )
