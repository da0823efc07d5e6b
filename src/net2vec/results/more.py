"""Arrays that not every run has: biases and cuts, counts, a second fit's, nulls and seeds.

A run has some of them and not others, by its settings and the version that made it. A variable that
is missing says that it was not computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

FITS = (PAPER, CONVERGED) = ("paper", "converged")
"""How a vector was learned: by the paper's training, or to the optimum of a convex problem."""

_SUBSET = ("subset_size", "concept")
_SCORE = {"segment": "set IoU", "classify": "accuracy on a balanced set of images"}

MORE: Mapping[str, tuple[tuple[str, ...], str]] = {
    "bias": (("concept",), "constant term (b)"),
    "cut": (("concept",), "a pixel is predicted where z + bias is above it"),
    "l2": (("concept",), "strength of the L2 term, chosen by cross-validation"),
    "subset_bias": (_SUBSET, "constant term of the subset"),
    "subset_cut": (_SUBSET, "cut of the subset"),
    "path_weight": ((*_SUBSET, "filter"), "weights on filters that an L1 path chose, 0 elsewhere"),
    "path_bias": (_SUBSET, "constant term of that fit"),
    "path_cut": (_SUBSET, "cut of that fit"),
    "path_score": (("split", *_SUBSET), "SCORE of that fit"),
    "pair_intersection": (("method", "pair"), "pixels in both the predicted and the true mask"),
    "pair_union": (("method", "pair"), "pixels in either of them"),
    "trial_correct": (
        ("method", "trial"),
        "whether an image of the balanced validation set falls on the right side",
    ),
    "subset_pair_intersection": (
        ("subset_size", "pair"),
        "pixels in both the true mask and the one that the subset predicts",
    ),
    "subset_pair_union": (("subset_size", "pair"), "pixels in either of them"),
    "subset_trial_correct": (
        ("subset_size", "trial"),
        "whether an image of that set falls on the right side by the subset",
    ),
    "path_pair_intersection": (
        ("subset_size", "pair"),
        "pixels in both the true mask and the one that the filters of an L1 path predict",
    ),
    "path_pair_union": (("subset_size", "pair"), "pixels in either of them"),
    "path_trial_correct": (
        ("subset_size", "trial"),
        "whether an image of that set falls on the right side by the filters of an L1 path",
    ),
    "null_score": (
        ("null", "method", "concept"),
        "validation SCORE of the fit on shuffled annotations",
    ),
    "null_weight": (("null", "concept", "filter"), "weights learned on shuffled annotations"),
    "seed_weight": (("seed", "concept", "filter"), "weights learned with this seed"),
    "seed_bias": (("seed", "concept"), "constant term learned with this seed"),
    "seed_start_distance": (("seed", "concept"), "norm(w - w0) / norm(w0) with this seed"),
    "seed_best_filter": (("seed", "concept"), "filter of the largest absolute weight"),
    "seed_score": (("split", "seed", "concept"), "SCORE with this seed"),
    "seed_single_score": (("split", "seed", "concept"), "SCORE of the best filter with this seed"),
    "seed_subset_score": (("split", "seed", *_SUBSET), "SCORE of the subset with this seed"),
    "seed_pair_iou": (("seed", "pair"), "individual IoU of the combination with this seed"),
}
"""Dimensions and definitions by name; SCORE is the task's own."""

_COORDINATES: Mapping[str, tuple[str, str | None]] = {
    "null": ("null", "number of the draw"),
    "seed": ("seed", "the seed of the fit; the first is the run's own"),
    "trial_concept": ("trial", None),
    "trial_image": ("trial", None),
    "trial_positive": ("trial", "whether the image contains the concept"),
}


def more_variables(given: Mapping[str, Any], task: str) -> dict[str, Any]:
    """Variables of `MORE` with their dimensions and definitions.

    Args:
        given: arrays by name; coordinates among them are left to `more_coordinates`.
        task: whose scores they hold.

    Raises:
        KeyError: a name is unknown.
    """
    found = {}
    for name, values in given.items():
        if name in _COORDINATES:
            continue
        dimensions, definition = MORE[name]
        long_name = definition.replace("SCORE", _SCORE[task])
        units = {"units": "1"} if "SCORE" in definition or "IoU" in definition else {}
        found[name] = (dimensions, np.asarray(values), {"long_name": long_name, **units})
    return found


def more_coordinates(given: Mapping[str, Any]) -> dict[str, Any]:
    """The coordinates that belong to them."""
    return {
        name: (dimension, np.asarray(given[name]), {"long_name": text} if text else {})
        for name, (dimension, text) in _COORDINATES.items()
        if name in given
    }
