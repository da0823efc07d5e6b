"""Questions about concepts: all of a layer, and one with its scores, weights and neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from net2vec.analysis import (
    by_concept,
    combined_vs_single,
    score_intervals,
    weigh_evidence,
)
from net2vec.errors import ResultsError
from net2vec.explorer.answers import (
    CategoryMeans,
    ConceptDetail,
    ConceptTable,
    NeighbourLists,
    Neighbours,
    Score,
    SubsetMeans,
    Weights,
)
from net2vec.explorer.encode import integers, number, numbers, texts
from net2vec.explorer.image_answers import ConceptImages
from net2vec.explorer.state import Explorer, Selection, View
from net2vec.results import SCORE_GROUP
from net2vec.runs import HARDLY_MOVED
from net2vec.spaces import SpaceError

ALL = "*"
_VAL = 1
_WEIGHTS = 200


def concepts(explorer: Explorer, at: Selection) -> ConceptTable:
    """All concepts of a layer, task and fit, with their scores."""
    view = explorer.view(at)
    names = view.names
    score, single = view.values("score"), view.single_scores()
    siblings = [each for each in view.siblings() if each.fit == view.fit]
    by_layer = np.full((len(names), len(siblings)), np.nan)
    for column, sibling in enumerate(siblings):
        values = dict(zip(sibling.names, sibling.values("score")[_VAL], strict=True))
        by_layer[:, column] = [values.get(name, np.nan) for name in names]
    if view.task == "classify":
        baseline = np.full(len(names), 0.5)
    else:
        known = "baseline" in view.arrays.coords
        baseline = view.values("baseline") if known else np.full(len(names), np.nan)
    evidence = weigh_evidence(view.arrays)
    evidence = evidence[evidence["method"] == "combined"].set_index("concept")
    passed = evidence["passed"].to_dict()
    return ConceptTable(
        name=names,
        category=view.categories,
        score=numbers(score[_VAL]),
        train_score=numbers(score[0]),
        single=numbers(single),
        gain=numbers(score[_VAL] - single),
        baseline=numbers(baseline),
        n_train=integers(view.values("n_train")),
        n_val=integers(view.values("n_val")),
        n_balanced=[None] * len(names) if view.balanced is None else [*integers(view.balanced)],
        enters=[bool(enters) for enters in view.enters],
        size=numbers(view.values("concept_size")),
        best_filter=integers(view.values("best_filter")),
        hardly_moved=[bool(value < HARDLY_MOVED) for value in view.values("start_distance")],
        p=numbers(evidence["p"].reindex(names).to_numpy(dtype=float)),
        passed=[bool(passed[name]) if name in passed else None for name in names],
        layers=[sibling.layer for sibling in siblings],
        by_layer=[numbers(row) for row in by_layer],
    )


def categories(explorer: Explorer, at: Selection) -> CategoryMeans:
    """Mean scores by category, layer, fit and method; of a task, whatever the layer and fit.

    Concepts whose accuracy is of too few images enter no mean, as in the report.
    """
    view = explorer.view(at)
    shares = _table_one(view)
    rows: list[tuple[Any, ...]] = []
    for sibling in view.siblings():
        methods = {"combined": sibling.values("score")[_VAL]}
        if sibling.fit == view.fit:
            methods["single"] = sibling.single_scores()
        for method, values in methods.items():
            for category, chosen in _by_category(sibling):
                scores = values[chosen]
                error = scores.std(ddof=1) / np.sqrt(len(scores)) if len(scores) > 1 else np.nan
                key = (sibling.layer, sibling.fit, method, category)
                wins = shares.get(key, (None, None))
                rows.append((*key, number(scores.mean()), number(error), len(scores), *wins))
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(9)]
    return CategoryMeans(*columns)


def _table_one(view: View) -> dict[tuple[str, ...], tuple[float | None, float | None]]:
    """The two shares of Table 1, by layer, fit, the method of all filters and category."""
    found: dict[tuple[str, ...], tuple[float | None, float | None]] = {}
    for fit in view.run.fits:
        rows = by_concept(view.run.at(fit=fit).scores)
        rows = rows[rows["task"] == view.task]
        rows = pd.concat([rows.assign(category=ALL), rows], ignore_index=True)
        table = combined_vs_single(rows, [*SCORE_GROUP, "category"])
        for row in table.to_dict("records"):
            shares = (number(row["percent"] / 100), number(row["percent_tuned"] / 100))
            found[row["layer"], fit, "combined", row["category"]] = shares
    return found


def subsets(explorer: Explorer, at: Selection) -> SubsetMeans:
    """Mean scores by category and number of filters, on every layer with subsets, by every fit."""
    rows: list[tuple[str, str, str, int, float | None, int]] = []
    for view in explorer.view(at).siblings():
        sizes = integers(view.arrays["subset_size"].to_numpy())
        if not sizes:
            continue
        curves = [*view.values("subset_score")[_VAL], view.values("score")[_VAL]]
        # A single filter of classification is stored as such, not as a subset.
        if view.task == "classify" and 1 not in sizes:
            sizes, curves = [1, *sizes], [view.single_scores(), *curves]
        for category, chosen in _by_category(view):
            for size, curve in zip([*sizes, len(view.filters)], curves, strict=True):
                scores = curve[chosen]
                key = (view.layer, view.fit, category, size)
                rows.append((*key, number(scores.mean()), len(scores)))
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(6)]
    return SubsetMeans(*columns)


def _by_category(view: View) -> list[tuple[str, np.ndarray]]:
    """Which concepts enter the means of each category, and of all."""
    category = np.array(view.categories, dtype=object)
    kinds = dict.fromkeys(category[view.enters])
    return [(ALL, view.enters), *((kind, view.enters & (category == kind)) for kind in kinds)]


def concept(explorer: Explorer, at: Selection, name: str) -> ConceptDetail:
    """A concept: its scores with intervals on all layers by all fits, and its weights."""
    view = explorer.view(at)
    place = view.concept_index(name)
    return ConceptDetail(
        name=name,
        category=view.categories[place],
        best_filter=int(view.values("best_filter")[place]),
        n_train=int(view.values("n_train")[place]),
        n_val=int(view.values("n_val")[place]),
        size=number(view.values("concept_size")[place]),
        scores=[
            score
            for sibling in view.siblings()
            if name in sibling.names
            for score in _scores(sibling, name)
        ],
        weights=_weights(view, place),
    )


def _scores(view: View, name: str) -> list[Score]:
    """A concept's scores on a layer by a fit, without intervals where the run kept no counts."""

    def make() -> list[Score]:
        table = score_intervals(view.of_concept(name))
        table = table[table["method"] != "difference"]
        if len(table):
            return [
                Score(
                    view.layer, view.fit, str(row["method"]), int(row["filters"]),
                    number(row["value"]), number(row["low"]), number(row["high"]), int(row["n"]),
                )
                for row in table.to_dict("records")
            ]  # fmt: skip
        place = view.concept_index(name)
        images = int(view.values("n_val")[place])
        plain = [("single", 1, view.single_scores()[place])]
        plain.append(("combined", len(view.filters), view.values("score")[_VAL][place]))
        sizes = integers(view.arrays["subset_size"].to_numpy())
        if sizes:
            curve = view.values("subset_score")[_VAL][:, place]
            plain += [("subset", size, value) for size, value in zip(sizes, curve, strict=True)]
        return [
            Score(view.layer, view.fit, method, filters, number(value), None, None, images)
            for method, filters, value in plain
        ]

    return view.explorer.cache.get(("scores", *view.key, name), make, lambda rows: 200 * len(rows))


def _weights(view: View, place: int) -> Weights:
    weight = view.values("weight")[place]
    largest = np.argsort(-np.abs(weight), kind="stable")[:_WEIGHTS]
    iou = np.full(len(weight), np.nan)
    if view.task == "segment":
        iou = view.values("single_iou")[_VAL, place]
    return Weights(
        filter=[view.filters[index] for index in largest],
        weight=numbers(weight[largest]),
        iou=numbers(iou[largest]),
    )


def neighbours(explorer: Explorer, at: Selection, name: str, n: int = 8) -> NeighbourLists:
    """The nearest concepts of a concept, in the spaces of all layers and fits."""
    view = explorer.view(at)
    view.concept_index(name)
    spaces = []
    for sibling in view.siblings():
        try:
            space = sibling.space()
            near = space.nearest(name, n) if name in space else None
        except SpaceError:
            continue
        if near is not None:
            cosine = numbers(near["cosine"].to_numpy())
            concept = texts(near["concept"].to_numpy())
            spaces.append(Neighbours(sibling.layer, sibling.fit, concept, cosine))
    return NeighbourLists(spaces)


def images(explorer: Explorer, at: Selection, name: str) -> ConceptImages:
    """The images that contain a concept, with its individual IoU by every fit."""
    view = explorer.view(at)
    if view.task != "segment":
        raise ResultsError("individual IoUs are of segmentation; choose that task")
    view.concept_index(name)
    rows = view.rows_of(name)
    alone = view.of_concept(name)
    methods = [str(method) for method in alone["method"].values]
    listed = {}
    for fit in view.run.fits:
        iou = view.other(fit=fit).arrays["pair_iou"].isel(pair=rows).transpose("method", "pair")
        listed[fit] = dict(zip(methods, iou.to_numpy(), strict=True))
    by_fit = np.stack([listed[fit]["combined"] for fit in listed], axis=1)
    return ConceptImages(
        pair=list(range(rows.start, rows.stop)),
        image=texts(alone["pair_image"].to_numpy()),
        split=texts(alone["pair_split"].to_numpy()),
        single=numbers(listed[view.fit]["single"]),
        fits=list(listed),
        by_fit=[numbers(row) for row in by_fit],
    )
