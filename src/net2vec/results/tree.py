"""The groups of `results.zarr`, one a layer and in it one a task, and the scores as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from net2vec.errors import ResultsError
from net2vec.results.more import FITS, PAPER
from net2vec.results.seeds import at_seed

SCORE_COLUMNS = (
    "network", "layer", "task", "concept", "category", "method", "filters", "best_filter",
    "train", "val", "n_train", "n_val", "concept_size", "fit",
)  # fmt: skip
SKIPPED_COLUMNS = ("network", "layer", "task", "concept", "filters", "reason")


def results_tree(
    *,
    network: str,
    layers: Mapping[str, tuple[xr.Dataset, Mapping[str, xr.Dataset | Sequence[xr.Dataset]]]],
    attrs: Mapping[str, Any] | None = None,
) -> xr.DataTree:
    """One group a layer, in it one group a task.

    Args:
        network: the network's name.
        layers: by true name, in the network's order: the layer's dataset and those of its tasks,
            where there are two fits that of each, the first first.
        attrs: more attributes of the root.
    """
    root = xr.Dataset(attrs={"network": network, "layers": list(layers), **(attrs or {})})
    groups = {"/": root}
    for name, (dataset, tasks) in layers.items():
        groups[f"/{group_name(name)}"] = dataset
        for task, results in tasks.items():
            first, *others = [results] if isinstance(results, xr.Dataset) else results
            groups[f"/{group_name(name)}/{task}"] = first
            for other in others:
                groups[f"/{group_name(name)}/{task}/{other.attrs['fit']}"] = other
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


def fits_of(tree: xr.DataTree) -> tuple[str, ...]:
    """The fits that a run has, the first first; a run of an older version has the paper's."""
    if "fits" in tree.attrs:
        names = tree.attrs["fits"]
        return (names,) if isinstance(names, str) else tuple(str(name) for name in names)
    for layer in layers_of(tree):
        for task in tasks_of(tree, layer):
            group = tree[f"{group_name(layer)}/{task}"]
            beside = [fit for fit in FITS if fit in group.children]
            return (str(group.attrs.get("fit", PAPER)), *beside)
    return (PAPER,)


def task_of(
    tree: xr.DataTree, layer: str, task: str, *, fit: str | None = None, seed: int | None = None
) -> xr.Dataset:
    """The results of a task on a layer.

    Args:
        tree: a run's results.
        layer: the layer's true name.
        task: `segment` or `classify`.
        fit: one of `fits_of`; the first by default.
        seed: one of `seeds_in`; results are then those with this seed, see `at_seed`.

    Raises:
        ResultsError: the run has no such layer, task, fit or seed.
    """
    layer_of(tree, layer)
    if task not in tasks_of(tree, layer):
        raise ResultsError(
            f"task {task!r} is not in this run; layer {layer} has "
            f"{', '.join(tasks_of(tree, layer)) or 'none'}"
        )
    path = f"{group_name(layer)}/{task}"
    if fit not in (None, *fits_of(tree)):
        raise ResultsError(f"fit {fit!r} is not in this run; it has {', '.join(fits_of(tree))}")
    if fit not in (None, fits_of(tree)[0]):
        path = f"{path}/{fit}"
    found = _dataset(tree, path)
    return found if seed is None else at_seed(found, seed)


def _dataset(tree: xr.DataTree, path: str) -> xr.Dataset:
    node = tree[path]
    if not isinstance(node, xr.DataTree):
        raise ResultsError(f"{path} in results.zarr is no group")
    # On reading, xarray keeps a coordinate that the parent group shares in the parent alone.
    found = node.to_dataset(inherit=True)
    used = {dimension for variable in found.data_vars.values() for dimension in variable.dims}
    return found.drop_vars([name for name, at in found.coords.items() if not used >= set(at.dims)])


def scores_table(
    tree: xr.DataTree, *, fit: str | None = None, seed: int | None = None
) -> pd.DataFrame:
    """One row a (layer, task, concept, method, filters, fit), with the columns of `scores.csv`.

    Args:
        tree: a run's results.
        fit: whose rows; all by default.
        seed: rows of the fit with this seed; of the run's own by default.

    Raises:
        ResultsError: the run has no such fit or seed.
    """
    parts: list[pd.DataFrame] = []
    for layer in layers_of(tree):
        for task in tasks_of(tree, layer):
            for each in fits_of(tree) if fit is None else (fit,):
                found = task_of(tree, layer, task, fit=each, seed=seed)
                parts.extend(rows.assign(fit=each) for rows in _score_rows(found, layer, task))
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
        if "path_score" in results:
            blocks.append(("path", int(filters), results["path_score"].to_numpy()[:, position]))
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
