"""What the space of concept vectors looks like: nearest concepts."""

from __future__ import annotations

import pandas as pd

from net2vec.analysis import choose_concepts
from net2vec.report.content import MARK, NeighbourCard, NeighbourCards, Paragraph, Section
from net2vec.report.study import TASK_TITLE, Study, percent
from net2vec.spaces import nearest_concepts

_CONCEPTS = 9
_NEIGHBOURS = 5


def nearest_table(study: Study) -> pd.DataFrame:
    """Nearest concepts of every concept of every run's last layer, for each task (Table 2).

    Returns:
        `network, layer, task, concept, rank, neighbour, cosine`.
    """
    parts = []
    for run, label in zip(study.runs, study.labels, strict=True):
        layer = run.layers[-1]
        for task in run.tasks(layer):
            table = nearest_concepts(run.space(layer, task=task), _NEIGHBOURS)
            for at, (key, value) in enumerate(
                (("network", label), ("layer", layer), ("task", task))
            ):
                table.insert(at, key, value)
            parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def space_section(study: Study, nearest: pd.DataFrame) -> Section | None:
    """The nearest concepts of several concepts. None where there are no vectors."""
    mine = {task: study.last(nearest, task) for task in study.tasks} if len(nearest) else {}
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
                "Two concepts are near where their vectors use the same filters the same way, which"
                " nothing but the images has taught the network. "
                + " ".join(filter(None, sentences))
            ),
            NeighbourCards(
                tuple(cards),
                f"Nearest concepts on {study.layer}, with the cosine between the vectors. The"
                f" concepts are spread over categories and scores. {MARK}: hardly moved from its"
                " random start.",
                "nearest",
            ),
        ],
    )


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
    return (
        f"In {TASK_TITLE[task]} the nearest concept is of the same category for"
        f" {percent(float(same))} of the {len(first)} concepts whose vectors have left their"
        f" start; drawn at random it would be for {percent(float(chance))}."
    )
