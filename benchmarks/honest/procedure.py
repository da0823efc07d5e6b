"""The whole procedure of a task and fit on a world, and on shuffles of its annotations."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from honest.worlds import World
from net2vec.data.annotations import Annotations
from net2vec.recording.activations import KeptActivations
from net2vec.tasks.concept import ConceptTask
from net2vec.tasks.fits.base import FitData
from net2vec.tasks.fits.converged_classification import classify_converged
from net2vec.tasks.fits.converged_segmentation import segment_converged
from net2vec.tasks.fits.lda import LdaFit
from net2vec.tasks.fits.paper_classification import classify_concepts
from net2vec.tasks.fits.paper_segmentation import segmentation_scores
from net2vec.tasks.fits.training import Training
from net2vec.tasks.nulls import shuffle_images, shuffle_masks
from net2vec.tasks.samples import draw_sample
from net2vec.tasks.single import count_single_filters

# The masks are small and so is the loss, a sum over pixels: the steps are larger in return.
SEGMENT = Training(learning_rate=1e-2, momentum=0.9, batch=16, epochs=30)
CLASSIFY = Training(learning_rate=0.1, momentum=0.9, batch=64, epochs=30, drop_after=15)

Scores = Callable[[World, Annotations, int], np.ndarray]


def null_scores(
    world: World, task: str, fit: str, *, nulls: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Validation scores [method, concept] and null scores [null, method, concept]."""
    score, shuffle = PROCEDURES[task, fit], SHUFFLES[task]
    with tempfile.TemporaryDirectory() as folder:
        kept = KeptActivations(Path(folder) / "kept", world.activations.shape)
        world.activations.tofile(kept.path)
        world = replace(world, recording=replace(world.recording, activations=kept))
        null = [
            score(world, shuffle(world.annotations, world.labels, **_key(seed), draw=draw), seed)
            for draw in range(nulls)
        ]
        return score(world, world.annotations, seed), np.array(null)


def _segment(world: World, annotations: Annotations, seed: int, fit: str) -> np.ndarray:
    recording, labels = world.recording, world.labels
    counts = count_single_filters(recording, annotations, labels)
    best = counts.best_filter
    single = counts.set_iou[1, np.arange(len(labels)), best]
    asked = [ConceptTask(annotations, label, seed=seed) for label in labels]
    if fit == "paper":
        combined = segmentation_scores(recording, asked, training=SEGMENT)
    elif fit == "lda":
        data = FitData(recording, annotations, "world", torch.device("cpu"))
        combined = LdaFit().segmentation_scores(data, asked)
    else:
        combined = [
            segment_converged(
                recording, annotations, label, best_filter=filter_, subset_sizes=[]
            ).score[1]
            for label, filter_ in zip(labels, best.tolist(), strict=True)
        ]
    return np.array([single, combined])


def _classify(world: World, annotations: Annotations, seed: int, fit: str) -> np.ndarray:
    samples = [
        draw_sample(annotations, label, epochs=CLASSIFY.epochs, **_key(seed))
        for label in world.labels
    ]
    recording, labels = world.recording, world.labels
    if fit == "paper":
        names = [annotations.names[label] for label in labels]
        found = classify_concepts(
            recording, names, samples, subset_sizes=[], training=CLASSIFY, seed=seed
        )
    else:
        found = classify_converged(recording, annotations, labels, samples, subset_sizes=[])
    return np.array([[one.single_score[1] for one in found], [one.score[1] for one in found]])


def _key(seed: int) -> dict:
    return {"seed": seed, "dataset": "world"}


PROCEDURES: dict[tuple[str, str], Scores] = {
    ("segment", "paper"): lambda *given: _segment(*given, fit="paper"),
    ("segment", "converged"): lambda *given: _segment(*given, fit="converged"),
    ("segment", "lda"): lambda *given: _segment(*given, fit="lda"),
    ("classify", "paper"): lambda *given: _classify(*given, fit="paper"),
    ("classify", "converged"): lambda *given: _classify(*given, fit="converged"),
}
SHUFFLES = {"segment": shuffle_masks, "classify": shuffle_images}
