"""Learning of a task on a layer with all fits, seeds and nulls, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from net2vec.pipeline.collect import task_results
from net2vec.pipeline.stages.context import LayerContext
from net2vec.pipeline.stages.fitting import FitStage
from net2vec.pipeline.stages.ranking import RankedVectors, rank_concepts
from net2vec.pipeline.stages.single import count_filters, count_null_filters, tune_filters
from net2vec.recording import LayerRecording
from net2vec.tasks.fits.base import Fit, FitData
from net2vec.tasks.kinds import Task
from net2vec.tasks.learned import LearnedConcept
from net2vec.tasks.tuned import TunedFilters, tuned_counts

# Among the names of fits, that of single filters at thresholds of their own.
_TUNED = ""


def learn_task(
    context: LayerContext,
    task: Task,
    recording: LayerRecording,
    labels: Sequence[int],
    sizes: Sequence[int],
) -> list[xr.Dataset]:
    """Learn a task on a layer with all fits, seeds and nulls that the settings ask for.

    Args:
        context: the run.
        task: segmentation, for which the layer must have a grid, or classification.
        recording: the layer.
        labels: the concepts.
        sizes: numbers of filters to learn again with.

    Returns:
        The arrays of every fit, in the order of the settings.
    """
    settings, data = context.settings, context.fit_data(task, recording)
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
            draws = stage.fit_nulls(fit)
            if single is not None:
                draws = replace(draws, score=np.concatenate([single, draws.score], 1))
            nulls[fit.name] = draws
    arrays: dict[str, np.ndarray] = {}
    own = {fit.name: fit.layer_arrays(data, task.name) for fit in fits}
    if counts is not None:
        arrays = {"single_iou": counts.set_iou, "best_filter": counts.best_filter}
    if counts is not None and labels:
        ranked = {
            fit.name: _vectors(fit, [learned[fit.name][label] for label in labels], own[fit.name])
            for fit in fits
        }
        if recording.activations is not None:
            tuned = tune_filters(context, data, labels)
            arrays |= _tuned_arrays(data, labels, tuned)
            one_hot = np.eye(recording.filters, dtype=np.float32)
            ranked[_TUNED] = RankedVectors(one_hot[tuned.best_filter], of_activations=True)
        precision = rank_concepts(context, data, labels, ranked)
        if _TUNED in precision:
            arrays["tuned_average_precision"] = precision[_TUNED]
        for fit in fits:
            own[fit.name] = {**own[fit.name], "average_precision": precision[fit.name]}
    return [
        task_results(
            task.name,
            data.annotations,
            context.inputs.dataset,
            {label: learned[fit.name][label] for label in labels},
            sizes,
            recording.filters,
            fit={"fit": fit.name, "fit_title": fit.title, "has_start": int(fit.has_start)},
            arrays={**arrays, **own[fit.name]},
            seeds=_with_own(settings.seed, learned[fit.name], seeds.get(fit.name)),
            nulls=nulls.get(fit.name),
        )
        for fit in fits
    ]


def _vectors(
    fit: Fit, learned: Sequence[LearnedConcept], own: Mapping[str, np.ndarray]
) -> RankedVectors:
    """The vectors of a fit, as weights of what they are learned on."""
    weight = np.stack([one.weight for one in learned])
    return RankedVectors(weight * own.get("filter_scale", np.float32(1)), fit.reads_activations)


def _tuned_arrays(
    data: FitData, labels: Sequence[int], tuned: TunedFilters
) -> dict[str, np.ndarray]:
    """The arrays of single filters at thresholds of their own."""
    counts = tuned_counts(data.recording, data.annotations, labels, tuned)
    return {
        "tuned_threshold": tuned.threshold,
        "tuned_iou": tuned.set_iou,
        "tuned_filter": tuned.best_filter,
        "tuned_pair_intersection": np.concatenate([each.intersection for each in counts]),
        "tuned_pair_union": np.concatenate([each.union for each in counts]),
    }


def _with_own(
    seed: int, own: dict[int, LearnedConcept], more: dict[int, dict[int, LearnedConcept]] | None
) -> dict[int, dict[int, LearnedConcept]]:
    """By seed, the run's own first, the learned concepts; none where the fit was made once."""
    return {seed: own, **more} if more else {}
