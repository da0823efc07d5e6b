"""Results of learning a concept: vectors, scores, and counts by image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from net2vec.kernels.overlap import iou
from net2vec.kernels.sgd.logistic import right_side, share_right
from net2vec.tasks.concept import Counts, stack_counts
from net2vec.tasks.samples import Sample


def _nothing() -> Float[np.ndarray, "none"]:
    return np.zeros(0, dtype=np.float32)


@dataclass(frozen=True)
class Segmentation:
    """A vector, and what it predicts where w . up(B) + bias > cut.

    Attributes:
        weight: the vector (w).
        counts: by split (train, val), its pixels in the images that contain the concept.
        bias, cut: of the prediction.
    """

    weight: Float[np.ndarray, "filter"]
    counts: Sequence[Counts]
    bias: float = 0.0
    cut: float = 0.0

    @property
    def score(self) -> Float[np.ndarray, "split"]:
        """Set IoU by split (paper, equation 1)."""
        return np.array([part.set_iou for part in self.counts])

    @property
    def joined(self) -> Counts:
        """The counts of both splits, one after the other."""
        return Counts.joined(self.counts)


@dataclass(frozen=True)
class SegmentedConcept:
    """The results of one concept on one layer.

    A pixel is predicted where w . up(B) + bias > cut.

    Attributes:
        weight: the concept's vector (w).
        bias, cut: 0 in the paper's fit.
        l2: strength of the L2 term; NaN in the paper's fit, which has none.
        start_distance: norm(w - w0) / norm(w0); NaN where there is no start.
        score: set IoU by split (train, val).
        subset_weight, subset_bias, subset_cut, subset_score: the same for every subset size.
        path_weight, path_bias, path_cut, path_score: the same for every subset size, with filters
            in the order in which the fit lets them in (an L1 path, or forward selection); of length
            0 in the paper's fit.
        backward_weight, backward_bias, backward_cut, backward_score: the same, with the filters
            that backward elimination leaves; of length 0 but in the linear discriminant.
        pairs: the images that contain the concept, as pairs of the annotations, ascending.
        pair_intersection, pair_union: pixels of the predicted and the true mask in each of them,
            by method (the best single filter, the combination).
        subset_pair_intersection, subset_pair_union: the same by subset size; of length 0 in the
            fits of other seeds than the run's own.
        path_pair_intersection, path_pair_union: the same in the order of entry.
        backward_pair_intersection, backward_pair_union: the same by backward elimination.
        pattern, whitened: what the layer shows where the concept is, in each filter's standard
            deviations, and the same with filters made uncorrelated; of length 0 where the fit does
            not say.
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
    backward_weight: Float[np.ndarray, "backward filter"]
    backward_bias: Float[np.ndarray, "backward"]
    backward_cut: Float[np.ndarray, "backward"]
    backward_score: Float[np.ndarray, "split backward"]
    pairs: Int[np.ndarray, "pair"]
    pair_intersection: Int[np.ndarray, "method pair"]
    pair_union: Int[np.ndarray, "method pair"]
    subset_pair_intersection: Int[np.ndarray, "counted pair"]
    subset_pair_union: Int[np.ndarray, "counted pair"]
    path_pair_intersection: Int[np.ndarray, "path pair"]
    path_pair_union: Int[np.ndarray, "path pair"]
    backward_pair_intersection: Int[np.ndarray, "backward pair"]
    backward_pair_union: Int[np.ndarray, "backward pair"]
    pattern: Float[np.ndarray, "filter_or_none"] = field(default_factory=_nothing)
    whitened: Float[np.ndarray, "filter_or_none"] = field(default_factory=_nothing)

    @property
    def pair_iou(self) -> Float[np.ndarray, "method pair"]:
        """Individual IoU (paper, equation 3); 0 where the union is empty."""
        return iou(
            torch.from_numpy(self.pair_intersection), torch.from_numpy(self.pair_union)
        ).numpy()

    @classmethod
    def of(
        cls,
        combined: Segmentation,
        single: Counts,
        pairs: Int[np.ndarray, "pair"],
        *,
        subsets: Sequence[Segmentation] = (),
        path: Sequence[Segmentation] = (),
        backward: Sequence[Segmentation] = (),
        l2: float = float("nan"),
        start_distance: float = float("nan"),
        **more: Float[np.ndarray, "filter"],
    ) -> SegmentedConcept:
        """Vectors with the scores and counts by image that they come to.

        Args:
            combined: the vector learned on all filters.
            single: what the best single filter predicts, in the images of both splits.
            pairs: these images, training images first, as pairs of the annotations.
            subsets: vectors learned on the filters of largest weight, by subset size.
            path: vectors learned on the filters that the fit lets in first, by subset size.
            backward: vectors learned on those that backward elimination leaves, by subset size.
            l2: strength of the L2 term.
            start_distance: norm(w - w0) / norm(w0).
            more: `pattern` and `whitened`.
        """
        order = np.argsort(pairs)
        methods = [one.by(order) for one in (single, combined.joined)]
        counted = [
            stack_counts([one.joined.by(order) for one in choices], len(pairs))
            for choices in (subsets, path, backward)
        ]
        filters = len(combined.weight)
        return cls(
            weight=combined.weight,
            bias=combined.bias,
            cut=combined.cut,
            l2=l2,
            start_distance=start_distance,
            score=combined.score,
            **_stacked("subset", subsets, filters),
            **_stacked("path", path, filters),
            **_stacked("backward", backward, filters),
            pairs=pairs[order],
            pair_intersection=np.stack([method.intersection for method in methods]),
            pair_union=np.stack([method.union for method in methods]),
            subset_pair_intersection=counted[0][0],
            subset_pair_union=counted[0][1],
            path_pair_intersection=counted[1][0],
            path_pair_union=counted[1][1],
            backward_pair_intersection=counted[2][0],
            backward_pair_union=counted[2][1],
            **more,
        )

    def of_another_seed(self) -> SegmentedConcept:
        """The part that is stored for another seed than the run's own.

        Counts of subsets by image are left out: they may be most of it.
        """
        none = np.zeros((0, len(self.pairs)), dtype=np.int32)
        return replace(self, subset_pair_intersection=none, subset_pair_union=none)


@dataclass(frozen=True)
class ClassifiedConcept:
    """The results of one concept on one layer.

    Attributes:
        weight, bias: the concept's vector (w) and bias (b).
        l2: strength of the L2 term; NaN in the paper's fit, which has none.
        start_distance: norm(w - w0) / norm(w0); NaN where there is no start.
        best_filter: the filter of the largest absolute weight.
        score: accuracy by split (train, val).
        single_score: the same, learned again with the best filter alone.
        subset_weight, subset_bias, subset_score: the same for every subset size.
        path_weight, path_bias, path_score: the same for every subset size, with filters chosen by
            order of entry; of length 0 in the paper's fit.
        trial_image, trial_positive: the balanced validation set that the scores are taken on, as
            images of the dataset, and whether each contains the concept.
        trial_correct: which of them fall on the right side, by method (the single filter, the
            combination).
        subset_trial_correct, path_trial_correct: the same by subset size.
    """

    weight: Float[np.ndarray, "filter"]
    bias: float
    l2: float
    start_distance: float
    best_filter: int
    score: Float[np.ndarray, "split"]
    single_score: Float[np.ndarray, "split"]
    subset_weight: Float[np.ndarray, "subset filter"]
    subset_bias: Float[np.ndarray, "subset"]
    subset_score: Float[np.ndarray, "split subset"]
    path_weight: Float[np.ndarray, "path filter"]
    path_bias: Float[np.ndarray, "path"]
    path_score: Float[np.ndarray, "split path"]
    trial_image: Int[np.ndarray, "trial"]
    trial_positive: Bool[np.ndarray, "trial"]
    trial_correct: Bool[np.ndarray, "method trial"]
    subset_trial_correct: Bool[np.ndarray, "subset trial"]
    path_trial_correct: Bool[np.ndarray, "path trial"]

    @classmethod
    def of(
        cls,
        features: Float[Tensor, "image filter"],
        sample: Sample,
        weight: Float[Tensor, "filter vector"],
        bias: Float[Tensor, "vector"],
        *,
        best_filter: int,
        subsets: int,
        l2: float = float("nan"),
        start_distance: float = float("nan"),
    ) -> ClassifiedConcept:
        """Learned vectors with the scores that they come to.

        Args:
            features: of all images, where the vectors are.
            sample: the concept's images.
            weight: learned on all filters, on the best one, on subsets of the largest weights, and
                on as many in the order of entry or on none.
            bias: likewise.
            best_filter: the best one.
            subsets: how many subsets there are.
            l2: strength of the L2 term.
            start_distance: norm(w - w0) / norm(w0).
        """
        device = features.device
        hits = [
            right_side(features, rows.to(device), positive.to(device), weight, bias)
            for rows, positive in zip(sample.rows, sample.positive, strict=True)
        ]
        score = torch.stack([share_right(hit) for hit in hits]).cpu().numpy()
        correct = hits[1].T.cpu().numpy()
        weights, biases = weight.T.cpu().numpy(), bias.cpu().numpy()
        subset, path = slice(2, 2 + subsets), slice(2 + subsets, None)
        return cls(
            weight=weights[0],
            bias=float(biases[0]),
            l2=l2,
            start_distance=start_distance,
            best_filter=best_filter,
            score=score[:, 0],
            single_score=score[:, 1],
            subset_weight=weights[subset],
            subset_bias=biases[subset],
            subset_score=score[:, subset],
            path_weight=weights[path],
            path_bias=biases[path],
            path_score=score[:, path],
            trial_image=sample.rows[1].numpy(),
            trial_positive=sample.positive[1].numpy(),
            trial_correct=correct[[1, 0]],
            subset_trial_correct=correct[subset],
            path_trial_correct=correct[path],
        )

    def of_another_seed(self) -> ClassifiedConcept:
        """The part that is stored for another seed than the run's own: all of it."""
        return self


LearnedConcept = SegmentedConcept | ClassifiedConcept


def _stacked(name: str, vectors: Sequence[Segmentation], filters: int) -> dict[str, Any]:
    """Fields of several vectors by name, the vector first, and in scores the split."""
    count = len(vectors)
    weight = [one.weight for one in vectors] or [np.zeros((0, filters), dtype=np.float32)]
    return {
        f"{name}_weight": np.stack(weight) if count else weight[0],
        f"{name}_bias": np.array([one.bias for one in vectors]),
        f"{name}_cut": np.array([one.cut for one in vectors]),
        f"{name}_score": np.array([one.score for one in vectors]).reshape(count, 2).T,
    }
