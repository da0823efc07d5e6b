"""Small probe datasets, recordings and stores of annotations, made from arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from net2vec.data.annotations import Annotations, compile_annotations
from net2vec.data.protocol import TRAIN, VAL, Annotation, Plane
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.recording import LayerRecording


@dataclass
class ArrayDataset:
    """A probe dataset in memory that notes which of its images and annotations were asked for."""

    labels: Sequence[str]
    categories: Sequence[str]
    splits: Sequence[str]
    annotations: Sequence[Annotation]
    pictures: Sequence[np.ndarray] = ()
    name: str = "arrays"
    digest: str = "arrays"
    images_read: list[int] = field(default_factory=list)
    annotations_read: list[int] = field(default_factory=list)

    @property
    def images(self) -> Sequence[str]:
        return [f"{index:04}.png" for index in range(len(self.splits))]

    def image(self, index: int) -> Image.Image:
        self.images_read.append(index)
        return Image.fromarray(self.pictures[index])

    def annotation(self, index: int) -> Annotation:
        self.annotations_read.append(index)
        return self.annotations[index]


def splits_of(is_train: Sequence[bool]) -> list[str]:
    return [TRAIN if train else VAL for train in is_train]


def annotate(
    folder: Path,
    masks: Mapping[str, np.ndarray],
    is_train: Sequence[bool],
    whole: Mapping[str, np.ndarray] | None = None,
) -> Annotations:
    """Compiled annotations from the masks [N, H, W] of each concept, an empty one for "not there".

    `whole` names concepts of whole images, with who has them [N].
    """
    whole = whole or {}
    names = ["", *masks, *whole]
    annotations = [
        Annotation(
            tuple(
                Plane("object", names.index(name) * mask[index].astype(np.int32))
                for name, mask in masks.items()
            ),
            tuple(("scene", names.index(name)) for name, has in whole.items() if has[index]),
        )
        for index in range(len(is_train))
    ]
    dataset = ArrayDataset(names, ["object", "scene"], splits_of(is_train), annotations)
    size = next(iter(masks.values())).shape[1:] if masks else (4, 4)
    return compile_annotations(dataset, size, folder)


def recording_of(
    B: np.ndarray, means: np.ndarray | None = None, layer: str = "layer"
) -> LayerRecording:
    """The recording of a layer whose thresholded maps are B [N, K, h, w]."""
    images, filters, height, width = B.shape
    image, who, cell = np.nonzero(B.reshape(images, filters, height * width))
    starts = np.concatenate([[0], np.cumsum(np.bincount(image, minlength=images))])
    if means is None:
        means = np.zeros((images, filters))
    return LayerRecording(
        layer=layer,
        grid=(height, width),
        threshold=np.zeros(filters, np.float32),
        starts=starts.astype(np.int64),
        filter=who.astype(np.uint16),
        cell=cell.astype(np.uint16),
        means=means.astype(np.float32),
        top_image=np.zeros((filters, 1), np.int64),
        top_activation=np.zeros((filters, 1), np.float32),
    )


def sparse_maps(B: np.ndarray) -> SparseMaps:
    """Thresholded maps B [N, K, h, w] as the kernels take them."""
    return recording_of(B).maps(np.arange(len(B)))
