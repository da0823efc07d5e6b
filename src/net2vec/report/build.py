"""From runs to a report, section by section, in the order of the paper's questions."""

from __future__ import annotations

from collections.abc import Sequence

from net2vec import analysis
from net2vec.report.content import Report
from net2vec.report.exhibits import DecileExhibit
from net2vec.report.sections.masks import masks_section
from net2vec.report.sections.networks import difference_table, networks_section
from net2vec.report.sections.probe import left_out_section, probe_section
from net2vec.report.sections.space import nearest_table, space_section
from net2vec.report.sections.sufficient import subsets_section, sufficiency_section
from net2vec.report.study import Study, listing
from net2vec.runs import Run


def build_report(runs: Sequence[Run], exhibits: Sequence[DecileExhibit] = ()) -> Report:
    """The report of one run, or of several side by side.

    Args:
        runs: the first is the subject; the others are held against it.
        exhibits: the pictures asked for by `plan_exhibits`, as many as could be had.

    Returns:
        The report, not yet saved.
    """
    study = Study(tuple(runs), tuple(exhibits))
    nearest = nearest_table(study)
    differences = difference_table(study)
    sections = [
        probe_section(study),
        sufficiency_section(study),
        subsets_section(study),
        masks_section(study),
        space_section(study, nearest),
        networks_section(study, differences),
        left_out_section(study),
    ]
    tables = {
        "by_category": study.by_category,
        "by_concept": study.by_concept,
        "combined_vs_single": study.wins,
        "subset_curve": analysis.subset_curve(study.scores),
        "nearest": nearest,
        "skipped": study.run.skipped,
    }
    if len(study.runs) > 1:
        tables["networks"] = differences
    beside = f", beside {listing(study.labels[1:])}" if len(study.runs) > 1 else ""
    return Report(
        title=f"How {study.label} encodes concepts",
        subtitle=f"Single filters, combinations of filters and concept vectors{beside}",
        sections=[section for section in sections if section is not None],
        tables=tables,
        versions=study.run.provenance.get("versions", {}),
    )
