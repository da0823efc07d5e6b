"""Are vectors, and what is near to them, the same with both fits? (Table 2)."""

from __future__ import annotations

import pandas as pd

from net2vec.analysis import choose_concepts
from net2vec.report.content import (
    MARK,
    Block,
    Column,
    NeighbourCard,
    NeighbourCards,
    Paragraph,
    Table,
)
from net2vec.report.sections.fits_filters import last_fits
from net2vec.report.study import FIT_TITLE, TASK_TITLE, Study
from net2vec.report.wording import percent, with_spread

_CONCEPTS = 6


def fit_neighbour_blocks(study: Study, nearest: pd.DataFrame) -> list[Block]:
    """The neighbours of some concepts in both fits. None where there are no vectors.

    Args:
        study: the runs.
        nearest: the table `nearest` of the subject, with both fits.
    """
    nearest = nearest[nearest["layer"] == nearest["task"].map(study.layer_of)]
    if nearest.empty:
        return []
    rows = study.last(study.by_concept, study.tasks[0])
    category = rows.set_index("concept")["category"]
    cards = [
        NeighbourCard(
            concept,
            str(category[concept]),
            tuple(
                _list(study, nearest, concept, task, fit)
                for task in study.tasks
                for fit in FIT_TITLE
            ),
        )
        for concept in choose_concepts(rows, count=_CONCEPTS)
    ]
    said = [_agreement(last_fits(study, task), task) for task in study.tasks]
    return [
        *map(Paragraph, filter(None, [" ".join(filter(None, said))])),
        NeighbourCards(
            tuple(cards),
            f"Nearest concepts on {study.where()} with both fits, with the cosine between the"
            f" vectors. {MARK}: hardly moved from its random start.",
            "fits_nearest",
        ),
    ]


def _list(
    study: Study, nearest: pd.DataFrame, concept: str, task: str, fit: str
) -> tuple[str, tuple[tuple[str, float], ...]]:
    """A list of a card: the task and fit, and what is near."""
    stuck = study.run.hardly_moved(study.layer_of[task], task=task, fit=fit)
    of_fit = nearest[(nearest["task"] == task) & (nearest["fit"] == fit)]
    found = of_fit[of_fit["concept"] == concept]
    heading = f"{TASK_TITLE[task]}, {FIT_TITLE[fit]}"
    return (
        f"{heading} {MARK}" if concept in stuck else heading,
        tuple(
            (f"{name} {MARK}" if name in stuck else name, float(cosine))
            for name, cosine in zip(found["neighbour"], found["cosine"], strict=True)
        ),
    )


def _agreement(row: pd.Series, task: str) -> str:
    """Whether the neighbours are the same, and whether they are alike; what is known of it."""
    both = []
    if pd.notna(row["cosine"]):
        both.append(f"have a median cosine of {with_spread(row, 'cosine', '.2f')}")
    if pd.notna(row["neighbours"]) and pd.notna(row["neighbours_by_chance"]):
        both.append(
            f"share {percent(row['neighbours'])} of the five nearest concepts in the median"
            f" ({percent(row['neighbours_by_chance'])} in the mean by chance)"
        )
    said = []
    if both:
        said.append(f"In {TASK_TITLE[task]} the two vectors of a concept {' and '.join(both)}.")
    chance = row["category_by_chance"]
    if row[["category_paper", "category_converged"]].notna().all() and 0 < chance < 100:
        said.append(
            f"{'The' if both else f'In {TASK_TITLE[task]} the'} nearest concept is of the same"
            f" category for {with_spread(row, 'category_paper', '.0f')} % with the paper’s"
            f" training and {percent(row['category_converged'] / 100)} converged (by chance"
            f" {percent(chance / 100)})."
        )
    return " ".join(said)


def fit_concepts_table(study: Study) -> Table:
    """Every concept with both fits, on every layer of every run that has both."""
    rows = study.fits["fits_by_concept"]
    several = (Column("network", "network"),) if len(set(rows["network"])) > 1 else ()
    seeded = "combined_paper_sd" in rows
    return Table(
        rows.assign(
            concept=study.marked_rows(rows.assign(fit="paper")),
            task=rows["task"].map(TASK_TITLE),
            gain=rows["combined_converged"] - rows["combined_paper"],
        ),
        (
            *several,
            Column("layer", "layer"),
            Column("task", "task"),
            Column("concept", "concept"),
            Column("n_train", "training images", "count"),
            Column("single_paper", "best single, paper’s", "score"),
            Column("single_converged", "best single, converged", "score"),
            Column("combined_paper", "all, paper’s", "score"),
            Column("combined_converged", "all, converged", "score"),
            Column("gain", "difference", "signed"),
            Column("cosine", "cosine", "number"),
            Column("overlap", "same neighbours", "percent"),
        ),
        "Every concept on every layer with both fits"
        + (" (± sd: over starts; the difference has that of the paper’s score)" if seeded else ""),
        csv="fits_by_concept",
        searchable=True,
        folded=True,
    )
