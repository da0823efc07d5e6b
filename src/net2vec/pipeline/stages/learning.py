"""All that is learned of a task on a layer: fits, seeds and nulls, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from net2vec.pipeline.collect import NullDraws, classify_results, segment_results
from net2vec.pipeline.stages.context import LayerContext
from net2vec.pipeline.stages.fitting import FitStage
from net2vec.pipeline.stages.single import count_filters, count_null_filters
from net2vec.recording import LayerRecording
from net2vec.tasks.kinds import Task


def learn_task(
    context: LayerContext,
    task: Task,
    recording: LayerRecording,
    labels: Sequence[int],
    sizes: Sequence[int],
) -> list[xr.Dataset]:
    """All that the settings ask of a task on a layer.

    Args:
        context: the run.
        task: segmentation, for which the layer must have a grid, or classification.
        recording: the layer.
        labels: the concepts.
        sizes: numbers of filters to learn again with.

    Returns:
        The arrays of every fit, in the order of the settings.
    """
    settings, data = context.settings, context.fit_data(recording)
    counts = count_filters(context, data, labels) if task.needs_grid else None
    best = dict(zip(labels, counts.best_filter.tolist(), strict=True)) if counts else {}
    stage = FitStage(context, task, data, labels, sizes, best)
    fits = context.fits()
    learned = {fit.name: stage.fit(fit) for fit in fits}
    more = range(settings.seed + 1, settings.seed + settings.seeds)
    seeds = {fit.name: stage.fit_seeds(fit, more) for fit in fits if more and fit.has_start}
    nulls = {}
    if settings.nulls:
        single = count_null_filters(context, data, labels)[:, None] if counts else None
        for fit in fits:
            found = stage.fit_nulls(fit)
            score = found.score if single is None else np.concatenate([single, found.score], 1)
            weight = found.weight if task.keeps_null_weights else None
            nulls[fit.name] = NullDraws(score, weight)
    results: list[xr.Dataset] = []
    for fit in fits:
        own: Any = learned[fit.name]
        options: Any = {"fit": fit.name, "nulls": nulls.get(fit.name)}
        if seeds.get(fit.name):
            options["seeds"] = {settings.seed: own, **seeds[fit.name]}
        shared = data.annotations, context.inputs.dataset, labels
        if counts is not None:
            results.append(segment_results(*shared, counts, own, sizes, **options))
        else:
            results.append(classify_results(*shared, own, sizes, recording.filters, **options))
    return results
