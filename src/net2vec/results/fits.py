"""How a fit is known outside the code that makes it: by attributes of its datasets."""

from __future__ import annotations

from collections.abc import Mapping

import xarray as xr

from net2vec.results.more import CONVERGED, PAPER

# Runs of older versions name their fits, at most, and have no others.
_OLD_TITLES: Mapping[str, str] = {PAPER: "paper’s training", CONVERGED: "converged fit"}


def fit_of(results: xr.Dataset) -> str:
    """The name of the fit that the results of a task are of."""
    return str(results.attrs.get("fit", PAPER))


def fit_title(results: xr.Dataset) -> str:
    """What the fit is called in text; its name where nothing else is known."""
    name = fit_of(results)
    return str(results.attrs.get("fit_title", _OLD_TITLES.get(name, name)))


def has_start(results: xr.Dataset) -> bool:
    """Whether the fit begins at a random start, so that its result depends on a seed."""
    return bool(results.attrs.get("has_start", fit_of(results) == PAPER))
