"""What the space of concept vectors looks like (sec. 5.3)."""

from __future__ import annotations

from functools import partial

import pandas as pd

from net2vec.analysis import choose_concepts
from net2vec.report.content import (
    MARK,
    Block,
    Column,
    Drawing,
    FigureRow,
    NeighbourCard,
    NeighbourCards,
    Paragraph,
    Section,
    Table,
    TableRow,
)
from net2vec.report.figures import draw_category_distances, draw_distances, draw_map
from net2vec.report.study import TASK_TITLE, Study
from net2vec.report.wording import count, percent

_CONCEPTS = 9


def space_section(study: Study) -> Section | None:
    """Neighbours, sums, a map with clusters, layers compared. None where there are no vectors."""
    nearest = study.mine("nearest")
    mine = {task: study.last(nearest, task) for task in study.tasks}
    mine = {task: table for task, table in mine.items() if len(table)}
    if not mine:
        return None
    first = next(iter(mine))
    category = study.last(study.by_concept, first).set_index("concept")["category"]
    pool = study.moved(first)
    if pool.empty:
        pool = study.last(study.by_concept, first)
    cards = [
        NeighbourCard(
            study.marked(concept, task=first),
            str(category[concept]),
            tuple(
                (_heading(study, concept, task), _neighbours(study, concept, task, table))
                for task, table in mine.items()
            ),
        )
        for concept in choose_concepts(pool, count=_CONCEPTS)
    ]
    sentences = [_same_category(study, task, table) for task, table in mine.items()]
    return Section(
        "space",
        "What does the space of concepts look like?",
        [
            Paragraph(
                " ".join(
                    (
                        "Two concepts are near where their vectors use the same filters the same"
                        " way.",
                        *filter(None, sentences),
                    )
                )
            ),
            NeighbourCards(
                tuple(cards),
                f"Nearest concepts on {study.where(mine)}, with the cosine between the vectors. The"
                f" concepts are spread over categories and scores. {MARK}: hardly moved from its"
                " random start.",
                "nearest",
            ),
            _all_neighbours(study, nearest),
            *_sums(study),
            *_map(study),
            *_layers(study),
        ],
    )


def _all_neighbours(study: Study, nearest: pd.DataFrame) -> Table:
    """The neighbours of every concept, a row each."""
    last = study.last(nearest)
    last = last.assign(
        concept=study.marked_rows(last), neighbour=study.marked_rows(last, "neighbour")
    )
    cosine = last["cosine"].map("{:.2f}".format)
    if "cosine_sd" in last:  # missing where another start has another neighbour
        spread = last["cosine_sd"].map("{:.2f}".format)
        cosine = cosine.where(last["cosine_sd"].isna(), cosine + " ± " + spread)
    shown = last["neighbour"] + " (" + cosine + ")"
    rows = (
        last.assign(task=last["task"].map(TASK_TITLE), near=shown)
        .groupby(["task", "concept"], sort=False)["near"]
        .agg(", ".join)
        .reset_index()
    )
    return Table(
        rows,
        (Column("concept", "concept"), Column("task", "task"), Column("near", "nearest concepts")),
        f"The nearest concepts of every concept on {study.where(dict.fromkeys(last['task']))}",
        csv="nearest",
        searchable=True,
        folded=True,
    )


def _sums(study: Study) -> list[Block]:
    """Concept arithmetic (Table 3)."""
    table = study.last(study.tables["arithmetic"])
    if table.empty:
        return []
    tables = []
    for task in dict.fromkeys(table["task"]):
        rows = table[table["task"] == task]
        shown = rows.assign(
            answer=[
                f"{study.marked(name, task=task)} ({cosine:.2f})"
                for name, cosine in zip(rows["concept"], rows["cosine"], strict=True)
            ]
        ).pivot_table(
            index="rank", columns="expression", values="answer", aggfunc="first", sort=False
        )
        tables.append(
            Table(
                shown,
                tuple(Column(expression, expression) for expression in shown.columns),
                f"Sums of vectors in {TASK_TITLE[task]} on {study.layer_of[task]}: the nearest"
                " concepts, with the cosine.",
                csv="arithmetic",
            )
        )
    return [
        Paragraph(
            "Vectors can be added and subtracted: what is near to grass, made blue where it was"
            " green?"
            if "grass + blue - green" in set(table["expression"])
            else "Vectors can be added and subtracted."
        ),
        TableRow(tuple(tables)),
    ]


def _map(study: Study) -> list[Block]:
    """The map of the concepts and their clusters (supplement)."""
    clusters = study.last(study.tables["clusters"])
    if clusters.empty:
        return []
    tasks = list(dict.fromkeys(clusters["task"]))
    members = (
        clusters.assign(
            task=clusters["task"].map(TASK_TITLE),
            cluster=clusters["cluster"] + 1,
            concept=study.marked_rows(clusters),
        )
        .groupby(["task", "cluster"], sort=False)["concept"]
        .agg(", ".join)
        .reset_index()
    )
    return [
        FigureRow(
            tuple(
                Drawing(
                    f"map_{task}",
                    f"Map of the concepts by {TASK_TITLE[task]}, by category",
                    partial(
                        draw_map,
                        clusters[clusters["task"] == task],
                        categories=study.run.categories(task=task),
                        first=study.featured,
                    ),
                    TASK_TITLE[task].capitalize(),
                )
                for task in tasks
            ),
            f"Concepts that lie near each other have vectors that point the same way (t-SNE of"
            f" {study.where(tasks)}; the axes mean nothing). Names stand where they have room; in"
            " brackets the number of concepts of a category.",
            "clusters",
        ),
        Table(
            members,
            (
                Column("task", "task"),
                Column("cluster", "cluster", "count"),
                Column("concept", "concepts"),
            ),
            "Clusters of the concepts (k-means)",
            csv="clusters",
            searchable=True,
            folded=True,
        ),
    ]


def _layers(study: Study) -> list[Block]:
    """The spaces of the subject's layers and tasks, compared (Fig. 10)."""
    distances = study.mine("distances")
    if distances.empty:
        return []
    first = study.tasks[0]
    space = f"{study.layer_of[first]} {first}"
    return [
        FigureRow(
            (
                Drawing(
                    "distances",
                    "Distances between the spaces of all layers and tasks",
                    partial(draw_distances, distances),
                    "Between all spaces",
                ),
                Drawing(
                    "distances_by_category",
                    f"Distances from the space of {space} by category",
                    partial(
                        draw_category_distances,
                        study.mine("distances_by_category"),
                        space=space,
                    ),
                    f"From {space}, by category",
                ),
            ),
            f"How different the spaces of layers and tasks are: D, the summed squared difference"
            f" of the cosines of all pairs of the {distances['n'].iloc[0]:,} concepts that all of"
            " them share; by category, the mean share of a concept in it.",
            "distances",
        ),
        Table(
            distances,
            (
                Column("space", "space"),
                Column("other", "other"),
                Column("distance", "D", "number"),
                Column("cka", "CKA", "number"),
                Column("cka_by_chance", "by chance", "number"),
                Column("procrustes", "Procrustes", "number"),
                Column("rsa", "RSA", "number"),
                Column("p", "p", "number"),
            ),
            "The same by other measures: linear CKA, beside its mean over permuted concepts;"
            " Procrustes distance; and representational similarity with its p by permutation",
            csv="distances",
            searchable=True,
            folded=True,
        ),
    ]


def _heading(study: Study, concept: str, task: str) -> str:
    """The task, with a mark where the card's own concept has hardly moved in it."""
    marked = study.marked(concept, task=task) != concept
    return f"{TASK_TITLE[task]} {MARK}" if marked else TASK_TITLE[task]


def _neighbours(
    study: Study, concept: str, task: str, table: pd.DataFrame
) -> tuple[tuple[str, float], ...]:
    rows = table[table["concept"] == concept]
    return tuple(
        (study.marked(name, task=task), float(cosine))
        for name, cosine in zip(rows["neighbour"], rows["cosine"], strict=True)
    )


def _same_category(study: Study, task: str, table: pd.DataFrame) -> str:
    """How often the nearest concept shares the category, beside what chance would give."""
    category = study.last(study.by_concept, task).set_index("concept")["category"]
    moved = set(study.moved(task)["concept"])
    first = table[(table["rank"] == 1) & table["concept"].isin(moved)]
    if first.empty:
        return ""
    same = (first["concept"].map(category) == first["neighbour"].map(category)).mean()
    sizes = category.value_counts()
    others = len(category) - 1
    chance = ((first["concept"].map(category).map(sizes) - 1) / others).mean()
    if chance in (0, 1):  # of one category, or of one each: it could not be otherwise
        return ""
    return (
        f"In {TASK_TITLE[task]} the nearest concept is of the same category for"
        f" {percent(float(same))} of the {count(len(first), 'concept')} that left"
        f" {'its' if len(first) == 1 else 'their'} start; drawn at random it would be for"
        f" {percent(float(chance))}."
    )
