"""The space of concept vectors: maps, neighbours, arithmetic (sec. 5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd

from net2vec.analysis import choose_concepts
from net2vec.report.content import Column, Drawing, NeighbourCard, NeighbourList, Table, columns
from net2vec.report.figures import draw_category_distances, draw_distances, draw_map
from net2vec.report.study import Study

_CONCEPTS = 6


@dataclass(frozen=True)
class SpaceFacts:
    """Neighbours, sums, a map, and layers compared."""

    layer_of: Mapping[str, str]
    patterns: tuple[str, ...]
    category: Table
    cards: tuple[NeighbourCard, ...]
    sums: Mapping[str, Table]
    maps: Mapping[str, Drawing]
    maps_of: Mapping[str, str]
    distances: LayerDistances | None


@dataclass(frozen=True)
class LayerDistances:
    """Distances between the spaces of the subject's layers and tasks."""

    n: int
    first: str
    between: Drawing
    by_category: Drawing
    measures: Table


def space_facts(study: Study, _: Mapping[str, pd.DataFrame]) -> SpaceFacts | None:
    """Neighbours, sums, a map, and layers compared. None where there are no vectors."""
    nearest = study.rows_shown(study.rows_of_subject("nearest"))
    tasks = [task for task in study.tasks if nearest["task"].eq(task).any()]
    if not tasks:
        return None
    maps_of = study.layers_having(study.tables["clusters"])
    clusters = study.rows_shown(study.tables["clusters"], layer_of=maps_of)
    return SpaceFacts(
        layer_of={task: study.layer_of[task] for task in tasks},
        patterns=tuple(
            task for task in tasks if "pattern" in study.run.arrays(study.layer_of[task], task=task)
        ),
        category=Table(
            pd.DataFrame(filter(None, (_same_category(study, nearest, task) for task in tasks))),
            columns(
                "task",
                n="count",
                same_category=("percent", "same category"),
                by_chance=("percent", "by chance"),
            ),
            "nearest",
        ),
        cards=_cards(study, nearest, tasks),
        sums=_sums(study),
        maps={
            task: Drawing(
                f"map_{task}",
                partial(
                    draw_map,
                    clusters[clusters["task"] == task],
                    categories=study.run.categories(task=task),
                    first=study.featured,
                ),
            )
            for task in (dict.fromkeys(clusters["task"]) if len(clusters) else ())
        },
        maps_of=maps_of,
        distances=_layers(study),
    )


def _cards(study: Study, nearest: pd.DataFrame, tasks: list[str]) -> tuple[NeighbourCard, ...]:
    """Concepts spread over categories and scores, of those that have left their start."""
    first = tasks[0]
    rows = study.rows_shown(study.tables["by_concept"], first)
    category = rows.set_index("concept")["category"]
    pool = study.moved_concepts(first)
    return tuple(
        NeighbourCard(
            study.marked(concept, task=first),
            str(category[concept]),
            tuple(neighbour_list(study, nearest, concept, task) for task in tasks),
        )
        for concept in choose_concepts(rows if pool.empty else pool, count=_CONCEPTS)
    )


def neighbour_list(study: Study, nearest: pd.DataFrame, concept: str, task: str) -> NeighbourList:
    """The nearest concepts of one.

    Args:
        study: the runs.
        nearest: rows of `nearest` of the subject, the layers and the fit shown.
        concept: whose neighbours.
        task: of the vectors.
    """
    rows = nearest[(nearest["concept"] == concept) & (nearest["task"] == task)]
    return NeighbourList(
        task=task,
        marked=study.marks.has_hardly_moved(study.label, study.layer_of[task], task, concept),
        concepts=tuple(zip(study.marks.names(rows, "neighbour"), rows["cosine"], strict=True)),
    )


def _sums(study: Study) -> dict[str, Table]:
    table = study.rows_shown(study.tables["arithmetic"])
    if table.empty:
        return {}
    tables = {}
    for task in dict.fromkeys(table["task"]):
        rows = table[table["task"] == task]
        answers = list(zip(study.marks.names(rows), rows["cosine"], strict=True))
        shown = rows.assign(answer=answers).pivot_table(
            index="rank", columns="expression", values="answer", aggfunc="first", sort=False
        )
        headings = [Column(name, "answer", name) for name in shown.columns]
        tables[str(task)] = Table(shown, headings, "arithmetic")
    return tables


def _layers(study: Study) -> LayerDistances | None:
    """The spaces of the subject's layers and tasks, compared."""
    distances = study.rows_of_subject("distances")
    if distances.empty:
        return None
    first = study.tasks[0]
    space = f"{study.layer_of[first]} {first}"
    return LayerDistances(
        n=int(distances["n"].iloc[0]),
        first=space,
        between=Drawing("distances", partial(draw_distances, distances)),
        by_category=Drawing(
            "distances_by_category",
            partial(
                draw_category_distances,
                study.rows_of_subject("distances_by_category"),
                space=space,
                n=int(distances["n"].iloc[0]),
            ),
        ),
        measures=Table(
            distances,
            columns(
                "space",
                "other",
                distance=("number", "D"),
                cka=("number", "CKA"),
                cka_by_chance=("number", "CKA, by chance"),
                procrustes=("number", "Procrustes"),
                rsa=("number", "RSA"),
                p="number",
            ),
            "distances",
        ),
    )


def _same_category(study: Study, nearest: pd.DataFrame, task: str) -> dict[str, object] | None:
    """The share of concepts whose nearest one is of the same category, beside that by chance."""
    category = study.rows_shown(study.tables["by_concept"], task).set_index("concept")["category"]
    moved = set(study.moved_concepts(task)["concept"])
    rows = nearest[nearest["task"] == task]
    first = rows[(rows["rank"] == 1) & rows["concept"].isin(moved)]
    if first.empty:
        return None
    own = first["concept"].map(category)
    chance = ((own.map(category.value_counts()) - 1) / (len(category) - 1)).mean()
    if chance in (0, 1):  # of one category, or of one each: it could not be otherwise
        return None
    same = (own == first["neighbour"].map(category)).mean()
    return {"task": task, "n": len(first), "same_category": same, "by_chance": chance}
