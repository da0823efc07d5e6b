"""The recording of a layer on all images of a probe dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor

from net2vec.core.devices import policy_of
from net2vec.core.scratch import Empty, in_memory
from net2vec.core.storage import (
    Say,
    load_arrays,
    log,
    map_array,
    read_cached,
    replacing_cached,
    save_arrays,
)
from net2vec.errors import DataError
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.recording.activations import Activations

# Arrays whose size grows with the dataset.
_MAPPED = ("filter", "cell", "means")
# Images whose maps are copied at a time.
_IMAGES_AT_ONCE = 1 << 12


@dataclass(frozen=True)
class LayerRecording:
    """Thresholds, thresholded maps and means of a layer on all probe images.

    Attributes:
        layer: name of the layer.
        grid: height and width of its activation maps; None for a layer of vectors.
        threshold: T_k, the activation above which a filter is on, midway between two values that
            occur; NaN without a grid.
        starts, filter, cell: the thresholded maps: active (filter, cell of the grid) entries,
            by image (see `net2vec.kernels.geometry.maps.SparseMaps`).
        means: spatial mean of every filter in every image, before thresholding.
        top_image: images with the highest activation of each filter, the earliest on a tie.
        top_activation: the highest activation in these.
        activations: all activations, if fits read them.
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
    activations: Activations | None = None

    @property
    def filters(self) -> int:
        """Number of filters (K)."""
        return len(self.threshold)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of images, cells of the grid (1 without one) and filters."""
        rows, columns = self.grid or (1, 1)
        return len(self.means), rows * columns, self.filters

    @property
    def active_share(self) -> Float[np.ndarray, "filter"]:
        """Share of all positions where each filter is on; at most tau, 0 for one never active."""
        if self.grid is None:
            return np.full(self.filters, np.nan)
        positions = (len(self.starts) - 1) * self.grid[0] * self.grid[1]
        return np.bincount(self.filter, minlength=self.filters) / positions

    def features(self, device: torch.device | str = "cpu") -> Float[Tensor, "image filter"]:
        """The spatial means, where they are learned from; they must not be written to.

        Args:
            device: where they should be.
        """
        if self.means.flags.writeable:
            return torch.from_numpy(self.means).to(device)
        # PyTorch warns of a read-only mapping; this is the same memory without the mark.
        data = {**self.means.__array_interface__, "data": (self.means.ctypes.data, False)}
        view = SimpleNamespace(__array_interface__=data, mapped=self.means)
        return torch.from_numpy(np.asarray(view)).to(device)

    def maps(
        self,
        images: Int[np.ndarray, "image"],
        device: torch.device | str = "cpu",
        empty: Empty = in_memory,
    ) -> SparseMaps:
        """The thresholded maps of some images.

        Args:
            images: indices of images, in any order.
            device: device of the entries.
            empty: makes the memory for them on the CPU.

        Raises:
            ValueError: if the layer has no grid.
        """
        if self.grid is None:
            raise ValueError(f"layer {self.layer} has no grid")
        begin, end = self.starts[images], self.starts[images + 1]
        length = end - begin
        starts = np.concatenate([[0], np.cumsum(length)])
        total = int(starts[-1])
        before = begin - starts[:-1]
        parts = (self.filter, self.cell)
        if policy_of(device).is_gpu and total > len(self.cell):
            # All entries are fewer than those of `images`, and are indexed faster on the GPU.
            each, count = (torch.from_numpy(part).to(device) for part in (before, length))
            entry = torch.repeat_interleave(each, count, output_size=total)
            entry += torch.arange(total, device=device)
            found = [torch.from_numpy(part.astype(np.int32)).to(device)[entry] for part in parts]
        else:
            found = [empty((total,), torch.int32) for _ in parts]
            for first in range(0, len(images), _IMAGES_AT_ONCE):
                some = slice(first, first + _IMAGES_AT_ONCE)
                entries = slice(starts[first], starts[min(first + _IMAGES_AT_ONCE, len(images))])
                at = np.repeat(before[some], length[some]) + np.arange(entries.start, entries.stop)
                for part, own in zip(parts, found, strict=True):
                    own[entries] = torch.from_numpy(part[at].astype(np.int32))
            found = [own.to(device) for own in found]
        filters, cell = found
        return SparseMaps(torch.from_numpy(starts), filters, cell, self.grid, self.filters)


def save_recording(recording: LayerRecording, path: Path, say: Say = log) -> LayerRecording:
    """Write a recording, and return what `load_recording` reads.

    Arrays of the size of the dataset are files of their own, beside `path`.

    Raises:
        DataError: if it cannot be read back.
    """
    arrays = {key: value for key, value in vars(recording).items() if isinstance(value, np.ndarray)}
    grid = np.array(recording.grid or (0, 0))
    for name in _MAPPED:
        with replacing_cached(_mapped_path(path, name)) as temporary, temporary.open("wb") as file:
            np.save(file, arrays.pop(name))
    save_arrays(path, layer=np.array(recording.layer), grid=grid, **arrays)
    found = load_recording(path, say)
    if found is None:
        raise DataError(f"{path}: what was written here cannot be read back; is the disk sound?")
    return found


def load_recording(path: Path, say: Say = log) -> LayerRecording | None:
    """Read what `save_recording` has written; None, and `say` is told, if it is of no use.

    Large arrays are mapped: memory holds the parts of them that are in use.
    """

    def make(arrays: dict[str, np.ndarray]) -> LayerRecording | None:
        for name in _MAPPED:
            mapped = read_cached(_mapped_path(path, name), map_array, say)
            if mapped is None:
                return None
            arrays[name] = mapped
        layer, grid = str(arrays.pop("layer")), tuple(arrays.pop("grid").tolist())
        return LayerRecording(
            layer=layer,
            grid=grid if grid != (0, 0) else None,
            **arrays,  # type: ignore[arg-type]
        )

    return load_arrays(path, make, say)


def _mapped_path(path: Path, name: str) -> Path:
    return path.with_suffix(f".{name}.npy")
