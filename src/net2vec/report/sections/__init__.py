"""The sections of a report, each a function from the study to a `Section`."""

from net2vec.report.sections.build import build_report

__all__ = ["build_report"]
