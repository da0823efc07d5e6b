"""The values that templates show: drawings, tables, cards and pictures, without prose."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from net2vec.report.figures.style import Theme
from net2vec.report.formats import is_missing
from net2vec.report.labels import COLUMN_TITLE, VALUE_TITLE

CONCEPT_COLUMNS = ("concept", "ranked")
"""Columns of concepts, whose names lead to their cards."""
_SAME_FOR_ALL = ("network", "series")
"""Columns that tell runs apart, and are not shown where all rows are of the same one."""
_LEAST_SPREAD = 0.0005
"""A smaller spread would be shown as 0."""


@dataclass(frozen=True)
class Drawing:
    """A figure that can be drawn in any theme, and the name of its file."""

    name: str
    draw: Callable[[Theme], Figure]


@dataclass(frozen=True)
class Column:
    """The form and heading of a column of a table.

    Attributes:
        key: its name in the frame.
        form: "text", or how to format a number: "count", "score" (two decimals, with a bar),
            "number" (three decimals), "percent" (a share, as a percentage), "signed" or "seconds";
            or "answer", a pair of a concept and a cosine.
        heading: by default that of `labels.COLUMN_TITLE`, or the key.
    """

    key: str
    form: str = "text"
    heading: str | None = None

    @property
    def label(self) -> str:
        """The heading of the column."""
        return COLUMN_TITLE.get(self.key, self.key) if self.heading is None else self.heading


def columns(*texts: str, **forms: str | tuple[str, str]) -> tuple[Column, ...]:
    """Columns of text, then others by their form, or by form and heading.

    `columns("layer", "task", n="count", value=("score", "mean score"))`.
    """
    shown = {key: (form,) if isinstance(form, str) else form for key, form in forms.items()}
    return (*map(Column, texts), *(Column(key, *form) for key, form in shown.items()))


@dataclass(frozen=True)
class Table:
    """A table of the page.

    Attributes:
        frame: the rows.
        columns: which columns are shown, and how.
        csv: the name of the full table beside the page, if it has one.
    """

    frame: pd.DataFrame
    columns: Sequence[Column]
    csv: str | None = None

    @cached_property
    def shown_columns(self) -> tuple[Column, ...]:
        """The columns worth showing, each followed by its spread over seeds, if it has one."""
        shown: list[Column] = []
        for column in self.columns if len(self.frame) else ():
            values = self.frame[column.key]
            if values.isna().all() or (column.key in _SAME_FOR_ALL and len(set(values)) == 1):
                continue
            shown.append(column)
            spread = f"{column.key}_sd"
            if (
                column.form != "text"
                and spread in self.frame
                and (self.frame[spread] >= _LEAST_SPREAD).any()
            ):
                form = "percent" if column.form == "percent" else "number"
                shown.append(Column(spread, form, "± sd"))
        return tuple(shown)

    def values(self, column: Column) -> list[Any]:
        """A column as it is shown: tasks and methods by their titles, "" for missing text."""
        titles = VALUE_TITLE.get(column.key, {})
        listed = self.frame[column.key].tolist()
        if not titles:
            return listed
        return [None if is_missing(value) else titles.get(value, value) for value in listed]


@dataclass(frozen=True)
class NeighbourList:
    """The concepts nearest to another in a task, with cosines from the highest.

    Attributes:
        task: "segment" or "classify".
        marked: whether the other concept's vector has hardly left its start there.
        concepts: names with their cosine; none where the concept is not in the task.
    """

    task: str
    marked: bool
    concepts: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class NeighbourCard:
    """A concept with its nearest ones."""

    concept: str
    category: str
    lists: tuple[NeighbourList, ...]


@dataclass(frozen=True)
class ConceptPictures:
    """The masks of a concept: a tile an image, a row the single filter and each fit."""

    concept: str
    layer: str
    filter: int
    images: int
    single: float
    scores: tuple[tuple[str, float], ...]
    rows: tuple[str, ...]
    tiles: tuple[Tile, ...]


@dataclass(frozen=True)
class WeightedFilter:
    """A filter of a concept: its share of all weights, and its IoU alone."""

    index: int
    share: float
    alone: float | None


@dataclass(frozen=True)
class ConceptCard:
    """Everything about a concept on the layers shown; every name of the concept leads to it.

    Attributes:
        concept: its name, without marks.
        category: its category.
        images: training images that contain it.
        size: its mean share of the images that contain it; None where it is not segmented.
        scores: a row the single filter and each fit, a column a task.
        pictures: its masks; None without pictures.
        neighbours: its nearest concepts in each task.
        filters: those with the largest weights in segmentation, the first one first.
    """

    concept: str
    category: str
    images: int
    size: float | None
    scores: Table
    pictures: ConceptPictures | None
    neighbours: tuple[NeighbourList, ...]
    filters: tuple[WeightedFilter, ...]


@dataclass(frozen=True)
class Picture:
    """A picture, its file's name (without folder or extension) and the image it is made of."""

    name: str
    image: Callable[[], Image.Image]
    of: str


@dataclass(frozen=True)
class Tile:
    """A column of a strip: a heading, and under it pictures with a number each, or gaps."""

    heading: str
    pictures: tuple[tuple[Picture, str] | None, ...]


@dataclass(frozen=True)
class Section:
    """A question and the facts that answer it.

    Attributes:
        anchor: its address on the page.
        title: its heading.
        template: the name of the template that shows its facts.
        facts: what the template knows as `facts`.
        subject: the fit and layers that it is of; empty where it names them itself.
        short: its name in the contents.
    """

    anchor: str
    title: str
    template: str
    facts: Any
    subject: str = ""
    short: str = ""


@dataclass(frozen=True)
class Report:
    """A page.

    Attributes:
        network: what the subject is called.
        others: what the networks beside it are called.
        sections: its contents, in order.
        tables: the tables saved beside it as CSV, by name.
        cards: of the concepts, on a page of their own.
        subtitle: which weights and images were probed, and the runs beside them.
        versions: the programs that made the results.
        explore: the command that opens the runs, and the folder beside which it is to be run.
        made_masks: by run whose masks a model made, what is to be said of that model.
    """

    network: str
    others: Sequence[str] = ()
    sections: Sequence[Section] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    cards: Sequence[ConceptCard] = ()
    subtitle: str = ""
    versions: Mapping[str, Any] = field(default_factory=dict)
    explore: tuple[str, str] | None = None
    made_masks: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def facts(self, anchor: str) -> Any:
        """The facts of a section.

        Raises:
            KeyError: there is no such section.
        """
        return {section.anchor: section.facts for section in self.sections}[anchor]


def as_shares(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Columns of percentages, and their spreads over seeds, as shares between 0 and 1."""
    found = [column for name in names for column in (name, f"{name}_sd") if column in frame]
    return frame.assign(**{column: frame[column] / 100 for column in found})


def by_task(
    name: str,
    tasks: Sequence[str],
    draw: Callable[..., Figure],
    table: pd.DataFrame,
    **options: Any,
) -> dict[str, Drawing]:
    """A drawing for each task, called `NAME_TASK`: `draw(table, theme, task=task, **options)`."""
    return {
        task: Drawing(f"{name}_{task}", partial(draw, table, task=task, **options))
        for task in tasks
    }
