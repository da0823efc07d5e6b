"""Segmentation scores on masks by people, estimated from few of them, beside made masks'."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from net2vec.analysis.correction import Counts, corrected_iou
from net2vec.analysis.sufficiency import DIFFERENCE
from net2vec.results import RunTable, TableInput

CORRECTED_COLUMNS = (
    "concept", "method", "uncorrected", "corrected", "low", "high", "annotator_iou",
    "n", "n_true", "n_shown",
)  # fmt: skip


def corrected_scores(segment: xr.Dataset) -> pd.DataFrame:
    """Every concept's validation score corrected by the masks by people, with its interval.

    Args:
        segment: a layer's group `segment` of `results.zarr`.

    Returns:
        `concept, method, uncorrected, corrected, low, high, annotator_iou, n, n_true, n_shown`: the
        methods are `single`, `combined` and `difference` (combined - single). `uncorrected` is the
        set IoU on made masks. `annotator_iou` is that of the made masks and those by people,
        over all images of both splits that have the latter. `n` counts the validation images,
        `n_true` those with masks by people, `n_shown` those of them in which people see the
        concept. What cannot be estimated is missing. Empty where the run has no such masks.
    """
    if "truth_union" not in segment:
        return pd.DataFrame(columns=list(CORRECTED_COLUMNS))
    images, few = (int(segment.attrs[name]) for name in ("validation_images", "truth_images"))
    methods = [*segment["method"].values.tolist(), DIFFERENCE]
    rows = []
    for place, name in enumerate(map(str, segment["concept"].values)):
        counts = _counts(segment, name, images, few)
        own = _set_iou(counts.model)
        uncorrected = [*own, own[1] - own[0]]
        intervals, agreed = np.full((3, 3), np.nan), float("nan")
        if bool(segment["has_truth"].values[place]):
            intervals = corrected_iou(counts, (0, name))
            agreed = _annotator_iou(segment, name)
        rows += [
            (name, method, before, *ends, agreed, images, few, counts.true_images)
            for method, before, ends in zip(methods, uncorrected, intervals.tolist(), strict=True)
        ]
    return pd.DataFrame(rows, columns=list(CORRECTED_COLUMNS))


def _counts(segment: xr.Dataset, concept: str, images: int, few: int) -> Counts:
    """The counts of a concept; images with true masks come first, others count nothing."""
    is_pair = (segment["pair_concept"].values == concept) & (segment["pair_split"].values == "val")
    true = (segment["truth_concept"].values == concept) & (segment["truth_split"].values == "val")
    there = segment["truth_image"].values[true].tolist()
    rows = {name: row for row, name in enumerate(there)}
    made_names = segment["pair_image"].values[is_pair].tolist()
    # Every image with both masks is among `there`: made masks of images with true ones are pairs.
    free = iter(range(few, images))
    order = [rows[name] if name in rows else next(free) for name in made_names]
    model, people = np.zeros((images, 4), int), np.zeros((few, 4), int)
    model[order] = _intersections_and_unions(segment, "pair", is_pair)
    people[: len(there)] = _intersections_and_unions(segment, "truth", true)
    return Counts(model, people, np.arange(images) < few)


def _intersections_and_unions(segment: xr.Dataset, prefix: str, chosen: np.ndarray) -> np.ndarray:
    """Intersections and unions by both methods, a row an image."""
    parts = [
        segment[f"{prefix}_{name}"].transpose("method", prefix).values[:, chosen]
        for name in ("intersection", "union")
    ]
    return np.concatenate(parts).T


def _set_iou(counts: np.ndarray) -> np.ndarray:
    shared, joined = np.split(counts.sum(0).astype(float), 2)
    ratio = np.zeros(2)
    np.divide(shared, joined, out=ratio, where=joined > 0)
    return ratio


def _annotator_iou(segment: xr.Dataset, concept: str) -> float:
    of_concept = segment["truth_concept"].values == concept
    agreed, either = (
        int(segment[f"annotator_{name}"].values[of_concept].sum())
        for name in ("intersection", "union")
    )
    return agreed / either if either else float("nan")


CORRECTED = RunTable(
    name="corrected",
    title="Segmentation scores on masks by people, estimated from the few that there are",
    columns=("layer", *CORRECTED_COLUMNS),
    keys=("layer", "concept", "method"),
    made_of=TableInput.SEGMENTATION,
    make=corrected_scores,
    every_fit=True,
)
