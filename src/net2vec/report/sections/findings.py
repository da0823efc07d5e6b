"""In one minute, and what was found with all fits side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from net2vec.analysis import entering
from net2vec.report.content import Column, Table, Tile, as_shares, columns
from net2vec.report.exhibits import DecileExhibit, DecileImage
from net2vec.report.formats import is_missing
from net2vec.report.labels import METHOD_TITLE, TASK_TITLE, about_fit
from net2vec.report.pictures import COMBINED_COLOR, SINGLE_COLOR
from net2vec.report.sections.masks import concept_tile
from net2vec.report.sections.sufficient import scored_images
from net2vec.report.study import Study
from net2vec.runs import HARDLY_MOVED

_KEYS = ["network", "layer", "task"]
_SHARES = {"percent": "", "percent_tuned": ", against own threshold"}
"""Columns of Table 1, and what their headings say after the fit."""
_OF_FITS = ("combined", *_SHARES)
"""Columns of which every fit has one of its own beside those of the others."""
_NAMED = 3
"""Concepts that a sentence names."""
_STRIP = 6
"""Pictures in the strip."""
_DECILE = 6
"""Of the images in the strip: near the median one."""


@dataclass(frozen=True)
class MinuteFacts:
    """The facts for a reader with one minute."""

    network: str
    images: int
    concepts: int
    task: str
    layer: str
    layers: int
    filters: int
    fit: str
    table_one: Mapping[str, Any] | None
    best: tuple[tuple[str, float, int], ...]
    worst: tuple[tuple[str, float, int], ...]
    served: FilterCounts
    near: tuple[str, tuple[str, ...]] | None
    below: int
    twin: UntrainedTwin | None
    strip: tuple[Tile, ...]
    rows: tuple[str, ...]
    single_color: str
    combined_color: str


@dataclass(frozen=True)
class FilterCounts:
    """The number of filters that are the best single filter of any concept, and of several."""

    used: int
    shared: int


@dataclass(frozen=True)
class UntrainedTwin:
    """An untrained run beside the subject, and its means of Table 1."""

    label: str
    table_one: Mapping[str, Any]


@dataclass(frozen=True)
class FindingsFacts:
    """Mean scores and Table 1 of every run, layer, task and fit."""

    fit: str
    fits: tuple[tuple[str, str], ...]
    several: bool
    tuned: bool
    hardly_moved: float
    scores: Table
    wins: Table


def minute_facts(study: Study, _: Mapping[str, pd.DataFrame]) -> MinuteFacts:
    """The facts for a reader with one minute, of segmentation where there is any."""
    task = study.tasks[0]
    rows = entering(study.rows_shown(study.tables["by_concept"], task))
    ranked = rows.sort_values("combined", ascending=False, kind="stable")
    named = ranked.assign(
        concept=study.marks.names(ranked), images=scored_images(study, task, ranked)
    )
    best, worst = named.head(_NAMED), named.tail(min(_NAMED, len(named) // 2)).iloc[::-1]
    last = study.run.layer(study.layer_of[task])
    return MinuteFacts(
        network=study.label,
        images=int(last.attrs.get("images", 0)),
        concepts=study.rows_of_subject("by_concept")["concept"].nunique(),
        task=task,
        layer=study.layer_of[task],
        layers=len(study.run.layers),
        filters=last.sizes["filter"],
        fit=study.fit_title,
        table_one=_table_one_row(study, task),
        best=_named(best),
        worst=_named(worst),
        served=_served(study, task),
        near=_near(study, ranked, task),
        below=int((rows["combined"] <= rows["baseline"]).sum()),
        twin=_twin(study, task),
        strip=_strip(study, ranked),
        rows=(METHOD_TITLE["single"], f"all filters, {study.fit_title}"),
        single_color=SINGLE_COLOR,
        combined_color=COMBINED_COLOR,
    )


def _table_one_row(study: Study, task: str, label: str | None = None) -> Mapping[str, Any] | None:
    """Mean scores and shares of Table 1 on the layer shown; None where a run has none there."""
    rows = study.tables["combined_vs_single"]
    is_shown = rows["network"].eq(label or study.label) & rows["layer"].eq(study.layer_of[task])
    for row in rows[is_shown & rows["task"].eq(task)].to_dict("records"):
        values: dict[str, Any] = {
            str(name): None if is_missing(value) else value for name, value in row.items()
        }
        for share in _SHARES:
            values[share] = None if values[share] is None else values[share] / 100
        return values
    return None


def _named(rows: pd.DataFrame) -> tuple[tuple[str, float, int], ...]:
    images = rows["images"].astype(int)
    return tuple(zip(rows["concept"], rows["combined"], images, strict=True))


def _served(study: Study, task: str) -> FilterCounts:
    """The number of filters that are the best single filter of any concept, and of several."""
    concepts = study.rows_shown(study.tables["filter_sharing"], task)["concepts"]
    return FilterCounts(used=int((concepts > 0).sum()), shared=int((concepts > 1).sum()))


def _near(study: Study, ranked: pd.DataFrame, task: str) -> tuple[str, tuple[str, ...]] | None:
    """The best-encoded concept of those whose category has others, with its nearest concepts."""
    nearest = study.rows_shown(study.tables["nearest"], task)
    several = ranked["category"].map(ranked["category"].value_counts()) > _NAMED
    objects = several & ranked["category"].eq("object")
    for name in ranked[objects if objects.any() else several]["concept"]:
        rows = nearest[nearest["concept"] == name].head(_NAMED)
        if len(rows):
            return study.marked(name, task=task), tuple(study.marks.names(rows, "neighbour"))
    return None


def _twin(study: Study, task: str) -> UntrainedTwin | None:
    """The first untrained run beside the subject, on the same layer."""
    for label, view in zip(study.labels[1:], study.views[1:], strict=True):
        if view.untrained and view.fit == study.run.fit:
            table_one = _table_one_row(study, task, label)
            if table_one:
                return UntrainedTwin(label=label, table_one=table_one)
    return None


def _strip(study: Study, ranked: pd.DataFrame) -> tuple[Tile, ...]:
    """A validation image for each of some concepts: its single filter, and all filters.

    They are objects, where there are enough, evenly spaced from the best encoded to the worst.
    """
    shown: dict[str, tuple[DecileExhibit, DecileImage]] = {}
    for exhibit in study.deciles:
        images = [image for image in exhibit.request.images if image.name in exhibit.pictures]
        if images and exhibit.request.layer == study.layer_of.get("segment"):
            image = min(images, key=lambda each: abs(each.decile - _DECILE))
            shown.setdefault(exhibit.request.concept, (exhibit, image))
    candidates = ranked[ranked["concept"].isin(list(shown))]
    objects = candidates[candidates["category"] == "object"]
    names = (objects if len(objects) >= _STRIP else candidates)["concept"].tolist()
    tiles = []
    for place in np.unique(np.linspace(0, len(names) - 1, _STRIP).round()) if names else ():
        name = names[int(place)]
        exhibit, image = shown[name]
        tile = concept_tile(study, exhibit, image, heading=name)
        tiles.append(Tile(tile.heading, (tile.pictures[0], tile.pictures[-1])))
    return tuple(tiles)


def findings_facts(study: Study, tables: Mapping[str, pd.DataFrame]) -> FindingsFacts:
    """Mean scores and Table 1 of every run, layer and task, with all fits side by side."""
    every = tables["combined_vs_single"]
    of_fit = every.get("fit", pd.Series(study.run.fit, index=every.index))
    fits = {fit: study.titles[fit] for run in study.runs for fit in run.fits}
    # The best single filter of segmentation is the same in every fit; in classification each
    # has its own, and that of the fit shown stands beside the others.
    frame = study.tables["combined_vs_single"]
    frame = frame[[name for name in frame if name not in ("fit", *_OF_FITS)]]
    for fit in fits:
        names = {name: f"{name}_{fit}" for name in _OF_FITS}
        names |= {f"{name}_sd": f"{name}_{fit}_sd" for name in _OF_FITS}
        rows = every[of_fit == fit].rename(columns=names)
        values = [name for name in names.values() if name in rows]
        frame = frame.merge(rows[[*_KEYS, *values]], on=_KEYS, how="left")
    views = zip(study.labels, study.views, strict=True)
    best = {(label, task): view.best_layer(task) for label, view in views for task in TASK_TITLE}
    frame["best"] = [
        "yes" if layer == best[label, task] else ""
        for label, layer, task in frame[_KEYS].to_numpy()
    ]
    frame = frame.iloc[frame["task"].ne("segment").argsort(kind="stable")]
    where = columns("task", "network", "layer", best=("text", "best layer"), n="count")
    return FindingsFacts(
        fit=study.fit_title,
        fits=tuple((title, about_fit(fit)) for fit, title in fits.items()),
        several=len(fits) > 1,
        tuned=bool(frame["tuned"].notna().any()),
        hardly_moved=HARDLY_MOVED,
        scores=Table(
            frame,
            (
                *where,
                *columns(baseline="number", single="number", tuned="number"),
                *(
                    Column(f"combined_{fit}", "number", f"all filters, {title}")
                    for fit, title in fits.items()
                ),
            ),
            "combined_vs_single",
        ),
        wins=Table(
            as_shares(frame, *(f"{share}_{fit}" for share in _SHARES for fit in fits)),
            (
                *where,
                *(
                    Column(f"{share}_{fit}", "percent", title + against)
                    for share, against in _SHARES.items()
                    for fit, title in fits.items()
                ),
            ),
            "combined_vs_single",
        ),
    )
