"""The ranking of a concept's pixels above all others by z, whatever the cut."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from net2vec.data.annotations import Annotations
from net2vec.kernels.discriminant.maps import grid_values
from net2vec.kernels.geometry.upsample import aligned_axis, centred_axis, upsampled
from net2vec.recording import LayerRecording
from net2vec.tasks.concept import grid_of, masks_on
from net2vec.tasks.tuned import activations_of

# Even steps between the lowest and the highest z; pixels of a step are taken as one.
_BINS = 1 << 14
# Images whose pixels are looked at together.
_IMAGES = 16


def rank_pixels(
    recording: LayerRecording,
    annotations: Annotations,
    label: int,
    weight: Float[np.ndarray, "filter"],
    *,
    of_activations: bool,
) -> float:
    """Average precision over the pixels of the validation images that contain a concept.

    Args:
        recording: the layer, with a grid.
        annotations: the masks.
        label: the concept.
        weight: its vector.
        of_activations: whether it weighs activations, which must have been kept, interpolated
            between the centres of cells; otherwise thresholded maps, with corners aligned.

    Returns:
        A number between 0 and 1; NaN if the vector is not finite.
    """
    pairs = annotations.pairs(label, train=False)
    images = annotations.image[pairs]
    vector, axis = torch.from_numpy(weight), centred_axis if of_activations else aligned_axis
    value = torch.empty(len(pairs), *grid_of(recording))
    if of_activations:
        activations = activations_of(recording)
        for block in activations.blocks(len(pairs)):
            values = grid_values(activations.of(images[block]), vector[None])
            value[block] = values.view(-1, *value.shape[1:])
    else:
        for first in range(0, len(pairs), _IMAGES):
            batch = slice(first, first + _IMAGES)
            maps = recording.maps(images[batch]).dense().flatten(2).float()
            values = grid_values(maps.transpose(1, 2), vector[None])
            value[batch] = values.view(-1, *value.shape[1:])
    low, high = (float(end) for end in (value.min(), value.max()))
    if not np.isfinite(high - low):  # the vector is not finite, as after too large steps
        return float("nan")
    counts = np.zeros((2, _BINS), dtype=np.int64)
    for first in range(0, len(pairs), _IMAGES):
        batch = slice(first, first + _IMAGES)
        at = upsampled(value[batch], annotations.size, axis).sub_(low)
        bins = at.mul_(_BINS / max(high - low, 1e-30)).clamp_(0, _BINS - 1).long()
        counts += _count(bins, masks_on("cpu", annotations, pairs[batch]))
    return average_precision(counts)


def average_precision(counts: Int[np.ndarray, "two bin"]) -> float:
    """The mean precision over the pixels of the concept, each at the cut at which it is reached.

    It is the area under the steps of precision against recall, as scikit-learn computes it.

    Args:
        counts: by bin of z, ascending, all pixels and those of the concept.
    """
    predicted, hit = np.cumsum(counts[:, ::-1], axis=1)
    gained = np.diff(hit, prepend=0)
    return float((gained * (hit / np.maximum(predicted, 1))).sum() / max(hit[-1], 1))


def _count(bins: Int[Tensor, "*pixel"], masks: Tensor) -> Int[np.ndarray, "two bin"]:
    inside = bins[masks]
    both = (torch.bincount(part.flatten(), minlength=_BINS) for part in (bins, inside))
    return torch.stack(list(both)).numpy()
