"""What had to be left out, and what to distrust."""

from __future__ import annotations

import re

import pandas as pd

from net2vec.report.content import MARK, Block, Column, Paragraph, Section, Table
from net2vec.report.study import Study
from net2vec.report.wording import count, listing
from net2vec.runs import HARDLY_MOVED


def left_out_section(study: Study) -> Section:
    """What was skipped and why, and which vectors have hardly left their start."""
    blocks: list[Block] = []
    skipped = study.run.skipped
    if skipped.empty:
        blocks.append(Paragraph("Nothing was skipped."))
    else:
        blocks.append(
            Table(
                _by_reason(skipped),
                (
                    Column("task", "task"),
                    Column("reason", "reason"),
                    Column("number", "left out", "count"),
                    Column("example", "for instance"),
                ),
                f"Why {count(len(skipped), 'item')} of the plan were not computed.",
            )
        )
        blocks.append(
            Table(
                skipped,
                (
                    Column("layer", "layer"),
                    Column("task", "task"),
                    Column("concept", "concept"),
                    Column("filters", "filters", "count"),
                    Column("reason", "reason"),
                ),
                "Everything that was left out",
                csv="skipped",
                searchable=True,
                folded=True,
            )
        )
    blocks.extend(
        Paragraph(_stuck(study, task, stuck))
        for task in study.tasks
        if (stuck := sorted(study.run.hardly_moved(study.layer_of[task], task=task)))
    )
    return Section("left-out", "What was left out, and what to distrust", blocks)


def _by_reason(skipped: pd.DataFrame) -> pd.DataFrame:
    """How much was left out for each reason; what differs in a number alone has one reason."""
    reason = skipped["reason"].astype(str)
    reason = reason.str.replace(_TOO_FEW, r"fewer than \2 \1s", regex=True)
    reasons = skipped.assign(reason=reason).groupby(["task", "reason"], sort=False, dropna=False)
    counted = reasons.agg(number=("reason", "size"), example=("concept", "first"))
    return counted.reset_index()


_TOO_FEW = re.compile(r"^\d+ (.+?)s?, fewer than (\d+)$")


def _stuck(study: Study, task: str, stuck: list[str]) -> str:
    layer, total = study.layer_of[task], len(study.last(study.by_concept, task))
    return (
        f"On {layer}, learning to {task} moved the vectors of {len(stuck)} of"
        f" {count(total, 'concept')} by less than {HARDLY_MOVED:g} of the length of their random"
        " start: the paper’s training takes few and small steps for rare or small concepts. Tables,"
        f" lists of neighbours and titles of pictures mark them with {MARK}, figures do not; what"
        f" is near to them means little: {listing(stuck, 30)}."
    )
