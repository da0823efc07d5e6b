"""The stream of a layer: everything that is kept of its activations while batches pass."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from threading import Lock

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from net2vec.core.devices import gpu_memory_bytes, policy_of
from net2vec.errors import NetworkError
from net2vec.kernels.quantile import MAX_POSITIONS, Highest, TopValues, rank_of
from net2vec.recording.layer import LayerRecording

# Preferred length of blocks.
_BLOCK_CELLS = 8
# Batches of an update may use 1/512 of the memory of a GPU.
_GPU_MEMORY_DIVISOR = 512


class LayerStream:
    """Largest activations, means and top images of one layer, of the images added so far.

    Args:
        state: from `state` of another stream.
    """

    def __init__(self, state: Mapping[str, object]) -> None:
        self.layer: str = state["layer"]  # type: ignore[assignment]
        self.grid: tuple[int, int] | None = state["grid"]  # type: ignore[assignment]
        self.top: TopValues = TopValues(**state["top"])  # type: ignore[arg-type]
        # By the first image of each shard.
        self.means: dict[int, Tensor] = state["means"]  # type: ignore[assignment]
        self.highest: Highest = Highest(state["highest"])  # type: ignore[arg-type]
        self._lock = Lock()
        # Batches of consecutive images, the first of them `_first`, for the next update.
        self._pending: list[tuple[Tensor, Tensor]] = []
        self._first = 0
        self._gathering = Lock()

    @classmethod
    def of(
        cls,
        layer: str,
        output: Tensor,
        images: int,
        quantile: float,
        ranks: int,
        shard: range | None = None,
    ) -> LayerStream:
        """An empty stream, on the device of a layer's first output.

        Args:
            layer: name of the layer.
            output: maps or vectors of some images.
            images: number of images of the dataset.
            quantile: share of activations above the threshold (tau).
            ranks: number of images of highest activation that are noted for each filter.
            shard: the images that will be added, by default all.

        Raises:
            NetworkError: if these are neither maps nor vectors, or there are too many places.
        """
        shard = range(images) if shard is None else shard
        if output.ndim not in (2, 4):
            raise NetworkError(
                f"layer {layer} gives values of shape {tuple(output.shape)}; wanted are maps "
                f"(image, filter, height, width) or vectors (image, filter): choose another layer"
            )
        filters = output.shape[1]
        grid = (output.shape[2], output.shape[3]) if output.ndim == 4 else None
        cells = grid[0] * grid[1] if grid else 0  # vectors have no threshold
        count = images * cells
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
                "top": vars(TopValues.of(filters, keep, output.device, len(shard) * cells)),
                "means": {shard.start: torch.zeros(len(shard), filters)},
                "highest": Highest.of(filters, min(ranks, images), output.device).state(),
            }
        )

    def state(self) -> dict[str, object]:
        """Everything that is kept so far, of tensors and numbers."""
        self._update_pending()
        return {
            "layer": self.layer,
            "grid": self.grid,
            "top": vars(self.top),
            "means": self.means,
            "highest": self.highest.state(),
        }

    def __reduce__(self) -> tuple[type[LayerStream], tuple[dict[str, object]]]:
        return LayerStream, (self.state(),)

    def compact(self) -> LayerStream:
        """The same on the CPU and in as little memory as possible, to be sent to a merge."""
        self._update_pending()
        self.top.compact()
        top = {k: v.cpu() if isinstance(v, Tensor) else v for k, v in vars(self.top).items()}
        return LayerStream({**self.state(), "top": top, "highest": self.highest.state().cpu()})

    def merge(self, other: LayerStream) -> None:
        """Add a stream of other images: exact, and independent of the order of merges.

        Raises:
            ValueError: if it is of another layer or grid.
        """
        if (self.layer, self.grid) != (other.layer, other.grid):
            raise ValueError(
                f"streams of {self.layer} {self.grid} and {other.layer} {other.grid} do not merge"
            )
        for stream in (self, other):
            stream._update_pending()
        self.top.merge(other.top)
        self.highest.merge(other.highest)
        self.means |= other.means

    def add(self, output: Tensor, first: int) -> None:
        """Add the maps or vectors of images first, first + 1, ...; from any thread.

        On a GPU several batches are one update; `state` and `finish` complete it.

        Raises:
            NetworkError: if values are not finite.
        """
        images, filters = output.shape[:2]
        # The channels of a cell side by side, as a network in channels-last order gives them.
        values = output.movedim(1, -1).contiguous().view(images, -1, filters)
        # Batch by batch: sums for another number of images may be rounded in another way.
        means = values.sum(1) / values.shape[1]
        limit = images_per_update(values)
        if limit <= images:
            self._update(values, means, first)
            return
        with self._gathering:
            pending = sum(len(part) for part, _ in self._pending)
            if first != self._first + pending or pending + images > limit:
                self._update_pending()
                self._first, pending = first, 0
            # The network may write over its output.
            self._pending.append((values.clone(), means))
            if pending + images == limit:
                self._update_pending()

    def _update_pending(self) -> None:
        if self._pending:
            parts, self._pending = self._pending, []
            values, means = (torch.cat(part) for part in zip(*parts, strict=True))
            self._update(values, means, self._first)

    def _update(
        self,
        values: Float[Tensor, "image place filter"],
        means: Float[Tensor, "image filter"],
        first: int,
    ) -> None:
        images, places, filters = values.shape
        if not bool(torch.isfinite(means).all()):
            raise NetworkError(
                f"layer {self.layer} gives values that are not finite (NaN or infinity) on images "
                f"{first} to {first + images - 1}: check the weights and the preprocessing"
            )
        ((start, own),) = self.means.items()
        own[first - start : first - start + images] = means.cpu()
        block = _block_length(places)
        blocks = values.view(-1, block, filters).amax(1)
        best = blocks.view(images, -1, filters).amax(1)
        with self._lock:
            if self.grid:
                self.top.add(values.view(-1, filters), first * places, blocks)
            self.highest.add(best, first)

    def finish(self) -> LayerRecording:
        """The recording, after all images were added.

        Raises:
            NetworkError: as in `add`.
        """
        self._update_pending()
        means = torch.cat([part for _, part in sorted(self.means.items())])
        images, filters = means.shape
        threshold = np.full(filters, np.nan, dtype=np.float32)
        cells = self.grid[0] * self.grid[1] if self.grid else 1
        # Sorting one number an entry is many times faster than sorting by three. All is done in
        # place: entries are many.
        order = np.zeros(0, dtype=np.int64)
        if self.grid:
            threshold = self.top.thresholds().cpu().numpy()
            parts = []
            for filter_, position in self.top.above():
                image, cell = np.divmod(position.cpu().numpy(), cells)
                parts.append((image * filters + filter_.cpu().numpy()) * cells + cell)
            order = np.concatenate(parts)
            del parts
            order.sort()
        cell = (order % cells).astype(_smallest(cells))
        order //= cells
        filter_of = (order % filters).astype(_smallest(filters))
        order //= filters
        top_activation, top_image = self.highest.largest()
        starts = np.concatenate([[0], np.cumsum(np.bincount(order, minlength=images))])
        return LayerRecording(
            layer=self.layer,
            grid=self.grid,
            threshold=threshold,
            starts=starts.astype(np.int64),
            filter=filter_of,
            cell=cell,
            means=means.numpy(),
            top_image=top_image.cpu().numpy(),
            top_activation=top_activation.cpu().numpy(),
        )


def _smallest(values: int) -> type[np.integer]:
    return np.uint16 if values <= 2**16 else np.int32


def _block_length(places: int) -> int:
    """How many cells are reduced to their maximum before they are compared with bounds.

    Short blocks leave fewer cells to compare again, long ones fewer maxima.
    """
    divisors = (block for block in range(1, places + 1) if places % block == 0)
    return min(divisors, key=lambda block: abs(log(block / _BLOCK_CELLS)))


def images_per_update(values: Float[Tensor, "image cell filter"]) -> int:
    """How many images update the stream together; on a CPU those of a batch, whose calls are long.

    On a GPU an update costs some dozens of calls, several of which synchronise.
    """
    policy = policy_of(values.device)
    if not policy.update_images:
        return len(values)
    memory = gpu_memory_bytes(values.device) // _GPU_MEMORY_DIVISOR
    return min(policy.update_images, memory // (values[0].numel() * values.element_size()))
