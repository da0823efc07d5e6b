"""Finished runs: what `open_run` gives, and the tables made of it."""

from net2vec.runs.fits import FIT_TABLES, fit_tables
from net2vec.runs.labels import unique_labels
from net2vec.runs.run import HARDLY_MOVED, Run, open_run
from net2vec.runs.tables import TABLES, RunTable, make_tables

__all__ = [
    "FIT_TABLES",
    "HARDLY_MOVED",
    "TABLES",
    "Run",
    "RunTable",
    "fit_tables",
    "make_tables",
    "open_run",
    "unique_labels",
]
