"""The report: figures that are returned, a page that is a value, and a function that saves it."""

from net2vec.report.build import build_report
from net2vec.report.exhibits import (
    DecileExhibit,
    DecileImage,
    DecileRequest,
    MaskedImage,
    plan_exhibits,
)
from net2vec.report.page import save_report

__all__ = [
    "DecileExhibit",
    "DecileImage",
    "DecileRequest",
    "MaskedImage",
    "build_report",
    "plan_exhibits",
    "save_report",
]
