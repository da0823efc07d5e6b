"""A network looks at a probe dataset once: thresholds, thresholded maps and means of its layers.

All layers are recorded in one pass. Of every filter only its largest activations are kept, with
their positions: they decide the threshold and are the thresholded map, so activations never touch
the disk. A pass writes checkpoints and goes on from the last one when it is started again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from math import log
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor

from net2vec.data.protocol import ProbeDataset
from net2vec.errors import NetworkError
from net2vec.feeding import image_batches
from net2vec.kernels.maps import SparseMaps
from net2vec.kernels.quantile import MAX_POSITIONS, Highest, TopValues, rank_of
from net2vec.networks import Network, side_by_side
from net2vec.storage import replacing, save_arrays

_CHECKPOINT = "checkpoint.pt"
_CHECKPOINT_SECONDS = 60.0
# The length of blocks to come near to.
_BLOCK = 8


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

    def maps(
        self, images: Int[np.ndarray, "image"], device: torch.device | str = "cpu"
    ) -> SparseMaps:
        """The thresholded maps of some images.

        Args:
            images: which, in any order.
            device: where their entries should be.

        Raises:
            ValueError: the layer has no grid.
        """
        if self.grid is None:
            raise ValueError(f"layer {self.layer} has no grid")
        begin, end = self.starts[images], self.starts[images + 1]
        length = end - begin
        starts = np.concatenate([[0], np.cumsum(length)])
        total = int(starts[-1])
        before = begin - starts[:-1]
        parts = (self.filter, self.cell)
        if torch.device(device).type == "cuda" and total > len(self.cell):
            # All of them are fewer than those asked for, and found faster there.
            each, count = (torch.from_numpy(part).to(device) for part in (before, length))
            entry = torch.repeat_interleave(each, count, output_size=total)
            entry += torch.arange(total, device=device)
            found = [torch.from_numpy(part.astype(np.int32)).to(device)[entry] for part in parts]
        else:
            at = np.repeat(before, length) + np.arange(total)
            found = [torch.from_numpy(part[at].astype(np.int32)).to(device) for part in parts]
        filters, cell = found
        return SparseMaps(torch.from_numpy(starts), filters, cell, self.grid, self.filters)


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

    Raises:
        DataError: an image cannot be read.
        NetworkError: a layer gives something else than maps or a vector, or values that are not
            finite.
    """
    if folder is not None and all(_path(folder, i).is_file() for i in range(len(layers))):
        progress(len(dataset.images))
        return {name: _load(_path(folder, i)) for i, name in enumerate(layers)}
    state = _State()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        state = _resume(folder, layers)
        progress(state.done)
    network.module.to(device)
    on_gpu = torch.device(device).type == "cuda"
    streams, total = state.streams, len(dataset.images)
    creating = Lock()

    def look(name: str, output: Tensor, first: int) -> None:
        with creating:
            if name not in streams:
                streams[name] = _Stream.of(name, output, total, quantile, ranks)
        streams[name].add(output, first)

    saved = time.monotonic()
    remaining = range(state.done, total)
    with (
        side_by_side(network, layers, look, mixed_precision=mixed_precision) as lanes,
        # Closed here, also after an error: collected as garbage it would wait for its threads at
        # any time, in any thread.
        closing(
            image_batches(network, dataset, remaining, batch, workers, pinned=on_gpu)
        ) as batches,
    ):
        for images in lanes.run(batches):
            state.done += images
            progress(images)
            late = time.monotonic() - saved > _CHECKPOINT_SECONDS
            if folder is not None and late and state.done < total:
                for more in lanes.finish():
                    state.done += more
                    progress(more)
                state.save(folder)
                saved = time.monotonic()
        waiting(lanes.waited)
        with ThreadPoolExecutor(workers) as pool:
            finished = pool.map(_Stream.finish, [streams[name] for name in layers])
        recordings = dict(zip(layers, finished, strict=True))
    if folder is not None:
        for i, name in enumerate(layers):
            _save(recordings[name], _path(folder, i))
        (folder / _CHECKPOINT).unlink(missing_ok=True)
    return recordings


class _Stream:
    """One layer's share of a pass: what is kept of the maps seen so far."""

    def __init__(self, state: Mapping[str, object]) -> None:
        self.layer: str = state["layer"]  # type: ignore[assignment]
        self.grid: tuple[int, int] | None = state["grid"]  # type: ignore[assignment]
        self.top: TopValues = TopValues(**state["top"])  # type: ignore[arg-type]
        self.means: Tensor = state["means"]  # type: ignore[assignment]
        self.highest: Highest = Highest(state["highest"])  # type: ignore[arg-type]
        self._lock = Lock()

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
        if count > MAX_POSITIONS:
            raise NetworkError(
                f"layer {layer} has {count} places on {images} images, at most {MAX_POSITIONS} "
                f"can be recorded: choose a layer with a smaller grid, or fewer images"
            )
        keep = rank_of(quantile, count) + 1 if grid else 1
        return cls(
            {
                "layer": layer,
                "grid": grid,
                "top": vars(TopValues.of(filters, keep, output.device)),
                "means": torch.zeros(images, filters),
                "highest": Highest.of(filters, min(ranks, images), output.device).state(),
            }
        )

    def state(self) -> dict[str, object]:
        return {
            "layer": self.layer,
            "grid": self.grid,
            "top": vars(self.top),
            "means": self.means,
            "highest": self.highest.state(),
        }

    def add(self, output: Tensor, first: int) -> None:
        """Take in the maps or vectors of images first, first + 1, ...; from any thread."""
        images, filters = output.shape[:2]
        # The channels of a place side by side, as a network fed with channels last gives them.
        values = output.movedim(1, -1).contiguous().view(images, -1, filters)
        places = values.shape[1]
        means = values.sum(1) / places
        if not bool(torch.isfinite(means).all()):
            raise NetworkError(
                f"layer {self.layer} gives values that are not finite (NaN or infinity) on images "
                f"{first} to {first + images - 1}: check the weights and the preprocessing"
            )
        self.means[first : first + images] = means.cpu()
        block = _block_of(places)
        blocks = values.view(-1, block, filters).amax(1)
        best = blocks.view(images, -1, filters).amax(1)
        with self._lock:
            if self.grid:
                self.top.add(values.view(-1, filters), first * places, blocks)
            self.highest.add(best, first)

    def finish(self) -> LayerRecording:
        images, filters = self.means.shape
        threshold = np.full(filters, np.nan, dtype=np.float32)
        empty = np.zeros(0, dtype=np.int64)
        image, who, cell = empty, empty, empty
        if self.grid:
            cells = self.grid[0] * self.grid[1]
            who, position = (part.cpu().numpy() for part in self.top.above())
            image, cell = np.divmod(position, cells)
            # One number an entry: sorting numbers is many times faster than sorting by numbers.
            order = np.sort((image * filters + who) * cells + cell)
            rest, cell = np.divmod(order, cells)
            image, who = np.divmod(rest, filters)
            threshold = self.top.bound.cpu().numpy()
        top_activation, top_image = self.highest.largest()
        starts = np.concatenate([[0], np.cumsum(np.bincount(image, minlength=images))])
        return LayerRecording(
            layer=self.layer,
            grid=self.grid,
            threshold=threshold,
            starts=starts.astype(np.int64),
            filter=who.astype(_smallest(filters)),
            cell=cell.astype(_smallest(self.grid[0] * self.grid[1] if self.grid else 1)),
            means=self.means.numpy(),
            top_image=top_image.cpu().numpy(),
            top_activation=top_activation.cpu().numpy(),
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


def _block_of(places: int) -> int:
    """How many places to reduce to their maximum before they are compared with bounds.

    Short blocks leave fewer places to look at again, long ones fewer maxima.
    """
    divisors = (block for block in range(1, places + 1) if places % block == 0)
    return min(divisors, key=lambda block: abs(log(block / _BLOCK)))


@dataclass
class _State:
    """How far a pass has come.

    Attributes:
        done: how many images, from the first on, have been looked at.
        streams: what is kept of each layer.
    """

    done: int = 0
    streams: dict[str, _Stream] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        state = {name: stream.state() for name, stream in self.streams.items()}
        with replacing(folder / _CHECKPOINT) as temporary:
            torch.save({"done": self.done, "streams": state}, temporary)


def _resume(folder: Path, layers: Sequence[str]) -> _State:
    path = folder / _CHECKPOINT
    if not path.is_file():
        return _State()
    state = torch.load(path, weights_only=True)
    if set(state["streams"]) != set(layers):
        return _State()
    streams = {name: _Stream(part) for name, part in state["streams"].items()}
    return _State(int(state["done"]), streams)
