"""How networks differ: the subject beside the other runs, such as its twin with random weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd

from net2vec.report.content import Column, Drawing, Table, by_task, columns
from net2vec.report.figures import draw_by_category, draw_category_distances, draw_distances
from net2vec.report.study import Study


@dataclass(frozen=True)
class NetworksFacts:
    """Scores of every run, and the distances between their spaces."""

    title: str
    lacking: tuple[tuple[str, int, int], ...]
    untrained: tuple[str, ...]
    apart: tuple[str, ...]
    figures: Mapping[str, Drawing]
    differences: Mapping[str, tuple[str, Table]]
    n: int
    first: str
    distances: tuple[Drawing, ...]


def networks_facts(study: Study, tables: Mapping[str, pd.DataFrame]) -> NetworksFacts | None:
    """The mean of all filters in every run, and the distances of spaces.

    None where there is one run and no space from elsewhere.
    """
    alone = len(study.runs) < 2
    if alone and not study.beside:
        return None
    scores = study.tables["by_category"]
    combined = scores[scores["method"] == "combined"]
    differences = pd.DataFrame() if alone else tables["networks"]
    shared = set(differences["other"]) if len(differences) else set()
    others = study.labels[1:]
    comparison = study.comparison
    return NetworksFacts(
        title="How do spaces of concepts differ?" if alone else "How do networks differ?",
        lacking=tuple(
            (known.space.label, len(known.missing), len(known.missing) + len(known.space))
            for known in study.beside
            if known.missing
        ),
        untrained=tuple(
            label for label, run in zip(others, study.views[1:], strict=True) if run.untrained
        ),
        apart=tuple(label for label in others if label not in shared),
        figures={}
        if alone
        else by_task(
            "networks",
            study.tasks,
            draw_by_category,
            combined,
            layers=study.layers,
            series="network",
        ),
        differences=_differences(study, differences) if shared else {},
        n=len(comparison.concepts) if comparison else 0,
        first=comparison.spaces[0] if comparison else "",
        distances=(
            Drawing("network_distances", partial(draw_distances, comparison.distances)),
            Drawing(
                "network_distances_by_category",
                partial(
                    draw_category_distances,
                    comparison.by_category,
                    space=comparison.spaces[0],
                    n=len(comparison.concepts),
                ),
            ),
        )
        if comparison
        else (),
    )


def _differences(study: Study, table: pd.DataFrame) -> dict[str, tuple[str, Table]]:
    """By task, the last of the subject's layers that another run shares, and its rows."""
    by_task = {}
    for task in study.tasks:
        rows = table[table["task"] == task]
        shared = set(rows["layer"])
        last = next((layer for layer in reversed(study.run.layers) if layer in shared), None)
        if last is not None:
            shown = (
                Column("other", heading="network beside it"),
                Column("category"),
                Column("mean", "number", study.label),
                Column("mean_other", "number", "the other"),
                *columns(difference="signed", stderr="number", n="count"),
            )
            by_task[task] = (last, Table(rows[rows["layer"] == last], shown, "networks"))
    return by_task
