"""Scores on masks that a model made, corrected by masks that people made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd

from net2vec.report.content import Drawing
from net2vec.report.figures.corrected import draw_corrected
from net2vec.report.study import Study


@dataclass(frozen=True)
class CorrectedFacts:
    """Scores corrected by masks by people, beside those on made masks."""

    layer: str
    fit: str
    truth: str
    few: int
    images: int
    means: CorrectedMeans | None
    unknown: tuple[str, ...]
    drawing: Drawing | None


@dataclass(frozen=True)
class CorrectedMeans:
    """Means over the concepts whose corrected score is known."""

    uncorrected: float
    corrected: float
    annotator: float
    concepts: int
    outside: int


def corrected_facts(study: Study, tables: Mapping[str, pd.DataFrame]) -> CorrectedFacts | None:
    """Scores corrected by masks by people, beside those on made masks. None without such masks."""
    table = tables["corrected"]
    if table.empty:
        return None
    rows = study.rows_shown(table)
    rows = rows[rows["fit"] == study.run.fit] if "fit" in rows else rows
    if rows.empty:
        return None
    combined = rows[rows["method"] == "combined"]
    known = combined.dropna(subset=["corrected"])
    truth = study.run.provenance.get("data", {}).get("truth", {})
    inside = known["uncorrected"].between(known["low"], known["high"])
    return CorrectedFacts(
        layer=study.layer_of["segment"],
        fit=study.fit_title,
        truth=str(truth.get("name", "")),
        few=int(combined["n_true"].max()),
        images=int(combined["n"].max()),
        means=None
        if known.empty
        else CorrectedMeans(
            uncorrected=float(known["uncorrected"].mean()),
            corrected=float(known["corrected"].mean()),
            annotator=float(known["annotator_iou"].mean()),
            concepts=len(known),
            outside=int((~inside).sum()),
        ),
        unknown=tuple(combined.loc[combined["corrected"].isna(), "concept"]),
        drawing=None if known.empty else Drawing("corrected", partial(draw_corrected, known)),
    )
