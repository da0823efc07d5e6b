"""All that is learned of a task on a layer: fits, seeds and nulls, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from net2vec.pipeline.collect import task_results
from net2vec.pipeline.stages.context import LayerContext
from net2vec.pipeline.stages.fitting import FitStage
from net2vec.pipeline.stages.single import count_filters, count_null_filters
from net2vec.recording import LayerRecording
from net2vec.tasks.kinds import Task
from net2vec.tasks.learned import LearnedConcept


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
            if single is not None:
                found = replace(found, score=np.concatenate([single, found.score], 1))
            nulls[fit.name] = found
    arrays: dict[str, np.ndarray] = {}
    if counts is not None:
        arrays = {"single_iou": counts.set_iou, "best_filter": counts.best_filter}
    return [
        task_results(
            task.name,
            data.annotations,
            context.inputs.dataset,
            {label: learned[fit.name][label] for label in labels},
            sizes,
            recording.filters,
            fit={"fit": fit.name, "fit_title": fit.title, "has_start": int(fit.has_start)},
            arrays={**arrays, **fit.layer_arrays(data, task.name)},
            seeds=_with_own(settings.seed, learned[fit.name], seeds.get(fit.name)),
            nulls=nulls.get(fit.name),
        )
        for fit in fits
    ]


def _with_own(
    seed: int, own: dict[int, LearnedConcept], more: dict[int, dict[int, LearnedConcept]] | None
) -> dict[int, dict[int, LearnedConcept]]:
    """By seed, the run's own first, the learned concepts; none where the fit was made once."""
    return {seed: own, **more} if more else {}
