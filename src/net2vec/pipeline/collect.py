"""From what the tasks return, concept by concept, to the labelled arrays of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from net2vec import results
from net2vec.data import ProbeDataset
from net2vec.data.annotations import Annotations
from net2vec.pipeline.inputs import Inputs
from net2vec.recording import LayerRecording
from net2vec.tasks.learned import ClassifiedConcept, SegmentedConcept
from net2vec.tasks.single import SingleCounts

_Learned = SegmentedConcept | ClassifiedConcept


def layer_results(recording: LayerRecording, inputs: Inputs, layer: str) -> xr.Dataset:
    """What the recording says of a layer."""
    images = np.array(inputs.dataset.images, dtype=object)
    info = inputs.info(layer)
    return results.layer_dataset(
        threshold=recording.threshold,
        active_share=recording.active_share,
        top_image=images[recording.top_image],
        top_activation=recording.top_activation,
        attrs={
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
    """What was learned on shuffled annotations.

    Attributes:
        score: validation scores.
        weight: the combinations' vectors, where they are kept.
    """

    score: Float[np.ndarray, "draw method concept"]
    weight: Float[np.ndarray, "draw concept filter"] | None = None


def segment_results(
    annotations: Annotations,
    dataset: ProbeDataset,
    labels: Sequence[int],
    counts: SingleCounts,
    learned: Mapping[int, SegmentedConcept],
    sizes: Sequence[int],
    *,
    fit: str = results.PAPER,
    seeds: Mapping[int, Mapping[int, SegmentedConcept]] | None = None,
    nulls: NullDraws | None = None,
) -> xr.Dataset:
    """The arrays of `LAYER/segment`, or of another fit beside them.

    Args:
        annotations: which image contains what.
        dataset: names the images.
        labels: the concepts, in the order of the arrays.
        counts: of single filters.
        learned: by label.
        sizes: the subset sizes.
        fit: how it was learned.
        seeds: by seed, the run's own first, what was learned; none where that is all there is.
        nulls: what was learned on shuffled annotations.
    """
    found = [learned[label] for label in labels]
    filters = counts.set_iou.shape[2]
    pairs = np.concatenate([item.pairs for item in found] or [np.zeros(0, dtype=int)])
    images = np.array(dataset.images, dtype=object)
    names = np.array([annotations.names[label] for label in labels], dtype=object)
    split = np.where(annotations.is_train[annotations.image[pairs]], *results.SPLITS)
    path = _path(found, len(sizes), filters, fit)
    if path:
        path["path_cut"] = _of(found, "path_cut", len(sizes)).T
    again = _seeds(seeds or {}, labels, len(sizes), filters)
    if again:
        again["seed_pair_iou"] = np.stack(
            [
                np.concatenate([each[label].pair_iou[1] for label in labels] or [np.zeros(0)])
                for each in (seeds or {}).values()
            ]
        )
    return results.segment_dataset(
        concepts_of(annotations, labels),
        single_iou=counts.set_iou,
        best_filter=counts.best_filter,
        weight=_of(found, "weight", filters),
        start_distance=_of(found, "start_distance"),
        score=_of(found, "score", 2).T,
        subset_sizes=sizes,
        subset_weight=_of(found, "subset_weight", len(sizes), filters).swapaxes(0, 1),
        subset_score=np.moveaxis(_of(found, "subset_score", 2, len(sizes)), 0, 2),
        pair_iou=_joined([item.pair_iou for item in found]),
        pair_concept=np.repeat(names, [len(item.pairs) for item in found]),
        pair_image=images[annotations.image[pairs]],
        pair_split=split.astype(object),
        fit=fit,
        more={
            **{name: _of(found, name) for name in ("bias", "cut", "l2")},
            "subset_bias": _of(found, "subset_bias", len(sizes)).T,
            "subset_cut": _of(found, "subset_cut", len(sizes)).T,
            "pair_intersection": _joined([x.pair_intersection for x in found]).astype(np.int32),
            "pair_union": _joined([item.pair_union for item in found]).astype(np.int32),
            **_by_image(found, "pair_intersection", len(sizes), fit),
            **_by_image(found, "pair_union", len(sizes), fit),
            **path,
            **again,
            **_nulls(nulls),
        },
    )


def classify_results(
    annotations: Annotations,
    dataset: ProbeDataset,
    labels: Sequence[int],
    learned: Mapping[int, ClassifiedConcept],
    sizes: Sequence[int],
    filters: int,
    *,
    fit: str = results.PAPER,
    seeds: Mapping[int, Mapping[int, ClassifiedConcept]] | None = None,
    nulls: NullDraws | None = None,
) -> xr.Dataset:
    """The arrays of `LAYER/classify`, or of another fit beside them.

    Args:
        annotations: which image contains what.
        dataset: names the images.
        labels: the concepts, in the order of the arrays.
        learned: by label.
        sizes: the subset sizes.
        filters: of the layer.
        fit: how it was learned.
        seeds: by seed, the run's own first, what was learned; none where that is all there is.
        nulls: what was learned on shuffled annotations.
    """
    found = [learned[label] for label in labels]
    images = np.array(dataset.images, dtype=object)
    names = np.array([annotations.names[label] for label in labels], dtype=object)
    trial_image = np.concatenate([x.trial_image for x in found] or [np.zeros(0, dtype=int)])
    positive = np.concatenate([x.trial_positive for x in found] or [np.zeros(0, dtype=bool)])
    again = _seeds(seeds or {}, labels, len(sizes), filters)
    if again:
        each = [[learned[label] for label in labels] for learned in (seeds or {}).values()]
        again["seed_bias"] = np.stack([_of(one, "bias") for one in each])
        again["seed_best_filter"] = np.stack([_of(one, "best_filter") for one in each])
        again["seed_single_score"] = np.stack([_of(one, "single_score", 2).T for one in each], 1)
    return results.classify_dataset(
        concepts_of(annotations, labels),
        weight=_of(found, "weight", filters),
        bias=_of(found, "bias"),
        best_filter=_of(found, "best_filter").astype(np.int64),
        start_distance=_of(found, "start_distance"),
        score=_of(found, "score", 2).T,
        single_score=_of(found, "single_score", 2).T,
        subset_sizes=sizes,
        subset_weight=_of(found, "subset_weight", len(sizes), filters).swapaxes(0, 1),
        subset_bias=_of(found, "subset_bias", len(sizes)).T,
        subset_score=np.moveaxis(_of(found, "subset_score", 2, len(sizes)), 0, 2),
        fit=fit,
        more={
            "l2": _of(found, "l2"),
            "trial_correct": _joined([item.trial_correct for item in found]).astype(bool),
            "trial_concept": np.repeat(names, [len(item.trial_image) for item in found]),
            "trial_image": images[trial_image],
            "trial_positive": positive,
            **_by_image(found, "trial_correct", len(sizes), fit),
            **_path(found, len(sizes), filters, fit),
            **again,
            **_nulls(nulls),
        },
    )


def _path(found: Sequence[_Learned], sizes: int, filters: int, fit: str) -> dict[str, np.ndarray]:
    """What was learned on the filters of an L1 path, which the paper's fit has none of."""
    if fit == results.PAPER:
        return {}
    return {
        "path_weight": _of(found, "path_weight", sizes, filters).swapaxes(0, 1),
        "path_bias": _of(found, "path_bias", sizes).T,
        "path_score": np.moveaxis(_of(found, "path_score", 2, sizes), 0, 2),
    }


def _by_image(found: Sequence[_Learned], name: str, sizes: int, fit: str) -> dict[str, np.ndarray]:
    """What subsets, and the filters of an L1 path, make of every image; nothing without any."""
    rules = ("subset",) if fit == results.PAPER else ("subset", "path")
    names = [f"{rule}_{name}" for rule in rules] if found and sizes else []
    return {each: _joined([getattr(item, each) for item in found]) for each in names}


def _seeds(
    seeds: Mapping[int, Mapping[int, _Learned]],
    labels: Sequence[int],
    sizes: int,
    filters: int,
) -> dict[str, np.ndarray]:
    """What both tasks keep of every seed."""
    if not seeds:
        return {}
    each = [[learned[label] for label in labels] for learned in seeds.values()]
    return {
        "seed": np.array(list(seeds), dtype=np.int64),
        "seed_weight": np.stack([_of(one, "weight", filters) for one in each]),
        "seed_start_distance": np.stack([_of(one, "start_distance") for one in each]),
        "seed_score": np.stack([_of(one, "score", 2).T for one in each], 1),
        "seed_subset_score": np.stack(
            [np.moveaxis(_of(one, "subset_score", 2, sizes), 0, 2) for one in each], 1
        ),
    }


def _nulls(nulls: NullDraws | None) -> dict[str, np.ndarray]:
    if nulls is None:
        return {}
    weight = {} if nulls.weight is None else {"null_weight": nulls.weight}
    return {"null": np.arange(len(nulls.score)), "null_score": nulls.score, **weight}


def concepts_of(annotations: Annotations, labels: Sequence[int]) -> results.Concepts:
    """Names, categories, counts and sizes of concepts."""

    def images(train: bool) -> np.ndarray:
        counts = [len(annotations.pairs(label, train=train)) for label in labels]
        return np.array(counts, dtype=np.int64)

    return results.Concepts(
        names=[annotations.names[label] for label in labels],
        category=[annotations.category[label] for label in labels],
        n_train=images(train=True),
        n_val=images(train=False),
        concept_size=np.array([annotations.concept_size(label) for label in labels], dtype=float),
    )


def _of(found: Sequence[_Learned], name: str, *shape: int) -> np.ndarray:
    """One field of every concept, concepts first; `shape` is that of one."""
    values = [np.asarray(getattr(item, name)) for item in found]
    return np.stack(values) if values else np.zeros((0, *shape))


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    """What is known of the images of every concept, by method, one concept after the other."""
    return np.concatenate(parts or [np.zeros((2, 0))], axis=1)
