"""A run on disk: `results.zarr`, `scores.csv`, `skipped.csv` and `provenance.json`.

Functions here turn plain arrays into labelled ones, and labelled ones into files and back. Nothing
is computed. Every file is written under a temporary name beside its own and renamed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float, Int
from numpy.typing import NDArray

from net2vec.errors import ResultsError

SPLITS = ("train", "val")
METHODS = ("single", "combined")
SCORE_COLUMNS = (
    "network", "layer", "task", "concept", "category", "method", "filters", "best_filter",
    "train", "val", "n_train", "n_val", "concept_size",
)  # fmt: skip
SKIPPED_COLUMNS = ("network", "layer", "task", "concept", "filters", "reason")


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
) -> xr.Dataset:
    """Results of concept segmentation on one layer (paper, section 3.1)."""
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
        },
        attrs={"task": "segment", "score": "set IoU"},
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
) -> xr.Dataset:
    """Results of concept classification on one layer (paper, section 3.2)."""
    accuracy = {"long_name": "accuracy on a balanced set of images", "units": "1"}
    return xr.Dataset(
        {
            "weight": (
                ("concept", "filter"),
                weight,
                {"long_name": "learned weights: the concept's vector"},
            ),
            "bias": ("concept", bias),
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
            "subset_bias": (("subset_size", "concept"), subset_bias),
            "subset_score": (("split", "subset_size", "concept"), subset_score, accuracy),
        },
        coords={
            **concepts.coordinates(),
            "split": _strings(SPLITS),
            "filter": np.arange(weight.shape[1]),
            "subset_size": np.asarray(subset_sizes, dtype=np.int64),
        },
        attrs={"task": "classify", "score": "accuracy"},
    )


def results_tree(
    *,
    network: str,
    layers: Mapping[str, tuple[xr.Dataset, Mapping[str, xr.Dataset]]],
    attrs: Mapping[str, Any] | None = None,
) -> xr.DataTree:
    """One group a layer, in it one group a task.

    Args:
        network: the network's name.
        layers: by true name, in the network's order: the layer's dataset and those of its tasks.
        attrs: more attributes of the root.
    """
    root = xr.Dataset(attrs={"network": network, "layers": list(layers), **(attrs or {})})
    groups = {"/": root}
    for name, (dataset, tasks) in layers.items():
        groups[f"/{group_name(name)}"] = dataset
        for task, results in tasks.items():
            groups[f"/{group_name(name)}/{task}"] = results
    return xr.DataTree.from_dict(groups)


def group_name(layer: str) -> str:
    """The name of a layer's group: a `/` would start another group."""
    return layer.replace("/", "-")


def layers_of(tree: xr.DataTree) -> list[str]:
    """The true names of a run's layers, in the network's order."""
    names = tree.attrs["layers"]
    return [names] if isinstance(names, str) else [str(name) for name in names]


def tasks_of(tree: xr.DataTree, layer: str) -> list[str]:
    """The tasks that a layer has results for."""
    group = tree[group_name(layer)]
    return [task for task in ("segment", "classify") if task in group.children]


def layer_of(tree: xr.DataTree, layer: str) -> xr.Dataset:
    """What the recording says of a layer.

    Raises:
        ResultsError: the run has no such layer.
    """
    if layer not in layers_of(tree):
        raise ResultsError(
            f"layer {layer!r} is not in this run; it has {', '.join(layers_of(tree))}"
        )
    return _dataset(tree, group_name(layer))


def task_of(tree: xr.DataTree, layer: str, task: str) -> xr.Dataset:
    """The results of a task on a layer.

    Raises:
        ResultsError: the run has no such layer or task.
    """
    layer_of(tree, layer)
    if task not in tasks_of(tree, layer):
        raise ResultsError(
            f"task {task!r} is not in this run; layer {layer} has "
            f"{', '.join(tasks_of(tree, layer)) or 'none'}"
        )
    return _dataset(tree, f"{group_name(layer)}/{task}").drop_vars("rank", errors="ignore")


def _dataset(tree: xr.DataTree, path: str) -> xr.Dataset:
    node = tree[path]
    if not isinstance(node, xr.DataTree):
        raise ResultsError(f"{path} in results.zarr is no group")
    # On reading, xarray keeps a coordinate that the parent group shares in the parent alone.
    return node.to_dataset(inherit=True)


def scores_table(tree: xr.DataTree) -> pd.DataFrame:
    """One row a (layer, task, concept, method, filters), with the columns of `scores.csv`."""
    parts: list[pd.DataFrame] = []
    for layer in layers_of(tree):
        for task in tasks_of(tree, layer):
            parts.extend(_score_rows(task_of(tree, layer, task), layer, task))
    if not parts:
        return pd.DataFrame(columns=list(SCORE_COLUMNS))
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "network", tree.attrs["network"])
    return table[list(SCORE_COLUMNS)]


def _score_rows(results: xr.Dataset, layer: str, task: str) -> Iterator[pd.DataFrame]:
    size = results.sizes["filter"]
    best = results["best_filter"].to_numpy()
    if task == "segment":
        single = results["single_iou"].to_numpy()[:, np.arange(len(best)), best]
    else:
        single = results["single_score"].to_numpy()
    blocks = [("single", 1, single), ("combined", size, results["score"].to_numpy())]
    subset = results["subset_score"].to_numpy()
    for position, filters in enumerate(results["subset_size"].to_numpy()):
        blocks.append(("subset", int(filters), subset[:, position]))
    for method, filters, score in blocks:
        yield pd.DataFrame(
            {
                "layer": layer,
                "task": task,
                "concept": results["concept"].to_numpy().astype(object),
                "category": results["category"].to_numpy().astype(object),
                "method": method,
                "filters": filters,
                "best_filter": best,
                "train": score[0],
                "val": score[1],
                "n_train": results["n_train"].to_numpy(),
                "n_val": results["n_val"].to_numpy(),
                "concept_size": results["concept_size"].to_numpy(),
            }
        )


def save_tree(tree: xr.DataTree, path: Path) -> None:
    """Write `results.zarr` in Zarr's format 2, whose strings and metadata every reader knows."""

    def write(temporary: Path) -> None:
        tree.to_zarr(
            temporary,
            zarr_format=2,
            mode="w",
            consolidated=True,
            write_inherited_coords=True,
        )

    _replace(path, write)


def load_tree(path: Path) -> xr.DataTree:
    """Read `results.zarr` lazily.

    Raises:
        ResultsError: there is none, or it cannot be read.
    """
    if not path.is_dir():
        raise ResultsError(f"{path.parent} is not a finished run: it has no {path.name}")
    try:
        return xr.open_datatree(path, engine="zarr")
    except Exception as error:
        raise ResultsError(f"{path} cannot be read as results: {error}") from error


def save_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV; numbers read back to the same bits."""
    _replace(path, lambda temporary: table.to_csv(temporary, index=False, lineterminator="\n"))


def load_table(path: Path) -> pd.DataFrame:
    """Read a CSV of a run. A concept named `null` stays a name, an empty number is missing.

    Raises:
        ResultsError: there is none, or it cannot be read.
    """
    if not path.is_file():
        raise ResultsError(f"{path.parent} is not a finished run: it has no {path.name}")
    names = ("network", "layer", "task", "concept", "category", "method", "reason", "filters")
    try:
        header = pd.read_csv(path, nrows=0).columns
        text = {name: str for name in names if name in header and name != "filters"}
        numbers = {name: [""] for name in header if name not in text}
        return pd.read_csv(
            path,
            dtype=text,
            keep_default_na=False,
            na_values=numbers,
            engine="python",  # its floats are exact in every version of pandas
        )
    except (ValueError, OSError) as error:
        raise ResultsError(f"{path} cannot be read as a table: {error}") from error


def save_json(value: Mapping[str, Any], path: Path) -> None:
    """Write a JSON file, for people as well."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    save_text(text, path)


def save_text(text: str, path: Path) -> None:
    """Write a text file."""
    _replace(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def load_json(path: Path) -> dict[str, Any]:
    """Read a JSON file of a run.

    Raises:
        ResultsError: there is none, or it is not JSON.
    """
    try:
        value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ResultsError(f"{path.parent} is not a finished run: it has no {path.name}") from error
    except ValueError as error:
        raise ResultsError(f"{path} is not valid JSON: {error}") from error
    return value


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write beside `path` and rename, so that no reader ever meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    _remove(temporary)
    try:
        write(temporary)
        if path.is_dir():  # a folder cannot be renamed over another
            shutil.rmtree(path)
        temporary.replace(path)
    finally:
        _remove(temporary)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _strings(values: Sequence[str] | NDArray[np.object_]) -> NDArray[np.object_]:
    """Strings of any length, in the form that zarr's format 2 has a standard for."""
    return np.asarray(list(values), dtype=object)


_START_DISTANCE = {
    "long_name": "how far learning moved the vector: norm(w - w0) / norm(w0)",
    "units": "1",
}
