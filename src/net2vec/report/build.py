"""From runs to a report, section by section."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from net2vec.report.content import Report, Section
from net2vec.report.exhibits import Exhibit
from net2vec.report.sections import SECTIONS
from net2vec.report.sections.cards import concept_cards
from net2vec.report.study import Study
from net2vec.report.tables import make_report_tables
from net2vec.runs import Run
from net2vec.spaces import Lookup


def build_report(
    runs: Sequence[Run],
    exhibits: Sequence[Exhibit] = (),
    *,
    filter_ious: pd.DataFrame | None = None,
    beside: Sequence[Lookup] = (),
) -> Report:
    """The report of one run, or of several side by side.

    Args:
        runs: the first is the subject; the others are held against it.
        exhibits: pictures, those of `plan_exhibits` and any others, as many as could be had.
        filter_ious: individual IoUs of filters that were asked for, saved beside the page.
        beside: spaces from elsewhere that those of the runs are held against (Fig. 10).

    Returns:
        The report, not yet saved. Its tables are those of `make_tables` and some more.
    """
    study = Study(tuple(runs), tuple(exhibits), filter_ious, tuple(beside))
    tables = make_report_tables(study)
    cards = concept_cards(study, tables)
    sections = [(kind, kind.facts(study, tables)) for kind in SECTIONS]
    annotators = {
        label: run.annotators for label, run in zip(study.labels, study.runs, strict=True)
    }
    return Report(
        network=study.label,
        others=study.labels[1:],
        sections=[
            Section(
                kind.anchor,
                getattr(facts, "title", kind.title),
                f"sections/{kind.anchor}.html",
                facts,
                study.subject if kind.of_subject else "",
                kind.short,
            )
            for kind, facts in sections
            if facts is not None
        ],
        tables=with_annotators(tables, annotators),
        cards=cards,
        subtitle=_subtitle(study),
        versions=study.run.provenance.get("versions", {}),
        explore=explore_command(runs),
        made_masks={
            label: [text for maker in makers for text in _annotator_remarks(maker)]
            for label, makers in annotators.items()
            if makers
        },
    )


def _subtitle(study: Study) -> str:
    """Weights and images of the subject, as far as its provenance says, and the other runs."""
    network, data = (study.run.provenance.get(name, {}) for name in ("network", "data"))
    parts = {
        "Weights": network.get("weights"),
        "Images": data.get("name"),
        "Compared with": "; ".join(study.labels[1:]),
    }
    return " · ".join(f"{name}: {value}" for name, value in parts.items() if value)


def explore_command(runs: Sequence[Run]) -> tuple[str, str]:
    """The command that explores the runs, and the folder beside which it is to be run.

    The folder is the one in which all runs lie. Its name is all of its path that the page has:
    pages are passed on, and paths of this machine are not part of them.
    """
    paths = [run.path.resolve() for run in runs]
    common = next(
        folder for folder in paths[0].parents if all(path.is_relative_to(folder) for path in paths)
    )
    names = [shlex.quote(path.relative_to(common.parent).as_posix()) for path in paths]
    return f"net2vec explore {' '.join(names)}", common.name


def with_annotators(
    tables: Mapping[str, pd.DataFrame], annotators: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, pd.DataFrame]:
    """Tables as they are saved: where models made the masks, their names are in a last column.

    Args:
        tables: by name; `network` holds the names of runs.
        annotators: by name of a run, those of its masks.
    """
    models = {
        label: "; ".join(str(maker["model"]) for maker in makers)
        for label, makers in annotators.items()
    }
    if not any(models.values()):
        return dict(tables)
    everything = "; ".join(dict.fromkeys(filter(None, models.values())))
    return {
        name: table.assign(
            annotator=table["network"].map(models) if "network" in table else everything
        )
        for name, table in tables.items()
    }


def _annotator_remarks(maker: Mapping[str, Any]) -> list[str]:
    return [str(maker[key]) for key in ("sentence", "kinship") if maker.get(key)]
