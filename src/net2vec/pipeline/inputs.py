"""From settings to what they name: the network, its layers and the probe dataset."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from net2vec.config import Settings
from net2vec.core.devices import torch_device
from net2vec.core.fits import load_fit
from net2vec.core.image_size import parse_size, width_and_height
from net2vec.data import ProbeDataset, open_datasets
from net2vec.data.hub import at_revision
from net2vec.data.opening import DIORAMA, split_fault
from net2vec.errors import ConfigError, DataError, NetworkError
from net2vec.networks import (
    LayerInfo,
    Network,
    absolute_basis,
    estimate_batch_norm,
    fit_bases,
    layer_info,
    load_network,
    network_source,
    refuse_dependence,
    resolve_layers,
    split_basis,
    usual_batch,
    with_bases,
    with_input_size,
)
from net2vec.pipeline.made_masks import MaskMaker, mask_makers
from net2vec.pipeline.progress import Advance
from net2vec.pipeline.truth import Truth
from net2vec.prediction import GIVEN
from net2vec.recording.activations import size_in_bytes
from net2vec.recording.feeding import image_batches
from net2vec.results import group_name

_GIGABYTE = 1e9
# Statistics depend a little on the batch size: they must not change with that of the pass.
_SAMPLE_IMAGES, _SAMPLE_BATCH = 512, 16


@dataclass(frozen=True)
class Inputs:
    """The network, dataset and layers of a run.

    Attributes:
        network: the network.
        dataset: the probe dataset.
        layers: the layers to probe, in the network's order.
        mask_size: rows and columns of the masks.
        device: where to compute.
        makers: the models that made masks of the dataset.
        truth: images of the dataset that have masks by people.
    """

    network: Network
    dataset: ProbeDataset
    layers: tuple[str, ...]
    mask_size: tuple[int, int]
    device: torch.device
    makers: tuple[MaskMaker, ...] = ()
    truth: Truth | None = None

    def info(self, layer: str) -> LayerInfo:
        """Properties of a layer that are known before it is recorded."""
        return layer_info(self.network, layer, decided=self.layers)


def open_inputs(
    settings: Settings, network: Network | None = None, dataset: ProbeDataset | None = None
) -> Inputs:
    """Load the network and open the dataset that settings name.

    Args:
        settings: the run's settings.
        network: in the place of the named one, where it is there already.
        dataset: likewise.

    Raises:
        Net2VecError: one of them cannot be had, or the settings ask for something unknown in them.
    """
    device = torch_device(settings.device)
    if dataset is None:
        dataset = open_data(settings)
    _check_concepts(settings, dataset)
    if network is None:
        if settings.network.startswith(GIVEN):
            raise ConfigError(
                f"the network of this run was given in Python ({settings.network}); repeat it with "
                f"net2vec.analyze"
            )
        network = load_network(settings.network, weights=settings.weights, seed=settings.seed)
    network = with_input(network, settings)
    makers = tuple(mask_makers(network, dataset))
    layers = resolve_layers(network, settings.layers or None)
    network = with_bases(network, layers, settings.layers, settings.seed)
    refuse_dependence(network, list(dict.fromkeys(split_basis(name)[0] for name in layers)))
    groups = [group_name(layer) for layer in layers]
    if len(set(groups)) < len(groups):
        raise NetworkError(f"layers {', '.join(layers)} would share a group of results.zarr")
    return Inputs(network, dataset, layers, _mask_size(settings, network), device, makers)


def with_input(network: Network, settings: Settings) -> Network:
    """The network, fed images of the size that settings ask for.

    Raises:
        NetworkError: it does not take that size.
    """
    if settings.input is None:
        return network
    return with_input_size(network, parse_size(settings.input, "input"))


def _mask_size(settings: Settings, network: Network) -> tuple[int, int]:
    """Rows and columns of the masks."""
    if settings.mask_size is not None:
        width, height = width_and_height(parse_size(settings.mask_size, "mask_size"))
        return height, width
    _, height, width = network.input_shape
    return max(1, height // 2), max(1, width // 2)


def open_data(settings: Settings, *, cached_only: bool = False) -> ProbeDataset:
    """Open the dataset that settings name.

    Args:
        settings: the run's settings.
        cached_only: whether datasets of the hub are read from this machine's cache alone, as where
            the settings are those of a finished run, which the user need not have written.

    Raises:
        DataError: it cannot be opened, or has no images to train or none to validate.
        ConfigError: it was given in Python.
    """
    for source in settings.data:
        if source.startswith(GIVEN):
            raise ConfigError(
                f"the dataset of this run was given in Python ({source}); repeat it with "
                f"net2vec.analyze"
            )
    dataset = open_datasets(settings.data, **data_options(settings), cached_only=cached_only)
    if fault := split_fault(dataset):
        raise DataError(f"{dataset.name}: {fault}")
    return dataset


def as_probed(settings: Settings, provenance: Mapping[str, Any]) -> Settings:
    """The settings of a run, with datasets of the hub at the revisions that it probed.

    Args:
        settings: the run's.
        provenance: the run's, which holds the revisions.
    """
    taken = provenance.get("data", {}).get("taken", ())
    sources = [source for what, source in taken if str(what).endswith("source")]
    return replace(settings, data=tuple(at_revision(name, sources) for name in settings.data))


def data_options(settings: Settings) -> dict[str, Any]:
    """The settings that decide how datasets are read, as `open_datasets` takes them."""
    return {
        "category": settings.category,
        "reader": settings.reader,
        "dataset": settings.dataset,
        "split": settings.split,
        "skip_missing": settings.skip_missing,
        "synonyms": Path(settings.synonyms) if settings.synonyms else None,
        "ignore": settings.ignore,
        "colors": settings.colors,
    }


def wants_batch_norm(settings: Settings, network: Network) -> bool:
    """Whether batch-norm statistics are to be estimated on the probe images."""
    return settings.batch_norm == "probe" or (settings.batch_norm == "auto" and not network.trained)


def probe_batch(settings: Settings, device: torch.device) -> int:
    """The batch size with which the network is probed."""
    return settings.probe_batch or usual_batch(device)


@dataclass(frozen=True)
class ActivationPlan:
    """Where the activations that fits read come from.

    Attributes:
        groups: layers whose activations are kept on disk together.
        recomputed: layers of which those alone would not fit: the network runs at every look.
        room: bytes that are left beside each of the groups.
    """

    groups: list[list[str]]
    recomputed: list[str]
    room: float


def plan_activations(
    settings: Settings, inputs: Inputs, out: Path, gigabytes: float | None
) -> ActivationPlan:
    """Layers whose activations fits look at after the pass, those together that fit the disk.

    Args:
        settings: the run's settings.
        inputs: the network and the dataset.
        out: the run's folder.
        gigabytes: that activations may take on disk at a time; by default a quarter of what is
            free there.
    """
    limit = shutil.disk_usage(out).free / 4 if gigabytes is None else gigabytes * _GIGABYTE
    plan = ActivationPlan([], [], limit)
    reading = any(load_fit(name).reads_activations for name in settings.fits)
    if not reading or "segment" not in settings.tasks:
        return plan
    left, room = 0.0, limit
    for layer in (layer for layer in inputs.layers if inputs.info(layer).is_grid):
        filters, rows, columns = inputs.info(layer).shape or (0, 0, 0)
        needed = size_in_bytes(len(inputs.dataset.images), (rows, columns), filters)
        if needed > limit:
            plan.recomputed.append(layer)
            continue
        if needed > left:
            plan.groups.append([])
            left = limit
        plan.groups[-1].append(layer)
        left -= needed
        room = min(room, left)
    return replace(plan, room=room)


def sample_images(dataset: ProbeDataset) -> Sequence[int]:
    """The images that statistics of layers are taken from: whole batches, evenly spread.

    Means and variances over the places of a few hundred images are as good as exact.
    """
    total = len(dataset.images)
    count = min(total, _SAMPLE_IMAGES)
    # A smaller last batch would count as much as a full one.
    count = count // _SAMPLE_BATCH * _SAMPLE_BATCH or count
    return [place * total // count for place in range(count)]


def with_batch_norm(inputs: Inputs, workers: int, advance: Advance) -> Inputs:
    """The inputs with the network's batch-norm statistics taken from the probe images."""
    batches = _sample_batches(inputs, workers, advance)
    return replace(inputs, network=estimate_batch_norm(inputs.network, batches))


def with_fitted_bases(inputs: Inputs, workers: int, advance: Advance) -> Inputs:
    """The inputs with the bases of layers fitted to the probe images."""
    batches = _sample_batches(inputs, workers, advance)
    return replace(inputs, network=fit_bases(inputs.network, batches))


def _sample_batches(inputs: Inputs, workers: int, advance: Advance) -> Iterator[Tensor]:
    inputs.network.module.to(inputs.device)
    chosen = sample_images(inputs.dataset)
    for _, images in image_batches(inputs.network, inputs.dataset, chosen, _SAMPLE_BATCH, workers):
        yield images
        advance(len(images))


def absolute(settings: Settings) -> Settings:
    """Settings whose paths hold from any working directory."""

    def resolve(name: str) -> str:
        path = Path(name).expanduser()
        return str(path.resolve()) if path.exists() else name

    weights, network = settings.weights, settings.network
    if weights is not None and Path(weights).expanduser().is_file():
        weights = resolve(weights)
    source = network_source(network)
    return replace(
        settings,
        network=source.absolute(network) if source is not None else network,
        weights=weights,
        layers=tuple(absolute_basis(layer) for layer in settings.layers),
        data=tuple(
            name if name.partition(":")[0] == DIORAMA else resolve(name) for name in settings.data
        ),
        synonyms=resolve(settings.synonyms) if settings.synonyms else None,
        dataset=resolve(settings.dataset) if settings.dataset else None,
        truth=resolve(settings.truth) if settings.truth else None,
    )


def default_workers() -> int:
    """The number of processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


def _check_concepts(settings: Settings, dataset: ProbeDataset) -> None:
    known: Sequence[str] = dataset.labels
    for name in settings.concepts:
        if name == "" or name not in known:
            close = get_close_matches(name, known, n=3)
            # With a comma a name has to be quoted, and comes in pieces where it is not.
            close += [one for one in known if "," in one and name in one.split(", ")][:3]
            close = [f'"{one}"' if "," in one else one for one in dict.fromkeys(close)]
            hint = f"did you mean {' or '.join(close)}?" if close else "see `net2vec data info`"
            raise ConfigError(f"{dataset.name} has no concept {name!r}; {hint}")
