"""A finished run's filters by Network Dissection's measure: one more pass over its dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Int

from net2vec.core.devices import repeatable
from net2vec.data import ProbeDataset
from net2vec.errors import ResultsError
from net2vec.pipeline.progress import Progress, SilentProgress
from net2vec.pipeline.viewing import Viewer, open_probed_data
from net2vec.runs import Run
from net2vec.tasks.dissection import Dissector

DETECTOR = 0.04
"""The IoU above which Network Dissection calls a filter a detector of a concept."""


def dissect(
    run: Run,
    layers: str | Sequence[str] | None = None,
    *,
    data: ProbeDataset | str | Path | None = None,
    progress: Progress | None = None,
) -> dict[str, xr.Dataset]:
    """Hold every filter of a run against every concept of its dataset, as Network Dissection does.

    The network sees the dataset once more; thresholds T_k and the size of masks are the run's. All
    labels count, also those with too few images to be learned.

    Args:
        run: an opened run; `trust` of `open_run` decides whether code that it names may be run.
        layers: one or several, which one pass serves; by default all that have a grid.
        data: the dataset, or where it is, if it is not where the run says.
        progress: told how far it is.

    Returns:
        By layer: `iou` (concept, filter), with `hit` and `union`, the counts of pixels that it is
        the quotient of; `category` of each concept. Images of both splits count. See
        `net2vec.tasks.dissection` for the definition.

    Raises:
        Net2VecError: if network or dataset cannot be had or are others than the run's, or a layer
            is not in the run or has no grid.
    """
    progress = progress or SilentProgress()
    chosen = (layers,) if isinstance(layers, str) else tuple(layers or run.layers)
    thresholds = {layer: run.layer(layer) for layer in chosen}
    flat = [layer for layer, found in thresholds.items() if not found.attrs["grid"]]
    if layers is None:
        chosen = tuple(layer for layer in chosen if layer not in flat)
    if not chosen or (layers is not None and flat):
        raise ResultsError(f"layer {(flat or run.layers)[0]} has no grid; choose a layer with one")
    dataset = open_probed_data(run, data)
    viewer = Viewer.of(run, run.path, run.opened_network, dataset, trust=False, say=progress.say)
    annotations = viewer.annotations
    counting = {layer: Dissector(annotations, viewer.threshold(layer)) for layer in chosen}
    advance = progress.stage("dissecting", len(dataset.images))
    with repeatable(viewer.inputs.device):
        for name, outputs in viewer.outputs(dataset.images, chosen):
            for layer, counter in counting.items():
                counter.add(viewer.place[name], outputs[layer])
            advance(1)
    labels = np.unique(np.repeat(np.arange(len(annotations.names)), np.diff(annotations.starts)))
    return {
        layer: _labelled(viewer, counter, labels).assign_attrs(network=run.network, layer=layer)
        for layer, counter in counting.items()
    }


def _labelled(viewer: Viewer, counter: Dissector, labels: Int[np.ndarray, "concept"]) -> xr.Dataset:
    dissection, dims = counter.result(), ("concept", "filter")
    names, category = (
        np.array(texts, dtype=object)[labels]
        for texts in (viewer.annotations.names, viewer.annotations.category)
    )
    return xr.Dataset(
        {
            "iou": (dims, dissection.iou[labels], {"long_name": "IoU of Network Dissection"}),
            "hit": (dims, dissection.hit[labels], {"units": "pixel"}),
            "union": (dims, dissection.union[labels], {"units": "pixel"}),
        },
        {
            "concept": names,
            "category": ("concept", category),
            "filter": np.arange(dissection.hit.shape[1]),
        },
    )


def detectors(
    dissected: xr.Dataset, cut: float = DETECTOR, *, run: Run | None = None
) -> pd.DataFrame:
    """The filters of a layer that detect a concept, the surest first.

    Args:
        dissected: of the layer, as `dissect` returns it.
        cut: what the IoU must exceed.
        run: for the run's own scores beside it.

    Returns:
        `filter, concept, category, iou`; of each filter the concept of its highest IoU. With a run
        also `set_iou`, the filter's set IoU on the validation images that contain the concept,
        missing where the concept was not learned.
    """
    iou = dissected["iou"].to_numpy()
    best, rows = iou.argmax(axis=0), np.arange(iou.shape[1])
    table = pd.DataFrame({"filter": dissected["filter"].to_numpy()})
    for name in ("concept", "category"):
        table[name] = dissected[name].to_numpy()[best]
    table["iou"] = iou[best, rows]
    if run is not None:
        own = _set_iou(run, dissected)
        table["set_iou"] = own.reindex(concept=table["concept"]).to_numpy()[rows, rows]
    table = table[table["iou"] > cut]
    return table.sort_values("iou", ascending=False, kind="stable").reset_index(drop=True)


def count_detectors(
    run: Run, dissected: Mapping[str, xr.Dataset], cut: float = DETECTOR
) -> pd.DataFrame:
    """Detectors by layer, by Network Dissection's measure and by the run's own scores.

    Args:
        run: the run.
        dissected: by layer, as `dissect` returns it.
        cut: what a score must exceed.

    Returns:
        `layer, filters, detectors, concepts`: how many filters detect a concept, and how many
        concepts have a detector; `CATEGORY concepts`, the latter for each category; and
        `by_set_iou`, how many filters have a set IoU above the cut for a concept that was learned.
    """
    rows = []
    for layer, dataset in dissected.items():
        table = detectors(dataset, cut)
        first = table.drop_duplicates("concept")
        by_category = first["category"].value_counts()
        own = _set_iou(run, dataset)
        rows.append(
            {
                "layer": layer,
                "filters": dataset.sizes["filter"],
                "detectors": len(table),
                "concepts": len(first),
                **{
                    f"{name} concepts": int(by_category.get(name, 0))
                    for name in np.unique(dataset["category"])
                },
                "by_set_iou": int((own > cut).any("concept").sum()),
            }
        )
    return pd.DataFrame(rows)


def _set_iou(run: Run, dissected: xr.Dataset) -> xr.DataArray:
    """Set IoU of single filters on validation images; no concept where none was learned."""
    try:
        arrays = run.arrays(dissected.attrs["layer"], task="segment", fit=run.fits[0])
    except ResultsError:  # the run has classified only
        return dissected["iou"][:0]
    return arrays["single_iou"].sel(split="val", drop=True)
