"""The recording of a layer on all images of a probe dataset."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int, Integer
from torch import Tensor

from net2vec.core.devices import policy_of
from net2vec.core.storage import Say, load_arrays, log, save_arrays
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.recording.activations import KeptActivations


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
        activations: all activations, if they were kept.
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
    activations: KeptActivations | None = None

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
        """The spatial means, where they are learned from.

        Args:
            device: where they should be.
        """
        # Another process may see them as a read-only mapping, which PyTorch warns of.
        means = self.means if self.means.flags.writeable else self.means.copy()
        return torch.from_numpy(means).to(device)

    def maps(
        self, images: Int[np.ndarray, "image"], device: torch.device | str = "cpu"
    ) -> SparseMaps:
        """The thresholded maps of some images.

        Args:
            images: indices of images, in any order.
            device: device of the entries.

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
            at = np.repeat(before, length) + np.arange(total)
            found = [torch.from_numpy(part[at].astype(np.int32)).to(device) for part in parts]
        filters, cell = found
        return SparseMaps(torch.from_numpy(starts), filters, cell, self.grid, self.filters)


def save_recording(recording: LayerRecording, path: Path) -> None:
    """Write a recording as a file of arrays."""
    arrays = {key: value for key, value in vars(recording).items() if isinstance(value, np.ndarray)}
    grid = np.array(recording.grid or (0, 0))
    save_arrays(path, layer=np.array(recording.layer), grid=grid, **arrays)


def load_recording(path: Path, say: Say = log) -> LayerRecording | None:
    """Read what `save_recording` has written; None, and `say` is told, if it is of no use."""

    def make(arrays: dict[str, np.ndarray]) -> LayerRecording:
        layer, grid = str(arrays.pop("layer")), tuple(arrays.pop("grid").tolist())
        return LayerRecording(
            layer=layer,
            grid=grid if grid != (0, 0) else None,
            **arrays,  # type: ignore[arg-type]
        )

    return load_arrays(path, make, say)
