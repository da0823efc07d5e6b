"""How many filters with either fit, and who shares them? (Fig. 3 and 5)."""

from __future__ import annotations

from functools import partial

import pandas as pd

from net2vec.analysis import ALL
from net2vec.report.content import Block, Column, Drawing, FigureRow, Paragraph, Table
from net2vec.report.figures import draw_fit_curves, draw_fit_sharing
from net2vec.report.sections.verdicts import is_clear
from net2vec.report.study import FIT_TITLE, SCORE_NAME, TASK_TITLE, Study
from net2vec.report.wording import count, listing, percent, with_spread


def last_fits(study: Study, task: str) -> pd.Series:
    """The row of `fits` of the subject's last layer."""
    return study.last(study.fits["fits"], task).iloc[0]


def fit_curves_blocks(study: Study) -> list[Block]:
    """Fig. 3 with both fits, and the two rules to choose filters. None without subsets."""
    curves = study.last(study.fits["fits_subsets"])
    curves = curves[curves["category"] == ALL]
    tasks = [task for task in study.tasks if curves["task"].eq(task).any()]
    if not tasks:
        return []
    rules = study.last(study.fits["fits_rules"])
    lost = study.last(study.fits["fits_drops"])
    blocks: list[Block] = [
        *(Paragraph(_lost(lost, rules, task)) for task in tasks),
        FigureRow(
            tuple(
                Drawing(
                    f"fits_subsets_{task}",
                    f"Mean {SCORE_NAME[task]} against the number of filters, with both fits",
                    partial(draw_fit_curves, curves, task=task),
                    TASK_TITLE[task].capitalize(),
                )
                for task in tasks
            ),
            f"Mean score over all concepts against the number of filters of {study.where(tasks)}:"
            " those with the largest weights learned again, with both fits, and those that an L1"
            " path lets in first. Bands are standard errors over concepts, which all lines share.",
            "fits_subsets",
        ),
    ]
    if len(rules):
        blocks.append(_rules_table(rules))
    return blocks


def _lost(lost: pd.DataFrame, rules: pd.DataFrame, task: str) -> str:
    """Where the means are highest, and which categories fall from there."""
    peaks, falling = [], []
    for fit, title in FIT_TITLE.items():
        mine = lost[(lost["task"] == task) & (lost["rule"] == "weight") & (lost["fit"] == fit)]
        every = mine[mine["category"] == ALL].iloc[0]
        full = with_spread(every, "full", ".3f")
        peak = with_spread(every, "peak", ".3f")
        few = f"{count(int(every['filters']), 'filter')} ({peak}; all: {full})"
        every_one = f"all filters ({full})"
        peaks.append(f"{title}, {few if every['drop'] > 0 else every_one}")
        names = [
            row["category"] for _, row in mine[mine["category"] != ALL].iterrows() if is_clear(row)
        ]
        falling.append(f"{title}, {listing(names) if names else 'none'}")
    return (
        f"In {TASK_TITLE[task]} the mean is highest with: {'; '.join(peaks)}. Categories that"
        f" clearly drop after their optimum: {'; '.join(falling)}.{_rules(rules, task)}"
    )


def _rules(rules: pd.DataFrame, task: str) -> str:
    """Which rule chooses better, over all sizes that both were asked for."""
    mine = rules[rules["task"] == task]
    if mine.empty:
        return ""
    clear = mine["difference"].abs() > 2 * mine["stderr"]
    ahead = int((clear & (mine["difference"] > 0)).sum())
    behind = int((clear & (mine["difference"] < 0)).sum())
    widest = mine.iloc[int(mine["difference"].abs().argmax())]
    return (
        f" At equal numbers of filters the L1 path chooses clearly better than the weight at"
        f" {ahead} of {count(len(mine), 'size')} and worse at {behind or 'none'}; most it differs"
        f" at {int(widest['filters']):,}, by {widest['difference']:+.3f}.".replace("-", "−")
    )


def _rules_table(rules: pd.DataFrame) -> Table:
    return Table(
        rules.assign(
            task=rules["task"].map(TASK_TITLE), better=rules["better"] / 100,
            worse=rules["worse"] / 100,
        ),
        (
            Column("task", "task"),
            Column("filters", "filters", "count"),
            Column("weight", "by weight", "number"),
            Column("path", "L1 path", "number"),
            Column("difference", "difference", "signed"),
            Column("stderr", "± standard error", "number"),
            Column("better", "concepts better", "percent"),
            Column("worse", "worse", "percent"),
        ),
        "The converged fit on as many filters, chosen by weight or by an L1 path",
        csv="fits_rules",
        folded=True,
    )  # fmt: skip


def fit_sharing_blocks(study: Study) -> list[Block]:
    """Fig. 5 with both fits, by the filter with the largest weight."""
    concepts = study.fits["fits_by_concept"]
    concepts = concepts[concepts["network"] == study.label]
    said = []
    for task in study.tasks:
        row = last_fits(study, task)
        said.append(
            f"In {TASK_TITLE[task]} on {study.layer_of[task]} a filter that has the largest weight"
            f" of any concept has that of {with_spread(row, 'shared_paper', '.2f')} in the mean"
            f" with the paper’s training and of {row['shared_converged']:.2f} converged; by chance"
            f" it would be {row['shared_by_chance']:.2f}. It is the same filter in both for"
            f" {percent(row['same_filter'] / 100)} of the concepts.{_caution(row)}"
        )
    return [
        *map(Paragraph, said),
        FigureRow(
            tuple(
                Drawing(
                    f"fits_sharing_{task}",
                    f"Filters by how many concepts’ largest weight they have, {TASK_TITLE[task]}",
                    partial(draw_fit_sharing, concepts, task=task, layers=study.run.layers),
                    TASK_TITLE[task].capitalize(),
                )
                for task in study.tasks
            ),
            "How many filters have the largest weight of how many concepts, with both fits; in"
            " brackets the number of the layer’s filters."
            + (
                " In classification that is the best single filter."
                if "classify" in study.tasks
                else ""
            ),
            "fits_by_concept",
        ),
    ]


def _caution(row: pd.Series) -> str:
    """What the converged fit's largest weight is not, where its filter serves worse alone."""
    if row["single_converged"] >= row["single_paper"] - 0.01:
        return ""
    return (
        f" But alone, the filter with the largest converged weight reaches a mean of only"
        f" {row['single_converged']:.3f}, that of the paper’s training {row['single_paper']:.3f}:"
        " a filter that hardly varies needs a large weight to matter at all. So the size of"
        " converged weights says little here of how filters are shared, or of which to keep."
    )
