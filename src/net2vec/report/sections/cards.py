"""The card of each concept: its scores by every fit, its masks, its neighbours and its filters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from net2vec.report.content import Column, ConceptCard, Table, WeightedFilter
from net2vec.report.exhibits import DecileExhibit
from net2vec.report.formats import is_missing, score_text
from net2vec.report.labels import COLUMN_TITLE, METHOD_TITLE, SCORE_TITLE, TASK_TITLE
from net2vec.report.sections.masks import concept_pictures
from net2vec.report.sections.space import neighbour_list
from net2vec.report.study import Study
from net2vec.runs import make_tables

_FILTERS = 5


class _Key(NamedTuple):
    concept: str
    task: str
    fit: str
    method: str


def concept_cards(study: Study, tables: Mapping[str, pd.DataFrame]) -> tuple[ConceptCard, ...]:
    """A card for every concept of the subject, on the layers shown."""
    scores = make_tables(study.runs[0], ["by_concept"])["by_concept"]
    scores = _of_layers(study, scores.assign(network=study.label))
    intervals = _interval_texts(study, _of_layers(study, tables["intervals"]))
    nearest = study.rows_shown(study.tables["nearest"])
    filters = _filters(study)
    pictures: dict[str, DecileExhibit] = {}
    for exhibit in study.deciles:
        if exhibit.request.layer == study.layer_of.get("segment"):
            pictures.setdefault(exhibit.request.concept, exhibit)
    cards = []
    for name, rows in scores.groupby("concept", sort=False):
        concept = str(name)
        first = rows.iloc[0]
        cards.append(
            ConceptCard(
                concept=concept,
                category=str(first["category"]),
                images=int(first["n_train"]),
                size=float(first["concept_size"]) if "segment" in set(rows["task"]) else None,
                scores=_score_table(study, concept, rows, intervals),
                pictures=concept_pictures(study, pictures[concept])
                if concept in pictures
                else None,
                neighbours=tuple(
                    near
                    for task in study.tasks
                    if (near := neighbour_list(study, nearest, concept, task)).concepts
                ),
                filters=filters.get(concept, ()),
            )
        )
    return tuple(sorted(cards, key=lambda card: (card.concept.casefold(), card.concept)))


def _of_layers(study: Study, table: pd.DataFrame) -> pd.DataFrame:
    """The subject's rows of the layers shown, with the fit of each."""
    return study.rows_shown(table.assign(fit=table.get("fit", study.run.fit)))


def _interval_texts(study: Study, rows: pd.DataFrame) -> dict[_Key, tuple[str, int]]:
    """By score, its interval as text and the number of its validation images."""
    rows = rows[rows["method"].isin(METHOD_TITLE)]
    columns = rows[["concept", "task", "fit", "method", "low", "high", "n"]]
    return {
        _Key(*key): (f"{score_text(low)} to {score_text(high)}", int(n))
        for *key, low, high, n in columns.itertuples(index=False)
    }


def _score_table(
    study: Study, concept: str, rows: pd.DataFrame, intervals: Mapping[_Key, tuple[str, int]]
) -> Table:
    """Scores with their intervals: a row the single filter and each fit, a column a task."""
    shown: dict[str, dict[str, str]] = {}
    for task, of_task in rows.groupby("task", sort=False):
        values = (
            of_task.set_index("fit")[["single", "combined", "baseline"]].astype(float).to_dict()
        )

        def told(fit: str, method: str, value: float, task: str = str(task)) -> str:
            text, _ = intervals.get(_Key(concept, task, fit, method), ("", 0))
            return f"{score_text(value)} ({text})" if text else score_text(value)

        best = study.run.fit
        column = {METHOD_TITLE["single"]: told(best, "single", values["single"][best])}
        for fit, value in values["combined"].items():
            column[study.titles[str(fit)]] = told(str(fit), "combined", value)
        column[COLUMN_TITLE["baseline"]] = score_text(values["baseline"][best])
        _, n = intervals.get(_Key(concept, str(task), best, "combined"), ("", 0))
        if n:
            column["validation images"] = f"{n:,}"
        shown[str(task)] = column
    frame = pd.DataFrame(shown).rename_axis("scored").reset_index()
    headings = [
        Column(task, heading=f"{TASK_TITLE[task]}: {SCORE_TITLE[task]}")
        for task in TASK_TITLE
        if task in shown
    ]
    return Table(frame, (Column("scored", heading=""), *headings))


def _filters(study: Study) -> dict[str, tuple[WeightedFilter, ...]]:
    """By concept, the filters with the largest weights in segmentation, the first one first."""
    if "segment" not in study.tasks:
        return {}
    arrays = study.run.arrays(study.layer_of["segment"])
    alone = arrays["single_iou"].sel(split="val").to_pandas()
    rows = study.rows_shown(study.tables["contribution"]).dropna(subset="weight_share")
    filters: dict[str, list[WeightedFilter]] = {}
    for name, index, share in rows[["concept", "filter", "weight_share"]].itertuples(index=False):
        listed = filters.setdefault(str(name), [])
        if len(listed) < _FILTERS:
            iou = alone.loc[name, index]
            listed.append(
                WeightedFilter(
                    index=int(index),
                    share=float(share),
                    alone=None if is_missing(iou) else float(iou),
                )
            )
    return {name: tuple(listed) for name, listed in filters.items()}
