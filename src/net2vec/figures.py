"""Figures of a run for papers and notebooks, each on one pair of axes.

Every function takes an opened run, draws into `ax` or into new axes of `matplotlib.pyplot`, and
returns the axes. Numbers are those of the run's tables, of the best fit unless `fit` names another.

    >>> import net2vec
    >>> from net2vec import figures
    >>> run = net2vec.open_run("runs/resnet18")
    >>> ax = figures.scores_by_layer(run, category="object")
    >>> ax.get_ylabel()
    'mean set IoU, validation'
    >>> ax.figure.savefig("objects.pdf")
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from net2vec.analysis import entering, individual_ious
from net2vec.errors import ResultsError
from net2vec.report.figures.axes import label_points, line_style, set_log_axis
from net2vec.report.figures.scores import mark_baseline, set_filter_axis, set_range
from net2vec.report.figures.style import LIGHT
from net2vec.report.labels import METHOD_TITLE, SCORE_TITLE
from net2vec.runs import Run

__all__ = [
    "concept_map",
    "concept_scores",
    "filter_sharing",
    "individual_iou",
    "scores_by_layer",
    "subset_curve",
]

_BINS = 20
_MAX_SHARED = 10


def scores_by_layer(
    run: Run,
    *,
    category: str | None = None,
    task: str = "segment",
    fit: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Mean score on validation images against layer: best single filter and all filters (Fig. 2).

    Error bars are standard errors over concepts. As on a run's page, concepts whose accuracy is of
    too few images are left out.

    Args:
        run: an opened run.
        category: of the concepts; by default all, which count alike.
        task: `segment` or `classify`.
        fit: one of the run's fits; by default its best.
        ax: where to draw.

    Raises:
        ResultsError: if the run has no such category, task or fit.
    """
    rows = _rows(_view(run, fit).scores, task=task, category=category)
    rows = entering(rows)
    ax = _axes(ax)
    for position, (method, title) in enumerate(METHOD_TITLE.items()):
        scores = rows.loc[rows["method"] == method].groupby("layer")["val"]
        table = pd.DataFrame({"mean": scores.mean(), "stderr": scores.sem()}).reindex(run.layers)
        ax.errorbar(
            range(len(run.layers)),
            table["mean"],
            yerr=table["stderr"].fillna(0),
            label=title,
            **line_style(LIGHT, position),
        )
    count = rows["concept"].nunique()
    ax.set_title(f"{category or 'all concepts'} (n = {count:,})")
    ax.set_xticks(range(len(run.layers)), run.layers, rotation=90)
    set_range([ax], task)
    ax.set_ylabel(f"mean {SCORE_TITLE[task]}, validation")
    ax.legend()
    return ax


def subset_curve(
    run: Run,
    layer: str | None = None,
    *,
    task: str = "segment",
    fit: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Mean score on validation images against the number of filters, by category (Fig. 3).

    Dotted lines are the mean score of predicting the whole image.

    Args:
        run: an opened run.
        layer: one with subsets; by default the last.
        task: `segment` or `classify`.
        fit: one of the run's fits; by default its best.
        ax: where to draw.

    Raises:
        ResultsError: if the run has no subsets of this layer and task.
    """
    view = _view(run, fit)
    rows = _rows(view.tables["subset_curve"], task=task, layer=run.layer_name(layer))
    ax = _axes(ax)
    for position, (category, line) in enumerate(rows.groupby("category", sort=True)):
        style = line_style(LIGHT, position)
        ax.errorbar(
            line["filters"],
            line["mean"],
            yerr=line["stderr"].fillna(0),
            label=f"{category} ({int(line['n'].max()):,})",
            **style,
        )
        mark_baseline(ax, line, style["color"])
    set_filter_axis(ax, sorted(set(rows["filters"])))
    ax.set_ylabel(f"mean {SCORE_TITLE[task]}, validation")
    ax.legend()
    return ax


def concept_scores(
    run: Run,
    layer: str | None = None,
    *,
    concepts: Sequence[str] | None = None,
    n: int = 20,
    task: str = "segment",
    fit: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Scores of concepts with all filters and with the best one, with 95 % intervals.

    Args:
        run: an opened run.
        layer: by default the last.
        concepts: names, from the top; by default the `n` best.
        n: how many, where none are named.
        task: `segment` or `classify`.
        fit: one of the run's fits; by default its best.
        ax: where to draw.

    Raises:
        ResultsError: if the run lacks the layer, task, fit or a concept.
    """
    view = _view(run, fit)
    rows = _rows(view.tables["intervals"], task=task, layer=run.layer_name(layer))
    by_method = {
        method: rows[rows["method"] == method].set_index("concept") for method in METHOD_TITLE
    }
    if concepts is None:
        best = by_method["combined"]["value"].sort_values(ascending=False, kind="stable")
        concepts = [str(name) for name in best.index[:n]]
    missing = [name for name in concepts if name not in by_method["combined"].index]
    if missing:
        raise ResultsError(f"no concept {missing[0]!r} in layer {run.layer_name(layer)}, {task}")
    ax = _axes(ax)
    places = np.arange(len(concepts))
    for position, (method, title) in enumerate(METHOD_TITLE.items()):
        values = by_method[method].reindex(list(concepts))
        ax.errorbar(
            values["value"],
            places + 0.3 * (position - 0.5),
            xerr=[values["value"] - values["low"], values["high"] - values["value"]],
            label=title,
            **(line_style(LIGHT, position) | {"linestyle": "none"}),
        )
    ax.set_yticks(places, concepts)
    ax.invert_yaxis()
    ax.set_xlabel(f"{SCORE_TITLE[task]}, validation")
    ax.legend()
    return ax


def filter_sharing(
    run: Run,
    layer: str | None = None,
    *,
    task: str = "segment",
    ax: Axes | None = None,
) -> Axes:
    """The number of filters that are the best single one of 0, 1, 2, ... concepts (Fig. 5).

    Args:
        run: an opened run.
        layer: by default the last.
        task: `segment` or `classify`.
        ax: where to draw.

    Raises:
        ResultsError: if the run has no such layer or task.
    """
    rows = _rows(_view(run, None).tables["filter_sharing"], task=task, layer=run.layer_name(layer))
    concepts = np.minimum(rows["concepts"].to_numpy(dtype=int), _MAX_SHARED)
    ax = _axes(ax)
    ax.bar(
        range(_MAX_SHARED + 1),
        np.bincount(concepts, minlength=_MAX_SHARED + 1),
        color=LIGHT.combined,
    )
    set_log_axis(ax.yaxis)
    shown = range(0, _MAX_SHARED + 1, 2)
    ax.set_xticks(shown, [*map(str, shown[:-1]), f"{_MAX_SHARED}+"])
    ax.set_xlabel("concepts for which a filter is the best")
    ax.set_ylabel("filters")
    return ax


def individual_iou(
    run: Run,
    concept: str,
    layer: str | None = None,
    *,
    fit: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """The distribution of a concept's IoU in single images, with one filter and with all (Fig. 7).

    Images that are missed entirely, of IoU 0, are given in the legend and not in the bars.

    Args:
        run: an opened run.
        concept: its full name.
        layer: by default the last.
        fit: one of the run's fits; by default its best.
        ax: where to draw.

    Raises:
        ResultsError: if the run lacks the layer, fit or concept, or has no segmentation there.
    """
    ious = individual_ious(_view(run, fit).arrays(layer))
    ious = ious[ious["concept"] == concept]
    if ious.empty:
        raise ResultsError(f"no concept {concept!r} in layer {run.layer_name(layer)}, segment")
    ax = _axes(ax)
    edges = np.linspace(0, 1, _BINS + 1)
    for position, (method, title) in enumerate(METHOD_TITLE.items()):
        iou = ious.loc[ious["method"] == method, "iou"].to_numpy()
        ax.stairs(
            np.histogram(iou[iou > 0], edges)[0] / len(iou),
            edges,
            label=f"{title}: {np.mean(iou == 0):.0%} missed",
            color=line_style(LIGHT, position)["color"],
            linestyle=line_style(LIGHT, position)["linestyle"],
        )
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set_title(f"{concept} (n = {ious['image'].nunique():,} images)")
    ax.set_xlabel("IoU in an image")
    ax.set_ylabel("images")
    ax.legend()
    return ax


def concept_map(
    run: Run,
    layer: str | None = None,
    *,
    task: str = "segment",
    fit: str | None = None,
    labels: int = 40,
    ax: Axes | None = None,
) -> Axes:
    """Concepts placed by t-SNE of their vectors, by category; names where there is room.

    Args:
        run: an opened run.
        layer: by default the last.
        task: `segment` or `classify`.
        fit: one of the run's fits; by default its best.
        labels: how many names at most.
        ax: where to draw.

    Raises:
        ResultsError: if the run has no such layer, task or fit.
    """
    space = run.space(layer, task=task, fit=fit)
    categories = run.categories(layer, task=task)
    category = np.array([categories[name] for name in space.names])
    places = space.map()
    ax = _axes(ax)
    for position, name in enumerate(sorted(set(category))):
        here = places[category == name]
        style = line_style(LIGHT, position) | {"linestyle": "none"}
        ax.plot(here[:, 0], here[:, 1], label=name, **style)
    ax.set_axis_off()
    ax.legend()
    label_points(ax, places, space.names, most=labels, fontsize="small")
    return ax


def _view(run: Run, fit: str | None) -> Run:
    return run.at(fit=fit or run.best_fit)


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def _rows(table: pd.DataFrame, **wanted: str | None) -> pd.DataFrame:
    """The rows with these values; None stands for any.

    Raises:
        ResultsError: if there are none.
    """
    rows = table
    for column, value in wanted.items():
        if value is None:
            continue
        found = rows[rows[column] == value]
        if found.empty:
            having = ", ".join(map(str, dict.fromkeys(rows[column]))) or "none"
            raise ResultsError(f"no {column} {value!r} in these results; they have {having}")
        rows = found
    return rows
