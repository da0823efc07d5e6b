"""Labelled arrays of a run: what a layer and its tasks come to, with units and definitions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float, Int
from numpy.typing import NDArray

from net2vec.results.more import PAPER, more_coordinates, more_variables

SPLITS = ("train", "val")
METHODS = ("single", "combined")


@dataclass(frozen=True)
class Concepts:
    """The concepts of one task, in the order of its arrays.

    Attributes:
        names: what the dataset calls them.
        category: the category in which each covers most.
        n_train, n_val: images of each split that contain it.
        concept_size: mean share of the mask over the training images that contain it.
    """

    names: Sequence[str]
    category: Sequence[str]
    n_train: Int[np.ndarray, "concept"]
    n_val: Int[np.ndarray, "concept"]
    concept_size: Float[np.ndarray, "concept"]

    def coordinates(self) -> dict[str, Any]:
        """The coordinates of every array over concepts."""
        return {
            "concept": _strings(self.names),
            "category": ("concept", _strings(self.category)),
            "n_train": ("concept", self.n_train, {"long_name": "training images"}),
            "n_val": ("concept", self.n_val, {"long_name": "validation images"}),
            "concept_size": (
                "concept",
                self.concept_size,
                {"long_name": "mean share of the mask over the training images", "units": "1"},
            ),
        }


def layer_dataset(
    *,
    threshold: Float[np.ndarray, "filter"],
    active_share: Float[np.ndarray, "filter"],
    top_image: NDArray[np.object_],
    top_activation: Float[np.ndarray, "filter rank"],
    attrs: Mapping[str, Any],
) -> xr.Dataset:
    """What the recording says of a layer. `attrs` holds `layer`, its true name, among others."""
    return xr.Dataset(
        {
            "threshold": (
                "filter",
                threshold,
                {"long_name": "activation above which a filter is on (T_k)"},
            ),
            "active_share": (
                "filter",
                active_share,
                {"long_name": "share of positions where the filter is on", "units": "1"},
            ),
            "top_image": (
                ("filter", "rank"),
                top_image,
                {"long_name": "images with the highest activation"},
            ),
            "top_activation": (
                ("filter", "rank"),
                top_activation,
                {"long_name": "highest activation in the image"},
            ),
        },
        coords={
            "filter": np.arange(len(threshold)),
            "rank": np.arange(top_activation.shape[1]),
        },
        attrs=dict(attrs),
    )


def segment_dataset(
    concepts: Concepts,
    *,
    single_iou: Float[np.ndarray, "split concept filter"],
    best_filter: Int[np.ndarray, "concept"],
    weight: Float[np.ndarray, "concept filter"],
    start_distance: Float[np.ndarray, "concept"],
    score: Float[np.ndarray, "split concept"],
    subset_sizes: Sequence[int],
    subset_weight: Float[np.ndarray, "subset concept filter"],
    subset_score: Float[np.ndarray, "split subset concept"],
    pair_iou: Float[np.ndarray, "method pair"],
    pair_concept: NDArray[np.object_],
    pair_image: NDArray[np.object_],
    pair_split: NDArray[np.object_],
    more: Mapping[str, Any] | None = None,
    fit: str = PAPER,
) -> xr.Dataset:
    """Results of concept segmentation on one layer (paper, section 3.1).

    `more` holds variables of `MORE` by name, whatever there is of them.
    """
    iou = {"long_name": "set IoU", "units": "1"}
    return xr.Dataset(
        {
            "single_iou": (("split", "concept", "filter"), single_iou, iou),
            "best_filter": (
                "concept",
                best_filter,
                {"long_name": "filter of the highest set IoU on the training images"},
            ),
            "weight": (
                ("concept", "filter"),
                weight,
                {"long_name": "learned weights: the concept's vector"},
            ),
            "start_distance": ("concept", start_distance, _START_DISTANCE),
            "score": (("split", "concept"), score, iou),
            "subset_weight": (
                ("subset_size", "concept", "filter"),
                subset_weight,
                {"long_name": "weights learned on the subset of filters, 0 elsewhere"},
            ),
            "subset_score": (("split", "subset_size", "concept"), subset_score, iou),
            "pair_iou": (
                ("method", "pair"),
                pair_iou,
                {"long_name": "individual IoU of an image and a concept it contains", "units": "1"},
            ),
            **more_variables(more or {}, "segment"),
        },
        coords={
            **concepts.coordinates(),
            "split": _strings(SPLITS),
            "filter": np.arange(weight.shape[1]),
            "subset_size": np.asarray(subset_sizes, dtype=np.int64),
            "method": _strings(METHODS),
            "pair_concept": ("pair", _strings(pair_concept)),
            "pair_image": ("pair", _strings(pair_image)),
            "pair_split": ("pair", _strings(pair_split)),
            **more_coordinates(more or {}),
        },
        attrs={"task": "segment", "score": "set IoU", "fit": fit},
    )


def classify_dataset(
    concepts: Concepts,
    *,
    weight: Float[np.ndarray, "concept filter"],
    bias: Float[np.ndarray, "concept"],
    best_filter: Int[np.ndarray, "concept"],
    start_distance: Float[np.ndarray, "concept"],
    score: Float[np.ndarray, "split concept"],
    single_score: Float[np.ndarray, "split concept"],
    subset_sizes: Sequence[int],
    subset_weight: Float[np.ndarray, "subset concept filter"],
    subset_bias: Float[np.ndarray, "subset concept"],
    subset_score: Float[np.ndarray, "split subset concept"],
    more: Mapping[str, Any] | None = None,
    fit: str = PAPER,
) -> xr.Dataset:
    """Results of concept classification on one layer (paper, section 3.2).

    `more` holds variables of `MORE` by name, whatever there is of them.
    """
    accuracy = {"long_name": "accuracy on a balanced set of images", "units": "1"}
    return xr.Dataset(
        {
            "weight": (
                ("concept", "filter"),
                weight,
                {"long_name": "learned weights: the concept's vector"},
            ),
            "best_filter": (
                "concept",
                best_filter,
                {"long_name": "filter of the largest absolute weight"},
            ),
            "start_distance": ("concept", start_distance, _START_DISTANCE),
            "score": (("split", "concept"), score, accuracy),
            "single_score": (("split", "concept"), single_score, accuracy),
            "subset_weight": (
                ("subset_size", "concept", "filter"),
                subset_weight,
                {"long_name": "weights learned on the subset of filters, 0 elsewhere"},
            ),
            "subset_score": (("split", "subset_size", "concept"), subset_score, accuracy),
            **more_variables(
                {"bias": bias, "subset_bias": subset_bias, **(more or {})}, "classify"
            ),
        },
        coords={
            **concepts.coordinates(),
            "split": _strings(SPLITS),
            "filter": np.arange(weight.shape[1]),
            "subset_size": np.asarray(subset_sizes, dtype=np.int64),
            **({"method": _strings(METHODS)} if more else {}),
            **more_coordinates(more or {}),
        },
        attrs={"task": "classify", "score": "accuracy", "fit": fit},
    )


def _strings(values: Sequence[str] | NDArray[np.object_]) -> NDArray[np.object_]:
    """Strings of any length, in the form that zarr's format 2 has a standard for."""
    return np.asarray(list(values), dtype=object)


_START_DISTANCE = {
    "long_name": "how far learning moved the vector: norm(w - w0) / norm(w0)",
    "units": "1",
}
