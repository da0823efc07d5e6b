"""What the masks look like: individual IoU, and an image at each of its deciles (sec. 5.1)."""

from __future__ import annotations

from functools import partial

from markupsafe import Markup

from net2vec.analysis import individual_ious
from net2vec.report.content import (
    Block,
    Drawing,
    FigureRow,
    Paragraph,
    Picture,
    Section,
    Strip,
    Tile,
)
from net2vec.report.exhibits import DecileExhibit, DecileImage, featured_concepts, images_found
from net2vec.report.figures import draw_individual
from net2vec.report.pictures import COMBINED_COLOR, SINGLE_COLOR, draw_masks
from net2vec.report.study import Study
from net2vec.report.wording import count, listing, percent, score_text

_METHOD = {"combined": "all filters", "single": "best single filter"}


def masks_section(study: Study) -> Section | None:
    """Individual IoU and its deciles (Fig. 7 and 8). None where there are no segmentations."""
    if "segment" not in study.tasks:
        return None
    layer = study.layer_of["segment"]
    ious = individual_ious(study.run.arrays(layer))
    missed = ious["iou"].eq(0).groupby(ious["method"]).mean()
    pairs = len(ious) // ious["method"].nunique() if len(ious) else 0
    blocks: list[Block] = []
    if pairs:
        blocks.append(
            Paragraph(
                f"The set IoU says nothing of single images. On {layer}, of the"
                f" {count(pairs, 'pair')} of a validation image and a concept that it contains, the"
                " best single filter misses the concept entirely in"
                f" {percent(missed['single'])}, all filters in {percent(missed['combined'])}."
            )
        )
    if study.featured:
        blocks.append(
            FigureRow(
                (
                    Drawing(
                        "individual_iou",
                        "Distribution of the individual IoU of several concepts, both methods",
                        partial(draw_individual, ious, concepts=study.featured),
                    ),
                ),
                f"How well each validation image of a concept is segmented on {layer}; n counts"
                " images. Those in which the concept is missed entirely stand apart.",
                "individual_iou",
            )
        )
    if study.deciles:
        blocks.append(
            Paragraph(
                Markup(
                    "Below are not the best images but a fair sample: of the images in which the"
                    " concept is found at all, sorted from the worst to the best, the one at each"
                    " tenth. <span class='key' style='--key:{single}'>Orange</span> is where the"
                    " best single filter finds the concept,"
                    " <span class='key' style='--key:{combined}'>blue</span> where all filters"
                    " together do, and the <span class='key truth'>white line</span> is the"
                    " annotation. {chosen} The number under a picture is its individual IoU."
                ).format(single=SINGLE_COLOR, combined=COMBINED_COLOR, chosen=_chosen(study, layer))
            )
        )
    for position, exhibit in enumerate(study.deciles):
        blocks.extend(_strips(study, exhibit, position))
    return Section("masks", "What do the masks look like?", blocks) if blocks else None


def _chosen(study: Study, layer: str) -> str:
    """Which concepts are shown: those asked for, and those that the report chose among some."""
    shown = [(exhibit.request.concept, exhibit.request.layer) for exhibit in study.deciles]
    fewer = (featured_concepts(study.run, most) for most in range(len(shown), 0, -1))
    own = ([(concept, layer) for concept in concepts] for concepts in fewer)
    chosen = next((pairs for pairs in own if set(pairs) <= set(shown)), [])
    asked = [concept for concept, of_layer in shown if (concept, of_layer) not in chosen]
    were = f"{listing(asked)} {'was' if len(asked) == 1 else 'were'} asked for"
    if len(asked) == len(shown):
        return f"{were}."
    found, least = images_found(study.run, layer)
    enough = int((found >= least).sum())
    return (
        f"{f'{were}; the others' if asked else 'The concepts'} are spread over scores and"
        " categories, among those that all filters find in"
        f" {least if least > 1 else 'one'} or more validation images:"
        f" {enough:,} of {count(len(found), 'concept')}."
    )


def _strips(study: Study, exhibit: DecileExhibit, position: int) -> list[Strip]:
    request = exhibit.request
    shown = study.marked(request.concept, task="segment", layer=request.layer)
    if request.layer != study.layer_of["segment"]:
        shown += f" on {request.layer}"
    pictures = {
        (name, method): _picture(exhibit, name, method, f"concept{position}_{index}_{method}")
        for index, name in enumerate(exhibit.pictures)
        for method in _METHOD
    }
    strips = []
    for method, title in (
        (
            "combined",
            Markup(
                "<b>{concept}</b>: set IoU {combined} with all filters, {single} with filter"
                " {filter} alone. Images at the deciles of all filters."
            ),
        ),
        ("single", Markup("{concept}: images at the deciles of the best single filter")),
    ):
        tiles = tuple(
            _tile(image, pictures) for image in request.images
            if image.method == method and image.name in exhibit.pictures
        )  # fmt: skip
        if tiles:
            strips.append(
                Strip(
                    title.format(
                        concept=shown,
                        combined=score_text(request.score_combined),
                        single=score_text(request.score_single),
                        filter=request.best_filter,
                    ),
                    ("best single filter", "all filters"),
                    tiles,
                    folded=method == "single",
                )
            )
    return strips


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
    return Picture(
        file,
        partial(draw_masks, masked.image, predicted, masked.truth, color=color),
        f"{exhibit.request.concept} in {name} as found by the {_METHOD[method]}",
    )
