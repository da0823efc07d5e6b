"""The tables of a run, each of one question of the paper, made from `results.zarr` alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
import xarray as xr

from net2vec import analysis, spaces
from net2vec.runs.run import Run
from net2vec.runs.spread import spread

_FIT = ("layer", "task")


@dataclass(frozen=True)
class RunTable:
    """One of the tables of a run.

    Attributes:
        title: what it says, in a few words.
        source: where the paper shows it.
        columns: its columns; `network` stands before them.
        make: from a run to a table that has at least these columns, or is empty.
        keys: the columns that tell its rows apart.
        values: what learning decides, so that it may differ from seed to seed.
        seeded: keys and values with another seed, where the rest is known of the run's own alone;
            by default what `make` makes.
    """

    title: str
    source: str
    columns: tuple[str, ...]
    make: Callable[[Run], pd.DataFrame]
    keys: tuple[str, ...]
    values: tuple[str, ...] = ()
    seeded: Callable[[Run], pd.DataFrame] | None = None


def make_tables(run: Run, names: Sequence[str] | None = None) -> dict[str, pd.DataFrame]:
    """The tables of a run, by name; each begins with the column `network`.

    Where the paper's fit was made with several seeds, every value has its spread beside it, in a
    column `NAME_sd` (see `spread`). Where a run has two fits the tables hold both, one after the
    other, with the fit in a last column `fit`.

    Args:
        run: a finished run, or a view of it; nothing but its `results.zarr` is read.
        names: which of `TABLES`; all by default.
    """
    views = [run] if len(run.fits) == 1 else [run.at(fit=fit) for fit in run.fits]
    seeds = {view.fit: [view.at(seed=seed) for seed in view.seeds] for view in views}
    tables = {}
    for name in TABLES if names is None else names:
        parts = []
        for view in views:
            table = _make(view, name)
            if any(seeds.values()):
                kind = TABLES[name]
                make = kind.seeded or partial(_make, name=name)
                again = [make(seeded) for seeded in seeds[view.fit] if kind.values]
                table = spread(table, again, ["network", *kind.keys], kind.values)
            parts.append(table.assign(fit=view.fit) if len(views) > 1 else table)
        filled = [part for part in parts if len(part)] or parts[:1]
        tables[name] = pd.concat(filled, ignore_index=True)
    return tables


def _make(run: Run, name: str) -> pd.DataFrame:
    table = run.once(name, lambda: TABLES[name].make(run))
    wanted = pd.DataFrame(index=table.index, columns=["network", *TABLES[name].columns])
    if len(table):
        wanted = table.assign(network=run.network)[list(wanted.columns)]
    return wanted.reset_index(drop=True)


def _of_scores(make: Callable[[pd.DataFrame], pd.DataFrame], run: Run) -> pd.DataFrame:
    return make(run.scores)


def _of_concepts(make: Callable[[pd.DataFrame], pd.DataFrame], run: Run) -> pd.DataFrame:
    return make(analysis.by_concept(run.scores))


def _of_segment(make: Callable[[xr.Dataset], pd.DataFrame], run: Run) -> pd.DataFrame:
    """A table of every layer that was segmented with."""
    parts = [
        make(run.arrays(layer)).assign(layer=layer)
        for layer in run.layers
        if "segment" in run.tasks(layer)
    ]
    return _concat(parts)


def _of_spaces(
    make: Callable[[spaces.Space], pd.DataFrame], run: Run, *, last: bool = False
) -> pd.DataFrame:
    """A table of the space of every layer and task, or of the last layer's alone."""
    parts = [
        make(run.space(layer, task=task)).assign(layer=layer, task=task)
        for layer in (run.layers[-1:] if last else run.layers)
        for task in run.tasks(layer)
    ]
    return _concat(parts)


def _of_tasks(make: Callable[[xr.Dataset], pd.DataFrame], run: Run) -> pd.DataFrame:
    """A table of every layer and task."""
    parts = [
        make(run.arrays(layer, task=task)).assign(layer=layer, task=task)
        for layer in run.layers
        for task in run.tasks(layer)
    ]
    return _concat(parts)


def _scores(run: Run) -> pd.DataFrame:
    """Validation scores by method and filters, and the difference of all and the best one."""
    key = [*_FIT, "concept"]
    found = run.scores
    single = found.loc[found["method"] == "single", [*key, "val"]]
    gained = found[found["method"] == "combined"].merge(single, on=key, suffixes=("", "_single"))
    gained = gained.assign(method="difference", val=gained["val"] - gained["val_single"])
    both = pd.concat([found, gained], ignore_index=True)
    return both.assign(value=both["val"], score=both["val"])


def _evidence_summary(run: Run) -> pd.DataFrame:
    table = _of_tasks(analysis.weigh_evidence, run)
    return analysis.evidence_summary(table) if len(table) else table


def _individual(segment: xr.Dataset) -> pd.DataFrame:
    return analysis.individual_iou(analysis.individual_ious(segment))


def _concat(parts: Sequence[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def _distances(run: Run) -> pd.DataFrame:
    return run.comparison.distances if run.comparison else pd.DataFrame()


def _distances_by_category(run: Run) -> pd.DataFrame:
    return run.comparison.by_category if run.comparison else pd.DataFrame()


def _significant(run: Run) -> pd.DataFrame:
    table = _of_segment(analysis.weight_iou_correlation, run)
    return analysis.significant_share(table.assign(network=run.network)) if len(table) else table


TABLES: Mapping[str, RunTable] = {
    "by_category": RunTable(
        "Mean score of each category with a single filter and with all",
        "Fig. 2 and 6",
        (*_FIT, "method", "category", "mean", "stderr", "n"),
        partial(_of_scores, analysis.by_category),
        (*_FIT, "method", "category"),
        ("mean",),
    ),
    "combined_vs_single": RunTable(
        "Share of concepts that all filters encode at least as well as the best one",
        "Table 1",
        (*_FIT, "percent", "n"),
        partial(_of_concepts, analysis.combined_vs_single),
        _FIT,
        ("percent",),
    ),
    "method_comparison": RunTable(
        "What all filters add to the best one, with 95 % intervals",
        "sec. 4.1",
        (*_FIT, "statistic", "value", "stderr", "low", "high", "n"),
        partial(_of_concepts, analysis.compare_methods),
        (*_FIT, "statistic"),
        ("value",),
    ),
    "subset_curve": RunTable(
        "Mean score against the number of filters",
        "Fig. 3",
        (*_FIT, "category", "filters", "mean", "stderr", "n"),
        partial(_of_scores, analysis.subset_curve),
        (*_FIT, "category", "filters"),
        ("mean",),
    ),
    "filters_needed": RunTable(
        "The fewest filters that reach a fraction of the score of all",
        "sec. 4.1",
        (*_FIT, "concept", "fraction", "filters"),
        partial(_of_scores, analysis.filters_needed),
        (*_FIT, "concept", "fraction"),
        ("filters",),
    ),
    "failures": RunTable(
        "What every concept gains or loses by all filters",
        "sec. 4.1",
        (
            *_FIT,
            "concept",
            "category",
            "single",
            "combined",
            "difference",
            "n_train",
            "concept_size",
        ),
        partial(_of_concepts, analysis.failures),
        (*_FIT, "concept"),
        ("single", "combined", "difference"),
    ),
    "improvement": RunTable(
        "Mean ratio of the score of all filters to that of the best one",
        "sec. 4.3",
        (*_FIT, "mean_ratio", "n"),
        partial(_of_concepts, analysis.improvement),
        _FIT,
        ("mean_ratio",),
    ),
    "filter_sharing": RunTable(
        "For how many concepts each filter is the best one",
        "Fig. 5",
        (*_FIT, "filter", "concepts"),
        partial(_of_scores, analysis.filter_sharing),
        (*_FIT, "filter"),
        ("concepts",),
    ),
    "weight_iou_correlation": RunTable(
        "Correlation of learned weights with the scores of single filters",
        "sec. 5.2",
        ("layer", "concept", "r", "p"),
        partial(_of_segment, analysis.weight_iou_correlation),
        ("layer", "concept"),
        ("r", "p"),
    ),
    "significant_correlation": RunTable(
        "Share of concepts for which that correlation is significant",
        "sec. 5.2",
        ("layer", "percent", "n"),
        _significant,
        ("layer",),
        ("percent",),
    ),
    "contribution": RunTable(
        "What each concept's first ten filters contribute",
        "sec. 5.2",
        ("layer", "concept", "filter", "weight_share", "iou_ratio"),
        partial(_of_segment, analysis.contribution),
        ("layer", "concept", "filter"),
        ("weight_share", "iou_ratio"),
    ),
    "individual_iou": RunTable(
        "Individual IoU of every concept with a single filter and with all",
        "Fig. 7",
        ("layer", "concept", "method", "mean", "sd", "n", "n_zero"),
        partial(_of_segment, _individual),
        ("layer", "concept", "method"),
        ("mean", "sd"),
    ),
    "by_concept": RunTable(
        "Score of every concept with a single filter and with all",
        "supplement",
        (*_FIT, "concept", "category", "single", "combined", "n_train", "concept_size"),
        partial(_of_concepts, lambda concepts: concepts),
        (*_FIT, "concept"),
        ("single", "combined"),
    ),
    "nearest": RunTable(
        "The nearest concepts of every concept",
        "Table 2",
        (*_FIT, "concept", "rank", "neighbour", "cosine"),
        partial(_of_spaces, spaces.nearest_concepts),
        (*_FIT, "concept", "neighbour"),
        ("cosine",),
    ),
    "arithmetic": RunTable(
        "Sums and differences of concepts",
        "Table 3",
        (*_FIT, "expression", "rank", "concept", "cosine"),
        partial(_of_spaces, spaces.solve_expressions),
        (*_FIT, "expression", "concept"),
        ("cosine",),
    ),
    "clusters": RunTable(
        "Clusters and a map of the concepts of the last layer",
        "supplement",
        (*_FIT, "concept", "cluster", "x", "y"),
        partial(_of_spaces, spaces.cluster_concepts, last=True),
        (*_FIT, "concept"),
    ),
    "distances": RunTable(
        "Distances between the spaces of the layers and tasks",
        "Fig. 10",
        ("space", "other", "distance", "cka", "cka_by_chance", "procrustes", "rsa", "p", "n"),
        _distances,
        ("space", "other"),
        ("distance", "cka", "procrustes", "rsa"),
    ),
    "distances_by_category": RunTable(
        "The same, mean over the concepts of each category",
        "Fig. 10",
        ("space", "other", "category", "mean", "stderr", "n"),
        _distances_by_category,
        ("space", "other", "category"),
        ("mean",),
    ),
    "intervals": RunTable(
        "How far every concept's scores can be trusted: bootstrap intervals over the images",
        "",
        (*_FIT, "concept", "method", "filters", "value", "low", "high", "n"),
        partial(_of_tasks, analysis.score_intervals),
        (*_FIT, "concept", "method", "filters"),
        ("value",),
        _scores,
    ),
    "evidence": RunTable(
        "Every concept's scores against those on shuffled annotations",
        "",
        (*_FIT, "method", "concept", "score", "null_mean", "nulls", "p", "q", "passed"),
        partial(_of_tasks, analysis.weigh_evidence),
        (*_FIT, "method", "concept"),
        ("score",),
        _scores,
    ),
    "evidence_summary": RunTable(
        "How many concepts are encoded better than chance",
        "",
        (*_FIT, "method", "concepts", "passed", "share", "nulls", "needed"),
        _evidence_summary,
        (*_FIT, "method"),
    ),
    "steadiness": RunTable(
        "How much of every concept's vector and neighbours stays with another random start",
        "",
        (*_FIT, "concept", "cosine", "overlap", "neighbours", "score_sd", "seeds"),
        partial(_of_tasks, analysis.seed_steadiness),
        (*_FIT, "concept"),
    ),
}
"""The tables by the names of their files."""
