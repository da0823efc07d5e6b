"""Segmentation of new images: z = sum_k w_k up(B_k), at the masks' size or the image's own.

Up() is a function of the place alone, bilinear between the places of the grid: at the masks' size
and at an image's own size the same function is read at other points. So a mask of the image's own
size is no enlarged mask: z is brought from the grid to that size at once, and cut there.

Source: paper, section 3.1.2 and equation 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
import xarray as xr
from jaxtyping import Bool, Float
from torch import Tensor

from net2vec.errors import ResultsError
from net2vec.kernels.discriminant.maps import grid_values
from net2vec.kernels.geometry.maps import SparseMaps
from net2vec.kernels.geometry.upsample import aligned_axis, centred_axis, upsampled
from net2vec.prediction.encodings import Encoding
from net2vec.prediction.forward import ForwardPass, LayerOutputs
from net2vec.prediction.images import NewImage
from net2vec.recording.activations import halved

Value = TypeVar("Value")


def segment_images(
    forward: ForwardPass, images: Sequence[NewImage], encodings: Sequence[Encoding]
) -> xr.Dataset:
    """Probabilities and masks of concepts in images, at the masks' size.

    Args:
        forward: passes images through the network.
        images: the images.
        encodings: one a layer, all of the same concepts and size of masks.

    Returns:
        `probability`, sigmoid(z + bias), and `mask`, z + bias > cut, of dimensions (layer,
        concept, image, y, x); `cut` (layer, concept); and each image's own `height`, `width`.
    """
    names = _common([encoding.names for encoding in encodings])
    rows, columns = _common([encoding.mask_size for encoding in encodings])
    shape = (len(encodings), len(names), len(images), rows, columns)
    probability = np.zeros(shape, np.float32)
    mask = np.zeros(shape, bool)
    sizes: list[tuple[int, int]] = []
    for chunk in forward.layer_outputs(images, [encoding.layer for encoding in encodings]):
        here = slice(len(sizes), len(sizes) + len(chunk.images))
        for place, encoding in enumerate(encodings):
            for concept, grid in enumerate(_grids(chunk, encoding)):
                predicted = predict(grid, encoding, concept, (rows, columns))
                probability[place, concept, here], mask[place, concept, here] = predicted
        sizes += chunk.sizes
    dimensions = ("layer", "concept", "image", "y", "x")
    return xr.Dataset(
        {
            "probability": (dimensions, probability, {"long_name": "sigmoid(z + bias)"}),
            "mask": (dimensions, mask, {"long_name": "predicted: z + bias > cut"}),
            "cut": (
                ("layer", "concept"),
                np.stack([encoding.cut.numpy() for encoding in encodings]),
                {"long_name": "what z + bias must exceed"},
            ),
            "height": ("image", np.array([size[0] for size in sizes], dtype=np.int64)),
            "width": ("image", np.array([size[1] for size in sizes], dtype=np.int64)),
        },
        coords={
            "layer": np.array([encoding.layer for encoding in encodings], dtype=object),
            "concept": np.array(names, dtype=object),
            "image": np.array([image.name for image in images], dtype=object),
        },
        attrs={"task": "segment", "fit": _common([encoding.fit for encoding in encodings])},
    )


@dataclass(frozen=True)
class FullSize:
    """A concept in an image, at the image's own size.

    Attributes:
        image: the image.
        concept: the concept.
        probability: sigmoid(z + bias).
        mask: where the concept is predicted, z + bias > cut.
    """

    image: NewImage
    concept: str
    probability: Float[np.ndarray, "row column"]
    mask: Bool[np.ndarray, "row column"]


def segment_full_size(
    forward: ForwardPass, images: Sequence[NewImage], encoding: Encoding
) -> Iterator[FullSize]:
    """Concepts in images at the images' own sizes, one after the other: image by image."""
    for chunk in forward.layer_outputs(images, [encoding.layer]):
        grids = _grids(chunk, encoding)
        for place, (image, size) in enumerate(zip(chunk.images, chunk.sizes, strict=True)):
            for concept, name in enumerate(encoding.names):
                predicted = predict(grids[concept][place : place + 1], encoding, concept, size)
                yield FullSize(image, name, predicted[0][0], predicted[1][0])


def predict(
    grid: Float[Tensor, "image y x"], encoding: Encoding, concept: int, size: tuple[int, int]
) -> tuple[Float[np.ndarray, "image row column"], Bool[np.ndarray, "image row column"]]:
    """Probabilities and masks of a concept from its z on the grid of the layer."""
    value = logits(grid, encoding, concept, size)
    return torch.sigmoid(value).numpy(), (value > encoding.cut[concept]).numpy()


def logits(
    grid: Float[Tensor, "image y x"], encoding: Encoding, concept: int, size: tuple[int, int]
) -> Float[Tensor, "image row column"]:
    """Z + bias of a concept at a size, from its z on the grid of the layer."""
    axis = aligned_axis if encoding.scale is None else centred_axis
    return upsampled(grid, size, axis) + encoding.bias[concept]


def _grids(chunk: LayerOutputs, encoding: Encoding) -> list[Float[Tensor, "image y x"]]:
    output = chunk.outputs[encoding.layer]
    if output.ndim != 4:
        raise ResultsError(
            f"layer {encoding.layer} has no grid, so it can be classified with but not segmented "
            f"with; choose another layer"
        )
    return concept_grids(output, encoding)


def concept_grids(
    output: Float[Tensor, "image filter y x"], encoding: Encoding
) -> list[Float[Tensor, "image y x"]]:
    """Z of every concept on the grid of the layer.

    Filters are thresholded on the device of the network; active entries go to the CPU, where the
    sums have the order that they have in the probe. They are half a percent of a dense sum.
    Activations as they are, are rounded as they were when they were kept.
    """
    if encoding.scale is not None:
        values = grid_values(halved(output).float().cpu(), encoding.weight * encoding.scale)
        return list(values.transpose(0, 1).reshape(-1, len(output), *output.shape[2:]))
    on = output > encoding.threshold.to(output.device)[:, None, None]
    maps = SparseMaps.of(on).to("cpu")
    return [maps.weighted(weight) for weight in encoding.weight]


def _common(values: Sequence[Value]) -> Value:
    if any(value != values[0] for value in values):
        raise ValueError(f"encodings differ: {', '.join(map(str, values))}")
    return values[0]
