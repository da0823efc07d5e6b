"""From runs to a report, section by section, in the order of the paper's questions."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from net2vec.report.content import FileIndex, Paragraph, Report, Section
from net2vec.report.exhibits import Exhibit
from net2vec.report.sections.chance import chance_section, chance_tables
from net2vec.report.sections.filters import sharing_section, subsets_section
from net2vec.report.sections.fits import fits_drawn, fits_section
from net2vec.report.sections.left_out import left_out_section
from net2vec.report.sections.masks import masks_section
from net2vec.report.sections.networks import difference_table, networks_section
from net2vec.report.sections.probe import probe_section
from net2vec.report.sections.space import space_section
from net2vec.report.sections.sufficient import sufficiency_section
from net2vec.report.sections.weights import weights_section, weights_table
from net2vec.report.study import Study
from net2vec.report.wording import listing
from net2vec.runs import FIT_TABLES, TABLES, Run

_MORE_TABLES = {
    **{name: (table.title, table.source) for name, table in FIT_TABLES.items()},
    "fits_by_category": ("Mean score of each category with both fits", "Fig. 2"),
    "fits_nearest": ("The nearest concepts of every concept with both fits", "Table 2"),
    "weight_iou": ("Weights and scores filter by filter, of the concepts shown", "Fig. 9"),
    "skipped": ("What was left out, and why", ""),
    "networks": ("The first network against every other, on what both have", "sec. 4.3"),
    "network_distances": ("Distances between the spaces of the networks", "Fig. 10"),
    "network_distances_by_category": ("The same by category", "Fig. 10"),
    "filter_individual_iou": ("Individual IoU of the filters asked for", "Fig. 4"),
}


def build_report(
    runs: Sequence[Run],
    exhibits: Sequence[Exhibit] = (),
    *,
    filter_ious: pd.DataFrame | None = None,
) -> Report:
    """The report of one run, or of several side by side.

    Args:
        runs: the first is the subject; the others are held against it.
        exhibits: pictures, those of `plan_exhibits` and any others, as many as could be had.
        filter_ious: individual IoUs of filters that were asked for, saved beside the page.

    Returns:
        The report, not yet saved. Its tables are those of `make_tables` and some more.
    """
    study = Study(tuple(runs), tuple(exhibits))
    weights = weights_table(study)
    differences = difference_table(study)
    chances = chance_tables(study)
    tables = {
        **study.tables,
        **chances,
        **study.fits,
        **fits_drawn(study),
        "weight_iou": weights,
        "skipped": study.run.skipped,
    }
    if len(study.runs) > 1:
        tables["networks"] = differences
    if study.comparison is not None:
        tables["network_distances"] = study.comparison.distances
        tables["network_distances_by_category"] = study.comparison.by_category
    if filter_ious is not None:
        tables["filter_individual_iou"] = filter_ious
    sections = [
        probe_section(study),
        sufficiency_section(study),
        subsets_section(study),
        sharing_section(study),
        weights_section(study, weights),
        masks_section(study),
        space_section(study),
        chance_section(study, chances),
        fits_section(study),
        networks_section(study, differences),
        left_out_section(study),
        _tables_section(list(tables)),
    ]
    beside = f", beside {listing(study.labels[1:])}" if len(study.runs) > 1 else ""
    return Report(
        title=f"How {study.label} encodes concepts",
        subtitle=f"Single filters, combinations of filters and concept vectors{beside}",
        sections=[section for section in sections if section is not None],
        tables=tables,
        versions=study.run.provenance.get("versions", {}),
    )


def _tables_section(names: Sequence[str]) -> Section:
    """Everything that can be read by other programs."""
    described = {name: (table.title, table.source) for name, table in TABLES.items()}
    described |= _MORE_TABLES
    return Section(
        "tables",
        "All tables",
        [
            Paragraph(
                "Figures are drawn from these tables, except the distributions of individual IoU,"
                " which need every image; the references are to the paper."
            ),
            FileIndex(tuple((name, *described[name]) for name in names)),
        ],
    )
