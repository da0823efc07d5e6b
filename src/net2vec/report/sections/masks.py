"""Masks in pictures: individual IoU, and images at its deciles (sec. 5.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from net2vec.analysis import individual_ious
from net2vec.report.content import ConceptPictures, Drawing, Picture, Table, Tile, columns
from net2vec.report.exhibits import DecileExhibit, DecileImage
from net2vec.report.figures import draw_individual
from net2vec.report.formats import score_text
from net2vec.report.labels import METHOD_TITLE
from net2vec.report.pictures import COMBINED_COLOR, LARGE, SINGLE_COLOR, SMALL, draw_masks
from net2vec.report.planning import featured_concepts, images_found
from net2vec.report.study import Study


@dataclass(frozen=True)
class MasksFacts:
    """Individual IoUs of one layer, and pictures of concepts."""

    layer: str
    missed: Table
    distribution: Drawing | None
    pictures: tuple[ConceptPictures, ...]
    single_color: str
    combined_color: str
    asked: tuple[str, ...]
    chosen: bool
    enough: int
    least: int
    scored: int


def masks_facts(study: Study, _: Mapping[str, pd.DataFrame]) -> MasksFacts | None:
    """Individual IoU and its deciles. None where there are no segmentations."""
    if "segment" not in study.tasks:
        return None
    layer = study.layer_of["segment"]
    ious = individual_ious(study.run.arrays(layer))
    large = [exhibit for exhibit in study.deciles if exhibit.request.large]
    if ious.empty and not large:
        return None
    missed = ious.assign(missed=ious["iou"].eq(0)).groupby("method", sort=False)["missed"]
    counts, least = images_found(study.run, layer)
    requested = _requested_concepts(study, large, layer)
    return MasksFacts(
        layer=layer,
        missed=Table(
            missed.agg(["mean", "size"]).set_axis(["missed", "pairs"], axis=1).reset_index(),
            columns("method", pairs="count", missed=("percent", "concept missed entirely")),
            "individual_iou",
        ),
        distribution=Drawing(
            "individual_iou", partial(draw_individual, ious, concepts=study.featured)
        )
        if study.featured
        else None,
        pictures=tuple(concept_pictures(study, exhibit) for exhibit in large),
        single_color=SINGLE_COLOR,
        combined_color=COMBINED_COLOR,
        asked=requested,
        chosen=len(requested) < len(large),
        enough=int((counts >= least).sum()),
        least=least,
        scored=len(counts),
    )


def _requested_concepts(
    study: Study, large: Sequence[DecileExhibit], layer: str
) -> tuple[str, ...]:
    """The concepts shown that the report would not have chosen by itself."""
    shown = [(exhibit.request.concept, exhibit.request.layer) for exhibit in large]
    fewer = (featured_concepts(study.run, count) for count in range(len(shown), 0, -1))
    own = ([(concept, layer) for concept in concepts] for concepts in fewer)
    chosen = next((pairs for pairs in own if set(pairs) <= set(shown)), [])
    return tuple(concept for concept, of_layer in shown if (concept, of_layer) not in chosen)


def concept_pictures(study: Study, exhibit: DecileExhibit) -> ConceptPictures:
    """The masks of a concept: a tile an image, a row the single filter and each fit."""
    request = exhibit.request
    return ConceptPictures(
        concept=study.marked(request.concept, task="segment", layer=request.layer),
        layer=request.layer,
        filter=request.best_filter,
        images=int(study.run.arrays(request.layer)["n_val"].sel(concept=request.concept)),
        single=request.score_single,
        scores=tuple(
            (study.titles[fit], score)
            for fit, score in zip(request.fits, request.scores, strict=True)
        ),
        rows=(METHOD_TITLE["single"], *(study.titles[fit] for fit in request.fits)),
        tiles=tuple(
            concept_tile(study, exhibit, image)
            for image in request.images
            if image.name in exhibit.pictures
        ),
    )


def concept_tile(
    study: Study, exhibit: DecileExhibit, image: DecileImage, *, heading: str = ""
) -> Tile:
    """The masks of a concept in an image, each with its individual IoU.

    Args:
        study: the runs.
        exhibit: the concept's masks.
        image: one of its request's images.
        heading: by default the decile.
    """
    request, shown = exhibit.request, exhibit.pictures[image.name]
    masks = [
        (shown.single, SINGLE_COLOR, image.iou_single),
        *(
            (shown.combined[fit], COMBINED_COLOR, iou)
            for fit, iou in zip(request.fits, image.iou, strict=True)
        ),
    ]
    side = LARGE if request.large else SMALL
    position = next(at for at, other in enumerate(study.exhibits) if other is exhibit)
    file = f"concept{position}_{image.decile}"
    return Tile(
        heading or f"{10 * image.decile} %",
        tuple(
            (
                Picture(
                    f"{file}_{row}",
                    partial(draw_masks, shown.image, mask, shown.truth, color=color, side=side),
                    image.name,
                ),
                score_text(iou),
            )
            for row, (mask, color, iou) in enumerate(masks)
        ),
    )
