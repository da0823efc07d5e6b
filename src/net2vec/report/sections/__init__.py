"""The sections of a report: a module each for its facts, a template of the same page for prose."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pandas as pd

from net2vec.report.sections.chance import chance_facts
from net2vec.report.sections.filters import sharing_facts, subsets_facts
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
        facts: from the runs and the report's tables to what the template knows as `facts`; None
            where the runs do not have what the section is about.
    """

    anchor: str
    title: str
    facts: Callable[[Study, Tables], Any]


def _file_index(_: Study, tables: Tables) -> Mapping[str, ReportTable]:
    return {name: table for name, table in REPORT_TABLES.items() if name in tables}


SECTIONS = (
    SectionKind("probed", "What was probed", probe_facts),
    SectionKind("sufficient", "Are single filters enough?", sufficiency_facts),
    SectionKind("needed", "How many filters does a concept need?", subsets_facts),
    SectionKind("shared", "Which filters are shared?", sharing_facts),
    SectionKind("weights", "Do combinations agree with single filters?", weights_facts),
    SectionKind("masks", "What do the masks look like?", masks_facts),
    SectionKind("space", "What does the space of concepts look like?", space_facts),
    SectionKind("chance", "Is it better than chance?", chance_facts),
    SectionKind("fits", "What depends on the fit?", fits_facts),
    SectionKind("networks", "How do networks differ?", networks_facts),
    SectionKind("left-out", "What was left out, and what to distrust", left_out_facts),
    SectionKind("tables", "All tables", _file_index),
)
"""The sections in the order of the page; one without facts is left out."""
