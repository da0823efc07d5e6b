"""The sections of a report: a module each for its facts, a template of the same page for prose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from net2vec.report.sections.chance import chance_facts
from net2vec.report.sections.corrected import corrected_facts
from net2vec.report.sections.filters import sharing_facts, subsets_facts
from net2vec.report.sections.findings import findings_facts, minute_facts
from net2vec.report.sections.fits import fits_facts
from net2vec.report.sections.left_out import left_out_facts
from net2vec.report.sections.masks import masks_facts
from net2vec.report.sections.networks import networks_facts
from net2vec.report.sections.probe import probe_facts
from net2vec.report.sections.space import space_facts
from net2vec.report.sections.sufficient import sufficiency_facts
from net2vec.report.sections.weights import weights_facts
from net2vec.report.study import Study
from net2vec.report.tables import REPORT_TABLES, ReportTable

Tables = Mapping[str, pd.DataFrame]


class SectionKind(NamedTuple):
    """A section of every report that has its facts.

    Attributes:
        anchor: its address on the page, and the name of its template in `templates/sections`.
        title: its heading.
        short: its name in the contents.
        facts: from the runs and the report's tables to what the template knows as `facts`, a
            dataclass of numbers, names, tables and drawings, without prose; None where the runs do
            not have what the section is about.
        of_subject: whether it is of the fit and layers shown (`Study.subject`), and says so.
    """

    anchor: str
    title: str
    short: str
    facts: Callable[[Study, Tables], Any]
    of_subject: bool = False


def _file_index(_: Study, tables: Tables) -> Mapping[str, ReportTable]:
    return {name: table for name, table in REPORT_TABLES.items() if name in tables}


SECTIONS = (
    SectionKind("minute", "In one minute", "In one minute", minute_facts),
    SectionKind("findings", "What was found", "Findings", findings_facts),
    SectionKind("masks", "What do the masks look like?", "Masks", masks_facts, True),
    SectionKind("sufficient", "Are single filters enough?", "Single", sufficiency_facts, True),
    SectionKind("corrected", "What do masks by people say?", "By people", corrected_facts, True),
    SectionKind("space", "Which concepts are alike?", "Neighbours", space_facts, True),
    SectionKind("networks", "How do networks differ?", "Networks", networks_facts),
    SectionKind("needed", "How many filters does a concept need?", "Subsets", subsets_facts),
    SectionKind("shared", "Which filters are shared?", "Shared", sharing_facts, True),
    SectionKind(
        "weights", "Do combinations agree with single filters?", "Weights", weights_facts, True
    ),
    SectionKind("chance", "Is it better than chance?", "Chance", chance_facts, True),
    SectionKind("fits", "What depends on the fit?", "Fits", fits_facts),
    SectionKind("probed", "What was probed", "Setup", probe_facts),
    SectionKind("left-out", "What was left out, and what to distrust", "Left out", left_out_facts),
    SectionKind("tables", "All tables", "Tables", _file_index),
)
"""The sections in the order of the page; one without facts is left out."""
