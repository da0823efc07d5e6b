"""Recording: one pass of a network over all images of a dataset.

All layers are recorded in one pass. Of every filter only its largest activations are kept, with
their positions: they decide the threshold and are the thresholded map, so activations never touch
the disk. A pass writes checkpoints and goes on from the last one when it is started again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from net2vec.core.storage import Say, load_tensors, log, remove, save_tensors
from net2vec.data.protocol import ProbeDataset
from net2vec.networks import Network, parallel_replicas
from net2vec.recording.feeding import image_batches
from net2vec.recording.layer import LayerRecording, load_recording, save_recording
from net2vec.recording.stream import LayerStream

_CHECKPOINT = "checkpoint.pt"
_CHECKPOINT_SECONDS = 60.0


def record(
    network: Network,
    dataset: ProbeDataset,
    layers: Sequence[str],
    *,
    quantile: float,
    batch: int,
    device: torch.device | str = "cpu",
    mixed_precision: bool = False,
    ranks: int = 10,
    workers: int = 2,
    folder: Path | None = None,
    progress: Callable[[int], object] = lambda images: None,
    waiting: Callable[[float], object] = lambda share: None,
    say: Say = log,
) -> dict[str, LayerRecording]:
    """Probe a network: one pass over all images of a dataset, both splits.

    Args:
        network: what to probe; it is left as it was found, but for its device.
        dataset: what to show it.
        layers: names of layers, as `net2vec.networks.resolve_layers` gives them.
        quantile: share of activations above the threshold (tau).
        batch: images of a batch; another one may move rounding.
        device: where the network runs.
        mixed_precision: whether it runs in half precision where that is safe; faster on a GPU.
        ranks: how many images of highest activation are noted for each filter.
        workers: threads that decode images ahead of the network.
        folder: where checkpoints and the finished recording are kept; found there, a recording is
            read, and an interrupted one goes on. Its name must stand for all other arguments.
        progress: called with the number of images done since the last call.
        waiting: called at the end with the share of time in which the network had no images.
        say: told of what is kept in the folder but damaged, and therefore made again.

    Raises:
        DataError: an image cannot be read.
        NetworkError: if a layer gives something else than maps or a vector, or values that are not
            finite.
    """
    if folder is not None and (kept := _kept(folder, layers, say)) is not None:
        progress(len(dataset.images))
        return kept
    state = _State()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        state = _resume(folder, layers, say)
        progress(state.done)
    network.module.to(device)
    on_gpu = torch.device(device).type == "cuda"
    streams, total = state.streams, len(dataset.images)
    creating = Lock()

    def look(name: str, output: Tensor, first: int) -> None:
        with creating:
            if name not in streams:
                streams[name] = LayerStream.of(name, output, total, quantile, ranks)
        streams[name].add(output, first)

    saved = time.monotonic()
    remaining = range(state.done, total)
    with (
        parallel_replicas(network, layers, look, mixed_precision=mixed_precision) as network_pool,
        # Closed here, also after an error: collected as garbage it would wait for its threads at
        # any time, in any thread.
        closing(
            image_batches(network, dataset, remaining, batch, workers, pinned=on_gpu)
        ) as batches,
    ):
        for images in network_pool.run(batches):
            state.done += images
            progress(images)
            late = time.monotonic() - saved > _CHECKPOINT_SECONDS
            if folder is not None and late and state.done < total:
                for more in network_pool.finish():
                    state.done += more
                    progress(more)
                state.save(folder)
                saved = time.monotonic()
        waiting(network_pool.waited)
        with ThreadPoolExecutor(workers) as pool:
            finished = pool.map(LayerStream.finish, [streams[name] for name in layers])
        recordings = dict(zip(layers, finished, strict=True))
    if folder is not None:
        for i, name in enumerate(layers):
            save_recording(recordings[name], _path(folder, i))
        remove(folder / _CHECKPOINT)
    return recordings


def _kept(folder: Path, layers: Sequence[str], say: Say) -> dict[str, LayerRecording] | None:
    """The finished recording; None unless every layer of it is there and can be used."""
    kept = {}
    for i, name in enumerate(layers):
        recording = load_recording(_path(folder, i), say)
        if recording is None:
            return None
        kept[name] = recording
    return kept


def _path(folder: Path, number: int) -> Path:
    return folder / f"layer-{number:03d}.npz"


@dataclass
class _State:
    """How far a pass has come.

    Attributes:
        done: how many images, from the first on, have been looked at.
        streams: what is kept of each layer.
    """

    done: int = 0
    streams: dict[str, LayerStream] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        state = {name: stream.state() for name, stream in self.streams.items()}
        save_tensors(folder / _CHECKPOINT, {"done": self.done, "streams": state})


def _resume(folder: Path, layers: Sequence[str], say: Say) -> _State:
    def make(kept: dict[str, Any]) -> _State:
        if set(kept["streams"]) != set(layers):
            raise ValueError("it is of other layers")
        streams = {name: LayerStream(part) for name, part in kept["streams"].items()}
        return _State(int(kept["done"]), streams)

    return load_tensors(folder / _CHECKPOINT, make, say) or _State()
