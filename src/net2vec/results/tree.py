"""The groups of `results.zarr`, one a layer and in it one a task, and the scores as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from net2vec.errors import ResultsError
from net2vec.results.arrays import check_dataset, other_version
from net2vec.results.detection import DetectedPixels
from net2vec.results.schema import LAYER, SEGMENT, TASKS
from net2vec.results.seeds import at_seed, without_unused
from net2vec.vocabulary import FITS

SCORE_COLUMNS = (
    "network", "layer", "task", "concept", "category", "method", "filters", "best_filter",
    "train", "val", "n_train", "n_val", "concept_size", "n_balanced", "baseline", "precision",
    "recall", "average_precision", "fit",
)  # fmt: skip
SKIPPED_COLUMNS = ("network", "layer", "task", "concept", "filters", "reason")

# Of runs of before a fit's title was stored with it.
_FIRST_FIT = next(iter(FITS))


def _fit_attributes(fit: str) -> dict[str, Any]:
    """The attributes of a fit, of runs that do not store all of them."""
    known = FITS.get(fit)
    title, has_start = (known.title, known.has_start) if known else (fit, False)
    return {"fit": fit, "fit_title": title, "has_start": int(has_start)}


def results_tree(
    *,
    network: str,
    layers: Mapping[str, tuple[xr.Dataset, Mapping[str, Sequence[xr.Dataset]]]],
    attrs: Mapping[str, Any] | None = None,
) -> xr.DataTree:
    """A tree with a group for each layer, in it one for each task, in that one for each other fit.

    Args:
        network: the network's name.
        layers: by true name, in the network's order: the layer's dataset, and by task those of
            every fit, in the order of the fits.
        attrs: more attributes of the root.
    """
    groups = {}
    fits: dict[str, None] = {}
    for name, (dataset, tasks) in layers.items():
        groups[f"/{group_name(name)}"] = dataset
        for task, results in tasks.items():
            for place, each in enumerate(results):
                fit = each.attrs["fit"]
                fits[fit] = None
                groups[f"/{group_name(name)}/{task}" + (f"/{fit}" if place else "")] = each
    about = {"network": network, "layers": list(layers), "fits": list(fits)}
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs={**about, **(attrs or {})}), **groups})


def group_name(layer: str) -> str:
    """The name of a layer's group: a `/` would start another group."""
    return layer.replace("/", "-")


def layers_of(tree: xr.DataTree) -> list[str]:
    """The true names of a run's layers, in the network's order."""
    return _names(tree.attrs["layers"])


def tasks_of(tree: xr.DataTree, layer: str) -> list[str]:
    """The tasks that a layer has results for."""
    group = tree[group_name(layer)]
    return [task for task in TASKS if task in group.children]


def layer_of(tree: xr.DataTree, layer: str) -> xr.Dataset:
    """The arrays of a layer's recording.

    Raises:
        ResultsError: the run has no such layer, or its results are of another version.
    """
    _require_layer(tree, layer)
    return _dataset(tree, group_name(layer), LAYER)


def _require_layer(tree: xr.DataTree, layer: str) -> None:
    if layer not in layers_of(tree):
        raise ResultsError(
            f"layer {layer!r} is not in this run; it has {', '.join(layers_of(tree))}"
        )


def fits_of(tree: xr.DataTree) -> tuple[str, ...]:
    """The fits of a run in order. Runs of versions with a single fit have that one."""
    if "fits" in tree.attrs:
        return tuple(_names(tree.attrs["fits"])) or (_FIRST_FIT,)
    for layer in layers_of(tree):
        for task in tasks_of(tree, layer):
            group = tree[f"{group_name(layer)}/{task}"]
            return (str(group.attrs.get("fit", _FIRST_FIT)), *group.children)
    return (_FIRST_FIT,)


def checked(tree: xr.DataTree) -> xr.DataTree:
    """A tree that was read, if it has the root and the groups of layers that this version writes.

    Raises:
        ResultsError: if it has not.
    """
    lacking = [f"attribute {name}" for name in ("network", "layers") if name not in tree.attrs]
    names = [] if lacking else [group_name(layer) for layer in layers_of(tree)]
    lacking += [f"group {name}" for name in names if name not in tree.children]
    if lacking:
        raise other_version("its root", f"lacks the {lacking[0]}")
    return tree


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
        ResultsError: the run has no such layer, task, fit or seed, or its results are of another
            version.
    """
    _require_layer(tree, layer)
    if task not in tasks_of(tree, layer):
        raise ResultsError(
            f"task {task!r} is not in this run; layer {layer} has "
            f"{', '.join(tasks_of(tree, layer)) or 'none'}"
        )
    fits = fits_of(tree)
    if fit not in (None, *fits):
        raise ResultsError(f"fit {fit!r} is not in this run; it has {', '.join(fits)}")
    path = f"{group_name(layer)}/{task}"
    if fit not in (None, fits[0]):
        path = f"{path}/{fit}"
    dataset = _dataset(tree, path, task)
    # Older runs say less of a fit.
    dataset = dataset.assign_attrs(
        {**_fit_attributes(fit or fits[0]), "task": task, **dataset.attrs}
    )
    return dataset if seed is None else at_seed(dataset, seed)


def _dataset(tree: xr.DataTree, path: str, task: str) -> xr.Dataset:
    try:
        node = tree[path]
    except KeyError:
        raise other_version("its root", f"lacks the group {path}") from None
    if not isinstance(node, xr.DataTree):
        raise other_version(path, "is no group")
    # On reading, xarray keeps a coordinate that the parent group shares in the parent alone.
    return without_unused(check_dataset(node.to_dataset(inherit=True), task, path))


def _names(stored: Any) -> list[str]:
    """An attribute that holds names: Zarr's readers may give a single one as it is."""
    return [stored] if isinstance(stored, str) else [str(name) for name in stored]


def scores_table(
    tree: xr.DataTree, *, fit: str | None = None, seed: int | None = None
) -> pd.DataFrame:
    """The table `scores.csv`: a row for each layer, task, concept, method, filters and fit.

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
                dataset = task_of(tree, layer, task, fit=each, seed=seed)
                parts.extend(rows.assign(fit=each) for rows in _score_rows(dataset, layer, task))
    if not parts:
        return pd.DataFrame(columns=list(SCORE_COLUMNS))
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "network", tree.attrs["network"])
    return table[list(SCORE_COLUMNS)]


def _score_rows(results: xr.Dataset, layer: str, task: str) -> Iterator[pd.DataFrame]:
    best = results["best_filter"].to_numpy()
    count = results.sizes["concept"]
    balanced, baseline = _scales(results, task)
    detected = DetectedPixels(results) if task == SEGMENT else None
    none = np.full(count, np.nan)
    for scored in _scored(results, task):
        precision, recall = none, none
        if detected is not None and scored.counts is not None:
            precision, recall = detected.precision_and_recall(*scored.counts)
        yield pd.DataFrame(
            {
                "layer": layer,
                "task": task,
                "concept": results["concept"].to_numpy().astype(object),
                "category": results["category"].to_numpy().astype(object),
                "method": scored.method,
                "filters": scored.filters,
                "best_filter": best if scored.best_filter is None else scored.best_filter,
                "train": scored.score[0],
                "val": scored.score[1],
                "n_train": results["n_train"].to_numpy(),
                "n_val": results["n_val"].to_numpy(),
                "concept_size": results["concept_size"].to_numpy(),
                "n_balanced": balanced,
                "baseline": baseline,
                "precision": precision,
                "recall": recall,
                "average_precision": none if scored.ranking is None else scored.ranking,
            }
        )


@dataclass(frozen=True)
class _Scored:
    """A method with its number of filters, scores and, in segmentation, counts by image."""

    method: str
    filters: int
    score: np.ndarray
    counts: tuple[np.ndarray, np.ndarray] | None = None
    ranking: np.ndarray | None = None
    best_filter: np.ndarray | None = None


def _scored(results: xr.Dataset, task: str) -> Iterator[_Scored]:
    def arrays(*names: str) -> Iterator[np.ndarray | None]:
        return (results[name].to_numpy() if name in results else None for name in names)

    def counts(prefix: str, place: int | None = None) -> tuple[np.ndarray, np.ndarray] | None:
        intersection, union = arrays(f"{prefix}pair_intersection", f"{prefix}pair_union")
        if intersection is None or union is None:
            return None
        return (intersection, union) if place is None else (intersection[place], union[place])

    best, size = results["best_filter"].to_numpy(), results.sizes["filter"]
    if task == SEGMENT:
        single = results["single_iou"].to_numpy()[:, np.arange(len(best)), best]
    else:
        single = results["single_score"].to_numpy()
    yield _Scored("single", 1, single, counts("", 0))
    tuned, iou, ranking, all_ranking = arrays(
        "tuned_filter", "tuned_iou", "tuned_average_precision", "average_precision"
    )
    if tuned is not None and iou is not None:
        score = iou[:, np.arange(len(tuned)), tuned]
        yield _Scored("tuned", 1, score, counts("tuned_"), ranking, tuned)
    yield _Scored("combined", size, results["score"].to_numpy(), counts("", 1), all_ranking)
    for place, filters in enumerate(results["subset_size"].to_numpy()):
        for method in ("subset", "path", "backward"):
            (scores,) = arrays(f"{method}_score")
            if scores is not None:
                yield _Scored(method, int(filters), scores[:, place], counts(f"{method}_", place))


def _scales(results: xr.Dataset, task: str) -> tuple[pd.arrays.IntegerArray, np.ndarray]:
    """By concept, the images of its balanced validation set and the score of predicting everything.

    Runs of earlier versions store neither; where they have the images the first is counted.
    """
    count = results.sizes["concept"]
    if task == SEGMENT:
        none = pd.array([pd.NA] * count, dtype="Int64")
        return none, _values(results, "baseline", np.full(count, np.nan))
    balanced = _values(results, "n_balanced", None)
    if balanced is None and "trial_concept" in results.coords:
        images = pd.Series(results["trial_concept"].to_numpy()).value_counts()
        balanced = images.reindex(results["concept"].to_numpy()).to_numpy()
    known = [pd.NA] * count if balanced is None else balanced
    return pd.array(known, dtype="Int64"), np.full(count, 0.5)


def _values(results: xr.Dataset, name: str, otherwise: Any) -> Any:
    return results[name].to_numpy() if name in results.coords else otherwise
