"""The choice of the concepts, images and filters that a report shows in pictures."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

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
from net2vec.report.exhibits import (
    DecileImage,
    DecileRequest,
    FilterConcept,
    FilterRequest,
    Request,
)
from net2vec.runs import Run, best_views
from net2vec.spaces import SpaceError
from net2vec.spaces.expressions import found_elsewhere, resolve_name
from net2vec.vocabulary import PAPER

SHOWN_DECILES = (2, 4, 6, 8, 10)
"""Of the concepts that are shown at large."""
CARD_DECILES = (5, 10)
"""Of all others: the median image and the best."""


def plan_exhibits(
    runs: Sequence[Run],
    *,
    concepts: int = 3,
    filters: int = 1,
    cards: int = 120,
    fits: Sequence[str] = (),
) -> list[Request]:
    """The pictures that a report shows by itself, of the best segmented layer of the first run.

    That is deciles of several concepts, spread over scores and categories (`choose_concepts`), two
    images of others, and the filters that are the best for the most concepts.

    Args:
        runs: as they are given to `build_report`.
        concepts: how many concepts at deciles.
        filters: how many filters.
        cards: how many concepts in all, those with the highest scores.
        fits: fits whose masks are shown besides those of the paper's and of the best.
    """
    (run, *_) = best_views(runs)
    layer = run.best_layer("segment")
    if layer is None:
        return []
    ious = individual_ious(run.arrays(layer))
    single = ious[ious["method"] == "single"]
    scores = run.scores[(run.scores["layer"] == layer) & (run.scores["task"] == "segment")]
    best = scores[scores["method"] == "single"]
    shown = fits_shown(runs, fits)
    featured = featured_concepts(run, concepts)
    requests: list[Request] = [plan_concept(run, layer, name, shown) for name in featured]
    ranked = scores[scores["method"] == "combined"].sort_values(
        "val", ascending=False, kind="stable"
    )
    others = [name for name in ranked["concept"] if name not in featured]
    for name in others[: max(0, cards - len(featured))]:
        requests.append(plan_concept(run, layer, name, shown, large=False))
    for index in choose_filters(filter_sharing(scores), filters):
        mine = best.loc[best["best_filter"] == index, "concept"]
        requests.append(plan_filter(run, layer, index, single[single["concept"].isin(mine)]))
    return requests


def fits_shown(runs: Sequence[Run], extra: Sequence[str] = ()) -> tuple[str, ...]:
    """The fits of the first run whose masks are shown; the last is the best that all runs have.

    Args:
        runs: as they are given to `build_report`.
        extra: fits besides the paper's and the best.

    Raises:
        ResultsError: the first run has no such fit.
    """
    run, best = runs[0], best_views(runs)[0].fit
    for fit in extra:
        run.fit_title(fit)
    return (*(fit for fit in run.fits if fit in (PAPER, *extra) and fit != best), best)


def images_found(run: Run, layer: str) -> tuple[pd.Series, int]:
    """In how many validation images all filters find each concept, and how many it needs to stand.

    It needs ten, for a decile each; where no concept has so many, one image suffices.
    """
    ious = individual_ious(run.arrays(layer))
    combined = ious[ious["method"] == "combined"]
    counts = combined["iou"].gt(0).groupby(combined["concept"]).sum()
    return counts, DECILES if counts.ge(DECILES).any() else 1


def featured_concepts(run: Run, count: int) -> list[str]:
    """Concepts that stand for the best segmented layer, found by all filters in enough images."""
    layer = run.best_layer("segment")
    if layer is None:
        return []
    counts, least = images_found(run, layer)
    scores = run.scores
    table = by_concept(scores[(scores["layer"] == layer) & (scores["task"] == "segment")])
    return choose_concepts(table, count=count, counts=counts, least=least)


def plan_concept(
    run: Run,
    layer: str,
    concept: str,
    fits: Sequence[str] = (),
    *,
    large: bool = True,
) -> DecileRequest:
    """The masks to show of one concept (Fig. 8).

    Args:
        run: the first run.
        layer: one of its layers; where it has no segmentation, as without a grid, the best one
            stands for it.
        concept: its name, with or without its `-c` or `-s`.
        fits: whose masks are shown; by default `fits_shown`.
        large: whether it is shown at five deciles, or on its card alone, at two.

    Raises:
        ResultsError: the run has no such layer or fit, or no segmentation at all.
        SpaceError: no such concept was segmented.
    """
    if "segment" not in run.tasks(layer):
        layer = run.best_layer("segment") or layer
    fits = tuple(fits) or fits_shown([run])
    segment = run.arrays(layer, fit=fits[-1])
    try:
        # Also one whose vector has no direction, which is in no space.
        concept = resolve_name(concept, [str(name) for name in segment["concept"].values])
    except ValueError as error:
        where = found_elsewhere(error, run.other_concepts(layer))
        raise SpaceError(f"{error} in {run.network} {layer} segment{where}") from error
    best = int(segment["best_filter"].sel(concept=concept))
    val = segment.sel(split="val", concept=concept)
    learned = [run.arrays(layer, fit=fit).sel(concept=concept) for fit in fits]
    return DecileRequest(
        layer=layer,
        concept=concept,
        fits=fits,
        best_filter=best,
        score_single=float(val["single_iou"].isel({"filter": best})),
        scores=tuple(float(arrays["score"].sel(split="val")) for arrays in learned),
        images=_decile_images(run, layer, concept, fits, SHOWN_DECILES if large else CARD_DECILES),
        large=large,
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
        of_concept = ious[(ious["concept"] == concept) & (ious["iou"] > 0)]
        best = of_concept.sort_values("iou", ascending=False, kind="stable").head(images)
        shown = tuple(zip(best["image"].map(str), best["iou"].map(float), strict=True))
        if shown:
            chosen.append(FilterConcept(str(concept), float(score), shown))
    recorded = run.layer(layer).isel({"filter": index})
    names, values = recorded["top_image"].to_numpy(), recorded["top_activation"].to_numpy()
    highest = tuple((str(name), float(value)) for name, value in zip(names, values, strict=True))
    return FilterRequest(layer, index, highest, tuple(chosen))


def _decile_images(
    run: Run, layer: str, concept: str, fits: Sequence[str], deciles: Sequence[int]
) -> tuple[DecileImage, ...]:
    tables = [_ious_of(run, layer, fit) for fit in fits]
    tables = [table[table["concept"] == concept] for table in tables]
    iou = [table.set_index(["method", "image"])["iou"] for table in tables]
    chosen = choose_deciles(tables[-1], concept)
    if len(chosen) > len(deciles):  # fewer images than deciles are shown as they are
        chosen = chosen[chosen["decile"].isin(deciles)]
    return tuple(
        DecileImage(
            name=str(image),
            decile=int(decile),
            iou_single=float(iou[-1]["single", image]),
            iou=tuple(float(of_fit.get(("combined", image), float("nan"))) for of_fit in iou),
        )
        for image, decile in zip(chosen["image"], chosen["decile"], strict=True)
    )


def _ious_of(run: Run, layer: str, fit: str) -> pd.DataFrame:
    """Individual IoUs, made once for all concepts that are planned."""
    return run.cached_table(
        f"individual IoUs, {layer}, {fit}", lambda: individual_ious(run.arrays(layer, fit=fit))
    )
