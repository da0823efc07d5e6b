"""A concept that is to be segmented, and what is counted in its images."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from net2vec.core.devices import policy_of
from net2vec.data.annotations import Annotations
from net2vec.kernels.backends import backend_of
from net2vec.recording import LayerRecording


@dataclass(frozen=True)
class ConceptTask:
    """A concept to learn.

    Attributes:
        annotations: the masks.
        label: the concept.
        best_filter: the best single filter, for its individual IoU.
        seed: the run's seed.
    """

    annotations: Annotations
    label: int
    best_filter: int = 0
    seed: int = 0

    @property
    def concept(self) -> str:
        """The name of the concept."""
        return self.annotations.names[self.label]


def by_annotations(concepts: Sequence[ConceptTask]) -> Iterator[list[ConceptTask]]:
    """Neighbours with the same annotations, which are read together."""
    for _, group in itertools.groupby(concepts, key=lambda one: id(one.annotations)):
        yield list(group)


def masks_on(
    device: torch.device | str, annotations: Annotations, pairs: Int[np.ndarray, "pair"]
) -> Bool[Tensor, "pair y x"]:
    """The masks of some pairs (L_c), unpacked where they are wanted."""
    if not policy_of(device).is_gpu:
        return torch.from_numpy(annotations.masks_of(pairs))
    packed = torch.from_numpy(annotations.packed_of(pairs)).to(device)
    bits = backend_of(device).unpack_bits(packed)
    height, width = annotations.size
    return bits[:, : height * width].view(torch.bool).reshape(-1, height, width)


@dataclass(frozen=True)
class Counts:
    """Pixels of a concept's predicted and true masks, image by image."""

    intersection: Int[np.ndarray, "_"]
    union: Int[np.ndarray, "_"]

    @property
    def set_iou(self) -> float:
        """Set IoU (paper, equation 1)."""
        union = int(self.union.sum())
        return int(self.intersection.sum()) / union if union else 0.0

    @classmethod
    def joined(cls, parts: Sequence[Counts]) -> Counts:
        """The images of several counts."""
        return cls(
            np.concatenate([part.intersection for part in parts]),
            np.concatenate([part.union for part in parts]),
        )

    def by(self, order: Int[np.ndarray, "_"]) -> Counts:
        """The images in another order."""
        return Counts(self.intersection[order], self.union[order])


def stack_counts(
    counts: Sequence[Counts], images: int
) -> tuple[Int[np.ndarray, "choice image"], Int[np.ndarray, "choice image"]]:
    """Intersections and unions of the same images by several choices of filters, in 32 bits."""
    stacked = np.zeros((2, len(counts), images), dtype=np.int32)
    for place, one in enumerate(counts):
        stacked[:, place] = one.intersection, one.union
    return stacked[0], stacked[1]


def grid_of(recording: LayerRecording) -> tuple[int, int]:
    """The layer's grid.

    Raises:
        ValueError: the layer has none.
    """
    if recording.grid is None:
        raise ValueError(f"layer {recording.layer} has no grid")
    return recording.grid
