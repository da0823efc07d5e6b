"""Which images a report shows, and the images once somebody has rendered their masks.

The report knows neither networks nor datasets. It says which masks it wants, and is handed them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool
from PIL import Image

from net2vec.analysis import (
    DECILES,
    by_concept,
    choose_concepts,
    choose_deciles,
    choose_filters,
    filter_sharing,
    individual_ious,
)
from net2vec.errors import ResultsError
from net2vec.runs import Run
from net2vec.spaces import SpaceError
from net2vec.spaces.expressions import resolve_name


@dataclass(frozen=True)
class DecileImage:
    """An image at a decile of a concept's non-zero individual IoUs.

    Attributes:
        name: the image's name in the dataset.
        method: whose IoUs the decile is of, "single" or "combined".
        decile: 1 to 10; the image at 10 is the best of all.
        iou_single: individual IoU of the best single filter.
        iou_combined: individual IoU of all filters.
    """

    name: str
    method: str
    decile: int
    iou_single: float
    iou_combined: float


@dataclass(frozen=True)
class DecileRequest:
    """The masks wanted for one concept on one layer of the first run (Fig. 8).

    Attributes:
        layer: the layer's name.
        concept: the concept's name.
        best_filter: its best single filter.
        score_single: set IoU of that filter on the validation images.
        score_combined: set IoU of all filters on the validation images.
        images: by method and growing decile; an image may stand here twice.
    """

    layer: str
    concept: str
    best_filter: int
    score_single: float
    score_combined: float
    images: tuple[DecileImage, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The images to render, each once."""
        return tuple(dict.fromkeys(image.name for image in self.images))


@dataclass(frozen=True)
class MaskedImage:
    """An image and three masks of one concept in it, all on one grid of any size.

    Attributes:
        image: the picture, in any size; masks cover all of it.
        truth: the annotation.
        single: where the best single filter finds the concept.
        combined: where all filters together find it.
    """

    image: Image.Image
    truth: Bool[np.ndarray, "y x"]
    single: Bool[np.ndarray, "y x"]
    combined: Bool[np.ndarray, "y x"]


@dataclass(frozen=True)
class DecileExhibit:
    """A request with its pictures, by image name."""

    request: DecileRequest
    pictures: Mapping[str, MaskedImage]


@dataclass(frozen=True)
class FilterConcept:
    """The images in which a filter finds a concept best (Fig. 4).

    Attributes:
        concept: the concept's name.
        set_iou: of the filter on all validation images.
        images: name and individual IoU, from the highest.
    """

    concept: str
    set_iou: float
    images: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class FilterRequest:
    """The masks wanted for one filter of a layer of the first run (Fig. 1 and 4).

    Attributes:
        layer: the layer's name.
        filter: its index.
        highest: the images that activate it most, of all, with their activation.
        concepts: those it is the best single filter of, or those it finds best.
    """

    layer: str
    filter: int
    highest: tuple[tuple[str, float], ...]
    concepts: tuple[FilterConcept, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The images to render, each once."""
        shown = [*self.highest, *(image for found in self.concepts for image in found.images)]
        return tuple(dict.fromkeys(name for name, _ in shown))


@dataclass(frozen=True)
class ActiveImage:
    """An image and where a filter is active in it.

    Attributes:
        image: the picture, in any size; masks cover all of it.
        active: where the activation, upsampled before it is cut, exceeds the filter's threshold:
            smoother than the masks that are scored, for the eye only.
        truth: the annotation of the request's concepts that the image contains, by name.
    """

    image: Image.Image
    active: Bool[np.ndarray, "y x"]
    truth: Mapping[str, Bool[np.ndarray, "y x"]]


@dataclass(frozen=True)
class FilterExhibit:
    """A request with its pictures, by image name."""

    request: FilterRequest
    pictures: Mapping[str, ActiveImage]


Request = DecileRequest | FilterRequest
Exhibit = DecileExhibit | FilterExhibit


def plan_exhibits(runs: Sequence[Run], *, concepts: int = 6, filters: int = 3) -> list[Request]:
    """What a report of these runs shows by itself, of the last segmented layer of the first run.

    That is deciles of several concepts, spread over scores and categories (`choose_concepts`), and
    the filters that are the best for the most concepts.

    Args:
        runs: as they are given to `build_report`.
        concepts: how many concepts.
        filters: how many filters.
    """
    run = runs[0]
    layer = last_layer(run, "segment")
    if layer is None:
        return []
    ious = individual_ious(run.arrays(layer))
    single = ious[ious["method"] == "single"]
    scores = run.scores[(run.scores["layer"] == layer) & (run.scores["task"] == "segment")]
    best = scores[scores["method"] == "single"]
    requests: list[Request] = [
        plan_concept(run, layer, concept) for concept in featured_concepts(run, concepts)
    ]
    for index in choose_filters(filter_sharing(scores), filters):
        mine = best.loc[best["best_filter"] == index, "concept"]
        requests.append(plan_filter(run, layer, index, single[single["concept"].isin(mine)]))
    return requests


def last_layer(run: Run, task: str) -> str | None:
    """The last layer that has scores of a task: one without a grid has none of segmentation."""
    scored = set(run.scores.loc[run.scores["task"] == task, "layer"])
    scored &= {layer for layer in run.layers if task in run.tasks(layer)}
    return next((layer for layer in reversed(run.layers) if layer in scored), None)


def images_found(run: Run, layer: str) -> tuple[pd.Series, int]:
    """In how many validation images all filters find each concept, and how many it needs to stand.

    It needs ten, for a decile each; where no concept has so many, one image suffices.
    """
    ious = individual_ious(run.arrays(layer))
    combined = ious[ious["method"] == "combined"]
    found = combined["iou"].gt(0).groupby(combined["concept"]).sum()
    return found, DECILES if found.ge(DECILES).any() else 1


def featured_concepts(run: Run, count: int) -> list[str]:
    """Concepts that stand for the last segmented layer, found by all filters in enough images."""
    layer = last_layer(run, "segment")
    if layer is None:
        return []
    found, least = images_found(run, layer)
    scores = run.scores
    table = by_concept(scores[(scores["layer"] == layer) & (scores["task"] == "segment")])
    return choose_concepts(table, count=count, counts=found, least=least)


def plan_concept(run: Run, layer: str, concept: str) -> DecileRequest:
    """The masks to show of one concept (Fig. 8).

    Args:
        run: the first run.
        layer: one of its layers; where it has no segmentation, as without a grid, the last that
            has stands for it.
        concept: its name, with or without its `-c` or `-s`.

    Raises:
        ResultsError: the run has no such layer, or no segmentation at all.
        SpaceError: no such concept was segmented.
    """
    if "segment" not in run.tasks(layer):
        layer = last_layer(run, "segment") or layer
    segment = run.arrays(layer)
    try:
        # Also one whose vector has no direction, which is in no space.
        concept = resolve_name(concept, [str(name) for name in segment["concept"].values])
    except ValueError as error:
        raise SpaceError(f"{error} in {run.network} {layer} segment") from error
    best = int(segment["best_filter"].sel(concept=concept))
    val = segment.sel(split="val", concept=concept)
    ious = individual_ious(segment)
    return DecileRequest(
        layer=layer,
        concept=concept,
        best_filter=best,
        score_single=float(val["single_iou"].isel({"filter": best})),
        score_combined=float(val["score"]),
        images=_decile_images(ious[ious["concept"] == concept], concept),
    )


def filter_concepts(run: Run, layer: str, index: int, count: int = 4) -> list[str]:
    """The concepts that a filter segments best, by its validation set IoU.

    Raises:
        ResultsError: the run has no such layer or filter, or has not segmented with the layer.
    """
    iou = run.arrays(layer)["single_iou"].sel(split="val")
    if not 0 <= index < iou.sizes["filter"]:
        raise ResultsError(
            f"layer {layer} has no filter {index}; its filters are 0 to {iou.sizes['filter'] - 1}"
        )
    ranked = iou.isel({"filter": index}).to_series().sort_values(ascending=False, kind="stable")
    return [str(name) for name in ranked[ranked > 0].index[:count]]


def plan_filter(
    run: Run, layer: str, index: int, ious: pd.DataFrame, *, concepts: int = 4, images: int = 5
) -> FilterRequest:
    """The masks to show of one filter (Fig. 1 and 4).

    Args:
        run: the first run.
        layer: one of its layers.
        index: which of its filters.
        ious: its individual IoUs as `concept, image, iou`, of validation images.
        concepts: how many concepts, by the filter's set IoU on the validation images.
        images: how many images of each.
    """
    set_iou = run.arrays(layer)["single_iou"].sel(split="val").isel({"filter": index}).to_series()
    ranked = set_iou[set_iou.index.isin(ious["concept"])].sort_values(
        ascending=False, kind="stable"
    )
    chosen = []
    for concept, score in ranked.head(concepts).items():
        mine = ious[(ious["concept"] == concept) & (ious["iou"] > 0)]
        best = mine.sort_values("iou", ascending=False, kind="stable").head(images)
        shown = tuple(zip(best["image"].map(str), best["iou"].map(float), strict=True))
        if shown:
            chosen.append(FilterConcept(str(concept), float(score), shown))
    recorded = run.layer(layer).isel({"filter": index})
    names, values = recorded["top_image"].to_numpy(), recorded["top_activation"].to_numpy()
    highest = tuple((str(name), float(value)) for name, value in zip(names, values, strict=True))
    return FilterRequest(layer, index, highest, tuple(chosen))


def _decile_images(ious: pd.DataFrame, concept: str) -> tuple[DecileImage, ...]:
    iou: dict[str, dict[str, float]] = {
        str(method): dict(zip(rows["image"], rows["iou"], strict=True))
        for method, rows in ious.groupby("method")
    }
    return tuple(
        DecileImage(
            name=str(image),
            method=method,
            decile=int(decile),
            iou_single=float(iou["single"][image]),
            iou_combined=float(iou["combined"][image]),
        )
        for method in ("combined", "single")
        for chosen in [choose_deciles(ious, concept, method=method)]
        for image, decile in zip(chosen["image"], chosen["decile"], strict=True)
    )
