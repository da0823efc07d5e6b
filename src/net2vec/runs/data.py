"""The data of a finished run: its files, arrays and vectors, in views by fit and seed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from net2vec import results
from net2vec.analysis import by_concept, entering
from net2vec.errors import ResultsError
from net2vec.runs.metadata import RunMetadata
from net2vec.runs.shared import Shared
from net2vec.spaces import Comparison, Space, SpaceError, compare_spaces
from net2vec.vocabulary import BASIS_MARK, BEST_FITS, VECTORS

Data = TypeVar("Data", bound="RunData")

HARDLY_MOVED = 0.5
"""A vector whose `start_distance` is below this is mostly its random start."""

_PERMUTATIONS = 99


class RunData(RunMetadata):
    """The data of a run of one network on one probe dataset, or a view of one fit or one seed.

    Attributes:
        path: the run's folder.
        network: the network's name.
        layers: names of the probed layers, in the network's order.
        fit: the fit that arrays and tables here are of; a run's first, unless it is a view of
            another (see `at`).
        seed: in the view of a seed that seed, otherwise None.
        shared: state that all views of the run share.
    """

    def __init__(
        self,
        path: Path,
        *,
        tree: xr.DataTree | None = None,
        fit: str | None = None,
        seed: int | None = None,
        shared: Shared | None = None,
    ) -> None:
        super().__init__(path)
        if tree is None:
            results.settle(path)
            tree = results.load_tree(path / "results.zarr")
        self.tree = tree
        self._viewed = fit
        self.fit = results.fits_of(self.tree)[0] if fit is None else fit
        self.seed = seed
        self.shared = Shared() if shared is None else shared
        self.network = str(self.tree.attrs["network"])
        self.layers = tuple(results.layers_of(self.tree))
        if not self.layers:
            raise ResultsError(f"{path} holds no layer; run it again with at least one")

    def __repr__(self) -> str:
        view = self._view_label(self._viewed)
        return f"{type(self).__name__}({self.network!r}: {', '.join(self.layers)}{view})"

    @property
    def title(self) -> str:
        """The network's name, and that its weights are random where they are."""
        return f"{self.network}, random weights" if self.untrained else self.network

    @property
    def fits(self) -> tuple[str, ...]:
        """The fits of a run in order; for a view, its own fit alone."""
        return results.fits_of(self.tree) if self._viewed is None else (self.fit,)

    @property
    def best_fit(self) -> str:
        """The fit whose vectors do best on new images, see `BEST_FITS`; for a view, its own."""
        return next((fit for fit in BEST_FITS if fit in self.fits), self.fit)

    def fit_title(self, fit: str | None = None) -> str:
        """The title of a fit, by default that of this view, for text.

        Raises:
            ResultsError: if the run has no such fit.
        """
        dataset = self._any_results(fit)
        return str(dataset.attrs["fit_title"]) if dataset is not None else fit or self.fit

    def has_start(self, fit: str | None = None) -> bool:
        """Whether a fit, by default that of this view, begins at a random start.

        Raises:
            ResultsError: if the run has no such fit.
        """
        dataset = self._any_results(fit)
        return dataset is not None and bool(dataset.attrs["has_start"])

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of this fit, the run's own first; none where it was made only once."""
        dataset = self._any_results() if self.seed is None else None
        return () if dataset is None else results.seeds_in(dataset)

    def at(self: Data, *, fit: str | None = None, seed: int | None = None) -> Data:
        """A view of the run in which everything is of one fit, or of one of its seeds.

        With another seed than the run's own there are no weights of subsets, no counts and no
        nulls.

        Args:
            fit: one of `fits`; by default that of this view.
            seed: one of `seeds`; by default the run's own.

        Raises:
            ResultsError: if the run has no such fit or seed.
        """
        if fit is None and seed is None:
            seed = self.seed
        view = type(self)(
            self.path, tree=self.tree, fit=fit or self.fit, seed=seed, shared=self.shared
        )
        for layer in self.layers:
            for task in self.tasks(layer):
                view.arrays(layer, task=task)  # raises where one is missing
        return view

    def cached_table(self, name: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """The table of this name, fit and seed; made once for all views of the run."""
        key = (self.fit, self.seed, name)
        if key not in self.shared.tables:
            self.shared.tables[key] = make()
        return self.shared.tables[key]

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The rows of `scores.csv` that are of this fit, as `results.zarr` has them."""
        return results.scores_table(self.tree, fit=self.fit, seed=self.seed)

    def tasks(self, layer: str | None = None) -> tuple[str, ...]:
        """The tasks that a layer, by default the last, has results for.

        Raises:
            ResultsError: if the run has no such layer.
        """
        self.layer(layer)
        return tuple(results.tasks_of(self.tree, self.layer_name(layer)))

    def best_layer(self, task: str) -> str | None:
        """The layer with the highest mean validation score of all filters, of equal ones the last.

        Layers in a basis, which are controls as a rule, count only where there are no others. None
        where no layer has scores of the task: one without a grid has none of segmentation.
        """
        rows = entering(by_concept(self.scores[self.scores["task"] == task]))
        mean = rows.groupby("layer")["combined"].mean().to_dict()
        scored = [layer for layer in self.layers if layer in mean and task in self.tasks(layer)]
        scored = [layer for layer in scored if BASIS_MARK not in layer] or scored
        return max(reversed(scored), key=lambda layer: mean[layer], default=None)

    def layer_name(self, layer: str | None) -> str:
        """The layer that is meant; the last where none is named."""
        return self.layers[-1] if layer is None else layer

    def layer(self, layer: str | None = None) -> xr.Dataset:
        """Thresholds and highest activations of a layer, by default the last.

        Raises:
            ResultsError: if the run has no such layer.
        """
        return results.layer_of(self.tree, self.layer_name(layer))

    def arrays(
        self, layer: str | None = None, *, task: str = "segment", fit: str | None = None
    ) -> xr.Dataset:
        """All arrays of a task on a layer, by default the last.

        Args:
            layer: a layer's name.
            task: `segment` or `classify`.
            fit: one of the run's fits; by default that of this view.

        Raises:
            ResultsError: if the run has no such layer, task or fit.
        """
        seed = self.seed if fit in (None, self.fit) else None
        key = (self.layer_name(layer), task, fit or self.fit, seed)
        if key not in self.shared.arrays:
            name, task, fit, seed = key
            self.shared.arrays[key] = results.task_of(self.tree, name, task, fit=fit, seed=seed)
        # Values in memory are copied; others are read when they are used.
        return self.shared.arrays[key].copy(deep=True)

    def vectors(
        self,
        layer: str | None = None,
        *,
        task: str = "segment",
        fit: str | None = None,
        kind: str = "weights",
    ) -> xr.DataArray:
        """The concept vectors: the weights learned on all filters, dimensions (concept, filter).

        The weights of the fit `lda` are for activations times `filter_scale`, see `arrays`.

        Args:
            layer: a layer's name, by default the last.
            task: `segment` or `classify`.
            fit: one of the run's fits; by default `best_fit`.
            kind: `weights`; or `patterns` or `whitened`, which the fit `lda` has beside its
                weights, for segmentation.

        Raises:
            ResultsError: if the run has no such layer, task, fit or kind of vectors.
        """
        if kind not in VECTORS:
            raise ResultsError(f"unknown vectors {kind!r}; wanted one of {', '.join(VECTORS)}")
        fit = fit or self.best_fit
        arrays = self.arrays(layer, task=task, fit=fit)
        if VECTORS[kind] not in arrays:
            available = [name for name, array in VECTORS.items() if array in arrays]
            raise ResultsError(
                f"the {fit} fit has no {kind} of task {task}; it has {', '.join(available)}"
            )
        return arrays[VECTORS[kind]]

    def categories(self, layer: str | None = None, *, task: str = "segment") -> dict[str, str]:
        """The category of every concept of a task.

        Raises:
            ResultsError: if the run has no such layer or task.
        """
        category = self.arrays(layer, task=task)["category"]
        return dict(zip(category["concept"].values, category.values, strict=True))

    def hardly_moved(
        self, layer: str | None = None, *, task: str = "segment", fit: str | None = None
    ) -> frozenset[str]:
        """Concepts whose vector is still near its random start.

        The paper's training takes few, small steps for rare or small concepts. Where it moved a
        vector by less than half of the length of its start, its direction and its neighbours are
        largely those of the start. A fit without a start has none of them.

        Raises:
            ResultsError: if the run has no such layer or task.
        """
        distance = self.arrays(layer, task=task, fit=fit)["start_distance"]
        names = distance["concept"].values
        return frozenset(str(name) for name in names[distance.values < HARDLY_MOVED])

    def space(
        self,
        layer: str | None = None,
        *,
        task: str = "segment",
        fit: str | None = None,
        kind: str | None = None,
    ) -> Space:
        """The concept vectors made unit length, with their neighbours and arithmetic.

        A vector without a direction, as after learning with too large steps, is left out.

        Args:
            layer: a layer's name, by default the last.
            task: `segment` or `classify`.
            fit: one of the run's fits; by default `best_fit`.
            kind: see `vectors`; by default `patterns` where the fit has them, else `weights`.

        Raises:
            ResultsError: if the run has no such layer, task, fit or kind of vectors.
        """
        fit = fit or self.best_fit
        if fit != self.fit:
            return self.at(fit=fit).space(layer, task=task, kind=kind)
        if kind is None:
            kind = "patterns" if "pattern" in self.arrays(layer, task=task) else "weights"
        vectors = self.vectors(layer, task=task, fit=fit, kind=kind)
        directed = np.isfinite(vectors.values).all(axis=1) & vectors.values.any(axis=1)
        return Space(
            vectors["concept"].values[directed].tolist(),
            vectors.values[directed],
            label=f"{self.title} {self.layer_name(layer)} {task}{self._view_label()}"
            + (f", {kind}" if kind != "weights" else ""),
            hardly_moved=self.hardly_moved(layer, task=task) if self.has_start() else None,
            elsewhere=self.other_concepts(layer, task=task),
        )

    def other_concepts(
        self, layer: str | None = None, *, task: str = "segment"
    ) -> dict[str, frozenset[str]]:
        """The concepts of the layer's other tasks, by `task NAME`; for messages."""
        return {
            f"task {other}": frozenset(self.categories(layer, task=other))
            for other in self.tasks(layer)
            if other != task
        }

    @cached_property
    def comparison(self) -> Comparison | None:
        """The spaces of all layers and tasks compared, on the concepts that they share.

        Each is labelled by its layer and task. None where there are fewer than two, or where they
        share too few concepts.
        """
        compared: list[Space] = []
        categories: dict[str, str] = {}
        for layer in self.layers:
            for task in self.tasks(layer):
                compared.append(self.space(layer, task=task).labelled(f"{layer} {task}"))
                categories |= self.categories(layer, task=task)
        try:
            return compare_spaces(compared, categories=categories, permutations=_PERMUTATIONS)
        except SpaceError:
            return None

    def _any_results(self, fit: str | None = None) -> xr.Dataset | None:
        """Results of a fit, on the first layer and task that have any."""
        for layer in self.layers:
            for task in self.tasks(layer):
                return self.arrays(layer, task=task, fit=fit)
        return None

    def _view_label(self, fit: str | None = None) -> str:
        """The difference of this view from the run: a fit that is not its first, a seed."""
        first = results.fits_of(self.tree)[0]
        named = [fit or (self.fit if self.fit != first else "")]
        named += [f"seed {self.seed}"] if self.seed is not None else []
        return "".join(f", {name}" for name in named if name)
