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
# Standard errors that are taken off a score before it is compared.
_CAUTION = 0.5


def bins_of(probability: Float[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """The bin of every probability; its memory is used."""
    return probability.mul_(BINS).clamp_(max=BINS - 1).to(torch.int16)


def count_bins(bins: Int[Tensor, "*shape"], least: int = BINS) -> Int[np.ndarray, "number"]:
    """How many there are in each bin, for numbers below `least`, a multiple of `BINS`."""
    flat = bins.flatten()
    if flat.device.type == "cuda":
        counts: Int[np.ndarray, "number"] = torch.bincount(flat, minlength=least).cpu().numpy()
        return counts
    return np.bincount(flat.numpy(), minlength=least)


def best_cut(histogram: Int[np.ndarray, "group two bin"]) -> float:
    """Where to cut z for the best set IoU, to 1/8192 of probability.

    Of two cuts that do about as well, the one whose score is less a matter of a few images does
    better on others: half of its standard error over the groups is taken off a score.

    Args:
        histogram: by group of images the pixels of each bin, all of them and those in the masks.
    """
    counts = np.cumsum(histogram[:, :, ::-1], axis=2)[:, :, ::-1]
    predicted, hit = counts[:, 0], counts[:, 1]
    union = np.maximum(predicted + hit[:, :1] - hit, 0)
    total = np.maximum(union.sum(0), 1)
    iou = hit.sum(0) / total
    groups = len(histogram)
    off = (((hit - iou * union) / total) ** 2).sum(0) * groups / max(groups - 1, 1)
    score = iou - (_CAUTION * np.sqrt(off) if groups > 1 else 0.0)
    # Any cut between two neighbouring values is as good: the middle is the safest.
    first = int(np.argmax(score))
    last = first + int(np.argmin(np.append(score[first:] == score[first], False))) - 1
    share = (first + last) / 2 / BINS
    if share == 0:
        return _LOWEST
    cut = float(np.log(share / (1 - share)))
    # Where no filter is on z is 0, in the bin that is predicted here: such pixels must be above.
    return cut or _JUST_BELOW
