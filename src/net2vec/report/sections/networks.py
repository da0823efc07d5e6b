"""How networks differ: the subject beside the other runs, such as its twin with random weights."""

from __future__ import annotations

from functools import partial

import pandas as pd

from net2vec.analysis import by_concept, paired_difference
from net2vec.report.content import Block, Column, Drawing, FigureRow, Paragraph, Section, Table
from net2vec.report.figures import draw_by_category, draw_category_distances, draw_distances
from net2vec.report.study import SCORE_NAME, TASK_TITLE, Study
from net2vec.report.wording import listing
from net2vec.runs import Run
from net2vec.runs.spread import spread


def difference_table(study: Study) -> pd.DataFrame:
    """The subject against every other run, on the layers and concepts that both have.

    Where the subject was learned with several seeds, means and differences have their spread.
    """
    table = _differences(study, study.by_concept)
    seeds = study.run.seeds
    if not seeds or table.empty:
        return table
    again = [_differences(study, _concepts_at(study, seed)) for seed in seeds]
    return spread(table, again, _KEYS, ["mean", "mean_other", "difference"])


_KEYS = ["network", "other", "layer", "task", "category"]


def _differences(study: Study, concepts: pd.DataFrame) -> pd.DataFrame:
    parts = [paired_difference(concepts, study.label, other) for other in study.labels[1:]]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _concepts_at(study: Study, seed: int) -> pd.DataFrame:
    """Scores of every concept with a seed, in the runs that were learned with it."""
    parts = []
    for run, label in zip(study.runs, study.labels, strict=True):
        if seed in run.seeds:
            scores = run.at(seed=seed).scores
            parts.append(by_concept(scores).assign(network=label))
        else:
            parts.append(study.by_concept[study.by_concept["network"] == label])
    return pd.concat(parts, ignore_index=True)


def networks_section(study: Study, differences: pd.DataFrame) -> Section | None:
    """The mean of all filters in every run. None where there is only one."""
    if len(study.runs) < 2:
        return None
    untrained = any(_is_untrained(run) for run in study.runs[1:])
    combined = study.by_category[study.by_category["method"] == "combined"]
    layers = list(dict.fromkeys(layer for run in study.runs for layer in run.layers))
    blocks: list[Block] = [
        Paragraph(f"{_UNTRAINED if untrained else ''} {_seen(study, differences)}".strip()),
        FigureRow(
            tuple(
                Drawing(
                    f"networks_{task}",
                    f"Mean {SCORE_NAME[task]} of all filters by layer and category in each network",
                    partial(draw_by_category, combined, task=task, layers=layers, series="network"),
                    TASK_TITLE[task].capitalize(),
                )
                for task in study.tasks
            ),
            "Mean score of all filters in each network. Bars are standard errors over the n"
            " concepts.",
            "by_category",
        ),
    ]
    for task in study.tasks if len(differences) else ():
        rows = differences[differences["task"] == task]
        last = _last_shared(study, rows)
        rows = rows[rows["layer"] == last]
        if len(rows):
            blocks.append(
                Table(
                    rows,
                    (
                        Column("other", "beside"),
                        Column("category", "category"),
                        Column("mean", study.label, "number"),
                        Column("mean_other", "the other", "number"),
                        Column("difference", "difference", "signed"),
                        Column("stderr", "± standard error", "number"),
                        Column("n", "concepts", "count"),
                    ),
                    f"{TASK_TITLE[task].capitalize()} on {last}: mean {SCORE_NAME[task]} of all"
                    " filters over the concepts both networks have; the standard error is that of"
                    " the difference.",
                    csv="networks",
                )
            )
    blocks.extend(_distances(study))
    return Section(
        "networks", "Does it take training?" if untrained else "How do networks differ?", blocks
    )


def _distances(study: Study) -> list[Block]:
    """The spaces of all runs, compared (Fig. 10)."""
    found = study.comparison
    if found is None:
        return []
    return [
        FigureRow(
            (
                Drawing(
                    "network_distances",
                    "Distances between the spaces of the networks",
                    partial(draw_distances, found.distances),
                    "Between all spaces",
                ),
                Drawing(
                    "network_distances_by_category",
                    f"Distances from {found.spaces[0]} by category",
                    partial(draw_category_distances, found.by_category, space=found.spaces[0]),
                    f"From {found.spaces[0]}, by category",
                ),
            ),
            f"How different the networks’ spaces are on their last layers: D, the summed squared"
            f" difference of the cosines of all pairs of the {len(found.concepts):,} concepts that"
            " all of them share; by category, the mean share of a concept in it.",
            "network_distances",
        )
    ]


_UNTRAINED = (
    "What the filters of an untrained network can do is owed to the images and to the weights"
    " learned for each concept, not to what the network has learned. The difference to a trained"
    " one is what training has put into its filters."
)


def _is_untrained(run: Run) -> bool:
    return run.provenance.get("network", {}).get("trained") is False


def _seen(study: Study, differences: pd.DataFrame) -> str:
    sentences = []
    for other in study.labels[1:]:
        rows = differences[differences["other"] == other] if len(differences) else differences
        if not len(rows):
            sentences.append(f"{other} shares no layer with {study.label}.")
            continue
        for task in dict.fromkeys(rows["task"]):
            here = rows[rows["task"] == task]
            last = _last_shared(study, here)
            here = here[here["layer"] == last]
            behind = here.loc[here["difference"] <= 0, "category"]
            outcome = (
                "in the mean of every category"
                if behind.empty
                else f"in the mean of {len(here) - len(behind)} of {len(here)} categories, not of"
                f" {listing(behind)}"
            )
            sentences.append(
                f"In {TASK_TITLE[task]} on {last}, {study.label} is ahead of {other} {outcome}."
            )
    return " ".join(sentences)


def _last_shared(study: Study, rows: pd.DataFrame) -> str | None:
    """The last of the subject's layers that rows are about."""
    shared = set(rows["layer"])
    return next((layer for layer in reversed(study.run.layers) if layer in shared), None)
