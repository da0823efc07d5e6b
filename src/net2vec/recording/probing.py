"""Recording: one pass of a network over all images of a dataset.

All layers are recorded in one pass. Of every filter only its largest activations are kept, with
their positions: they decide the threshold and are the thresholded map, so activations never touch
the disk. The pass is a map over shards of images followed by exact merges; by default there is one
shard. Checkpoints are written meanwhile, and an interrupted pass continues from the last one.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any

import torch
from torch import Tensor

from net2vec.core.devices import policy_of
from net2vec.core.executors import AnyExecutor, map_items
from net2vec.core.storage import Say, load_tensors, log, remove, save_tensors
from net2vec.data.protocol import ProbeDataset
from net2vec.networks import Network, parallel_replicas
from net2vec.networks.layers.capture import share_replicas
from net2vec.networks.layers.parallel import ReplicaPool
from net2vec.recording.activations import ActivationWriter
from net2vec.recording.feeding import image_batches
from net2vec.recording.layer import LayerRecording, load_recording, save_recording
from net2vec.recording.stream import LayerStream

_CHECKPOINT = "checkpoint.pt"
_CHECKPOINT_SECONDS = 60.0
# Shards of a small dataset, and batches of each shard of a large one, where an executor maps.
_SHARDS, _SHARD_BATCHES = 8, 64
# Of shards in threads one at a time loads a network, or uses a module that cannot be copied.
_LOADING, _UNCOPIED_MODULE = Lock(), Lock()


def record(
    network: Network | Callable[[], Network],
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
    executor: AnyExecutor | None = None,
    shard_images: int | None = None,
    keep_activations: Collection[str] = (),
) -> dict[str, LayerRecording]:
    """Probe a network: one pass over all images of a dataset, both splits.

    Args:
        network: the network, which is left unchanged but for its device; or a function that loads
            it, which is called for every shard.
        dataset: the images.
        layers: names of layers, as from `net2vec.networks.resolve_layers`.
        quantile: share of activations above the threshold (tau).
        batch: images of a batch; another number may change rounding.
        device: where the network runs.
        mixed_precision: whether it runs in half precision where that is safe; faster on a GPU.
        ranks: number of images of highest activation that are noted for each filter.
        workers: threads that decode images ahead of the network, of each shard.
        folder: folder of checkpoints and of the finished recording. A finished recording in it is
            loaded, an interrupted one continued. Its name must identify all other arguments.
        progress: called with the number of images done since the last call.
        waiting: called at the end with the share of time in which the network had no images.
        say: reports files of the folder that are damaged and therefore made again, and activations
            that half precision cannot hold.
        executor: maps the recorder over shards, to which network and dataset are sent; by default
            all images are one shard, recorded by this process. The result is the same.
        shard_images: images of a shard of the executor, rounded up to whole batches.
        keep_activations: names of layers, with grids, all of whose activations are kept in the
            folder too.

    Raises:
        DataError: if an image cannot be read.
        NetworkError: if a layer gives neither maps nor vectors, or values that are not finite.
    """
    total = len(dataset.images)
    writers: dict[str, ActivationWriter] = {}
    if folder is not None:
        token = secrets.token_hex(4)
        writers = {
            name: ActivationWriter(folder / f"layer-{i:03}.activations", token, name)
            for i, name in enumerate(layers)
            if name in keep_activations
        }
        if (kept := _kept(folder, layers, writers, say)) is not None:
            progress(total)
            return kept
    wanted = shard_images or min(-(-total // _SHARDS), _SHARD_BATCHES * batch)
    state = _State(folder, -(-wanted // batch) * batch if executor is not None else 0, writers)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        state.resume(layers, say)
        progress(len(state.done))
    recorder = ShardRecorder(
        network, dataset, tuple(layers), quantile, batch, device, mixed_precision, ranks, workers,
        state.writers,
    )  # fmt: skip
    if executor is None:
        counts = _record_here(recorder, state, waiting)
    else:
        counts = _record_shards(recorder, state, executor, waiting)
    with closing(counts):
        for count in counts:
            progress(count)

    def finish(name: str) -> LayerRecording:
        recording = state.streams.pop(name).finish()
        if folder is None:
            return recording
        writer = state.writers.get(name)
        activations = writer.finish(recording.shape, say) if writer else None
        stored = save_recording(recording, _path(folder, layers.index(name)), say)
        return replace(stored, activations=activations)

    with ThreadPoolExecutor(workers) as pool:
        recordings = dict(zip(layers, pool.map(finish, layers), strict=True))
    if folder is not None:
        remove(folder / _CHECKPOINT)
    return recordings


def _kept(
    folder: Path, layers: Sequence[str], writers: Mapping[str, ActivationWriter], say: Say
) -> dict[str, LayerRecording] | None:
    """The finished recording; None unless every layer of it is there and can be used."""
    kept = {}
    for i, name in enumerate(layers):
        recording = load_recording(_path(folder, i), say)
        if recording is None:
            return None
        if name in writers:
            activations = writers[name].open(recording.shape, say)
            if activations is None:
                return None
            recording = replace(recording, activations=activations)
        kept[name] = recording
    return kept


@dataclass(frozen=True, eq=False)
class ShardRecorder:
    """Records layers on a shard of images; can be pickled if network and dataset can.

    The fields are arguments of `record`; `writers` are of the layers whose activations are kept.
    """

    network: Network | Callable[[], Network]
    dataset: ProbeDataset
    layers: tuple[str, ...]
    quantile: float
    batch: int
    device: torch.device | str
    mixed_precision: bool
    ranks: int
    workers: int
    writers: Mapping[str, ActivationWriter]

    def __call__(self, images: range) -> tuple[dict[str, LayerStream], float]:
        """Record consecutive images, from a multiple of the batch on.

        Returns:
            The stream of each layer, on the CPU, and the share of time without images.
        """
        network = self.load()
        module = share_replicas(network.module, 2)[-1]  # shards may run in several threads
        streams: dict[str, LayerStream] = {}
        with (
            _UNCOPIED_MODULE if module is network.module else nullcontext(),
            self.replicas(network.with_copy(module), images, images, streams) as (pool, fed),
        ):
            for _ in pool.run(fed):
                pass
        return {name: stream.compact() for name, stream in streams.items()}, pool.waited

    def load(self) -> Network:
        """The network."""
        with _LOADING:
            network = self.network if isinstance(self.network, Network) else self.network()
            _ = network.trace  # taken once for all shards, by a pass that no other may disturb
            return network

    @contextmanager
    def replicas(
        self, network: Network, shard: range, images: range, streams: dict[str, LayerStream]
    ) -> Iterator[tuple[ReplicaPool, Generator[tuple[Sequence[int], Tensor]]]]:
        """Replicas that add to the streams of a shard, and batches of some of its images."""
        network.module.to(self.device)
        creating, total = Lock(), len(self.dataset.images)

        def visit(name: str, output: Tensor, first: int) -> None:
            with creating:
                if name not in streams:
                    streams[name] = LayerStream.of(
                        name, output, total, self.quantile, self.ranks, shard
                    )
            if name in self.writers:
                self.writers[name].write(output, first)
            streams[name].add(output, first)

        pinned = policy_of(self.device).is_gpu
        with (
            parallel_replicas(
                network, self.layers, visit, mixed_precision=self.mixed_precision
            ) as pool,
            # Closed here, also after an error: as garbage it would wait for its threads at any
            # time, in any thread.
            closing(
                image_batches(
                    network, self.dataset, images, self.batch, self.workers, pinned=pinned
                )
            ) as batches,
        ):
            yield pool, batches


def _record_here(
    recorder: ShardRecorder, state: _State, waiting: Callable[[float], object]
) -> Generator[int, None, None]:
    """Record all images as one shard; yields numbers of images done."""
    everything = range(len(recorder.dataset.images))
    network, remaining = recorder.load(), everything[len(state.done) :]
    with recorder.replicas(network, everything, remaining, state.streams) as (pool, batches):
        for images in pool.run(batches):
            state.done.update(everything[len(state.done) :][:images])
            yield images
            if state.is_due and len(state.done) < len(everything):
                for more in pool.finish():
                    state.done.update(everything[len(state.done) :][:more])
                    yield more
                state.save()
        waiting(pool.waited)


def _record_shards(
    recorder: ShardRecorder,
    state: _State,
    executor: AnyExecutor,
    waiting: Callable[[float], object],
) -> Generator[int, None, None]:
    """Record shards by an executor and merge them; yields numbers of images done."""
    total = len(recorder.dataset.images)
    if isinstance(recorder.network, Network):
        recorder.network.module.to(recorder.device)
        # A read-only mapping cannot be pickled by every executor.
        plain = replace(recorder.network, aliases={}, bases=dict(recorder.network.bases))
        recorder = replace(recorder, network=plain)
    shards = [range(total)[first : first + state.shard] for first in range(0, total, state.shard)]
    items = {shard: float(len(shard)) for shard in shards if shard[0] not in state.done}
    shares = []
    with closing(map_items(executor, recorder, items)) as results:
        for shard, (streams, waited) in results:
            for name, stream in streams.items():
                if name in state.streams:
                    state.streams[name].merge(stream)
                else:
                    state.streams[name] = stream
            state.done.update(shard)
            shares.append(waited)
            yield len(shard)
            if state.is_due and len(state.done) < total:
                state.save()
    waiting(sum(shares) / max(len(shares), 1))


def _path(folder: Path, number: int) -> Path:
    return folder / f"layer-{number:03d}.npz"


_Resumed = tuple[set[int], dict[str, LayerStream], Mapping[str, ActivationWriter]]


@dataclass
class _State:
    """The state of a pass.

    Attributes:
        folder: folder of the checkpoint, if any is written.
        shard: images of a shard of an executor; 0 without one.
        writers: of the layers whose activations are kept.
        done: images that are in the streams.
        streams: what is kept of each layer.
        saved: time of the last checkpoint.
    """

    folder: Path | None
    shard: int
    writers: Mapping[str, ActivationWriter]
    done: set[int] = field(default_factory=set)
    streams: dict[str, LayerStream] = field(default_factory=dict)
    saved: float = field(default_factory=time.monotonic)

    @property
    def is_due(self) -> bool:
        """Whether a checkpoint is due."""
        late = time.monotonic() - self.saved > _CHECKPOINT_SECONDS
        return self.folder is not None and late

    def save(self) -> None:
        """Write a checkpoint."""
        if self.folder is None:
            return
        for writer in self.writers.values():
            writer.flush()
        streams = {name: stream.state() for name, stream in self.streams.items()}
        state = {
            "shard": self.shard,
            "activations": {name: writer.token for name, writer in self.writers.items()},
            "done": sorted(self.done),
            "streams": streams,
        }
        save_tensors(self.folder / _CHECKPOINT, state)
        self.saved = time.monotonic()

    def resume(self, layers: Sequence[str], say: Say) -> None:
        """Continue from a checkpoint of the same layers and shards, if there is one."""

        def make(state: dict[str, Any]) -> _Resumed:
            if set(state["streams"]) != set(layers) or state.get("shard") != self.shard:
                raise ValueError("it is of other layers or shards")
            tokens = state.get("activations", {})
            writers = {
                name: replace(writer, token=tokens.get(name, ""))
                for name, writer in self.writers.items()
            }
            if not all(writer.is_begun for writer in writers.values()):
                raise ValueError("activations are wanted that it was made without")
            streams = {name: LayerStream(part) for name, part in state["streams"].items()}
            return set(state["done"]), streams, writers

        if self.folder is not None:
            kept = load_tensors(self.folder / _CHECKPOINT, make, say)
            self.done, self.streams, self.writers = kept or (self.done, self.streams, self.writers)
