"""From what the fits learn, concept by concept, to the labelled arrays of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from net2vec import results
from net2vec.data import ProbeDataset
from net2vec.data.annotations import Annotations
from net2vec.pipeline.inputs import Inputs
from net2vec.recording import LayerRecording


def layer_results(recording: LayerRecording, inputs: Inputs, layer: str) -> xr.Dataset:
    """The arrays of a layer's group: what the recording says of it."""
    images = np.array(inputs.dataset.images, dtype=object)
    info = inputs.info(layer)
    return results.make_dataset(
        "layer",
        {
            "threshold": recording.threshold,
            "active_share": recording.active_share,
            "top_image": images[recording.top_image],
            "top_activation": recording.top_activation,
        },
        {
            "layer": layer,
            "kind": info.kind,
            "calls": info.calls,
            "activation": int(bool(info.activation)),
            "grid": list(recording.grid or ()),
            "mask_size": list(inputs.mask_size),
            "images": len(images),
        },
    )


@dataclass(frozen=True)
class NullDraws:
    """The results of fits on shuffled annotations.

    Attributes:
        score: validation scores.
        weight: the combinations' vectors, where they are kept.
    """

    score: Float[np.ndarray, "draw method concept"]
    weight: Float[np.ndarray, "draw concept filter"] | None = None


def task_results(
    task: str,
    annotations: Annotations,
    dataset: ProbeDataset,
    learned: Mapping[int, Any],
    sizes: Sequence[int],
    filters: int,
    *,
    fit: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray] | None = None,
    seeds: Mapping[int, Mapping[int, Any]] | None = None,
    nulls: NullDraws | None = None,
) -> xr.Dataset:
    """The arrays of one fit of a task on a layer.

    Every array that the schema declares for the task is taken from the field of its name of the
    learned concepts, where `arrays` does not hold it. An optional array is stored where these have
    a field that is not None and not empty.

    Args:
        task: `segment` or `classify`.
        annotations: which image contains which concept.
        dataset: names the images.
        learned: by label, in the order of the arrays, a learned concept.
        sizes: the subset sizes.
        filters: the number of filters of the layer.
        fit: the attributes `fit`, `fit_title` and `has_start`.
        arrays: arrays of all concepts, by name, that do not depend on the fit.
        seeds: by seed, the run's own first, learned concepts by label; none where the fit was made
            once.
        nulls: what was learned on shuffled annotations.
    """
    labels, concepts = list(learned), list(learned.values())
    stored: dict[str, Any] = {
        **_concepts(annotations, labels),
        **_scales(task, annotations, learned),
        **_image_coordinates(task, annotations, dataset, learned),
        "subset_size": sizes,
        **(arrays or {}),
    }
    if nulls is not None:
        stored["null_score"] = nulls.score
        if nulls.weight is not None:
            stored["null_weight"] = nulls.weight
    lengths = {"split": 2, "method": 2, "subset_size": len(sizes), "filter": filters}
    by_seed = [[each[label] for label in labels] for each in (seeds or {}).values()]
    if by_seed:
        stored["seed"] = list(seeds or {})
    for array in results.SCHEMA:
        if array.coordinate or task not in array.tasks or array.name in stored:
            continue
        values = _joined(array, concepts, lengths)
        if values is None or not (values.size or task in array.required):
            continue
        stored[array.name] = values
        if by_seed and task in (*array.per_seed, *array.seed_free):
            seeded: list[Any] = [_joined(array, each, lengths) for each in by_seed]
            differs = any(not np.array_equal(each, values, equal_nan=True) for each in seeded)
            if task in array.per_seed or differs:
                stored[array.seed_name] = _of_seeds(array, seeded)
    return results.make_dataset(task, stored, fit)


def _joined(
    array: results.StoredArray, concepts: Sequence[Any], lengths: Mapping[str, int]
) -> np.ndarray | None:
    """One array of all concepts: stacked, or one after the other where it is over images."""
    if not concepts:
        return np.zeros([lengths.get(dimension, 0) for dimension in array.dims])
    fields: list[Any] = [getattr(item, array.name, None) for item in concepts]
    if any(field is None for field in fields):
        return None
    if "concept" in array.dims:
        return np.stack(fields, axis=array.dims.index("concept"))
    return np.concatenate(fields, axis=-1)


def _of_seeds(array: results.StoredArray, seeded: Sequence[Any]) -> np.ndarray:
    """The values with every seed. Along `method` only the combination is kept: the single filter is
    the same with every seed.
    """
    if "method" in array.dims:
        combined = results.METHODS.index("combined")
        seeded = [each.take(combined, axis=array.dims.index("method")) for each in seeded]
    return np.stack(seeded, axis=array.seed_dims.index("seed"))


def _image_coordinates(
    task: str, annotations: Annotations, dataset: ProbeDataset, learned: Mapping[int, Any]
) -> dict[str, np.ndarray]:
    """The coordinates of the images that every concept is judged on, concepts one after another."""
    if task == "segment":
        dimension, rows = "pair", [annotations.image[each.pairs] for each in learned.values()]
    else:
        dimension, rows = "trial", [each.trial_image for each in learned.values()]
    names = np.array([annotations.names[label] for label in learned], dtype=object)
    images = np.concatenate(rows or [np.zeros(0, dtype=np.int64)])
    coordinates = {
        "concept": np.repeat(names, [len(each) for each in rows]),
        "image": np.array(dataset.images, dtype=object)[images],
        "split": np.where(annotations.is_train[images], *results.SPLITS),
    }
    if dimension == "pair":
        areas = [annotations.area[each.pairs] for each in learned.values()]
        coordinates["area"] = np.concatenate(areas or [np.zeros(0, dtype=np.int32)])
    if dimension == "trial":
        del coordinates["split"]  # all are validation images
        positive = [each.trial_positive for each in learned.values()]
        coordinates["positive"] = np.concatenate(positive or [np.zeros(0, dtype=bool)])
    return {f"{dimension}_{name}": values for name, values in coordinates.items()}


def _scales(
    task: str, annotations: Annotations, learned: Mapping[int, Any]
) -> dict[str, list[float]]:
    """The references of scores: images behind an accuracy, and the IoU of the whole image."""
    if task == "classify":
        return {"n_balanced": [len(each.trial_image) for each in learned.values()]}
    return {"baseline": [annotations.concept_size(label, train=False) for label in learned]}


def _concepts(annotations: Annotations, labels: Sequence[int]) -> dict[str, Any]:
    """Names, categories, counts and sizes of concepts."""
    counts = {
        name: [len(annotations.pairs(label, train=train)) for label in labels]
        for name, train in (("n_train", True), ("n_val", False))
    }
    return {
        "concept": [annotations.names[label] for label in labels],
        "category": [annotations.category[label] for label in labels],
        **counts,
        "concept_size": [annotations.concept_size(label) for label in labels],
    }
