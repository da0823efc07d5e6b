"""A finished run, opened: the face over its results, analyses and spaces."""

from __future__ import annotations

import tomllib
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from net2vec import results
from net2vec.errors import ResultsError
from net2vec.spaces import Comparison, Space, SpaceError, compare_spaces

_PERMUTATIONS = 99
HARDLY_MOVED = 0.5
"""A vector whose `start_distance` is below this is mostly its random start."""


def open_run(path: str | PathLike[str]) -> Run:
    """Open the folder of a finished run; its arrays are read when they are asked for.

    Raises:
        ResultsError: the folder is no finished run, or one of its files cannot be read.
    """
    return Run(Path(path))


class Run:
    """A run of one network on one probe dataset.

    Attributes:
        path: the run's folder.
        network: the network's name.
        layers: names of the probed layers, in the network's order.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = results.load_tree(path / "results.zarr")
        self.network = str(self.tree.attrs["network"])
        self.layers = tuple(results.layers_of(self.tree))
        if not self.layers:
            raise ResultsError(f"{path} holds no layer; run it again with at least one")

    def __repr__(self) -> str:
        return f"Run({self.network!r}: {', '.join(self.layers)})"

    @cached_property
    def scores(self) -> pd.DataFrame:
        """The rows of `scores.csv`, as `results.zarr` has them."""
        return results.scores_table(self.tree)

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

    def arrays(self, layer: str | None = None, *, task: str = "segment") -> xr.Dataset:
        """All arrays of a task on a layer, by default the last.

        Raises:
            ResultsError: the run has no such layer or task.
        """
        return results.task_of(self.tree, self._layer(layer), task)

    def vectors(self, layer: str | None = None, *, task: str = "segment") -> xr.DataArray:
        """The concept vectors: the weights learned on all filters, dimensions (concept, filter).

        Raises:
            ResultsError: the run has no such layer or task.
        """
        return self.arrays(layer, task=task)["weight"]

    def space(self, layer: str | None = None, *, task: str = "segment") -> Space:
        """The concept vectors made unit length, with their neighbours and arithmetic.

        A vector without a direction, as after learning with too large steps, is left out.

        Raises:
            ResultsError: the run has no such layer or task.
        """
        vectors = self.vectors(layer, task=task)
        directed = np.isfinite(vectors.values).all(axis=1) & vectors.values.any(axis=1)
        return Space(
            vectors["concept"].values[directed].tolist(),
            vectors.values[directed],
            label=f"{self.network} {self._layer(layer)} {task}",
        )

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

    def hardly_moved(self, layer: str | None = None, *, task: str = "segment") -> frozenset[str]:
        """Concepts whose vector has hardly left its random start.

        The paper's training takes few, small steps for rare or small concepts. Where it moved a
        vector by less than half of the length of its start, its direction and what is near to it
        are largely those of the start.

        Raises:
            ResultsError: the run has no such layer or task.
        """
        distance = self.arrays(layer, task=task)["start_distance"]
        names = distance["concept"].values
        return frozenset(str(name) for name in names[distance.values < HARDLY_MOVED])

    def segment(self, images: Any, concepts: Any, layer: Any = None, **options: Any) -> xr.Dataset:
        """Where concepts are in new images, by the vectors of this run; the probe is not needed.

        The arithmetic is that of the probe: z = sum_k w_k up(B_k) at the masks' size, probability
        sigmoid(z + bias), mask z + bias > cut (paper, section 3.1.2).

        Args:
            images: one or several of: files, folders, Pillow images, and tensors (3, size, size)
                or (image, 3, size, size) that are preprocessed already.
            concepts: a name or several.
            layer: a layer or several, which one pass serves; the last by default.
            **options: `fit`, by default the run's first; `network`, a module, and `transform`, for
                a run of a module given in Python; `device`, by default "cpu"; `batch`, images at a
                time, by default as many as in the probe.

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
        """The `net2vec.networks.Network` that was probed, loaded by its name and checked.

        Raises:
            Net2VecError: it cannot be had, or is not the one that was probed.
        """
        from net2vec.runs import apply

        return apply.open_network(self)

    def _layer(self, layer: str | None) -> str:
        return self.layers[-1] if layer is None else layer


def unique_labels(runs: list[Run]) -> list[str]:
    """A label for each run: its network, with its folder where two runs share a network."""
    names = [run.network for run in runs]
    return [
        run.network if names.count(run.network) == 1 else f"{run.network} ({run.path.name})"
        for run in runs
    ]
