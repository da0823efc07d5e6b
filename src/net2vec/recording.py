"""A network looks at a probe dataset once: thresholds, thresholded maps and means of its layers.

All layers are recorded in one pass. Of every filter only its largest activations are kept, with
their positions: they decide the threshold and are the thresholded map, so activations never touch
the disk. A pass writes checkpoints and goes on from the last one when it is started again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor

from net2vec.data.protocol import ProbeDataset
from net2vec.errors import NetworkError
from net2vec.kernels.maps import SparseMaps
from net2vec.kernels.quantile import TopValues
from net2vec.networks import Network, run_layers
from net2vec.storage import replacing, save_arrays

_CHECKPOINT = "checkpoint.pt"
_CHECKPOINT_SECONDS = 60.0
_BATCHES_AHEAD = 3


@dataclass(frozen=True)
class LayerRecording:
    """What a layer did on all probe images.

    Attributes:
        layer: the layer's name.
        grid: height and width of its activation maps; None for a layer without places.
        threshold: T_k, the activation above which a filter is on; NaN without a grid.
        starts, filter, cell: the thresholded maps: which filter is on at which cell of the grid,
            by image (see `net2vec.kernels.maps.SparseMaps`).
        means: spatial mean of every filter in every image, before thresholding.
        top_image: images with the highest activation of each filter, the earliest on a tie.
        top_activation: the highest activation in these.
    """

    layer: str
    grid: tuple[int, int] | None
    threshold: Float[np.ndarray, "filter"]
    starts: Int[np.ndarray, "image_and_end"]
    filter: Integer[np.ndarray, "entry"]
    cell: Integer[np.ndarray, "entry"]
    means: Float[np.ndarray, "image filter"]
    top_image: Int[np.ndarray, "filter rank"]
    top_activation: Float[np.ndarray, "filter rank"]

    @property
    def filters(self) -> int:
        """Number of filters (K)."""
        return len(self.threshold)

    @property
    def active_share(self) -> Float[np.ndarray, "filter"]:
        """Share of all positions where each filter is on; at most tau, 0 for one never active."""
        if self.grid is None:
            return np.full(self.filters, np.nan)
        positions = (len(self.starts) - 1) * self.grid[0] * self.grid[1]
        return np.bincount(self.filter, minlength=self.filters) / positions

    def maps(self, images: Int[np.ndarray, "image"]) -> SparseMaps:
        """The thresholded maps of some images.

        Raises:
            ValueError: the layer has no grid.
        """
        if self.grid is None:
            raise ValueError(f"layer {self.layer} has no grid")
        begin, end = self.starts[images], self.starts[images + 1]
        length = end - begin
        starts = np.concatenate([[0], np.cumsum(length)])
        entry = np.repeat(begin - starts[:-1], length) + np.arange(starts[-1])
        return SparseMaps(
            torch.from_numpy(starts),
            torch.from_numpy(self.filter[entry].astype(np.int32)),
            torch.from_numpy(self.cell[entry].astype(np.int32)),
            self.grid,
            self.filters,
        )


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
        workers: threads that decode images ahead of the network, and that look at its layers.
        folder: where checkpoints and the finished recording are kept; found there, a recording is
            read, and an interrupted one goes on. Its name must stand for all other arguments.
        progress: called with the number of images done since the last call.

    Raises:
        DataError: an image cannot be read.
        NetworkError: a layer gives something else than maps or a vector, or values that are not
            finite.
    """
    if folder is not None and all(_path(folder, i).is_file() for i in range(len(layers))):
        progress(len(dataset.images))
        return {name: _load(_path(folder, i)) for i, name in enumerate(layers)}
    streams: dict[str, _Stream] = {}
    done = 0
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        done, streams = _resume(folder, layers)
        progress(done)
    total = len(dataset.images)
    network.module.to(device)
    saved = time.monotonic()
    batches = image_batches(network, dataset, range(done, total), batch, workers)
    # Layers side by side: what is done to one is too little for several threads.
    with ThreadPoolExecutor(workers) as pool:
        for chosen, images in batches:
            outputs = run_layers(
                network,
                images.to(device, non_blocking=True),
                layers,
                mixed_precision=mixed_precision,
            )
            for name, output in outputs.items():
                if name not in streams:
                    streams[name] = _Stream.of(name, output, total, quantile, ranks)
            seen = (streams[name] for name in outputs)
            for _ in pool.map(_Stream.add, seen, outputs.values(), repeat(chosen[0])):
                pass
            done = chosen[0] + len(images)
            progress(len(images))
            late = time.monotonic() - saved > _CHECKPOINT_SECONDS
            if folder is not None and late and done < total:
                _save_checkpoint(folder, done, streams)
                saved = time.monotonic()
    recordings = {name: streams[name].finish() for name in layers}
    if folder is not None:
        for i, name in enumerate(layers):
            _save(recordings[name], _path(folder, i))
        (folder / _CHECKPOINT).unlink(missing_ok=True)
    return recordings


def image_batches(
    network: Network,
    dataset: ProbeDataset,
    images: Sequence[int],
    batch: int,
    workers: int = 2,
) -> Iterator[tuple[Sequence[int], Float[Tensor, "image 3 size size"]]]:
    """Images of a dataset as a network is fed them, decoded ahead by threads.

    Yields:
        Which images, and the images.

    Raises:
        DataError: an image cannot be read.
    """

    def load(index: int) -> Tensor:
        return network.preprocessing(dataset.image(index))

    pool = ThreadPoolExecutor(workers)
    try:
        ahead: deque[Future[Tensor]] = deque()
        for first in range(0, len(images), batch):
            wanted = images[first + len(ahead) : first + _BATCHES_AHEAD * batch]
            ahead.extend(pool.submit(load, index) for index in wanted)
            chosen = images[first : first + batch]
            stacked = torch.stack([ahead.popleft().result() for _ in chosen])
            # Convolutions are up to twice as fast with the channels last.
            yield chosen, stacked.contiguous(memory_format=torch.channels_last)
    finally:
        pool.shutdown(cancel_futures=True)


class _Stream:
    """One layer's share of a pass: what is kept of the maps seen so far."""

    def __init__(self, state: Mapping[str, object]) -> None:
        self.layer: str = state["layer"]  # type: ignore[assignment]
        self.grid: tuple[int, int] | None = state["grid"]  # type: ignore[assignment]
        self.top: TopValues = TopValues(**state["top"])  # type: ignore[arg-type]
        self.means: Tensor = state["means"]  # type: ignore[assignment]
        self.top_image: Tensor = state["top_image"]  # type: ignore[assignment]
        self.top_activation: Tensor = state["top_activation"]  # type: ignore[assignment]

    @classmethod
    def of(cls, layer: str, output: Tensor, images: int, quantile: float, ranks: int) -> _Stream:
        if output.ndim not in (2, 4):
            raise NetworkError(
                f"layer {layer} gives values of shape {tuple(output.shape)}; wanted are maps "
                f"(image, filter, height, width) or vectors (image, filter): choose another layer"
            )
        filters = output.shape[1]
        grid = (output.shape[2], output.shape[3]) if output.ndim == 4 else None
        # Without places there is nothing to threshold.
        count = images * grid[0] * grid[1] if grid else 0
        top = TopValues.of(filters, quantile if grid else 0.0, count, output.device)
        kept = min(ranks, images)
        return cls(
            {
                "layer": layer,
                "grid": grid,
                "top": vars(top),
                "means": torch.zeros(images, filters),
                "top_image": torch.zeros(filters, kept, dtype=torch.int64, device=output.device),
                "top_activation": output.new_full((filters, kept), -torch.inf),
            }
        )

    def state(self) -> dict[str, object]:
        return {**vars(self), "top": vars(self.top)}

    def add(self, output: Tensor, first: int) -> None:
        output = output.float()
        values = output.flatten(2) if self.grid else output[:, :, None]
        means = values.mean(2)
        if not bool(torch.isfinite(means).all()):
            raise NetworkError(
                f"layer {self.layer} gives values that are not finite (NaN or infinity) on images "
                f"{first} to {first + len(output) - 1}: check the weights and the preprocessing"
            )
        self.means[first : first + len(output)] = means.cpu()
        if self.grid:
            by_filter = values.transpose(0, 1).reshape(values.shape[1], -1)
            self.top.add(by_filter, first * values.shape[2])
        highest = torch.cat([self.top_activation, values.amax(2).T], 1)
        image = torch.arange(first, first + len(output), device=output.device)
        seen = torch.cat([self.top_image, image.expand(len(highest), -1)], 1)
        # Stable, and earlier images come first: the earliest wins a tie.
        order = torch.sort(highest, dim=1, descending=True, stable=True).indices
        order = order[:, : self.top_image.shape[1]]
        self.top_activation = torch.gather(highest, 1, order)
        self.top_image = torch.gather(seen, 1, order)

    def finish(self) -> LayerRecording:
        images, filters = self.means.shape
        threshold = np.full(filters, np.nan, dtype=np.float32)
        empty = np.zeros(0, dtype=np.int64)
        image, who, cell = empty, empty, empty
        if self.grid:
            cells = self.grid[0] * self.grid[1]
            who, position = (part.cpu().numpy().astype(np.int64) for part in self.top.above())
            image, cell = np.divmod(position, cells)
            order = np.argsort((image * filters + who) * cells + cell)
            image, who, cell = image[order], who[order], cell[order]
            threshold = self.top.bound.cpu().numpy()
        starts = np.concatenate([[0], np.cumsum(np.bincount(image, minlength=images))])
        return LayerRecording(
            layer=self.layer,
            grid=self.grid,
            threshold=threshold,
            starts=starts.astype(np.int64),
            filter=who.astype(_smallest(filters)),
            cell=cell.astype(_smallest(self.grid[0] * self.grid[1] if self.grid else 1)),
            means=self.means.numpy(),
            top_image=self.top_image.cpu().numpy(),
            top_activation=self.top_activation.cpu().numpy(),
        )


def _smallest(values: int) -> type[np.integer]:
    return np.uint16 if values <= 2**16 else np.int32


def _path(folder: Path, number: int) -> Path:
    return folder / f"layer-{number:03d}.npz"


def _save(recording: LayerRecording, path: Path) -> None:
    arrays = {key: value for key, value in vars(recording).items() if isinstance(value, np.ndarray)}
    grid = np.array(recording.grid or (0, 0))
    save_arrays(path, layer=np.array(recording.layer), grid=grid, **arrays)


def _load(path: Path) -> LayerRecording:
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files}
    layer, grid = str(arrays.pop("layer")), tuple(arrays.pop("grid").tolist())
    return LayerRecording(layer=layer, grid=grid if grid != (0, 0) else None, **arrays)


def _save_checkpoint(folder: Path, done: int, streams: Mapping[str, _Stream]) -> None:
    state = {name: stream.state() for name, stream in streams.items()}
    with replacing(folder / _CHECKPOINT) as temporary:
        torch.save({"done": done, "streams": state}, temporary)


def _resume(folder: Path, layers: Sequence[str]) -> tuple[int, dict[str, _Stream]]:
    path = folder / _CHECKPOINT
    if not path.is_file():
        return 0, {}
    state = torch.load(path, weights_only=True)
    if set(state["streams"]) != set(layers):
        return 0, {}
    return int(state["done"]), {name: _Stream(part) for name, part in state["streams"].items()}
