"""The declaration of a table of a run: its file, its columns and the function that makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pandas as pd

LAYER_TASK = ("layer", "task")
"""The columns with which most tables begin, after `network`."""
SCORE_GROUP = ["network", *LAYER_TASK]
"""The columns that say which scores are compared with each other."""


class TableInput(Enum):
    """The argument of the function that makes a table.

    Where it is given something of each layer and task, it is called once for each of them, and the
    columns `layer` and `task` are added to its tables.
    """

    SCORES = "the rows of `scores.csv` that are of one fit"
    SEGMENTATION = "the arrays of segmentation, of each layer"
    ARRAYS = "the arrays of each layer and task"
    SPACE = "the `Space` of each layer and task"
    LAST_SPACE = "the `Space` of each task on the last layer"
    COMPARISON = "the `Comparison` of all spaces of the run, if there is one"
    FIT_PAIR = "the `FitPair` of two fits"


@dataclass(frozen=True)
class RunTable:
    """A table of a run; it is declared beside the function that makes it.

    Attributes:
        name: the name of its file, without `.csv`.
        title: what it says, in a few words.
        source: where the paper shows it; empty where it does not.
        columns: its columns; `network` stands before them.
        keys: the columns that tell its rows apart.
        made_of: the argument of `make`, or the table that is its argument.
        make: returns a table with at least these columns, or an empty one.
        values: the columns that depend on the start of a fit, so that they have a spread over
            seeds.
        seeded: makes `keys` and `values` from the scores of another seed, where `make` needs
            arrays that exist for the run's own seed alone; by default `make` is used.
        every_fit: whether a report has the rows of all fits of all runs beside it, rather than
            those of the fit that it shows.
    """

    name: str
    title: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    made_of: TableInput | RunTable
    make: Callable[[Any], pd.DataFrame]
    source: str = ""
    values: tuple[str, ...] = ()
    seeded: Callable[[pd.DataFrame], pd.DataFrame] | None = None
    every_fit: bool = False
