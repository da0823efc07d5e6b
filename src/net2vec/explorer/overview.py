"""Questions about runs as a whole."""

from __future__ import annotations

from importlib.metadata import version

from net2vec.explorer.answers import FitInfo, LayerInfo, RunInfo, Runs
from net2vec.explorer.state import Explorer
from net2vec.report import labels
from net2vec.runs import Run


def runs(explorer: Explorer) -> Runs:
    """All runs: their layers, tasks and fits, and the names under which they are shown."""
    return Runs(
        runs=[_info(run, label) for run, label in zip(explorer.runs, explorer.labels, strict=True)],
        task_titles=dict(labels.TASK_TITLE),
        score_titles=dict(labels.SCORE_TITLE),
        method_titles=dict(labels.METHOD_TITLE),
        column_titles=dict(labels.COLUMN_TITLE),
        mark=labels.MARK,
        small_mark=labels.SMALL,
        version=version("net2vec"),
    )


def _info(run: Run, label: str) -> RunInfo:
    layers, categories = [], dict[str, None]()
    for name in run.layers:
        recorded = run.layer(name)
        grid = [int(side) for side in recorded.attrs.get("grid") or ()]
        layers.append(LayerInfo(name, list(run.tasks(name)), int(recorded.sizes["filter"]), grid))
        for task in run.tasks(name):
            categories |= dict.fromkeys(run.categories(name, task=task).values())
    data = run.provenance.get("data", {})
    return RunInfo(
        label=label,
        network=run.network,
        folder=run.path.resolve().name,
        data="; masks by ".join([str(data.get("name", "")), *_makers(run)]),
        train_images=int(data.get("train_images", 0)),
        val_images=int(data.get("val_images", 0)),
        layers=layers,
        fits=[FitInfo(fit, run.fit_title(fit), run.has_start(fit)) for fit in run.fits],
        best_fit=run.best_fit,
        categories=list(categories),
    )


def _makers(run: Run) -> list[str]:
    """The models that made the masks of a run."""
    return [str(maker["model"]) for maker in run.annotators]
