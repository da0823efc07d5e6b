"""Segmenting concepts by a linear discriminant of a layer's activations; see `lda_learner`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from net2vec.data.annotations import Annotations
from net2vec.recording import LayerRecording
from net2vec.tasks.concept import ConceptTask
from net2vec.tasks.fits.lda_images import ConceptImages
from net2vec.tasks.fits.lda_learner import AnyCovariance, ConceptLearner
from net2vec.tasks.learned import SegmentedConcept
from net2vec.tasks.single import single_counts


def segment_discriminant(
    recording: LayerRecording,
    covariance: AnyCovariance,
    annotations: Annotations,
    label: int,
    *,
    best_filter: int,
    subset_sizes: Sequence[int],
    device: torch.device | str = "cpu",
) -> SegmentedConcept:
    """Learn to segment a concept with all filters of a layer, and with subsets of them.

    Subsets are chosen by three rules: the largest absolute weights (of standardised filters),
    greedy forward selection, and greedy backward elimination.

    Args:
        recording: the layer, which has a grid and whose activations were kept.
        covariance: of the layer.
        annotations: the masks.
        label: the concept.
        best_filter: the best single filter, for its individual IoU.
        subset_sizes: numbers of filters to learn again with.
        device: where maps are computed.

    Raises:
        ValueError: if the activations were not kept.
    """
    images = ConceptImages(recording, annotations, label, device)
    learner = ConceptLearner(images, covariance)
    found = learner.judge(learner.solve(subset_sizes))
    pairs = np.concatenate(images.pairs)
    concept = ConceptTask(annotations, label, best_filter)
    (single,) = single_counts(recording, [concept], [pairs], device)
    full, *chosen = found
    each = len(subset_sizes)
    return SegmentedConcept.of(
        full,
        single,
        pairs,
        subsets=chosen[:each],
        path=chosen[each : 2 * each],
        backward=chosen[2 * each :],
        l2=learner.strength,
        pattern=learner.pattern.float().numpy(),
        whitened=learner.whitened.float().numpy(),
    )


def discriminant_scores(
    recording: LayerRecording,
    covariance: AnyCovariance,
    concepts: Sequence[ConceptTask],
    device: torch.device | str = "cpu",
) -> Float[np.ndarray, "concept"]:
    """Set IoU on validation images of `segment_discriminant` with all filters.

    Neighbours that lie in the same images share their activations and the look in which pixels are
    counted, as null draws of a concept do.

    Args:
        recording: as for `segment_discriminant`.
        covariance: likewise.
        concepts: with annotations of their own.
        device: where maps are computed.
    """

    def images_of(one: ConceptTask) -> tuple[int, bytes]:
        return one.label, one.annotations.image[one.annotations.pairs(one.label)].tobytes()

    scores: list[float] = []
    for _, some in itertools.groupby(concepts, key=images_of):
        first, *others = some
        images = ConceptImages(recording, first.annotations, first.label, device)
        masked = [images, *(images.with_masks(one.annotations) for one in others)]
        found = []
        for one in masked:
            learner = ConceptLearner(one, covariance)
            found.append(learner.place(learner.solve(())))
        weight, bias, cut = (torch.cat(part) for part in zip(*found, strict=True))
        counts = images.count(1, weight, bias, cut, masked)
        scores += [one.set_iou for one in counts]
    return np.array(scores)
