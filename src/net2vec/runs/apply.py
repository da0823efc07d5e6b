"""A finished run on new images: which network, vectors and cuts a question needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import xarray as xr
from PIL import Image
from torch import Tensor, nn

from net2vec import prediction
from net2vec.errors import ConfigError, ResultsError
from net2vec.networks import Network, usual_batch
from net2vec.runs.run import Run
from net2vec.spaces.expressions import resolve_name


@dataclass(frozen=True)
class Applied:
    """What a run is asked, and with what it answers.

    Attributes:
        looking: the network, and how it looks.
        encodings: one a layer.
    """

    looking: prediction.Looking
    encodings: tuple[prediction.Encoding, ...]


def open_applied(
    run: Run,
    task: str,
    concepts: Sequence[str] | None,
    *,
    layers: Sequence[str] = (),
    fit: str | None = None,
    network: nn.Module | Network | None = None,
    transform: Callable[[Image.Image], Tensor] | None = None,
    device: str = "cpu",
    batch: int | None = None,
) -> Applied:
    """Take from a run what predictions need, and open its network.

    Args:
        run: the run.
        task: `segment` or `classify`.
        concepts: names, with or without their `-c` or `-s`; None for all of the first layer.
        layers: which; the last by default.
        fit: which of the run's fits; the first by default.
        network: where the run was made with a module given in Python.
        transform: the preprocessing of that module.
        device: where the network runs.
        batch: images at a time; by default as many as in the probe.

    Raises:
        Net2VecError: the run lacks a layer, task, fit or concept, or its network cannot be had.
    """
    encodings = []
    for layer in layers or run.layers[-1:]:
        learned = run.arrays(layer, task=task, fit=fit)
        known = [str(name) for name in learned["concept"].values]
        concepts = concept_names(known, concepts, f"{run.network} {layer} {task}")
        encodings.append(prediction.Encoding.of(run.layer(layer), learned, concepts))
    settings = run.settings
    probed_on = run.provenance.get("machine", {}).get("device") or "cpu"
    as_probed = int(settings.get("probe_batch") or usual_batch(probed_on))
    opened = run.opened_network if network is None else open_network(run, network, transform)
    looking = prediction.Looking(
        opened,
        device,
        as_probed if batch is None else batch,
        bool(settings.get("mixed_precision", False)),
    )
    return Applied(looking, tuple(encodings))


def open_network(
    run: Run,
    network: nn.Module | Network | None = None,
    transform: Callable[[Image.Image], Tensor] | None = None,
) -> Network:
    """The network that the run probed, its digest checked.

    Raises:
        Net2VecError: it cannot be had, or is another one.
    """
    return prediction.open_network(run.path, run.settings, run.provenance, network, transform)


def segment(
    run: Run,
    images: Any,
    concepts: str | Sequence[str] | None = None,
    layer: str | Sequence[str] | None = None,
    **options: Any,
) -> xr.Dataset:
    """Masks at the masks' size; see `Run.segment`."""
    _check_options("segment", options)
    names = None if concepts is None else _several(concepts)
    found = prediction.gather_images(images)
    applied = open_applied(run, "segment", names, layers=_several(layer), **options)
    answer = prediction.segment_images(applied.looking, found, applied.encodings)
    return _chosen(answer, layer, concepts).assign_attrs(network=run.network)


def classify(
    run: Run,
    images: Any,
    concepts: str | Sequence[str] | None = None,
    layer: str | Sequence[str] | None = None,
    **options: Any,
) -> xr.DataArray:
    """Probabilities of images; see `Run.classify`."""
    _check_options("classify", options)
    names = None if concepts is None else _several(concepts)
    found = prediction.gather_images(images)
    applied = open_applied(run, "classify", names, layers=_several(layer), **options)
    answer = prediction.classify_images(applied.looking, found, applied.encodings)
    return _chosen(answer, layer, concepts).assign_attrs(network=run.network)


def concept_names(known: Sequence[str], wanted: Sequence[str] | None, label: str) -> list[str]:
    """The known names that are meant, each once; all where nothing is asked for.

    Raises:
        ResultsError: one of them is not known, or may mean several.
    """
    if not known:
        raise ResultsError(f"no concept was learned in {label}; choose another layer or task")
    if wanted is None:
        return list(known)
    if not wanted:
        raise ResultsError(f"no concept asked for in {label}; name some, or none for all")
    try:
        return list(dict.fromkeys(resolve_name(name, known) for name in wanted))
    except ValueError as error:
        raise ResultsError(f"{error} in {label}") from error


def _check_options(asked: str, options: Mapping[str, object]) -> None:
    for name in options:
        if name not in _OPTIONS:
            raise ConfigError(f"{asked} has no option {name!r}; wanted {', '.join(_OPTIONS)}")


_Answer = TypeVar("_Answer", xr.Dataset, xr.DataArray)
_OPTIONS = ("fit", "network", "transform", "device", "batch")


def _several(names: str | Sequence[str] | None) -> Sequence[str]:
    if names is None:
        return ()
    return (names,) if isinstance(names, str) else tuple(names)


def _chosen(answer: _Answer, layer: object, concepts: object) -> _Answer:
    """The answer without a dimension of layers or concepts where a single one was asked for."""
    single = {
        "layer": layer is None or isinstance(layer, str),
        "concept": isinstance(concepts, str),
    }
    answer = answer.isel({dimension: 0 for dimension, is_single in single.items() if is_single})
    # A single name has become text of fixed length, which format 3 of Zarr has no standard for.
    names = {name: at.astype(object) for name, at in answer.coords.items() if at.dtype.kind == "U"}
    return answer.assign_coords(names)
