"""The opened runs of an explorer, and one layer, task and fit of them at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from net2vec.analysis import entering
from net2vec.errors import ResultsError
from net2vec.explorer.cache import LimitedCache
from net2vec.explorer.pictures import Uploads
from net2vec.explorer.probe import Data, Probe
from net2vec.results import SCORE_GROUP, layer_of
from net2vec.runs import Run, unique_labels
from net2vec.spaces import Space

_CACHE_BYTES = 300 << 20
# A Python string in an array of objects: the pointer, and its share of the string.
_BYTES_PER_TEXT = 32


@dataclass(frozen=True)
class Selection:
    """A layer, task and fit of a run, as a question names them.

    Attributes:
        run: its number, from 0.
        layer: by default the best: of the highest mean score of all filters, as in the report.
        task: `segment` or `classify`.
        fit: by default the run's best.
    """

    run: int = 0
    layer: str | None = None
    task: str = "segment"
    fit: str | None = None


class Explorer:
    """Opened runs with all that was computed of them so far.

    Attributes:
        runs: the runs.
        labels: tell them from each other.
        probes: the network and dataset of each, opened when they are asked for.
        uploads: pictures of the user.
        cache: values by key, in bytes.
    """

    def __init__(self, runs: Sequence[Run], data: Data = None) -> None:
        """Look around in runs.

        Args:
            runs: opened runs; their networks run code only if they were opened with `trust`.
            data: where the probe dataset is, if it is not where the runs say.

        Raises:
            ResultsError: if a run is there twice, or there is none.
        """
        if not runs:
            raise ResultsError("no run to explore; name at least one")
        self.runs = list(runs)
        self.labels = unique_labels(self.runs)
        for run in self.runs:  # files that are damaged are refused before the page opens
            _ = run.provenance, run.settings
        self.probes = [Probe(run, data) for run in self.runs]
        self.uploads = Uploads()
        self.cache = LimitedCache(_CACHE_BYTES)

    def run(self, number: int) -> Run:
        """The run of a number.

        Raises:
            ResultsError: if there is none.
        """
        if not 0 <= number < len(self.runs):
            raise ResultsError(f"no run {number}; there are {len(self.runs)}, from 0")
        return self.runs[number]

    def view(self, at: Selection) -> View:
        """The layer, task and fit that a question is about.

        Raises:
            ResultsError: if there is no such run, layer, task or fit.
        """
        run = self.run(at.run)
        layer = at.layer
        if layer is None:
            best = run.at(fit=at.fit or run.best_fit).best_layer(at.task)
            layer = run.layers[-1] if best is None else best
        fit = at.fit or run.best_fit

        def make() -> View:
            arrays = run.arrays(layer, task=at.task, fit=fit)
            return View(self, at.run, layer, at.task, fit, arrays)

        return self.cache.get(("view", at.run, layer, at.task, fit), make)

    def close(self) -> None:
        """Remove the pictures that were uploaded."""
        self.uploads.close()


@dataclass(frozen=True, eq=False)
class View:
    """The results of a run for one layer, task and fit.

    Attributes:
        explorer: whose cache is used.
        number: the run's number.
        layer: the layer.
        task: the task.
        fit: the fit.
        arrays: their arrays, read when they are used.
    """

    explorer: Explorer
    number: int
    layer: str
    task: str
    fit: str
    arrays: xr.Dataset

    @property
    def run(self) -> Run:
        """The run."""
        return self.explorer.runs[self.number]

    @property
    def key(self) -> tuple[Any, ...]:
        """Tells views apart."""
        return (self.number, self.layer, self.task, self.fit)

    @property
    def label(self) -> str:
        """The view in a few words."""
        return f"{self.explorer.labels[self.number]}, {self.layer}, {self.task}, {self.fit}"

    def values(self, name: str) -> np.ndarray:
        """The values of an array, read once."""
        return self.explorer.cache.get(
            ("array", *self.key, name), lambda: self.arrays[name].to_numpy(), _size_of
        )

    @cached_property
    def names(self) -> list[str]:
        """The concepts."""
        return [str(name) for name in self.arrays["concept"].values]

    @cached_property
    def categories(self) -> list[str]:
        """The category of each concept."""
        return [str(name) for name in self.arrays["category"].values]

    @cached_property
    def balanced(self) -> np.ndarray | None:
        """How many images each concept's accuracy is of; None in segmentation."""
        return self.values("n_balanced") if "n_balanced" in self.arrays.coords else None

    @cached_property
    def enters(self) -> np.ndarray:
        """Whether the score of each concept enters means, as in the report."""
        rows = pd.DataFrame(dict.fromkeys(SCORE_GROUP, ""), index=range(len(self.names)))
        if self.balanced is not None:
            rows["n_balanced"] = self.balanced
        return rows.index.isin(entering(rows).index)

    @cached_property
    def filters(self) -> list[int]:
        """The indices of the layer's filters."""
        return [int(index) for index in self.arrays["filter"].values]

    def concept_index(self, concept: str) -> int:
        """The index of a concept in the arrays.

        Raises:
            ResultsError: if there is none of this name.
        """
        try:
            return self._concept_indices[concept]
        except KeyError:
            raise ResultsError(f"no concept {concept!r} in {self.label}") from None

    def single_scores(self) -> np.ndarray:
        """The validation score of each concept's best single filter."""
        best = self.values("best_filter")
        if self.task == "segment":
            scores: np.ndarray = self.values("single_iou")[1][np.arange(len(best)), best]
        else:
            scores = self.values("single_score")[1]
        return scores

    def space(self, kind: str | None = None) -> Space:
        """The concepts as a space, see `Run.space`."""
        return self.explorer.cache.get(
            ("space", *self.key, kind),
            lambda: self.run.space(self.layer, task=self.task, fit=self.fit, kind=kind),
            lambda space: int(space.unit.nbytes),
        )

    def other(self, *, layer: str | None = None, fit: str | None = None) -> View:
        """The view of another layer or fit, of the same run and task."""
        chosen = Selection(self.number, layer or self.layer, self.task, fit or self.fit)
        return self.explorer.view(chosen)

    def siblings(self) -> list[View]:
        """This task on every layer that has it, by every fit."""
        layers = [name for name in self.run.layers if self.task in self.run.tasks(name)]
        return [self.other(layer=layer, fit=fit) for layer in layers for fit in self.run.fits]

    def recorded(self) -> xr.Dataset:
        """The layer's thresholds and highest activations."""
        return layer_of(self.run.tree, self.layer)

    def recorded_filter(self, index: int) -> xr.Dataset:
        """The threshold and highest activations of a filter.

        Raises:
            ResultsError: if the layer has no such filter.
        """
        if index not in self.filters:
            last = len(self.filters) - 1
            raise ResultsError(
                f"layer {self.layer} has no filter {index}; its filters are 0 to {last}"
            )
        return self.recorded().sel(filter=index)

    def rows_of(self, concept: str) -> slice:
        """The rows of a concept along `pair` or `trial`."""
        dimension = "pair" if self.task == "segment" else "trial"
        bounds = self.explorer.cache.get(
            ("rows", *self.key[:3], dimension), lambda: self._bounds(f"{dimension}_concept")
        )
        return bounds.get(concept, slice(0, 0))

    def of_concept(self, concept: str) -> xr.Dataset:
        """The arrays of one concept alone."""
        dimension = "pair" if self.task == "segment" else "trial"
        alone = self.arrays.isel(concept=[self.concept_index(concept)])
        if dimension in alone.dims:
            alone = alone.isel({dimension: self.rows_of(concept)})
        return alone

    def _bounds(self, name: str) -> dict[str, slice]:
        if name not in self.arrays.coords:
            return {}
        # The concepts lie one after the other.
        column = self.arrays[name].to_numpy()
        if not len(column):
            return {}
        starts = np.concatenate([[0], np.flatnonzero(column[1:] != column[:-1]) + 1])
        ends = [*starts[1:], len(column)]
        return {
            str(column[start]): slice(int(start), int(end))
            for start, end in zip(starts, ends, strict=True)
        }

    @cached_property
    def _concept_indices(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}


def _size_of(values: np.ndarray) -> int:
    return int(values.nbytes) + (values.size * _BYTES_PER_TEXT if values.dtype == object else 0)
