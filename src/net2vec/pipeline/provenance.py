"""What a run tells of itself: when, where, with what, and at what cost."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

from net2vec.data.annotations import Annotations
from net2vec.data.views import count_sources, sources_as_json
from net2vec.pipeline.inputs import Inputs
from net2vec.pipeline.progress import Ledger

_PACKAGES = ("net2vec", "torch", "torchvision", "timm", "numpy", "xarray", "zarr", "pillow")


def provenance(
    inputs: Inputs, annotations: Annotations, workers: int, ledger: Ledger, begun: datetime
) -> dict[str, Any]:
    """What `provenance.json` holds.

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
            "input_digest": network.input_digest,
        },
        "data": {
            "name": dataset.name,
            "digest": dataset.digest,
            "images": len(dataset.images),
            "train_images": train,
            "val_images": len(dataset.images) - train,
            "mask_size": list(annotations.size),
            "sources": sources_as_json(sources) if len(sources.columns) > 1 else {},
        },
        "seconds": ledger.seconds,
        "peak_memory_bytes": ledger.peak_memory,
    }


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
