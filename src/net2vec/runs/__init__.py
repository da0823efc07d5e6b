"""Finished runs: opened, viewed by fit and seed, and made into tables."""

from net2vec.results import RunTable
from net2vec.runs.data import HARDLY_MOVED, RunData
from net2vec.runs.labels import best_views, shared_fit, unique_labels
from net2vec.runs.registry import FIT_TABLES, TABLES
from net2vec.runs.run import Run, open_run
from net2vec.runs.tables import fit_tables, make_tables, spread

__all__ = [
    "FIT_TABLES",
    "HARDLY_MOVED",
    "TABLES",
    "Run",
    "RunData",
    "RunTable",
    "best_views",
    "fit_tables",
    "make_tables",
    "open_run",
    "shared_fit",
    "spread",
    "unique_labels",
]
