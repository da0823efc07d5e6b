"""In one minute, and what was found with all fits side by side."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from net2vec.analysis import by_concept, entering
from net2vec.analysis.sufficiency import SINGLES, as_good
from net2vec.report.content import Column, Facts, Table, Tile, columns
from net2vec.report.exhibits import DecileExhibit, DecileImage
from net2vec.report.labels import METHOD_TITLE, TASK_TITLE
from net2vec.report.pictures import COMBINED_COLOR, SINGLE_COLOR
from net2vec.report.planning import best_layer
from net2vec.report.sections.masks import concept_tile
from net2vec.report.study import Study
from net2vec.runs import HARDLY_MOVED, Run
from net2vec.runs.spread import spread
from net2vec.vocabulary import FITS

_KEYS = ["layer", "task"]
_NAMED = 3
"""Concepts that a sentence names."""
_STRIP = 6
"""Pictures in the strip."""
_DECILE = 6
"""Of the images in the strip: near the median one."""


def minute_facts(study: Study, _: Mapping[str, pd.DataFrame]) -> Facts:
    """What a reader with one minute should know. It is of segmentation, where there is any."""
    task = study.tasks[0]
    rows = entering(study.shown(study.tables["by_concept"], task))
    ranked = rows.sort_values("combined", ascending=False, kind="stable")
    named = ranked.assign(concept=study.marked_rows(ranked))
    best, worst = named.head(_NAMED), named.tail(min(_NAMED, len(named) // 2)).iloc[::-1]
    last = study.run.layer(study.layer_of[task])
    return Facts(
        network=study.label,
        images=int(last.attrs.get("images", 0)),
        concepts=study.mine("by_concept")["concept"].nunique(),
        task=task,
        layer=study.layer_of[task],
        layers=len(study.run.layers),
        filters=last.sizes["filter"],
        fit=study.fit_title,
        n=len(rows),
        combined=rows["combined"].mean(),
        single=rows["single"].mean(),
        tuned=rows["tuned"].mean() if rows["tuned"].notna().any() else None,
        baseline=rows["baseline"].mean(),
        as_good=float(as_good(rows["combined"], rows["single"]).mean()),
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


def _named(rows: pd.DataFrame) -> tuple[tuple[str, float], ...]:
    return tuple(zip(rows["concept"], rows["combined"], strict=True))


def _served(study: Study, task: str) -> Facts:
    """How many filters are the best single filter of any concept, and of several."""
    concepts = study.shown(study.tables["filter_sharing"], task)["concepts"]
    return Facts(used=int((concepts > 0).sum()), shared=int((concepts > 1).sum()))


def _near(study: Study, ranked: pd.DataFrame, task: str) -> tuple[str, tuple[str, ...]] | None:
    """The best-encoded concept of those whose category has others, with its nearest concepts."""
    nearest = study.shown(study.tables["nearest"], task)
    several = ranked["category"].map(ranked["category"].value_counts()) > _NAMED
    objects = several & ranked["category"].eq("object")
    for name in ranked[objects if objects.any() else several]["concept"]:
        rows = nearest[nearest["concept"] == name].head(_NAMED)
        if len(rows):
            return study.marked(name, task=task), tuple(study.marked_rows(rows, "neighbour"))
    return None


def _twin(study: Study, task: str) -> Facts | None:
    """The first untrained run beside the subject, on the same layer."""
    for label, view in zip(study.labels[1:], study.views[1:], strict=True):
        if view.untrained and view.fit == study.run.fit:
            rows = study.tables["by_concept"].query("network == @label and task == @task")
            rows = entering(rows[rows["layer"] == study.layer_of[task]])
            if len(rows):
                return Facts(label=label, combined=rows["combined"].mean(), n=len(rows))
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
    found = ranked[ranked["concept"].isin(list(shown))]
    objects = found[found["category"] == "object"]
    names = (objects if len(objects) >= _STRIP else found)["concept"].tolist()
    tiles = []
    for place in np.unique(np.linspace(0, len(names) - 1, _STRIP).round()) if names else ():
        name = names[int(place)]
        exhibit, image = shown[name]
        tile = concept_tile(study, exhibit, image, heading=name)
        tiles.append(Tile(tile.heading, (tile.pictures[0], tile.pictures[-1])))
    return tuple(tiles)


def findings_facts(study: Study, tables: Mapping[str, pd.DataFrame]) -> Facts:
    """Mean scores and Table 1 of every run, layer and task, with all fits side by side."""
    parts = []
    for run, label, view in zip(study.runs, study.labels, study.views, strict=True):
        # The best single filter of segmentation is the same in every fit; in classification each
        # has its own, and that of the fit shown stands beside the others.
        part = _means(view)[[*_KEYS, "n", "baseline", "single", "tuned"]]
        for fit in run.fits:
            part = part.merge(_fit_means(run.at(fit=fit)), on=_KEYS, how="left")
        best = {task: best_layer(view, task) for task in TASK_TITLE}
        marks = ["yes" if layer == best[task] else "" for layer, task in part[_KEYS].to_numpy()]
        parts.append(part.assign(network=label, best=marks))
    frame = pd.concat(parts, ignore_index=True)
    frame = frame.iloc[frame["task"].ne("segment").argsort(kind="stable")]
    fits = {fit: study.titles[fit] for run in study.runs for fit in run.fits}
    where = columns("task", "network", "layer", "best", n="count")
    return Facts(
        fit=study.fit_title,
        fits=tuple((title, FITS[fit].about if fit in FITS else "") for fit, title in fits.items()),
        several=len(fits) > 1,
        tuned=bool(frame["tuned"].notna().any()),
        hardly_moved=HARDLY_MOVED,
        scores=Table(
            frame,
            (
                *where,
                *columns(baseline="number", single="number", tuned="number"),
                *(
                    Column(f"mean_{fit}", "number", f"all filters, {title}")
                    for fit, title in fits.items()
                ),
            ),
            "fits" if "fits" in tables else "by_concept",
        ),
        wins=Table(
            frame,
            (
                *where,
                *(
                    Column(f"{wins}_{fit}", "percent", title + against)
                    for wins, against in (("wins", ""), ("wins_tuned", ", against own threshold"))
                    for fit, title in fits.items()
                ),
            ),
            "fits" if "fits" in tables else "combined_vs_single",
        ),
    )


def _means(view: Run) -> pd.DataFrame:
    """Means over the concepts of each layer and task: `n, baseline, single, tuned, mean,
    wins, wins_tuned`.
    """
    rows = entering(by_concept(view.scores))
    wins, tuned = (as_good(rows["combined"], rows[name]).astype(float) for name in SINGLES)
    rows = rows.assign(wins=wins, wins_tuned=tuned.where(rows["tuned"].notna()))
    return rows.groupby(_KEYS, sort=False, as_index=False).agg(
        n=("concept", "size"), baseline=("baseline", "mean"), single=("single", "mean"),
        tuned=("tuned", "mean"), mean=("combined", "mean"), wins=("wins", "mean"),
        wins_tuned=("wins_tuned", "mean"),
    )  # fmt: skip


def _fit_means(view: Run) -> pd.DataFrame:
    """Mean score and Table 1 of a fit, in columns of its name, with their spread over seeds."""
    names = {name: f"{name}_{view.fit}" for name in ("mean", "wins", "wins_tuned")}

    def means(of: Run) -> pd.DataFrame:
        return _means(of)[[*_KEYS, *names]].rename(columns=names)

    seeded = [means(view.at(seed=seed)) for seed in view.seeds]
    return spread(means(view), seeded, _KEYS, list(names.values()))
