"""Concepts and sizes that were left out, and vectors to distrust."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from net2vec.analysis import LEAST_BALANCED
from net2vec.report.content import Table, columns
from net2vec.report.study import Study
from net2vec.runs import HARDLY_MOVED

_TOO_FEW = re.compile(r"^\d+ (.+?)s?, fewer than (\d+)$")


@dataclass(frozen=True)
class LeftOutFacts:
    """Counts of what was left out and why, and of vectors that have hardly left their start."""

    least_balanced: int
    judged: int
    small: int
    reasons: Table
    distance: float
    counts: Table


def left_out_facts(study: Study, _: Mapping[str, pd.DataFrame]) -> LeftOutFacts:
    """Skipped work with its reasons, and vectors that have hardly left their start."""
    run = study.runs[0]
    stuck = {
        (fit, task): sorted(run.hardly_moved(study.layer_of[task], task=task, fit=fit))
        for fit in run.fits
        for task in study.tasks
    }
    counts = [
        (study.titles[fit], task, layer, len(names), len(run.categories(layer, task=task)))
        for (fit, task), names in stuck.items()
        for layer in [study.layer_of[task]]
        if names
    ]
    skipped = study.run.skipped
    judged = (
        study.rows_of_subject("by_concept").query("task == 'classify'").drop_duplicates("concept")
    )
    few = judged[[("classify", name) in _small_of(study) for name in judged["concept"]]]
    return LeftOutFacts(
        least_balanced=LEAST_BALANCED,
        judged=len(judged),
        small=len(few),
        reasons=Table(
            count_reasons(skipped),
            columns("task", "reason", number=("count", "left out"), example="text"),
            "skipped",
        ),
        distance=HARDLY_MOVED,
        counts=Table(
            pd.DataFrame(counts, columns=["fit", "task", "layer", "moved", "n"]),
            columns("fit", "task", "layer", moved=("count", "hardly moved"), n="count"),
        ),
    )


def _small_of(study: Study) -> set[tuple[str, str]]:
    return {(task, name) for label, task, name in study.marks.small if label == study.label}


def count_reasons(skipped: pd.DataFrame) -> pd.DataFrame:
    """How much was left out for each reason; what differs in a number alone has one reason."""
    reason = skipped["reason"].astype(str)
    reason = reason.str.replace(_TOO_FEW, r"fewer than \2 \1s", regex=True)
    reasons = skipped.assign(reason=reason).groupby(["task", "reason"], sort=False, dropna=False)
    counted = reasons.agg(number=("reason", "size"), example=("concept", "first"))
    return counted.reset_index()
