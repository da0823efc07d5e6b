"""Scores on masks that a model made, corrected by masks that people made."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pandas as pd

from net2vec.report.content import Drawing, Facts
from net2vec.report.figures.corrected import draw_corrected
from net2vec.report.study import Study


def corrected_facts(study: Study, tables: Mapping[str, pd.DataFrame]) -> Facts | None:
    """Scores corrected by masks by people, beside those on made masks. None without such masks."""
    table = tables["corrected"]
    if table.empty:
        return None
    rows = study.shown(table)
    rows = rows[rows["fit"] == study.run.fit] if "fit" in rows else rows
    if rows.empty:
        return None
    combined = rows[rows["method"] == "combined"]
    known = combined.dropna(subset=["corrected"])
    truth = study.run.provenance.get("data", {}).get("truth", {})
    inside = known["uncorrected"].between(known["low"], known["high"])
    return Facts(
        layer=study.layer_of["segment"],
        fit=study.fit_title,
        truth=str(truth.get("name", "")),
        few=int(combined["n_true"].max()),
        images=int(combined["n"].max()),
        means=None
        if known.empty
        else Facts(
            uncorrected=float(known["uncorrected"].mean()),
            corrected=float(known["corrected"].mean()),
            annotator=float(known["annotator_iou"].mean()),
            concepts=len(known),
            outside=int((~inside).sum()),
        ),
        unknown=tuple(combined.loc[combined["corrected"].isna(), "concept"]),
        drawing=None if known.empty else Drawing("corrected", partial(draw_corrected, known)),
    )
