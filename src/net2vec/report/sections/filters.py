"""How many filters a concept needs, and which filters are shared (sec. 4.1 and 4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest

import numpy as np
import pandas as pd

from net2vec.report.content import Drawing, Picture, Table, Tile, by_task, columns
from net2vec.report.exhibits import FilterExhibit
from net2vec.report.figures import draw_filters_needed, draw_sharing, draw_subset_curve
from net2vec.report.formats import score_text
from net2vec.report.pictures import SINGLE_COLOR, draw_masks
from net2vec.report.study import Study

_ENOUGH = 0.9
"""Share of the way from chance to the mean of all filters that is called close."""


@dataclass(frozen=True)
class SubsetsFacts:
    """Mean scores of subsets of filters, by task."""

    layer_of: Mapping[str, str]
    needed: Table
    curves: Mapping[str, Drawing]
    reached: Mapping[str, Drawing]
    negative: Table


@dataclass(frozen=True)
class SharingFacts:
    """The filters that are the best of several concepts, and pictures of filters."""

    sharing: Table
    figures: Mapping[str, Drawing]
    color: str
    pictures: tuple[FilterPictures, ...]


@dataclass(frozen=True)
class FilterPictures:
    """Pictures of a filter: its images of the highest activation, and those of its concepts."""

    layer: str
    filter: int
    highest: tuple[Tile, ...]
    rows: tuple[str, ...]
    concepts: tuple[Tile, ...]
    served: bool


def subsets_facts(study: Study, tables: Mapping[str, pd.DataFrame]) -> SubsetsFacts | None:
    """Mean score against the number of filters. None where no subsets were fitted."""
    layer_of = study.layers_having(study.tables["subset_curve"])
    if not layer_of:
        return None
    tasks = list(layer_of)
    curve, needed, negative = (
        study.rows_shown(table, layer_of=layer_of)
        for table in (
            study.tables["subset_curve"],
            study.tables["filters_needed"],
            tables["negative_subsets"],
        )
    )
    rows = [_enough(curve[curve["task"] == task], task) for task in tasks]
    return SubsetsFacts(
        layer_of=layer_of,
        needed=Table(
            pd.DataFrame(rows),
            columns(
                "task",
                filters="count",
                full=("number", "with all filters"),
                fewest=("count", "filters for 90 %"),
                peak=("number", "highest mean"),
                peak_filters=("count", "with filters"),
            ),
            "subset_curve",
        ),
        curves=by_task("subset_curve", tasks, draw_subset_curve, curve),
        reached=by_task("filters_needed", tasks, draw_filters_needed, needed),
        negative=_negative(study, negative),
    )


def _negative(study: Study, rows: pd.DataFrame) -> Table:
    """Subsets of one filter with a negative weight, beside the score of the whole image."""
    fits = {"fit": rows["fit"].map(study.titles)} if "fit" in rows else {}
    named = rows.assign(task="segment")
    return Table(
        rows.assign(concept=study.marks.names(named), **fits),
        columns(
            "concept", *fits, "rule", "filter", weight="signed", score="score", baseline="score"
        ),
        "negative_subsets",
    )


def _enough(curve: pd.DataFrame, task: str) -> dict[str, object]:
    """The least number of filters that come close to all of them, in the mean over all concepts."""
    totals = curve.assign(total=curve["mean"] * curve["n"]).groupby("filters")[["total", "n"]].sum()
    mean = totals["total"] / totals["n"]
    full, chance = mean.iloc[-1], 0.5 if task == "classify" else 0.0
    close = mean.index[mean - chance >= _ENOUGH * (full - chance)]
    return {
        "task": task,
        "filters": mean.index[-1],
        "full": full,
        # Where all filters are not better than chance no number comes close to them.
        "fewest": close[0] if full > chance else np.nan,
        "peak": mean.max(),
        "peak_filters": mean.idxmax(),
    }


def sharing_facts(study: Study, _: Mapping[str, pd.DataFrame]) -> SharingFacts:
    """Which filters are the best for several concepts."""
    sharing = study.rows_of_subject("filter_sharing")
    last = study.rows_shown(sharing)
    rows = [
        _shared(last.loc[last["task"] == task, "concepts"].to_numpy(dtype=int))
        | {"task": task, "layer": study.layer_of[task]}
        for task in study.tasks
    ]
    return SharingFacts(
        sharing=Table(
            pd.DataFrame(rows),
            columns(
                "task",
                "layer",
                filters="count",
                used=("count", "filters best for a concept"),
                sharing=("percent", "concepts that share their filter"),
                most=("count", "most concepts of one filter"),
            ),
            "filter_sharing",
        ),
        figures=by_task(
            "filter_sharing", study.tasks, draw_sharing, sharing, layers=study.run.layers
        ),
        color=SINGLE_COLOR,
        pictures=tuple(
            _pictures(study, exhibit, position) for position, exhibit in enumerate(study.filters)
        ),
    )


def _shared(concepts: np.ndarray) -> dict[str, object]:
    """Counts of filters that are the best of some concept, from the number of concepts of each."""
    used = concepts[concepts > 0]
    return {
        "filters": len(concepts),
        "used": len(used),
        "sharing": used[used > 1].sum() / used.sum() if len(used) else np.nan,
        "most": concepts.max(),
    }


def _pictures(study: Study, exhibit: FilterExhibit, position: int) -> FilterPictures:
    request = exhibit.request
    highest = [
        (_picture(exhibit, name, None, f"filter{position}_top{rank}"), f"{value:.3g}")
        for rank, (name, value) in enumerate(request.highest)
        if name in exhibit.pictures
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
    best = study.run.arrays(request.layer)["best_filter"].to_series()
    return FilterPictures(
        layer=request.layer,
        filter=request.filter,
        highest=tuple(Tile(f"{rank}", (shown,)) for rank, shown in enumerate(highest, start=1)),
        rows=tuple(f"{found.concept} ({score_text(found.set_iou)})" for found in request.concepts),
        concepts=tuple(
            Tile(f"{rank}", tiles) for rank, tiles in enumerate(zip_longest(*rows), start=1)
        ),
        served=all(best[found.concept] == request.filter for found in request.concepts),
    )


def _picture(exhibit: FilterExhibit, name: str, concept: str | None, file: str) -> Picture:
    shown = exhibit.pictures[name]
    nothing = np.zeros_like(shown.active)
    truth = nothing if concept is None else shown.truth.get(concept, nothing)
    paint = partial(draw_masks, shown.image, shown.active, truth, color=SINGLE_COLOR)
    return Picture(file, paint, name)
