"""What segmenting a concept comes to: vectors, scores and counts of pixels by image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int

from net2vec.kernels.overlap import iou


@dataclass(frozen=True)
class Segmented:
    """What was learned of one concept on one layer.

    A pixel is predicted where w . up(B) + bias > cut.

    Attributes:
        weight: the concept's vector (w).
        bias, cut: 0 in the paper's fit.
        l2: strength of the L2 term; NaN in the paper's fit, which has none.
        start_distance: norm(w - w0) / norm(w0); NaN where there is no start.
        score: set IoU by split (train, val).
        subset_weight, subset_bias, subset_cut, subset_score: the same for every subset size.
        path_weight, path_bias, path_cut, path_score: the same for every subset size, with filters
            chosen by an L1 path; of length 0 in the paper's fit.
        pairs: the images that contain the concept, as pairs of the annotations, ascending.
        pair_intersection, pair_union: pixels of the predicted and the true mask in each of them,
            by method (the best single filter, the combination).
        subset_pair_intersection, subset_pair_union: the same by subset size; of length 0 in the
            fits of other seeds than the run's own.
        path_pair_intersection, path_pair_union: the same with filters chosen by an L1 path.
    """

    weight: Float[np.ndarray, "filter"]
    bias: float
    cut: float
    l2: float
    start_distance: float
    score: Float[np.ndarray, "split"]
    subset_weight: Float[np.ndarray, "subset filter"]
    subset_bias: Float[np.ndarray, "subset"]
    subset_cut: Float[np.ndarray, "subset"]
    subset_score: Float[np.ndarray, "split subset"]
    path_weight: Float[np.ndarray, "path filter"]
    path_bias: Float[np.ndarray, "path"]
    path_cut: Float[np.ndarray, "path"]
    path_score: Float[np.ndarray, "split path"]
    pairs: Int[np.ndarray, "pair"]
    pair_intersection: Int[np.ndarray, "method pair"]
    pair_union: Int[np.ndarray, "method pair"]
    subset_pair_intersection: Int[np.ndarray, "counted pair"]
    subset_pair_union: Int[np.ndarray, "counted pair"]
    path_pair_intersection: Int[np.ndarray, "path pair"]
    path_pair_union: Int[np.ndarray, "path pair"]

    @property
    def pair_iou(self) -> Float[np.ndarray, "method pair"]:
        """Individual IoU (paper, equation 3); 0 where the union is empty."""
        return iou(
            torch.from_numpy(self.pair_intersection), torch.from_numpy(self.pair_union)
        ).numpy()

    def without_subset_pairs(self) -> Segmented:
        """The same without the counts of subsets by image, which may be most of it."""
        none = np.zeros((0, len(self.pairs)), dtype=np.int32)
        return replace(self, subset_pair_intersection=none, subset_pair_union=none)
