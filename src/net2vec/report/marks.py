"""Marks behind the names of concepts whose numbers say little."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import pandas as pd

from net2vec.analysis import is_small
from net2vec.report.labels import MARK, SMALL
from net2vec.runs import Run


class Marks:
    """The marks of the concepts of some runs.

    A vector that has hardly left its random start has one, an accuracy of few images another.

    Args:
        views: the runs by label, each as a view of the fit that is shown.
        by_concept: the table of this name, of all of them.

    Attributes:
        small: label, task and name of the concepts whose accuracy is of too few images.
    """

    def __init__(self, views: Mapping[str, Run], by_concept: pd.DataFrame) -> None:
        rows = by_concept[is_small(by_concept)]
        self.small = frozenset(zip(rows["network"], rows["task"], rows["concept"], strict=True))

        @cache
        def hardly_moved(label: str, layer: str, task: str, fit: str | None) -> frozenset[str]:
            return views[label].hardly_moved(layer, task=task, fit=fit)

        self._hardly_moved = hardly_moved

    def has_hardly_moved(
        self, label: str, layer: str, task: str, concept: str, fit: str | None = None
    ) -> bool:
        """Whether a concept's vector has hardly left its start; by default with the fit shown."""
        return concept in self._hardly_moved(label, layer, task, fit)

    def name(self, label: str, layer: str, task: str, concept: str, fit: str | None = None) -> str:
        """A concept's name with its marks; the arguments are those of `has_hardly_moved`."""
        marked = self.has_hardly_moved(label, layer, task, concept, fit)
        name = f"{concept} {MARK}" if marked else concept
        return f"{name} {SMALL}" if (label, task, concept) in self.small else name

    def names(self, rows: pd.DataFrame, column: str = "concept") -> list[str]:
        """Marked names, of a column of rows with `network, layer, task` and perhaps `fit`."""
        fits = rows["fit"] if "fit" in rows else [None] * len(rows)
        keys = (rows["network"], rows["layer"], rows["task"], rows[column], fits)
        return [self.name(*row) for row in zip(*keys, strict=True)]
