"""What the masks look like: individual IoU, and an image at each of its deciles (sec. 5.1)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pandas as pd

from net2vec.analysis import individual_ious
from net2vec.report.content import Drawing, Facts, Picture, Table, Tile, columns
from net2vec.report.exhibits import DecileExhibit, DecileImage, featured_concepts, images_found
from net2vec.report.figures import draw_individual
from net2vec.report.formats import score_text
from net2vec.report.labels import METHOD_TITLE
from net2vec.report.pictures import COMBINED_COLOR, SINGLE_COLOR, draw_masks
from net2vec.report.study import Study


def masks_facts(study: Study, _: Mapping[str, pd.DataFrame]) -> Facts | None:
    """Individual IoU and its deciles. None where there are no segmentations."""
    if "segment" not in study.tasks:
        return None
    layer = study.layer_of["segment"]
    ious = individual_ious(study.run.arrays(layer))
    if ious.empty and not study.deciles:
        return None
    missed = ious.assign(missed=ious["iou"].eq(0)).groupby("method", sort=False)["missed"]
    found, least = images_found(study.run, layer)
    asked = _asked(study, layer)
    return Facts(
        layer=layer,
        missed=Table(
            missed.agg(["mean", "size"]).set_axis(["missed", "pairs"], axis=1).reset_index(),
            columns("method", pairs="count", missed="percent"),
            "individual_iou",
        ),
        distribution=Drawing(
            "individual_iou", partial(draw_individual, ious, concepts=study.featured)
        )
        if study.featured
        else None,
        pictures=tuple(
            _pictures(study, exhibit, position) for position, exhibit in enumerate(study.deciles)
        ),
        single_color=SINGLE_COLOR,
        combined_color=COMBINED_COLOR,
        asked=asked,
        chosen=len(asked) < len(study.deciles),
        enough=int((found >= least).sum()),
        least=least,
        scored=len(found),
    )


def _asked(study: Study, layer: str) -> tuple[str, ...]:
    """The concepts shown that the report would not have chosen by itself."""
    shown = [(exhibit.request.concept, exhibit.request.layer) for exhibit in study.deciles]
    fewer = (featured_concepts(study.run, count) for count in range(len(shown), 0, -1))
    own = ([(concept, layer) for concept in concepts] for concepts in fewer)
    chosen = next((pairs for pairs in own if set(pairs) <= set(shown)), [])
    return tuple(concept for concept, of_layer in shown if (concept, of_layer) not in chosen)


def _pictures(study: Study, exhibit: DecileExhibit, position: int) -> Facts:
    request = exhibit.request
    pictures = {
        (name, method): _picture(exhibit, name, method, f"concept{position}_{index}_{method}")
        for index, name in enumerate(exhibit.pictures)
        for method in METHOD_TITLE
    }
    deciles = {
        method: tuple(
            _tile(image, pictures)
            for image in request.images
            if image.method == method and image.name in exhibit.pictures
        )
        for method in METHOD_TITLE
    }
    return Facts(
        concept=study.marked(request.concept, task="segment", layer=request.layer),
        layer=request.layer,
        filter=request.best_filter,
        combined=request.score_combined,
        single=request.score_single,
        deciles=deciles,
    )


def _tile(image: DecileImage, pictures: dict[tuple[str, str], Picture]) -> Tile:
    return Tile(
        f"{10 * image.decile} %",
        (
            (pictures[image.name, "single"], score_text(image.iou_single)),
            (pictures[image.name, "combined"], score_text(image.iou_combined)),
        ),
    )


def _picture(exhibit: DecileExhibit, name: str, method: str, file: str) -> Picture:
    masked = exhibit.pictures[name]
    predicted, color = (
        (masked.single, SINGLE_COLOR) if method == "single" else (masked.combined, COMBINED_COLOR)
    )
    paint = partial(draw_masks, masked.image, predicted, masked.truth, color=color)
    return Picture(file, paint, name)
