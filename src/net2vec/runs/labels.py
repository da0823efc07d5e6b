"""Labels of runs that are shown side by side."""

from __future__ import annotations

from collections.abc import Sequence

from net2vec.errors import ResultsError
from net2vec.runs.data import Data, RunData
from net2vec.vocabulary import BEST_FITS


def shared_fit(runs: Sequence[RunData]) -> str | None:
    """The best fit that all runs have, to compare like with like; None if there is none."""
    return next((fit for fit in BEST_FITS if all(fit in run.fits for run in runs)), None)


def best_views(runs: Sequence[Data]) -> tuple[Data, ...]:
    """Views of runs at the best fit that all of them have, or each at its own best one."""
    shared = shared_fit(runs)
    return tuple(run.at(fit=shared or run.best_fit) for run in runs)


def unique_labels(runs: Sequence[RunData]) -> list[str]:
    """A label for each run: its title, with as much of its path as tells it from the others.

    Raises:
        ResultsError: if a run is there twice.
    """
    paths = [run.path.resolve() for run in runs]
    for run, path in zip(runs, paths, strict=True):
        if paths.count(path) > 1:
            raise ResultsError(f"{run.path} is named twice; name each run once")
    labels = []
    for run, path in zip(runs, paths, strict=True):
        others = [
            other
            for one, other in zip(runs, paths, strict=True)
            if other != path and one.title == run.title
        ]
        parts = 1
        while any(other.parts[-parts:] == path.parts[-parts:] for other in others):
            parts += 1
        named = "/".join(path.parts[-parts:])
        labels.append(f"{run.title} ({named})" if others else run.title)
    return labels
