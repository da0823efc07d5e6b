"""Answers of the API. Every field is JSON: a number that is not finite is null.

Columns of a table stand side by side: the value of a row is at the same place in all of them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FitInfo:
    """A fit of a run."""

    name: str
    title: str
    has_start: bool


@dataclass(frozen=True)
class LayerInfo:
    """A layer of a run: its tasks, its number of filters, and its grid (rows, columns)."""

    name: str
    tasks: list[str]
    filters: int
    grid: list[int]


@dataclass(frozen=True)
class RunInfo:
    """A run: `label` tells it from the others, `fits` are in order, `best_fit` is the default."""

    label: str
    network: str
    folder: str
    data: str
    train_images: int
    val_images: int
    layers: list[LayerInfo]
    fits: list[FitInfo]
    best_fit: str
    categories: list[str]


@dataclass(frozen=True)
class Runs:
    """All runs, and the names that the report uses too."""

    runs: list[RunInfo]
    task_titles: dict[str, str]
    score_titles: dict[str, str]
    method_titles: dict[str, str]
    column_titles: dict[str, str]
    mark: str
    small_mark: str
    version: str


@dataclass(frozen=True)
class ConceptTable:
    """Scores of all concepts of a layer, task and fit on validation images.

    `single` is the score of the best single filter, `gain` the fit's score less that. `baseline` is
    the score of predicting the whole image. `p` and `passed` are the evidence against shuffled
    annotations, null where the run has none. `by_layer` holds the fit's score on each of `layers`.
    In classification an accuracy is of `n_balanced` images; `enters` is false where these are too
    few for the score to enter means and rankings.
    """

    name: list[str]
    category: list[str]
    score: list[float | None]
    train_score: list[float | None]
    single: list[float | None]
    gain: list[float | None]
    baseline: list[float | None]
    n_train: list[int]
    n_val: list[int]
    n_balanced: list[int | None]
    enters: list[bool]
    size: list[float | None]
    best_filter: list[int]
    hardly_moved: list[bool]
    p: list[float | None]
    passed: list[bool | None]
    layers: list[str]
    by_layer: list[list[float | None]]


@dataclass(frozen=True)
class CategoryMeans:
    """Mean score of the concepts of each category on each layer (Fig. 2), `*` being all.

    `stderr` is the standard error over concepts (ddof 1), null for fewer than two. `as_good` is the
    share of concepts that all filters encode at least as well as the best single filter (Table 1),
    `as_good_tuned` as the best one at its own threshold; null for single filters.
    """

    layer: list[str]
    fit: list[str]
    method: list[str]
    category: list[str]
    mean: list[float | None]
    stderr: list[float | None]
    n: list[int]
    as_good: list[float | None]
    as_good_tuned: list[float | None]


@dataclass(frozen=True)
class SubsetMeans:
    """Mean score by category and number of filters (Fig. 3); the last point is all filters."""

    layer: list[str]
    fit: list[str]
    category: list[str]
    filters: list[int]
    mean: list[float | None]
    n: list[int]


@dataclass(frozen=True)
class Score:
    """A score of a concept with its interval, of `n` validation images.

    `method` is `single`, `combined`, `subset` (largest weights), `path` (order of entry) or
    `backward` (backward elimination).
    """

    layer: str
    fit: str
    method: str
    filters: int
    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Weights:
    """Weights of a concept, the largest by absolute value first.

    `iou` is the filter's own set IoU on validation images, null in classification. `rank` counts
    from 1.
    """

    filter: list[int]
    weight: list[float | None]
    iou: list[float | None]


@dataclass(frozen=True)
class ConceptDetail:
    """A concept: its scores by layer, fit and number of filters, and its weights."""

    name: str
    category: str
    best_filter: int
    n_train: int
    n_val: int
    size: float | None
    scores: list[Score]
    weights: Weights


@dataclass(frozen=True)
class Neighbours:
    """The concepts whose vectors are nearest, by cosine, in one space."""

    layer: str
    fit: str
    concept: list[str]
    cosine: list[float | None]


@dataclass(frozen=True)
class NeighbourLists:
    """The nearest concepts in the spaces of all layers and fits of a task."""

    spaces: list[Neighbours]


@dataclass(frozen=True)
class MatrixIndex:
    """Rows and columns of `matrix`, and an order of each that puts like beside like."""

    concept: list[str]
    category: list[str]
    filter: list[int]
    concept_order: list[int]
    filter_order: list[int]
    largest: float


@dataclass(frozen=True)
class FilterDetail:
    """A filter: its threshold, its most active images, and every concept seen from it.

    `iou` is its own set IoU for a concept on validation images, `weight` its weight in the
    concept's vector, `rank` that weight's place by absolute value, `best` whether it is the
    concept's best filter.
    """

    index: int
    threshold: float | None
    active_share: float | None
    image: list[str]
    activation: list[float | None]
    concept: list[str]
    category: list[str]
    iou: list[float | None]
    weight: list[float | None]
    rank: list[int | None]
    best: list[bool]


@dataclass(frozen=True)
class SpaceMap:
    """A map of concepts, with the nearest ones of each.

    `near[i]` are places in `name` and `cosine[i]` their cosines. Concepts whose vector has no
    direction are left out.
    """

    label: str
    name: list[str]
    category: list[str]
    score: list[float | None]
    x: list[float]
    y: list[float]
    near: list[list[int]]
    cosine: list[list[float]]


@dataclass(frozen=True)
class Solution:
    """The concepts nearest to a sum of vectors; `terms` are those of the sum."""

    label: str
    terms: list[str]
    concept: list[str]
    cosine: list[float | None]


@dataclass(frozen=True)
class Pair:
    """Each filter's part of the cosine of two concepts, the largest part first.

    `part` is the product of both unit vectors at the filter; all parts add up to `cosine`. `one`
    and `other` are the unit vectors.
    """

    label: str
    cosine: float
    filter: list[int]
    part: list[float | None]
    one: list[float | None]
    other: list[float | None]


@dataclass(frozen=True)
class Moved:
    """The concepts that two spaces share, those that are placed most differently first.

    `distance` is the squared difference of a concept's cosines with all others in the two spaces
    (D_ijc); `shared` counts how many of its ten nearest concepts are the same.
    """

    label: str
    other: str
    concept: list[str]
    category: list[str]
    distance: list[float | None]
    shared: list[int]
    of: int
