"""A finished run on new images: the network, the vectors and the cuts that a prediction needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import xarray as xr
from torch import nn

from net2vec import prediction
from net2vec.errors import ResultsError
from net2vec.networks import Network, usual_batch
from net2vec.prediction import (
    Encoding,
    ForwardPass,
    NewImage,
    Transform,
    classify_images,
    segment_images,
)
from net2vec.runs.data import RunData
from net2vec.spaces.expressions import found_elsewhere, resolve_name

Answer = TypeVar("Answer", xr.Dataset, xr.DataArray)


@dataclass(frozen=True)
class Predictor:
    """A network with the vectors of one task on some of its layers.

    Attributes:
        forward: passes images through the network.
        encodings: one a layer.
        single: dimensions of which one element was asked for; they are dropped from answers.
        network: the network's name in the run.
    """

    forward: ForwardPass
    encodings: tuple[Encoding, ...]
    single: tuple[str, ...] = ()
    network: str = ""

    def segment(self, images: Sequence[NewImage]) -> xr.Dataset:
        """Masks at the masks' size; see `Run.segment`."""
        return self._answer(segment_images(self.forward, images, self.encodings))

    def classify(self, images: Sequence[NewImage]) -> xr.DataArray:
        """Probabilities of images; see `Run.classify`."""
        return self._answer(classify_images(self.forward, images, self.encodings))

    def _answer(self, found: Answer) -> Answer:
        first = found.isel(dict.fromkeys(self.single, 0))
        # A single name has become text of fixed length, which format 3 of Zarr has no standard for.
        names = {
            name: at.astype(object) for name, at in first.coords.items() if at.dtype.kind == "U"
        }
        return first.assign_coords(names).assign_attrs(network=self.network)


def open_predictor(
    run: RunData,
    task: str,
    concepts: str | Sequence[str] | None,
    layers: str | Sequence[str] | None = None,
    *,
    fit: str | None = None,
    network: nn.Module | Network | None = None,
    transform: Transform | None = None,
    device: str = "cpu",
    batch: int | None = None,
) -> Predictor:
    """Read from a run the arrays that predictions need, and open its network.

    Args:
        run: the run.
        task: `segment` or `classify`.
        concepts: one or several names, with or without their `-c` or `-s`; None for all of the
            first layer.
        layers: one or several names; by default the last layer.
        fit: one of the run's fits; by default its best, or that of a view.
        network: the network, where the run was made with a module given in Python.
        transform: the preprocessing of that module.
        device: where the network runs.
        batch: images at a time; by default as many as in the probe.

    Raises:
        Net2VecError: if the run lacks a layer, task, fit or concept, or its network cannot be had.
    """
    fit = fit or run.best_fit
    selection = {"layer": layers or "", "concept": concepts}
    single = tuple(name for name, names in selection.items() if isinstance(names, str))
    concepts = (concepts,) if isinstance(concepts, str) else concepts
    layers = (layers,) if isinstance(layers, str) else layers
    encodings = []
    for layer in layers or run.layers[-1:]:
        learned = run.arrays(layer, task=task, fit=fit)
        known = [str(name) for name in learned["concept"].values]
        concepts = concept_names(
            known,
            concepts,
            f"{run.network} {layer} {task}",
            run.other_concepts(layer, task=task),
        )
        encodings.append(Encoding.of(run.layer(layer), learned, concepts))
    settings = run.settings
    probed_on = run.provenance.get("machine", {}).get("device") or "cpu"
    as_probed = int(settings.get("probe_batch") or usual_batch(probed_on))
    forward = ForwardPass(
        open_network(run, network, transform),
        device,
        as_probed if batch is None else batch,
        bool(settings.get("mixed_precision", False)),
    )
    return Predictor(forward, tuple(encodings), single, run.network)


def open_network(
    run: RunData,
    network: nn.Module | Network | None = None,
    transform: Transform | None = None,
) -> Network:
    """The network that the run probed, its digest checked.

    Without one given here, that of `open_run` is used or it is loaded by its name, and kept.

    Raises:
        Net2VecError: if it cannot be had, or is another one.
    """
    source = (run.path, run.settings, run.provenance)
    if network is not None:
        return prediction.open_network(*source, network, transform)
    if run.shared.network is None:
        run.shared.network = prediction.open_network(
            *source, *run.shared.python_network, trust=run.shared.trust
        )
    return run.shared.network


def concept_names(
    known: Sequence[str],
    names: Sequence[str] | None,
    label: str,
    elsewhere: Mapping[str, Collection[str]] | None = None,
) -> list[str]:
    """The known names that are meant, each once; all where none is named.

    Args:
        known: the names.
        names: some of them, with or without their `-c` or `-s`.
        label: where they are known, for messages.
        elsewhere: other names by the place where they are known, likewise.

    Raises:
        ResultsError: if one of them is not known, or may mean several.
    """
    if not known:
        raise ResultsError(f"no concept was learned in {label}; choose another layer or task")
    if names is None:
        return list(known)
    if not names:
        raise ResultsError(f"no concept asked for in {label}; name some, or none for all")
    try:
        return list(dict.fromkeys(resolve_name(name, known) for name in names))
    except ValueError as error:
        raise ResultsError(
            f"{error} in {label}{found_elsewhere(error, elsewhere or {})}"
        ) from error
