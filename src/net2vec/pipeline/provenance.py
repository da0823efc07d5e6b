"""The provenance of a run: date, machine, inputs, versions and cost."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from net2vec.data.annotations import Annotations
from net2vec.data.optional import taken_of
from net2vec.data.protocol import ProbeDataset
from net2vec.data.views import count_sources, sources_as_json
from net2vec.errors import ConfigError
from net2vec.networks import DIGEST_VERSION, Network
from net2vec.pipeline.inputs import Inputs
from net2vec.pipeline.progress import Ledger
from net2vec.results import load_provenance

_PACKAGES = (
    *("net2vec", "torch", "torchvision", "timm", "transformers", "open_clip_torch"),
    *("numpy", "xarray", "zarr", "pillow"),
)


def provenance(
    inputs: Inputs, annotations: Annotations, workers: int, ledger: Ledger, begun: datetime
) -> dict[str, Any]:
    """The contents of `provenance.json`.

    Args:
        inputs: the network as it was probed, and the dataset.
        annotations: the dataset's, compiled.
        workers: threads or processes.
        ledger: what the stages cost.
        begun: when this session began.
    """
    network, dataset = inputs.network, inputs.dataset
    train = int(annotations.is_train.sum())
    sources = count_sources(dataset, annotations)
    return {
        "begun": begun.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {"python": platform.python_version(), **_versions()},
        "machine": {
            "system": platform.platform(),
            "processor": platform.machine(),
            "device": str(inputs.device),
            "gpu": torch.cuda.get_device_name() if inputs.device.type == "cuda" else None,
            "workers": workers,
            "threads": torch.get_num_threads(),
        },
        "network": {
            "name": network.name,
            "weights": network.weights,
            "trained": network.trained,
            "source": network.source,
            "licence": network.licence,
            "preprocessing": network.preprocessing.to_dict(),
            "digest": network.digest,
            "digest_version": DIGEST_VERSION,
            "input_digest": network.input_digest,
            "bases": {
                layer: {"kind": basis.kind, "digest": basis.digest}
                for layer, basis in network.bases.items()
            },
        },
        "data": {
            "name": dataset.name,
            "digest": dataset.digest,
            "images": len(dataset.images),
            "train_images": train,
            "val_images": len(dataset.images) - train,
            "mask_size": list(annotations.size),
            "taken": [list(pair) for pair in taken_of(dataset) if not pair[0].endswith("folder")],
            "truth": _truth(inputs),
            "annotators": [maker.as_json() for maker in inputs.makers],
            "sources": sources_as_json(sources) if len(sources.columns) > 1 else {},
        },
        "seconds": ledger.seconds,
        "peak_memory_bytes": ledger.peak_memory,
    }


def refuse_other_inputs(
    folder: Path,
    network: Network | None,
    dataset: ProbeDataset | None,
    *,
    weights: bool = True,
    advice: str = "choose another --out",
) -> None:
    """See to it that a finished run was made of a network and a dataset, where these are given.

    Settings name files and folders; what is in them may have changed since.

    Args:
        folder: of the finished run.
        network: what would be probed.
        dataset: the probe dataset.
        weights: whether the network is as it is probed, with its batch-norm statistics.
        advice: what the message says to do.

    Raises:
        ConfigError: the run was made of other ones.
    """
    provenance = load_provenance(folder)
    parts: list[tuple[str, str, str, str]] = []
    if dataset is not None:
        parts.append(("the probe dataset", "data", "digest", dataset.digest))
    if network is not None:
        fed = network.input_digest
        parts.append(("the preprocessing of images", "network", "input_digest", fed))
        if weights:
            parts.append(("the network", "network", "digest", network.digest))
    for what, part, key, now in parts:
        before = provenance.get(part, {}).get(key, now)
        if before != now:
            raise ConfigError(
                f"{what} is not what it was when {folder} was made (digest {now[:8]}, there "
                f"{before[:8]}); {advice}"
            )


def _truth(inputs: Inputs) -> dict[str, Any]:
    """The dataset with masks by people, if there is one."""
    if inputs.truth is None:
        return {}
    dataset = inputs.truth.dataset
    return {
        "name": dataset.name,
        "digest": dataset.digest,
        "images": len(inputs.truth.probed),
        "val_images": inputs.truth.validating,
    }


def _versions() -> dict[str, str]:
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
