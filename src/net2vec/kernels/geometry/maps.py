"""Thresholded maps as lists of active entries: half a percent of a dense array."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor


@dataclass(frozen=True)
class SparseMaps:
    """Thresholded maps of some images: active (filter, cell) entries, by image.

    Attributes:
        starts: for every image its first entry, and at the end the number of entries; on the CPU.
        filter, cell: an entry for every active (image, filter, cell of the grid); on any device.
        grid: height and width of the grid.
        filters: number of filters (K).
    """

    starts: Int[Tensor, "image_and_end"]
    filter: Int[Tensor, "entry"]
    cell: Int[Tensor, "entry"]
    grid: tuple[int, int]
    filters: int

    @classmethod
    def of(cls, active: Bool[Tensor, "image filter y x"]) -> SparseMaps:
        """The maps of a dense array, entries in the order of image, filter and cell."""
        image, filters, cell = torch.nonzero(active.flatten(2), as_tuple=True)
        counts = torch.bincount(image, minlength=len(active))
        starts = torch.cat([counts.new_zeros(1), torch.cumsum(counts, 0)]).cpu()
        height, width = active.shape[2:]
        return cls(starts, filters.int(), cell.int(), (height, width), active.shape[1])

    def __len__(self) -> int:
        return len(self.starts) - 1

    def image(self) -> Int[Tensor, "entry"]:
        """The image of every entry."""
        return self._by_entry(torch.arange(len(self)))

    @classmethod
    def joined(cls, parts: Sequence[SparseMaps]) -> SparseMaps:
        """The images of several maps one after the other, each part with filters of its own.

        Filters are numbered through the parts: those of the second follow those of the first.
        """
        if len(parts) == 1:
            return parts[0]
        entries = [0, *itertools.accumulate(len(part.cell) for part in parts)]
        filters = [0, *itertools.accumulate(part.filters for part in parts)]
        starts = [part.starts[:-1] + before for part, before in zip(parts, entries, strict=False)]
        last = parts[0].starts.new_tensor([entries[-1]])
        return cls(
            torch.cat([*starts, last]),
            torch.cat([part.filter + n for part, n in zip(parts, filters, strict=False)]),
            torch.cat([part.cell for part in parts]),
            parts[0].grid,
            filters[-1],
        )

    def slice_images(self, first: int, last: int) -> SparseMaps:
        """The maps of images `first` to `last`, the last not included."""
        bounds = self.starts[first : last + 1]
        chosen = slice(int(bounds[0]), int(bounds[-1]))
        return SparseMaps(
            bounds - bounds[0], self.filter[chosen], self.cell[chosen], self.grid, self.filters
        )

    def keep_filters(self, kept: Bool[Tensor, "filter"]) -> SparseMaps:
        """The same maps with all filters but the kept ones off."""
        return self._keep(kept.to(self.filter.device)[self.filter.long()])

    def weighted(self, weight: Float[Tensor, "filter"]) -> Float[Tensor, "image y x"]:
        """The sum of the maps of all filters, each by its weight, on the grid."""
        cells = self.grid[0] * self.grid[1]
        total = weight.new_zeros(len(self) * cells)
        index = self.cell.long() + self.image() * cells
        total.index_add_(0, index, torch.index_select(weight, 0, self.filter.long()))
        return total.view(len(self), *self.grid)

    def alone(self, chosen: Int[Tensor, "image"]) -> SparseMaps:
        """The maps of one filter of each image, as those of a layer with a single filter."""
        maps = self._keep(self.filter == self._by_entry(chosen))
        return SparseMaps(maps.starts, torch.zeros_like(maps.filter), maps.cell, maps.grid, 1)

    def _keep(self, stay: Bool[Tensor, "entry"]) -> SparseMaps:
        before = torch.cat([stay.new_zeros(1, dtype=torch.int64), torch.cumsum(stay, 0)])
        starts = before[self.starts.to(stay.device)].cpu()
        return SparseMaps(starts, self.filter[stay], self.cell[stay], self.grid, self.filters)

    def _by_entry(self, by_image: Shaped[Tensor, "image"]) -> Shaped[Tensor, "entry"]:
        """For every entry the value of its image."""
        device, entries = self.cell.device, len(self.cell)
        counts = self.starts.diff().to(device)
        # With the number of entries given, no value need be read from a GPU.
        return torch.repeat_interleave(by_image.to(device), counts, output_size=entries)

    def to(self, device: torch.device | str) -> SparseMaps:
        """The maps on a device."""
        filters, cell = self.filter.to(device), self.cell.to(device)
        return SparseMaps(self.starts, filters, cell, self.grid, self.filters)

    def dense(self) -> Bool[Tensor, "image filter y x"]:
        """The maps as a dense array."""
        height, width = self.grid
        active = torch.zeros(
            len(self), self.filters, height * width, dtype=torch.bool, device=self.cell.device
        )
        active[self.image(), self.filter.long(), self.cell.long()] = True
        return active.view(len(self), self.filters, height, width)
