"""Histograms of the probabilities of pixels, and the cut of best set IoU."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int, Real
from torch import Tensor

BINS = 1 << 13
SCORE_GROUPS = 16
"""Stretches of the images that say how much a score is a matter of a few of them."""
# A cut below all values of z.
_LOWEST_CUT = -30.0
# Far less than the width of a bin of z.
_JUST_BELOW = -(2.0**-20)
# Standard errors that are subtracted from a score before it is compared.
_STANDARD_ERRORS = 0.5


def bins_of(probability: Float[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """The bin of every probability, whose memory is overwritten."""
    return probability.mul_(BINS).clamp_(max=BINS - 1).to(torch.int16)


def best_cut(histogram: Int[np.ndarray, "group two bin"]) -> float:
    """The cut of z with the best set IoU, to 1/8192 of probability; see `best_share`."""
    share = best_share(histogram)
    if share == 0:
        return _LOWEST_CUT
    cut = float(np.log(share / (1 - share)))
    # Pixels without an active filter have z = 0, in the lowest bin predicted: 0 must be above.
    return cut or _JUST_BELOW


def best_share(histogram: Real[np.ndarray, "group two bin"]) -> float:
    """The share of the bins that lies below the cut with the best set IoU.

    Of two cuts with about the same score, the one whose score depends less on a few images does
    better on others: half of its standard error over the groups is subtracted from each score.

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
    score = iou - (_STANDARD_ERRORS * np.sqrt(off) if groups > 1 else 0.0)
    # Any cut between two neighbouring values is as good: the middle is the safest.
    first = int(np.argmax(score))
    last = first + int(np.argmin(np.append(score[first:] == score[first], False))) - 1
    return float((first + last) / 2 / histogram.shape[2])
