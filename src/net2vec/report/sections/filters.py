"""How many filters does a concept need, and who shares them? (sec. 4.1 and 4.2)."""

from __future__ import annotations

from functools import partial
from itertools import zip_longest

import numpy as np
import pandas as pd
from markupsafe import Markup

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
from net2vec.report.exhibits import FilterExhibit
from net2vec.report.figures import draw_filters_needed, draw_sharing, draw_subset_curve
from net2vec.report.pictures import SINGLE_COLOR, draw_masks
from net2vec.report.study import SCORE_NAME, TASK_TITLE, Study
from net2vec.report.wording import count, part, percent, score_text


def subsets_section(study: Study) -> Section | None:
    """Mean score against the number of filters: Fig. 3. None where no subsets were fitted."""
    mine = study.last(study.tables["subset_curve"])
    needed = study.last(study.tables["filters_needed"])
    tasks = [task for task in study.tasks if task in set(mine["task"])]
    if not tasks:
        return None
    return Section(
        "needed",
        "How many filters does a concept need?",
        [
            Paragraph(
                "Of the weights learned on all filters only the largest are kept, and learned"
                f" again, on the layer {study.where(tasks)}. "
                + " ".join(_enough(mine[mine["task"] == task], task) for task in tasks)
            ),
            FigureRow(
                tuple(
                    Drawing(
                        f"subset_curve_{task}",
                        f"Mean {SCORE_NAME[task]} against the number of filters by category",
                        partial(draw_subset_curve, mine, task=task),
                        TASK_TITLE[task].capitalize(),
                    )
                    for task in tasks
                ),
                "Mean score against the number of filters used; the last point is all of them."
                " Bands are standard errors; the number of concepts is in brackets.",
                "subset_curve",
            ),
            FigureRow(
                tuple(
                    Drawing(
                        f"filters_needed_{task}",
                        f"Concepts that reach a fraction of the full {SCORE_NAME[task]}",
                        partial(draw_filters_needed, needed, task=task),
                        TASK_TITLE[task].capitalize(),
                    )
                    for task in tasks
                ),
                "The share of concepts for which so many filters reach 80 or 90 % of the score of"
                " all filters, concept by concept."
                + (" Half of an accuracy is chance." if "classify" in tasks else "")
                + (" A score of 0 is never reached." if needed["filters"].isna().any() else ""),
                "filters_needed",
            ),
        ],
    )


def _enough(curve: pd.DataFrame, task: str) -> str:
    """How few filters come close to all of them, in the mean over all concepts."""
    totals = curve.assign(total=curve["mean"] * curve["n"]).groupby("filters")[["total", "n"]].sum()
    mean = totals["total"] / totals["n"]
    full, chance = mean.iloc[-1], 0.5 if task == "classify" else 0.0
    every = mean.index[-1]
    said = f"For {TASK_TITLE[task]}, all {every:,} filters reach a mean of {full:.2f}"
    if full <= chance:
        however = ", with however many filters" if mean.max() <= chance else ""
        return f"{said}: not better than chance{however}."
    few = mean.index[mean - chance >= 0.9 * (full - chance)][0]
    those = (
        "the one with the largest weight, learned again on its own, reaches"
        if few == 1
        else f"the {few:,} with the largest weights, learned again on their own, reach"
    )
    of = "of the way from chance to it" if task == "classify" else "of it"
    said = f"{said}; {those} 90 % {of}." if few < every else f"{said}; no fewer reach 90 % {of}."
    if mean.max() > full:
        best = count(int(mean.index[int(mean.argmax())]), "filter")
        said += (
            f" The mean is highest with {best} ({mean.max():.2f}):"
            " more filters also mean more to learn from the same images."
        )
    return said


def sharing_section(study: Study) -> Section:
    """Which filters are the best for several concepts: Fig. 5, with pictures Fig. 1 and 4."""
    sharing = study.mine("filter_sharing")
    last = study.last(sharing)
    blocks: list[Block] = [
        Paragraph(
            "A filter that is the best for several concepts cannot stand for one of them alone. "
            + " ".join(_shared(last, task, study.layer_of[task]) for task in study.tasks)
        ),
        FigureRow(
            tuple(
                Drawing(
                    f"filter_sharing_{task}",
                    f"Filters by the number of concepts they are best for, {TASK_TITLE[task]}",
                    partial(draw_sharing, sharing, task=task, layers=study.run.layers),
                    TASK_TITLE[task].capitalize(),
                )
                for task in study.tasks
            ),
            "How many filters are the best single filter for how many concepts, by layer; in"
            " brackets the number of its filters.",
            "filter_sharing",
        ),
    ]
    if study.filters:
        blocks.append(
            Paragraph(
                Markup(
                    "Below are the filters that are the best for the most concepts, and those"
                    " asked for. First the images that activate the filter most, whatever they"
                    " show; then the validation images in which it finds some concepts best: those"
                    " of which it is the best single filter or, where it was asked for, those that"
                    " it finds best."
                    " <span class='key' style='--key:{single}'>Orange</span> is where the filter"
                    " is on, smoothed: for the eye, the activation is upsampled before it is cut,"
                    " not after, as for the scores. The <span class='key truth'>white line</span>"
                    " is the annotation."
                ).format(single=SINGLE_COLOR)
            )
        )
    for position, exhibit in enumerate(study.filters):
        blocks.extend(_strips(study, exhibit, position))
    return Section("shared", "Who shares filters?", blocks)


def _shared(rows: pd.DataFrame, task: str, layer: str) -> str:
    concepts = rows.loc[rows["task"] == task, "concepts"].to_numpy(dtype=int)
    used = concepts[concepts > 0]
    if not len(used):
        return ""
    several = used[used > 1]
    return (
        f"In {TASK_TITLE[task]} on {layer},"
        f" {part(len(used), len(concepts), 'filter', 'is', 'are')} the best for any concept, and"
        f" {percent(float(several.sum() / used.sum()))} of the concepts share theirs with another;"
        f" {'one filter serves' if used.max() > 1 else 'no filter serves more than'}"
        f" {int(used.max()):,}."
    )


def _strips(study: Study, exhibit: FilterExhibit, position: int) -> list[Strip]:
    request = exhibit.request
    highest = [
        (_picture(exhibit, name, None, f"filter{position}_top{rank}"), f"{value:.3g}")
        for rank, (name, value) in enumerate(request.highest)
        if name in exhibit.pictures
    ]
    strips = [
        Strip(
            Markup("<b>Filter {filter}</b> of {layer}: the images of highest activation").format(
                filter=request.filter, layer=request.layer
            ),
            ("highest value",),
            tuple(Tile(f"{rank}", (shown,)) for rank, shown in enumerate(highest, start=1)),
        )
    ]
    rows = [
        [
            (
                _picture(exhibit, name, found.concept, f"filter{position}_{row}_{rank}"),
                score_text(iou),
            )
            for rank, (name, iou) in enumerate(found.images)
            if name in exhibit.pictures
        ]
        for row, found in enumerate(request.concepts)
    ]
    strips.append(
        Strip(
            f"Filter {request.filter} and {_which(study, exhibit)}, with its set IoU of each: the"
            " images of highest individual IoU",
            tuple(f"{found.concept} ({score_text(found.set_iou)})" for found in request.concepts),
            tuple(Tile(f"{rank}", tiles) for rank, tiles in enumerate(zip_longest(*rows), start=1)),
        )
    )
    return [strip for strip in strips if strip.tiles]


def _which(study: Study, exhibit: FilterExhibit) -> str:
    """What the concepts of a filter's pictures are: those it serves, or only those it finds."""
    request = exhibit.request
    best = study.run.arrays(request.layer)["best_filter"].to_series()
    served = all(best[found.concept] == request.filter for found in request.concepts)
    return "concepts of which it is the best single one" if served else "the concepts it finds best"


def _picture(exhibit: FilterExhibit, name: str, concept: str | None, file: str) -> Picture:
    shown = exhibit.pictures[name]
    nothing = np.zeros_like(shown.active)
    truth = nothing if concept is None else shown.truth.get(concept, nothing)
    what = f"{name} where filter {exhibit.request.filter} is on"
    return Picture(
        file,
        partial(draw_masks, shown.image, shown.active, truth, color=SINGLE_COLOR),
        what if concept is None else f"{what}, with the annotation of {concept}",
    )
