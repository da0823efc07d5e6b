"""A finished run, opened: the face over its results, analyses and spaces."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from net2vec import analysis, results
from net2vec.errors import ResultsError
from net2vec.spaces import Comparison, Space, SpaceError, compare_spaces

_PERMUTATIONS = 99
HARDLY_MOVED = 0.5
"""A vector whose `start_distance` is below this is mostly its random start."""


def open_run(
    path: str | PathLike[str],
    *,
    network: Any = None,
    transform: Callable[..., Any] | None = None,
) -> Run:
    """Open the folder of a finished run; its arrays are read when they are asked for.

    Args:
        path: the folder.
        network: the module, or `net2vec.networks.Network`, that was probed, for a run of one given
            in Python to be asked about new images; looked at only then.
        transform: the preprocessing of that module.

    Raises:
        ResultsError: the folder is no finished run, or one of its files cannot be read.
    """
    return Run(Path(path), made=_Made(given=(network, transform)))


@dataclass(frozen=True)
class _Made:
    """What all views of a run share, so that it is made once, and the network if it was given."""

    tables: dict[tuple[str, int | None, str], pd.DataFrame] = field(default_factory=dict)
    arrays: dict[tuple[str, str, str, int | None], xr.Dataset] = field(default_factory=dict)
    given: tuple[Any, Callable[..., Any] | None] = (None, None)


class Run:
    """A run of one network on one probe dataset, or a view of it: one fit's, or one seed's.

    Attributes:
        path: the run's folder.
        network: the network's name.
        layers: names of the probed layers, in the network's order.
        fit: the fit that everything here is of, `paper` or `converged`; a run's first, unless it
            is a view of another (see `at`).
        seed: in the view of a seed that seed, otherwise None.
    """

    def __init__(
        self,
        path: Path,
        *,
        tree: xr.DataTree | None = None,
        fit: str | None = None,
        seed: int | None = None,
        made: _Made | None = None,
    ) -> None:
        self.path = path
        self.tree = results.load_tree(path / "results.zarr") if tree is None else tree
        self._viewed = fit
        self.fit = results.fits_of(self.tree)[0] if fit is None else fit
        self.seed = seed
        self._made = _Made() if made is None else made
        self.network = str(self.tree.attrs["network"])
        self.layers = tuple(results.layers_of(self.tree))
        if not self.layers:
            raise ResultsError(f"{path} holds no layer; run it again with at least one")

    def __repr__(self) -> str:
        return f"Run({self.network!r}: {', '.join(self.layers)}{self._view(self._viewed)})"

    @property
    def fits(self) -> tuple[str, ...]:
        """The fits that there are here: of a run all, the first first; of a view its own."""
        return results.fits_of(self.tree) if self._viewed is None else (self.fit,)

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the paper's fit, the run's own first; none where it was made only once."""
        if self.seed is not None:
            return ()
        for layer in self.layers:
            for task in self.tasks(layer):
                return results.seeds_in(self.arrays(layer, task=task))
        return ()

    def at(self, *, fit: str | None = None, seed: int | None = None) -> Run:
        """A view of the run in which everything is of one fit, or of one seed of the paper's.

        With another seed than the run's own there are no weights of subsets, no counts and no
        nulls.

        Args:
            fit: one of `fits`; by default that of this view.
            seed: one of `seeds`; by default the run's own.

        Raises:
            ResultsError: the run has no such fit or seed.
        """
        if fit is None and seed is None:
            seed = self.seed
        fit = fit or self.fit
        view = Run(self.path, tree=self.tree, fit=fit, seed=seed, made=self._made)
        for layer in self.layers:
            for task in self.tasks(layer):
                view.arrays(layer, task=task)  # says what is missing
        return view

    def once(self, name: str, make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """A table of this fit and seed, made the first time that a view of the run is asked."""
        key = (self.fit, self.seed, name)
        if key not in self._made.tables:
            self._made.tables[key] = make()
        return self._made.tables[key]

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The rows of `scores.csv` that are of this fit, as `results.zarr` has them."""
        return results.scores_table(self.tree, fit=self.fit, seed=self.seed)

    @cached_property
    def skipped(self) -> pd.DataFrame:
        """The rows of `skipped.csv`; none where there is no such file."""
        path = self.path / "skipped.csv"
        if not path.is_file():
            return pd.DataFrame(columns=list(results.SKIPPED_COLUMNS))
        return results.load_table(path)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """What `provenance.json` holds."""
        return results.load_json(self.path / "provenance.json")

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What `run.toml` holds; empty where there is none."""
        path = self.path / "run.toml"
        try:
            return tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ResultsError(f"{path} cannot be read as settings: {error}") from error

    def tasks(self, layer: str | None = None) -> tuple[str, ...]:
        """The tasks that a layer, by default the last, has results for.

        Raises:
            ResultsError: the run has no such layer.
        """
        self.layer(layer)
        return tuple(results.tasks_of(self.tree, self._layer(layer)))

    def layer(self, layer: str | None = None) -> xr.Dataset:
        """Thresholds and highest activations of a layer, by default the last.

        Raises:
            ResultsError: the run has no such layer.
        """
        return results.layer_of(self.tree, self._layer(layer))

    def arrays(
        self, layer: str | None = None, *, task: str = "segment", fit: str | None = None
    ) -> xr.Dataset:
        """All arrays of a task on a layer, by default the last.

        Args:
            layer: a layer's name.
            task: `segment` or `classify`.
            fit: one of the run's fits; by default that of this view.

        Raises:
            ResultsError: the run has no such layer, task or fit.
        """
        seed = self.seed if fit in (None, self.fit) else None
        key = (self._layer(layer), task, fit or self.fit, seed)
        if key not in self._made.arrays:
            name, task, fit, seed = key
            self._made.arrays[key] = results.task_of(self.tree, name, task, fit=fit, seed=seed)
        # A copy of what is in memory; what is not is read when it is looked at.
        return self._made.arrays[key].copy(deep=True)

    def vectors(
        self, layer: str | None = None, *, task: str = "segment", fit: str | None = None
    ) -> xr.DataArray:
        """The concept vectors: the weights learned on all filters, dimensions (concept, filter).

        Raises:
            ResultsError: the run has no such layer, task or fit.
        """
        return self.arrays(layer, task=task, fit=fit)["weight"]

    def space(
        self, layer: str | None = None, *, task: str = "segment", fit: str | None = None
    ) -> Space:
        """The concept vectors made unit length, with their neighbours and arithmetic.

        A vector without a direction, as after learning with too large steps, is left out.

        Raises:
            ResultsError: the run has no such layer, task or fit.
        """
        if fit not in (None, self.fit):
            return self.at(fit=fit).space(layer, task=task)
        vectors = self.vectors(layer, task=task)
        directed = np.isfinite(vectors.values).all(axis=1) & vectors.values.any(axis=1)
        return Space(
            vectors["concept"].values[directed].tolist(),
            vectors.values[directed],
            label=f"{self.network} {self._layer(layer)} {task}{self._view()}",
        )

    def filter(
        self, index: int, layer: str | None = None, *, task: str = "segment"
    ) -> pd.DataFrame:
        """What a filter does: every concept with the filter's own score and weight in it.

        See `net2vec.analysis.concepts_of_filter` for the columns.

        Raises:
            ResultsError: the run has no such layer, task or filter.
        """
        arrays = self.arrays(layer, task=task)
        try:
            return analysis.concepts_of_filter(arrays, index)
        except KeyError as error:
            raise ResultsError(
                f"layer {self._layer(layer)} has no filter {index}; its filters are 0 to "
                f"{arrays.sizes['filter'] - 1}"
            ) from error

    def table(self, name: str) -> pd.DataFrame:
        """One of the run's tables, as `RUN/tables` has them: `intervals`, `evidence`, ...

        Raises:
            ResultsError: there is no such table.
        """
        from net2vec.runs.tables import TABLES, make_tables  # made of runs

        if name not in TABLES:
            raise ResultsError(f"no table {name!r}; there are {', '.join(TABLES)}")
        return make_tables(self, [name])[name]

    def categories(self, layer: str | None = None, *, task: str = "segment") -> dict[str, str]:
        """The category of every concept of a task.

        Raises:
            ResultsError: the run has no such layer or task.
        """
        category = self.arrays(layer, task=task)["category"]
        return dict(zip(category["concept"].values, category.values, strict=True))

    @cached_property
    def comparison(self) -> Comparison | None:
        """The spaces of all layers and tasks held against each other, on the concepts they share.

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

    def hardly_moved(
        self, layer: str | None = None, *, task: str = "segment", fit: str | None = None
    ) -> frozenset[str]:
        """Concepts whose vector has hardly left its random start.

        The paper's training takes few, small steps for rare or small concepts. Where it moved a
        vector by less than half of the length of its start, its direction and what is near to it
        are largely those of the start. A fit without a start has none of them.

        Raises:
            ResultsError: the run has no such layer or task.
        """
        distance = self.arrays(layer, task=task, fit=fit)["start_distance"]
        names = distance["concept"].values
        return frozenset(str(name) for name in names[distance.values < HARDLY_MOVED])

    def segment(
        self, images: Any, concepts: Any = None, layer: Any = None, **options: Any
    ) -> xr.Dataset:
        """Where concepts are in new images, by the vectors of this run; the probe is not needed.

        The arithmetic is that of the probe: z = sum_k w_k up(B_k) at the masks' size, probability
        sigmoid(z + bias), mask z + bias > cut (paper, section 3.1.2).

        Args:
            images: one or several of: files, folders, Pillow images, arrays (row, column, 3) of
                unsigned bytes, and tensors (3, size, size) or (image, 3, size, size) that are
                preprocessed already.
            concepts: a name, several, or None for all.
            layer: a layer or several, which one pass serves; the last by default.
            **options: `fit`, by default the run's first; `network` and `transform`, as `open_run`
                takes them, where it was not given them; `device`, by default "cpu"; `batch`,
                images at a time, by default as many as in the probe.

        Returns:
            `probability` and `mask`, of dimensions ([layer,] [concept,] image, y, x), those in
            brackets where several were asked for; `cut`; each image's own `height` and `width`.

        Raises:
            Net2VecError: the run lacks what is asked for, an image cannot be read, or the network
                cannot be had or is not the one that was probed.
        """
        from net2vec.runs import apply

        return apply.segment(self, images, concepts, layer, **options)

    def classify(
        self, images: Any, concepts: Any = None, layer: Any = None, **options: Any
    ) -> xr.DataArray:
        """Which concepts are in new images, by the vectors of this run (paper, section 3.2).

        Args:
            images: as for `segment`.
            concepts: a name, several, or None for all.
            layer: as for `segment`.
            **options: as for `segment`.

        Returns:
            Probabilities sigmoid(b + w.f), of dimensions ([layer,] image[, concept]). They are
            those of sets half of whose images contain the concept.

        Raises:
            Net2VecError: as for `segment`.
        """
        from net2vec.runs import apply

        return apply.classify(self, images, concepts, layer, **options)

    @cached_property
    def opened_network(self) -> Any:
        """The `net2vec.networks.Network` that was probed, loaded by its name or given, and checked.

        Raises:
            Net2VecError: it cannot be had, or is not the one that was probed.
        """
        from net2vec.runs import apply

        return apply.open_network(self, *self._made.given)

    def _view(self, fit: str | None = None) -> str:
        """What tells this view from the run itself: a fit that is not its first, a seed."""
        first = results.fits_of(self.tree)[0]
        named = [fit or (self.fit if self.fit != first else "")]
        named += [f"seed {self.seed}"] if self.seed is not None else []
        return "".join(f", {name}" for name in named if name)

    def _layer(self, layer: str | None) -> str:
        return self.layers[-1] if layer is None else layer
