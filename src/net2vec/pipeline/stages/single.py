"""Single filters on a layer, and on shuffled masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from net2vec.core.executors import choose_executor
from net2vec.pipeline.stages.context import LayerContext
from net2vec.tasks.fits.base import FitData
from net2vec.tasks.nulls import shuffle_masks
from net2vec.tasks.single import FilterCounts, count_single_filters
from net2vec.tasks.tuned import TunedFilters, tune_thresholds

_TUNED = "filters"
# Raised when thresholds are chosen in another way.
_TUNING = 1


@dataclass(frozen=True)
class NullScores:
    """Validation scores of single filters on shuffled masks.

    Attributes:
        score: of the filter that is best on the shuffled training images.
    """

    score: Float[np.ndarray, "concept"]


def count_filters(context: LayerContext, data: FitData, labels: Sequence[int]) -> FilterCounts:
    """Overlap of every filter with every concept."""
    images = len(context.inputs.dataset.images)
    advance = context.progress.stage(f"{data.recording.layer}: single filters", images)
    with context.ledger.stage("single filters"):
        return count_single_filters(
            data.recording,
            data.annotations,
            labels,
            device=data.device,
            executor=context.executor or choose_executor(context.workers),
            progress=advance,
        )


def tune_filters(context: LayerContext, data: FitData, labels: Sequence[int]) -> TunedFilters:
    """Every filter at its own threshold for every concept; activations must have been kept."""
    names = [data.annotations.names[label] for label in labels]
    layer, filters = data.recording.layer, data.recording.filters
    cache = context.cache("segment", layer, seed=0, tuned=_TUNING, names=names)
    advance = context.progress.stage(f"{layer}: thresholds of single filters", filters)
    tuned = cache.get(_TUNED, TunedFilters)
    if tuned is not None:
        advance(filters)
    else:
        with context.ledger.stage("thresholds"):
            tuned = tune_thresholds(
                data.recording,
                data.annotations,
                labels,
                workers=context.workers,
                executor=context.executor or choose_executor(context.workers),
                progress=advance,
            )
        cache.put(_TUNED, tuned)
    return tuned


def count_null_filters(
    context: LayerContext, data: FitData, labels: Sequence[int]
) -> Float[np.ndarray, "draw concept"]:
    """The validation score of the best filter on shuffled masks, draw by draw."""
    seed, layer = context.settings.seed, data.recording.layer
    names = [data.annotations.names[label] for label in labels]
    cache = context.cache("segment", layer, seed=seed, null="single", names=names)
    known = {}
    for draw in range(context.settings.nulls):
        cached = cache.get(str(draw), NullScores)
        if cached is not None:
            known[draw] = cached
    images = len(context.inputs.dataset.images)
    left = [draw for draw in range(context.settings.nulls) if draw not in known]

    def keep(draw: int, scores: NullScores) -> None:
        known[draw] = scores
        cache.put(str(draw), scores)

    context.run(
        "single filters nulls",
        f"{layer}: single filters ({context.settings.nulls} nulls)",
        _NullCounter(data, tuple(labels), seed),
        dict.fromkeys(left, images),
        done=images * len(known),
        keep=keep,
    )
    return np.stack([known[draw].score for draw in range(context.settings.nulls)])


@dataclass(frozen=True)
class _NullCounter:
    """Counts single filters on one draw of shuffled masks."""

    data: FitData
    labels: Sequence[int]
    seed: int

    def __call__(self, draw: int) -> NullScores:
        data = self.data
        shuffled = shuffle_masks(
            data.annotations, self.labels, seed=self.seed, dataset=data.dataset, draw=draw
        )
        counts = count_single_filters(data.recording, shuffled, self.labels, device=data.device)
        concepts = np.arange(len(self.labels))
        return NullScores(counts.set_iou[1, concepts, counts.best_filter])
