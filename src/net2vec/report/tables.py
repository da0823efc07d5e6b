"""The tables beside a report: what each is made of, its title and its place in the paper."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from net2vec.analysis import by_concept, paired_difference, weights_and_ious
from net2vec.report.study import Study
from net2vec.runs import FIT_TABLES, TABLES, make_tables, spread

_WEIGHED = 4
"""Concepts whose weights are shown filter by filter."""


@dataclass(frozen=True)
class ReportTable:
    """A table beside the page.

    Attributes:
        title: what it says, in a few words.
        source: where the paper shows it; empty where it does not.
        make: from the runs to the table; None where the report has no such table.
    """

    title: str
    source: str
    make: Callable[[Study], pd.DataFrame | None]


def make_report_tables(study: Study) -> dict[str, pd.DataFrame]:
    """All tables of a report, by the names of their files."""
    tables = {name: table.make(study) for name, table in REPORT_TABLES.items()}
    return {name: table for name, table in tables.items() if table is not None}


def _of_run(name: str) -> Callable[[Study], pd.DataFrame | None]:
    return lambda study: study.tables[name]


def _of_every_fit(name: str) -> Callable[[Study], pd.DataFrame | None]:
    """A table of all runs and of all of their fits; with several fits its last column is `fit`."""

    def make(study: Study) -> pd.DataFrame:
        if {run.fits for run in study.runs} == {study.run.fits}:
            return study.tables[name]
        parts = []
        for run, label in zip(study.runs, study.labels, strict=True):
            table = make_tables(run, [name])[name]
            parts.append(table.assign(network=label, fit=table.get("fit", run.fit)))
        filled = [table for table in parts if len(table)] or parts[:1]
        return pd.concat(filled, ignore_index=True)

    return make


def _of_fits(name: str) -> Callable[[Study], pd.DataFrame | None]:
    return lambda study: study.fits.get(name)


def _beside(name: str) -> Callable[[Study], pd.DataFrame | None]:
    """A table of the subject alone with all of its fits."""

    def make(study: Study) -> pd.DataFrame | None:
        subject = study.runs[0]
        return make_tables(subject, [name])[name] if len(subject.fits) > 1 else None

    return make


def _weight_iou(study: Study) -> pd.DataFrame:
    """Weights and IoUs of some concepts on the layer shown; empty without segmentation."""
    if "segment" not in study.tasks:
        return pd.DataFrame()
    layer = study.layer_of["segment"]
    table = weights_and_ious(study.run.arrays(layer), study.featured[:_WEIGHED])
    table.insert(0, "network", study.label)
    table.insert(1, "layer", layer)
    return table


def difference_table(study: Study) -> pd.DataFrame | None:
    """The subject against every other run, on the layers and concepts that both have.

    Where the subject was learned with several seeds, means and differences have their spread.
    """
    if len(study.runs) < 2:
        return None
    table = _differences(study, study.tables["by_concept"])
    if not study.run.seeds or table.empty:
        return table
    by_seed = [_differences(study, _concepts_at(study, seed)) for seed in study.run.seeds]
    keys = ["network", "other", "layer", "task", "category"]
    return spread(table, by_seed, keys, ["mean", "mean_other", "difference"])


def _differences(study: Study, concepts: pd.DataFrame) -> pd.DataFrame:
    parts = [paired_difference(concepts, study.label, other) for other in study.labels[1:]]
    return pd.concat(parts, ignore_index=True)


def _concepts_at(study: Study, seed: int) -> pd.DataFrame:
    """Scores of every concept with a seed, in the runs that were learned with it."""
    concepts = study.tables["by_concept"]
    parts = []
    for run, label in zip(study.views, study.labels, strict=True):
        if seed in run.seeds:
            parts.append(by_concept(run.at(seed=seed).scores).assign(network=label))
        else:
            parts.append(concepts[concepts["network"] == label])
    return pd.concat(parts, ignore_index=True)


REPORT_TABLES: Mapping[str, ReportTable] = {
    **{
        name: ReportTable(
            table.title, table.source, (_of_every_fit if table.every_fit else _of_run)(name)
        )
        for name, table in TABLES.items()
    },
    **{
        name: ReportTable(table.title, table.source, _of_fits(name))
        for name, table in FIT_TABLES.items()
    },
    "fits_by_category": ReportTable(
        "Mean score of each category with every fit", "Fig. 2", _beside("by_category")
    ),
    "fits_nearest": ReportTable(
        "The nearest concepts of every concept with every fit", "Table 2", _beside("nearest")
    ),
    "weight_iou": ReportTable(
        "Weights and scores filter by filter, of the concepts shown", "Fig. 9", _weight_iou
    ),
    "skipped": ReportTable("What was left out, and why", "", lambda study: study.run.skipped),
    "networks": ReportTable(
        "The first network against every other, on what both have", "sec. 4.3", difference_table
    ),
    "network_distances": ReportTable(
        "Distances between the spaces of the networks",
        "Fig. 10",
        lambda study: study.comparison.distances if study.comparison else None,
    ),
    "network_distances_by_category": ReportTable(
        "The same by category",
        "Fig. 10",
        lambda study: study.comparison.by_category if study.comparison else None,
    ),
    "filter_individual_iou": ReportTable(
        "Individual IoU of the filters asked for", "Fig. 4", lambda study: study.filter_ious
    ),
}
"""The tables by the names of their files."""
