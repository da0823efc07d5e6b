"""What is kept of a layer while batches pass."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from threading import Lock

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from net2vec.errors import NetworkError
from net2vec.kernels.quantile import MAX_POSITIONS, Highest, TopValues, rank_of
from net2vec.recording.layer import LayerRecording

# The length of blocks to come near to.
_BLOCK = 8
# On a GPU a batch is taken in by some dozens of calls, several of which wait for it. Batches are
# taken in together there: so many images, and this share of its memory, at the most.
_GPU_IMAGES, _GPU_SHARE = 256, 512


class LayerStream:
    """One layer's share of a pass: what is kept of the maps seen so far."""

    def __init__(self, state: Mapping[str, object]) -> None:
        self.layer: str = state["layer"]  # type: ignore[assignment]
        self.grid: tuple[int, int] | None = state["grid"]  # type: ignore[assignment]
        self.top: TopValues = TopValues(**state["top"])  # type: ignore[arg-type]
        self.means: Tensor = state["means"]  # type: ignore[assignment]
        self.highest: Highest = Highest(state["highest"])  # type: ignore[arg-type]
        self._lock = Lock()
        # Batches of images that follow each other, the first of them `_first`.
        self._waiting: list[tuple[Tensor, Tensor]] = []
        self._first = 0
        self._gathering = Lock()

    @classmethod
    def of(
        cls, layer: str, output: Tensor, images: int, quantile: float, ranks: int
    ) -> LayerStream:
        """An empty one, where a layer's first output is.

        Args:
            layer: the layer's name.
            output: maps or vectors of some images.
            images: how many images will come.
            quantile: share of activations above the threshold (tau).
            ranks: how many images of highest activation are noted for each filter.

        Raises:
            NetworkError: these are neither maps nor vectors, or there are too many places.
        """
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
        """All that came so far, to go on from."""
        self._take_in_waiting()
        return {
            "layer": self.layer,
            "grid": self.grid,
            "top": vars(self.top),
            "means": self.means,
            "highest": self.highest.state(),
        }

    def add(self, output: Tensor, first: int) -> None:
        """Take in the maps or vectors of images first, first + 1, ...; from any thread.

        On a GPU they may wait for others; `state` and `finish` take in what waits.

        Raises:
            NetworkError: values are not finite.
        """
        images, filters = output.shape[:2]
        # The channels of a place side by side, as a network fed with channels last gives them.
        values = output.movedim(1, -1).contiguous().view(images, -1, filters)
        # Batch by batch: sums for another number of images may be rounded in another way.
        means = values.sum(1) / values.shape[1]
        room = training_images_per_group(values)
        if room <= images:
            self._take_in(values, means, first)
            return
        with self._gathering:
            waiting = sum(len(part) for part, _ in self._waiting)
            if first != self._first + waiting or waiting + images > room:
                self._take_in_waiting()
                self._first, waiting = first, 0
            # The network may write over its output.
            self._waiting.append((values.clone(), means))
            if waiting + images == room:
                self._take_in_waiting()

    def _take_in_waiting(self) -> None:
        if self._waiting:
            parts, self._waiting = self._waiting, []
            values, means = (torch.cat(part) for part in zip(*parts, strict=True))
            self._take_in(values, means, self._first)

    def _take_in(
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
        self.means[first : first + images] = means.cpu()
        block = _block_of(places)
        blocks = values.view(-1, block, filters).amax(1)
        best = blocks.view(images, -1, filters).amax(1)
        with self._lock:
            if self.grid:
                self.top.add(values.view(-1, filters), first * places, blocks)
            self.highest.add(best, first)

    def finish(self) -> LayerRecording:
        """The recording, once all images have come.

        Raises:
            NetworkError: as in `add`.
        """
        self._take_in_waiting()
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


def _block_of(places: int) -> int:
    """How many places to reduce to their maximum before they are compared with bounds.

    Short blocks leave fewer places to look at again, long ones fewer maxima.
    """
    divisors = (block for block in range(1, places + 1) if places % block == 0)
    return min(divisors, key=lambda block: abs(log(block / _BLOCK)))


def training_images_per_group(values: Float[Tensor, "image place filter"]) -> int:
    """How many images are taken in together; on a CPU those of a batch, whose calls are long."""
    if not values.is_cuda:
        return len(values)
    memory = torch.cuda.get_device_properties(values.device).total_memory
    image = values[0].numel() * values.element_size()
    return min(_GPU_IMAGES, memory // _GPU_SHARE // image)
