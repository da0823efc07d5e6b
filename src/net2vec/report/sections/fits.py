"""What rests on the training? Both fits beside each other, question by question."""

from __future__ import annotations

import math
from functools import partial

import pandas as pd

from net2vec.report.content import (
    Block,
    Column,
    Drawing,
    FigureRow,
    Paragraph,
    Section,
    Table,
)
from net2vec.report.figures import (
    draw_fit_failures,
    draw_fits_by_category,
)
from net2vec.report.sections.fits_filters import (
    fit_curves_blocks,
    fit_sharing_blocks,
    last_fits,
)
from net2vec.report.sections.fits_space import fit_concepts_table, fit_neighbour_blocks
from net2vec.report.sections.verdicts import verdicts
from net2vec.report.study import SCORE_NAME, TASK_TITLE, Study
from net2vec.report.wording import count, part, percent, with_spread
from net2vec.runs import make_tables


def fits_section(study: Study) -> Section | None:
    """The paper's findings with both fits. None where the subject has one fit only."""
    if len(study.run.fits) < 2 or not study.tasks:
        return None
    drawn = fits_drawn(study)
    return Section(
        "fits",
        "What rests on the training?",
        [
            Paragraph(
                "The paper’s training takes few steps, from a random start. The converged fit"
                " solves the same linear model on the same features to its optimum: balanced log"
                " loss, an L2 term and, in segmentation, a cut chosen on the training images. What"
                " both show is a finding about the network; what the paper’s training shows alone"
                " may be one about the training."
            ),
            *(Paragraph(_scores(study, task)) for task in study.tasks),
            *(_verdicts(study, task) for task in study.tasks),
            _by_category(study, drawn["fits_by_category"]),
            _table_one(study),
            *_failures(study),
            *fit_curves_blocks(study),
            *fit_sharing_blocks(study),
            *fit_neighbour_blocks(study, drawn["fits_nearest"]),
            fit_concepts_table(study),
        ],
    )


def fits_drawn(study: Study) -> dict[str, pd.DataFrame]:
    """The tables of the subject that the section draws besides `study.fits`; none with one fit."""
    if len(study.run.fits) < 2:
        return {}
    made = make_tables(study.run, ["by_category", "nearest"])
    return {f"fits_{name}": table for name, table in made.items()}


def _scores(study: Study, task: str) -> str:
    row = last_fits(study, task)
    times = f" ({row['ratio']:.2f} times)" if math.isfinite(row["ratio"]) else ""
    said = (
        f"In {TASK_TITLE[task]} on {study.layer_of[task]} the mean {SCORE_NAME[task]} of all"
        f" filters is {row['converged']:.3f} converged and {with_spread(row, 'paper', '.3f')} with"
        f" the paper’s training{times}; {percent(row['as_good'] / 100)} of"
        f" {count(int(row['n']), 'concept')} {'scores' if row['n'] == 1 else 'score'} at least as"
        " high"
    )
    trained = int(row["trained"])
    if not trained:
        return said + "."
    worse = round(row["worse"] * trained / 100)
    return (
        f"{said} converged, and of the {trained:,} with 50 or more training images"
        f" {worse or 'none'} lower by more than 0.01."
    )


def _verdicts(study: Study, task: str) -> Table:
    lost = study.last(study.fits["fits_drops"], task)
    found = verdicts(last_fits(study, task), lost)
    several = (Column("spread", "± sd"),) if found["spread"].any() else ()
    return Table(
        found,
        (
            Column("finding", "finding"),
            Column("paper", "paper’s training"),
            *several,
            Column("converged", "converged"),
            Column("chance", "by chance"),
            Column("verdict", "what follows"),
        ),
        f"The paper’s findings in {TASK_TITLE[task]} on {study.layer_of[task]}, with both fits,"
        " which are held against the same single filter, that of the paper’s training. Failures"
        " rest on the training where at most a quarter of them remain, and hold where more than"
        " three quarters do. Subsets of the converged fit are chosen by the better of two rules. A"
        " drop is clear beyond two standard errors (±, over concepts). What chance rarely exceeds"
        " is two standard deviations above its mean."
        + (" ± sd is over the starts of the paper’s training." if several else ""),
        csv="fits",
    )


def _by_category(study: Study, table: pd.DataFrame) -> FigureRow:
    return FigureRow(
        tuple(
            Drawing(
                f"fits_by_category_{task}",
                f"Mean {SCORE_NAME[task]} by layer for each category, with both fits",
                partial(draw_fits_by_category, table, task=task, layers=study.run.layers),
                TASK_TITLE[task].capitalize(),
            )
            for task in study.tasks
        ),
        "Mean score of each category’s concepts at each layer with both fits; bars are standard"
        " errors over the n concepts."
        + (
            " The best single filter of segmentation is chosen by IoU: it is the same in both."
            if "segment" in study.tasks
            else ""
        ),
        "fits_by_category",
    )


def _table_one(study: Study) -> Table:
    """Table 1 of all runs; a run with one fit has a gap."""
    alone = study.wins.rename(
        columns={"percent": "percent_paper", "percent_sd": "percent_paper_sd"}
    )
    alone = alone[~alone["network"].isin(study.fits["fits"]["network"])]
    first = {label: run.fit for run, label in zip(study.runs, study.labels, strict=True)}
    alone = alone[alone["network"].map(first) == "paper"]
    rows = pd.concat([study.fits["fits"], alone], ignore_index=True)
    rows = rows.assign(
        task=rows["task"].map(TASK_TITLE),
        paper_share=rows["percent_paper"] / 100,
        converged_share=rows["percent_converged"] / 100,
    )
    if "percent_paper_sd" in rows:
        rows["paper_share_sd"] = rows["percent_paper_sd"] / 100
    several = (Column("network", "network"),) if len(set(rows["network"])) > 1 else ()
    return Table(
        rows,
        (
            *several,
            Column("layer", "layer"),
            Column("task", "task"),
            Column("paper", "mean, paper’s", "number"),
            Column("converged", "mean, converged", "number"),
            Column("ratio", "times", "number"),
            Column("paper_share", "Table 1, paper’s", "percent"),
            Column("converged_share", "Table 1, converged", "percent"),
            Column("failures_paper", "failures, paper’s", "count"),
            Column("failures_both", "of these remain", "count"),
        ),
        "With both fits: the mean score of all filters; the share of concepts that they encode at"
        " least as well as the best single filter of the same fit (Table 1); and how many of the"
        " concepts that lose by the combination with the paper’s training still lose, against the"
        " same single filter, with the converged one.",
        csv="fits",
    )


def _failures(study: Study) -> list[Block]:
    concepts = study.last(study.fits["fits_by_concept"])
    return [
        Paragraph(" ".join(_remain(study, concepts, task) for task in study.tasks)),
        FigureRow(
            tuple(
                Drawing(
                    f"fits_failures_{task}",
                    f"Gain in {SCORE_NAME[task]} by all filters with either fit, by concept",
                    partial(draw_fit_failures, concepts, task=task),
                    TASK_TITLE[task].capitalize(),
                )
                for task in study.tasks
            ),
            f"What all filters of {study.where()} add to the best single one of the paper’s"
            " training, a point a concept: with that training (across) and converged (up). Left of"
            " 0 are the paper’s failures; those above 0 are none with the converged fit. Dotted:"
            " the same gain.",
            "fits_by_concept",
        ),
    ]


def _remain(study: Study, concepts: pd.DataFrame, task: str) -> str:
    """How many of the paper's failures remain, and whose vectors had hardly moved."""
    row = last_fits(study, task)
    failed, kept = int(row["failures_paper"]), int(row["failures_both"])
    new = int(row["failures_converged"]) - kept
    said = (
        f"In {TASK_TITLE[task]} {part(failed, int(row['n']), 'concept', 'loses', 'lose')} by the"
        " combination with the paper’s training; converged,"
    )
    lose = "loses" if new == 1 else "lose"
    if failed:
        said += (
            f" {kept or 'none'} of these still {'loses' if kept == 1 else 'lose'} against the same"
            f" single filter, and {new or 'no'} {'other' if new == 1 else 'others'} {lose}."
        )
    else:
        said += f" {new or 'none'} {lose} against the same single filter."
    mine = concepts[concepts["task"] == task]
    lost = mine[mine["combined_paper"] < mine["single_paper"]]
    stuck = study.run.hardly_moved(study.layer_of[task], task=task, fit="paper")
    still = int(lost["concept"].isin(stuck).sum())
    if still:
        said += (
            f" The vector{'' if still == 1 else 's'} of {still} of the {failed} had hardly left"
            " their random start."
        )
    return said
