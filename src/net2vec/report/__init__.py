"""The report: figures that are returned, a page that is a value, and a function that saves it."""

from net2vec.report.build import build_report, with_annotators
from net2vec.report.comparison import save_comparison
from net2vec.report.exhibits import (
    ActiveImage,
    DecileExhibit,
    DecileImage,
    DecileRequest,
    Exhibit,
    FilterConcept,
    FilterExhibit,
    FilterRequest,
    MaskedImage,
    Request,
)
from net2vec.report.page import refuse_other_folders, save_report
from net2vec.report.planning import (
    filter_concepts,
    fits_shown,
    plan_concept,
    plan_exhibits,
    plan_filter,
)

__all__ = [
    "ActiveImage",
    "DecileExhibit",
    "DecileImage",
    "DecileRequest",
    "Exhibit",
    "FilterConcept",
    "FilterExhibit",
    "FilterRequest",
    "MaskedImage",
    "Request",
    "build_report",
    "filter_concepts",
    "fits_shown",
    "plan_concept",
    "plan_exhibits",
    "plan_filter",
    "refuse_other_folders",
    "save_comparison",
    "save_report",
    "with_annotators",
]
