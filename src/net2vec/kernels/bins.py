"""Probabilities of pixels told apart in bins, and where to cut them."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

BINS = 1 << 13
# A cut that everything is above.
_LOWEST = -30.0
# Far less than the width of a bin.
_JUST_BELOW = -(2.0**-20)


def bins_of(probability: Float[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """The bin of every probability; its memory is used."""
    return probability.mul_(BINS).clamp_(max=BINS - 1).to(torch.int16)


def count_bins(bins: Int[Tensor, "*shape"]) -> Int[np.ndarray, "bin"]:
    """How many there are in each bin."""
    flat = bins.flatten()
    if flat.device.type == "cuda":
        counts: Int[np.ndarray, "bin"] = torch.bincount(flat, minlength=BINS).cpu().numpy()
        return counts
    return np.bincount(flat.numpy(), minlength=BINS)


def best_cut(histogram: Int[np.ndarray, "two bin"]) -> float:
    """Where to cut z for the best set IoU, to 1/8192 of probability.

    Args:
        histogram: pixels of each bin, all of them and those in the masks.
    """
    predicted, hit = np.cumsum(histogram[:, ::-1], axis=1)[:, ::-1]
    iou = hit / np.maximum(predicted + hit[0] - hit, 1)
    # Any cut between two neighbouring values is as good: the middle is the safest.
    first = int(np.argmax(iou))
    last = first + int(np.argmin(np.append(iou[first:] == iou[first], False))) - 1
    share = (first + last) / 2 / BINS
    if share == 0:
        return _LOWEST
    cut = float(np.log(share / (1 - share)))
    # Where no filter is on z is 0, in the bin that is predicted here: such pixels must be above.
    return cut or _JUST_BELOW
