"""A finished run, opened: its data, its tables, and its vectors on new images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import xarray as xr

from net2vec.analysis.filters import concepts_of_filter
from net2vec.errors import ResultsError
from net2vec.runs.data import RunData
from net2vec.runs.html import describe_run
from net2vec.runs.named_tables import Tables
from net2vec.runs.shared import Shared
from net2vec.vocabulary import TASKS

if TYPE_CHECKING:  # they load PyTorch, which no question about results needs
    from torch import nn

    from net2vec.explorer import Serving
    from net2vec.networks import Network
    from net2vec.prediction import Images, Transform


def open_run(
    path: str | PathLike[str],
    *,
    network: nn.Module | Network | None = None,
    transform: Transform | None = None,
    trust: bool = False,
) -> Run:
    """Open the folder of a finished run; its arrays are read when they are used.

    Args:
        path: the folder.
        network: the module, or `net2vec.networks.Network`, that was probed. It is needed for
            predictions by a run whose network was given in Python, and used for these alone.
        transform: the preprocessing of that module.
        trust: whether predictions may run the code of a network that the run names as a function
            in a file or module. Reading results never runs code.

    Raises:
        ResultsError: if the folder is no finished run, or one of its files cannot be read.

        >>> run = open_run("runs/resnet18")
        >>> run.layers
        ('layer3', 'layer4')
        >>> run.space().nearest("dog", 2)["rank"].tolist()
        [1, 2]
    """
    return Run(Path(path), shared=Shared(python_network=(network, transform), trust=trust))


class Run(RunData):
    """A run of one network on one probe dataset, or a view of one fit or one seed (see `at`).

    >>> run = open_run("runs/resnet18")
    >>> run.fits, run.best_fit
    (('paper',), 'paper')
    >>> run.vectors("layer4").dims
    ('concept', 'filter')
    """

    def filter(
        self, index: int, layer: str | None = None, *, task: str = "segment"
    ) -> pd.DataFrame:
        """Every concept with a filter's own score for it and its weight in the concept's vector.

        See `net2vec.analysis.concepts_of_filter` for the columns. Where the fit has a random start,
        a last one, `hardly_moved`, says of which concept the vector is mostly that.

            >>> run = open_run("runs/resnet18")
            >>> run.filter(3).columns[:4].tolist()
            ['concept', 'category', 'iou', 'weight']

        Raises:
            ResultsError: if the run has no such layer, task or filter.
        """
        fit = self.best_fit
        arrays = self.arrays(layer, task=task, fit=fit)
        try:
            table = concepts_of_filter(arrays, index)
        except KeyError as error:
            raise ResultsError(
                f"layer {self.layer_name(layer)} has no filter {index}; its filters are 0 to "
                f"{arrays.sizes['filter'] - 1}"
            ) from error
        if self.has_start(fit):
            moved = self.hardly_moved(layer, task=task, fit=fit)
            table["hardly_moved"] = table["concept"].isin(moved)
        return table

    @cached_property
    def tables(self) -> Tables:
        """All tables of the run by name, made when they are asked for.

            >>> run = open_run("runs/resnet18")
            >>> "intervals" in run.tables
            True
            >>> list(run.tables["filter_sharing"].columns)
            ['network', 'layer', 'task', 'filter', 'concepts']

        Those of `FIT_TABLES` compare the run's first fit with its others.
        """
        return Tables(self)

    def table(self, name: str) -> pd.DataFrame:
        """A table by its name, as in `tables`.

        Raises:
            ResultsError: if there is no such table, or too few fits to compare.
        """
        return self.tables[name]

    @property
    def concepts(self) -> pd.DataFrame:
        """The concepts of the run, with the scores of its best fit on its last layer.

        Returns:
            A row a concept, indexed by its name: `category`; `n_train` and `n_val`, images with
            the concept; `concept_size`, its mean share of such an image; `segment`, set IoU, and
            `classify`, accuracy, on validation images with all filters, missing where the concept
            was not learned for the task.

            >>> run = open_run("runs/resnet18")
            >>> run.concepts.loc["dog", "category"]
            'object'
        """
        rows = self.at(fit=self.best_fit).scores
        rows = rows[rows["layer"].eq(self.layers[-1]) & rows["method"].eq("combined")]
        table = rows.drop_duplicates("concept").set_index("concept")
        table = table[["category", "n_train", "n_val", "concept_size"]]
        for task in TASKS:
            of_task = rows[rows["task"] == task]
            table[task] = of_task.set_index("concept")["val"].reindex(table.index)
        return table

    def _repr_html_(self) -> str:
        return describe_run(self)

    def segment(
        self,
        images: Images,
        concepts: str | Sequence[str] | None = None,
        layer: str | Sequence[str] | None = None,
        *,
        fit: str | None = None,
        network: nn.Module | Network | None = None,
        transform: Transform | None = None,
        device: str = "cpu",
        batch: int | None = None,
    ) -> xr.Dataset:
        """Find the places of concepts in new images by the vectors of this run, without its probe.

        The arithmetic is that of the probe: z = sum_k w_k up(B_k) at the masks' size, probability
        sigmoid(z + bias), mask z + bias > cut (paper, section 3.1.2).

        Args:
            images: one or several of: files, folders, Pillow images, arrays (row, column, 3) of
                unsigned bytes, and tensors (3, size, size) or (image, 3, size, size) that are
                preprocessed already.
            concepts: a name, several, or None for all.
            layer: a layer or several, which one pass serves; the last by default.
            fit: one of the run's fits; by default `best_fit`.
            network: as `open_run` takes it, where it was not given there.
            transform: likewise.
            device: where the network runs.
            batch: images at a time; by default as many as in the probe.

        Returns:
            `probability` and `mask`, of dimensions ([layer,] [concept,] image, y, x), those in
            brackets where several were asked for; `cut`; each image's own `height` and `width`.

        Raises:
            Net2VecError: if the run lacks what is asked for, an image cannot be read, or the
                network cannot be had or is not the one that was probed.
        """
        from net2vec.prediction import gather_images
        from net2vec.runs.apply import open_predictor

        new_images = gather_images(images)  # refused before a network is loaded
        return open_predictor(
            self, "segment", concepts, layer,
            fit=fit, network=network, transform=transform, device=device, batch=batch,
        ).segment(new_images)  # fmt: skip

    def classify(
        self,
        images: Images,
        concepts: str | Sequence[str] | None = None,
        layer: str | Sequence[str] | None = None,
        *,
        fit: str | None = None,
        network: nn.Module | Network | None = None,
        transform: Transform | None = None,
        device: str = "cpu",
        batch: int | None = None,
    ) -> xr.DataArray:
        """Which concepts are in new images, by the vectors of this run (paper, section 3.2).

        The arguments and errors are those of `segment`.

        Returns:
            Probabilities sigmoid(b + w.f), of dimensions ([layer,] image[, concept]). They are
            those of sets half of whose images contain the concept.
        """
        from net2vec.prediction import gather_images
        from net2vec.runs.apply import open_predictor

        new_images = gather_images(images)  # refused before a network is loaded
        return open_predictor(
            self, "classify", concepts, layer,
            fit=fit, network=network, transform=transform, device=device, batch=batch,
        ).classify(new_images)  # fmt: skip

    def explore(self, *others: Run, data: Any = None, port: int = 0, height: int = 760) -> Serving:
        """Serve a page to look around in this run; a notebook shows it in a frame.

        Args:
            others: runs to be set beside it.
            data: a folder, or the dataset itself, if it is not where the run says.
            port: the port of the page on this machine; 0 takes a free one.
            height: of the frame, in pixels.

        Returns:
            An object with the page's `url` and a method `stop`.

        Raises:
            ConfigError: if the extra `explore` is not installed, or the port cannot be had.
            ResultsError: if a run is given twice.
        """
        from net2vec.explorer import start

        return start([self, *others], data=data, port=port, height=height)

    @cached_property
    def opened_network(self) -> Network:
        """The network that was probed, loaded by its name or given, and checked.

        Raises:
            Net2VecError: if it cannot be had, or is not the one that was probed.
        """
        from net2vec.runs.apply import open_network

        return open_network(self)
