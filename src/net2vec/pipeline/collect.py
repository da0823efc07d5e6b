"""From what the tasks return, concept by concept, to the labelled arrays of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr

from net2vec import results
from net2vec.data import ProbeDataset
from net2vec.data.annotations import Annotations
from net2vec.pipeline.inputs import Inputs
from net2vec.recording import LayerRecording
from net2vec.tasks import Classified, Segmented, SingleCounts


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


def segment_results(
    annotations: Annotations,
    dataset: ProbeDataset,
    labels: Sequence[int],
    counts: SingleCounts,
    learned: Mapping[int, Segmented],
    sizes: Sequence[int],
) -> xr.Dataset:
    """The arrays of `LAYER/segment`."""
    found = [learned[label] for label in labels]
    filters = counts.set_iou.shape[2]
    pairs = np.concatenate([item.pairs for item in found] or [np.zeros(0, dtype=int)])
    images = np.array(dataset.images, dtype=object)
    names = np.array([annotations.names[label] for label in labels], dtype=object)
    split = np.where(annotations.is_train[annotations.image[pairs]], *results.SPLITS)
    return results.segment_dataset(
        concepts_of(annotations, labels),
        single_iou=counts.set_iou,
        best_filter=counts.best_filter,
        weight=_stack([item.weight for item in found], (filters,)),
        start_distance=np.array([item.start_distance for item in found]),
        score=_stack([item.score for item in found], (2,)).T,
        subset_sizes=sizes,
        subset_weight=_stack(
            [item.subset_weight for item in found], (len(sizes), filters)
        ).swapaxes(0, 1),
        subset_score=np.moveaxis(
            _stack([item.subset_score for item in found], (2, len(sizes))), 0, 2
        ),
        pair_iou=np.concatenate([item.pair_iou for item in found] or [np.zeros((2, 0))], axis=1),
        pair_concept=np.repeat(names, [len(item.pairs) for item in found]),
        pair_image=images[annotations.image[pairs]],
        pair_split=split.astype(object),
    )


def classify_results(
    annotations: Annotations,
    labels: Sequence[int],
    learned: Mapping[int, Classified],
    sizes: Sequence[int],
    filters: int,
) -> xr.Dataset:
    """The arrays of `LAYER/classify`."""
    found = [learned[label] for label in labels]
    return results.classify_dataset(
        concepts_of(annotations, labels),
        weight=_stack([item.weight for item in found], (filters,)),
        bias=np.array([item.bias for item in found]),
        best_filter=np.array([item.best_filter for item in found], dtype=np.int64),
        start_distance=np.array([item.start_distance for item in found]),
        score=_stack([item.score for item in found], (2,)).T,
        single_score=_stack([item.single_score for item in found], (2,)).T,
        subset_sizes=sizes,
        subset_weight=_stack(
            [item.subset_weight for item in found], (len(sizes), filters)
        ).swapaxes(0, 1),
        subset_bias=_stack([item.subset_bias for item in found], (len(sizes),)).T,
        subset_score=np.moveaxis(
            _stack([item.subset_score for item in found], (2, len(sizes))), 0, 2
        ),
    )


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


def _stack(arrays: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    return np.stack(arrays) if arrays else np.zeros((0, *shape))
