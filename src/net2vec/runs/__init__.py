"""Finished runs: what `open_run` gives, and the tables made of it."""

from net2vec.runs.run import HARDLY_MOVED, Run, open_run, unique_labels
from net2vec.runs.tables import TABLES, RunTable, make_tables

__all__ = [
    "HARDLY_MOVED",
    "TABLES",
    "Run",
    "RunTable",
    "make_tables",
    "open_run",
    "unique_labels",
]
