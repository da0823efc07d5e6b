"""Scores of concepts in single images, and the choice of images (sec. 5.1, Fig. 7 and 8)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from net2vec.results import RunTable, TableInput

DECILES = 10


def individual_ious(segment: xr.Dataset, split: str = "val") -> pd.DataFrame:
    """Individual IoU of every concept in every image that contains it (eq. 3).

    Args:
        segment: a layer's group `segment` of `results.zarr`.
        split: "train" or "val".

    Returns:
        `method, concept, image, iou`, in the order of the file: method by method.
    """
    pairs = segment[["pair_iou", "pair_concept", "pair_image", "pair_split"]]
    chosen = pairs.isel(pair=np.flatnonzero(pairs["pair_split"].values == split))
    concepts, images = chosen["pair_concept"].values, chosen["pair_image"].values
    frames = [
        pd.DataFrame({"method": method, "concept": concepts, "image": images, "iou": iou.values})
        for method, iou in zip(
            chosen["method"].values, chosen["pair_iou"].transpose("method", "pair"), strict=True
        )
    ]
    return pd.concat(frames, ignore_index=True)


def individual_iou(ious: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread of the individual IoUs of every concept and method (Fig. 7).

    Args:
        ious: the table of `individual_ious`.

    Returns:
        `concept, method, mean, sd, n, n_zero`. As in the paper, mean and standard deviation (ddof
        1) are of the non-zero IoUs alone; `n` counts all images, `n_zero` those missed entirely.
    """
    found = ious.assign(found=ious["iou"].where(ious["iou"] > 0), missed=ious["iou"].eq(0))
    groups = found.groupby(["concept", "method"], sort=False)
    table = groups.agg(
        mean=("found", "mean"),
        sd=("found", "std"),
        n=("iou", "size"),
        n_zero=("missed", "sum"),
    )
    return table.reset_index()


def choose_deciles(ious: pd.DataFrame, concept: str) -> pd.DataFrame:
    """The image at each decile of the non-zero individual IoUs of all filters (Fig. 8).

    Decile d is the smallest IoU that at least d/10 of the non-zero ones do not exceed, so that it
    is always the IoU of an image; of equal images the first stands for all. An image that several
    deciles share, as happens below ten images, is shown once, at the highest of them.

    Args:
        ious: the table of `individual_ious`.
        concept: a concept's name.

    Returns:
        `method, decile, image, iou` by growing decile (1 to 10), empty where every IoU is 0.
    """
    of_concept = ious[
        (ious["concept"] == concept) & (ious["method"] == "combined") & (ious["iou"] > 0)
    ]
    ordered = of_concept.sort_values("iou", kind="stable", ignore_index=True)
    decile = np.arange(1, DECILES + 1)
    rank = -(-decile * len(ordered) // DECILES) - 1
    if ordered.empty:
        decile = rank = np.empty(0, dtype=int)
    chosen = ordered.iloc[rank].assign(decile=decile)
    chosen = chosen.drop_duplicates("image", keep="last", ignore_index=True)
    return chosen[["method", "decile", "image", "iou"]]


def choose_concepts(
    concepts: pd.DataFrame, *, count: int, counts: pd.Series | None = None, least: int = 1
) -> list[str]:
    """Concepts that stand for a layer: from the best encoded to the worst, over all categories.

    The candidates are ranked by the score of all filters and cut into `count` equal parts; each
    part gives the concept whose category has been taken least so far, the better one on a tie.
    Nothing but the scores decides, so a picture shows failures as readily as successes.

    Args:
        concepts: rows of `by_concept` of one network, layer and task.
        count: how many to choose; fewer come where there are not as many candidates.
        counts: a number for each concept by name, such as images to show; none asks for nothing.
        least: the smallest such number that makes a candidate.
    """
    if counts is not None:
        enough = concepts["concept"].map(counts).fillna(0) >= least
        concepts = concepts[enough]
    ranked = concepts.sort_values(["combined", "concept"], ascending=[False, True])
    taken: dict[str, int] = {}
    chosen = []
    for part in np.array_split(np.arange(len(ranked)), max(1, min(count, len(ranked)))):
        if not len(part):
            continue
        rows = ranked.iloc[part]
        used = rows["category"].map(taken).fillna(0).to_numpy()
        row = rows.iloc[int(np.argmin(used))]
        taken[row["category"]] = taken.get(row["category"], 0) + 1
        chosen.append(str(row["concept"]))
    return chosen


INDIVIDUAL_IOU = RunTable(
    name="individual_iou",
    title="Individual IoU of every concept with a single filter and with all",
    source="Fig. 7",
    columns=("layer", "concept", "method", "mean", "sd", "n", "n_zero"),
    keys=("layer", "concept", "method"),
    made_of=TableInput.SEGMENTATION,
    make=lambda segment: individual_iou(individual_ious(segment)),
    values=("mean", "sd"),
)
