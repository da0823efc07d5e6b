"""What a run learns on a layer to segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float

from net2vec import results
from net2vec.config import PAPER
from net2vec.core.executors import longest_first, pack_by_cost
from net2vec.data.annotations import Annotations
from net2vec.pipeline.collect import NullDraws, task_results
from net2vec.pipeline.folder import Shelf
from net2vec.pipeline.learning.workplace import NullScores, Workplace, kept_draws
from net2vec.recording import LayerRecording
from net2vec.tasks.concept import ConceptTask
from net2vec.tasks.fits.converged_segmentation import segment_converged
from net2vec.tasks.fits.paper_segmentation import (
    segment_concepts,
    segmentation_scores,
    training_images_per_group,
)
from net2vec.tasks.fits.training import Training
from net2vec.tasks.nulls import shuffle_masks
from net2vec.tasks.segmented import Segmented
from net2vec.tasks.single import count_single_filters

TASK = "segment"


def learn_to_segment(
    place: Workplace, recording: LayerRecording, labels: Sequence[int], sizes: Sequence[int]
) -> list[xr.Dataset]:
    """All that settings ask of a layer, as the arrays of every fit, the first first.

    Args:
        place: where to work.
        recording: the layer; it must have a grid.
        labels: the concepts.
        sizes: numbers of filters to learn again with.
    """
    advance = place.progress.stage(
        f"{recording.layer}: single filters", len(place.inputs.dataset.images)
    )
    with place.ledger.stage("single filters"):
        counts = count_single_filters(
            recording,
            place.annotations,
            labels,
            device=place.inputs.device,
            workers=place.workers,
            progress=advance,
        )
    best = dict(zip(labels, counts.best_filter.tolist(), strict=True))
    layer = _Layer(place, recording, labels, sizes, best)
    settings = place.settings
    learned = {fit: layer.fit(fit) for fit in settings.fits}
    seeds = range(settings.seed, settings.seed + settings.seeds)
    again = layer.fit_again(seeds[1:]) if len(seeds) > 1 else {}
    nulls = layer.nulls() if settings.nulls else {}
    return [
        task_results(
            TASK,
            place.annotations,
            place.inputs.dataset,
            {label: learned[fit][label] for label in labels},
            sizes,
            recording.filters,
            fit=results.fit_attributes(fit),
            arrays={"single_iou": counts.set_iou, "best_filter": counts.best_filter},
            seeds={settings.seed: learned[fit], **again} if fit == PAPER and again else {},
            nulls=nulls.get(fit),
        )
        for fit in settings.fits
    ]


@dataclass(frozen=True)
class _Layer:
    """Learning to segment on one layer; `best` is the best single filter of every concept."""

    place: Workplace
    recording: LayerRecording
    labels: Sequence[int]
    sizes: Sequence[int]
    best: Mapping[int, int]

    @property
    def name(self) -> str:
        return self.recording.layer

    @property
    def training(self) -> Training:
        chosen = self.place.settings.segment
        return Training(chosen.learning_rate, chosen.momentum, chosen.batch, chosen.epochs)

    def fit(self, fit: str) -> dict[int, Segmented]:
        """Every concept's fit."""
        suffix = "" if fit == PAPER else f" {fit}"
        seed = self.place.settings.seed
        shown = f"{self.name}: learning to segment{suffix}"
        return self._fits(f"{TASK}{suffix}", shown, fit, [seed])[seed]

    def fit_again(self, seeds: Sequence[int]) -> dict[int, dict[int, Segmented]]:
        """By seed, the paper's fit of every concept from other starts.

        The counts of subsets by image are kept of the run's own seed alone.
        """
        shown = f"{self.name}: learning to segment from {len(seeds)} more starts"
        return self._fits(f"{TASK} seeds", shown, PAPER, seeds)

    def _fits(
        self, stage: str, shown: str, fit: str, seeds: Sequence[int]
    ) -> dict[int, dict[int, Segmented]]:
        place, images = self.place, self.place.work_of(self.labels)
        shelves = {seed: self._shelf(fit, seed, sizes=self.sizes) for seed in seeds}
        learned: dict[int, dict[int, Segmented]] = {seed: {} for seed in seeds}
        for seed, shelf in shelves.items():
            for label in self.labels:
                known = shelf.get(str(label), Segmented)
                if known is not None:
                    learned[seed][label] = known

        def keep(items: Sequence[tuple[int, int]], found: Sequence[Segmented]) -> None:
            for (seed, label), one in zip(items, found, strict=True):
                shelves[seed].put(str(label), one)
                learned[seed][label] = one

        left = {
            (seed, label): images[label]
            for seed in seeds
            for label in self.labels
            if label not in learned[seed]
        }
        done = len(seeds) * sum(images.values()) - sum(left.values())
        learner = self._learner(fit, self.sizes)
        work = pack_by_cost(left, learner.most)
        # Of subsets the converged fit learns twice as many, and its own fit in many rounds.
        fits = (1 + len(self.sizes)) * (1 if fit == PAPER else 2)
        place.do(stage, shown, learner, work, done=done, keep=keep, fits=fits)
        return learned

    def nulls(self) -> dict[str, NullDraws]:
        """By fit, validation scores on masks paired with other images of their concept."""
        single = self._null_single()
        found = {}
        for fit in self.place.settings.fits:
            combined = self._null_combined(fit)
            found[fit] = NullDraws(np.stack([single, combined], axis=1))
        return found

    def _null_single(self) -> Float[np.ndarray, "draw concept"]:
        """Of the filter that is best on the shuffled training images, draw by draw."""
        place, draws = self.place, range(self.place.settings.nulls)
        names = [place.annotations.names[label] for label in self.labels]
        shelf = place.shelf(TASK, self.name, seed=place.settings.seed, null="single", names=names)

        def score(draw: int) -> Float[np.ndarray, "concept"]:
            known = shelf.get(str(draw), NullScores)
            if known is None:
                shuffled = shuffle_masks(
                    place.annotations,
                    self.labels,
                    seed=place.settings.seed,
                    dataset=place.inputs.dataset.digest,
                    draw=draw,
                )
                device = place.inputs.device
                counts = count_single_filters(self.recording, shuffled, self.labels, device=device)
                concepts = np.arange(len(self.labels))
                known = NullScores(counts.set_iou[1:, concepts, counts.best_filter])
                shelf.put(str(draw), known)
            chosen: Float[np.ndarray, "concept"] = known.score[0]
            return chosen

        images = len(place.inputs.dataset.images)
        found = place.do(
            "single filters nulls",
            f"{self.name}: single filters on {len(draws)} shuffles",
            score,
            dict.fromkeys(draws, images),
        )
        return np.stack([found[draw] for draw in draws])

    def _null_combined(self, fit: str) -> Float[np.ndarray, "draw concept"]:
        """Of every concept's fit without subsets; an item is a concept with all its draws."""
        place, draws = self.place, self.place.settings.nulls
        shelf = self._shelf(fit, place.settings.seed, sizes=(), null="combined")
        images = place.work_of(self.labels)
        known = {label: kept_draws(shelf, str(label), draws, columns=1) for label in self.labels}

        def keep(item: tuple[int, int], scores: Float[np.ndarray, "draw"]) -> None:
            label, _ = item
            known[label] = np.concatenate([known[label], scores[:, None]])
            shelf.put(str(label), NullScores(known[label]))

        left = {
            (label, len(score)): (draws - len(score)) * images[label]
            for label, score in known.items()
            if len(score) < draws
        }
        suffix = "" if fit == PAPER else f" {fit}"
        dataset = place.inputs.dataset.digest
        place.do(
            f"{TASK}{suffix} nulls",
            f"{self.name}: learning to segment{suffix} on {draws} shuffles",
            _NullLearner(self._learner(fit, ()), draws, place.settings.seed, dataset),
            longest_first(left),
            done=draws * sum(images.values()) - sum(left.values()),
            keep=keep,
            fits=1 if fit == PAPER else 2,
        )
        return np.array([known[label][:, 0] for label in self.labels]).reshape(-1, draws).T

    def _shelf(self, fit: str, seed: int, *, sizes: Sequence[int], **parts: str) -> Shelf:
        how: Mapping[str, object] = (
            {"training": vars(self.training)} if fit == PAPER else {"fit": fit}
        )
        return self.place.shelf(TASK, self.name, seed=seed, sizes=list(sizes), **how, **parts)

    def _learner(self, fit: str, sizes: Sequence[int]) -> _Learner:
        return _Learner(
            self.recording,
            self.place.annotations,
            self.best,
            fit,
            tuple(sizes),
            self.training,
            self.place.settings.seed,
            self.place.inputs.device,
        )


@dataclass(frozen=True)
class _Learner:
    """Learns to segment; can be sent to another process. `seed` is the run's own."""

    recording: LayerRecording
    annotations: Annotations
    best: Mapping[int, int]
    fit: str
    sizes: Sequence[int]
    training: Training
    seed: int
    device: torch.device

    @property
    def most(self) -> int:
        """Training images of the concepts that are learned side by side."""
        if self.fit != PAPER:
            return 1
        return training_images_per_group(self.recording, self.annotations, self.device)

    def __call__(self, items: Sequence[tuple[int, int]]) -> list[Segmented]:
        """Fit the concepts of some seeds and labels."""
        asked = [
            ConceptTask(self.annotations, label, self.best[label], seed) for seed, label in items
        ]
        if self.fit == PAPER:
            found = segment_concepts(
                self.recording,
                asked,
                subset_sizes=self.sizes,
                training=self.training,
                device=self.device,
            )
            return [
                one if of.seed == self.seed else one.without_subset_pairs()
                for of, one in zip(asked, found, strict=True)
            ]
        return [self._converged(one) for one in asked]

    def scores(self, asked: Sequence[ConceptTask]) -> Float[np.ndarray, "concept"]:
        """Validation scores."""
        if self.fit == PAPER:
            return segmentation_scores(
                self.recording, asked, training=self.training, device=self.device
            )
        return np.array([self._converged(one).score[1] for one in asked])

    def _converged(self, one: ConceptTask) -> Segmented:
        return segment_converged(
            self.recording,
            one.annotations,
            one.label,
            best_filter=one.best_filter,
            subset_sizes=self.sizes,
            device=self.device,
        )


@dataclass(frozen=True)
class _NullLearner:
    """Learns a concept on shuffled masks; can be sent to another process.

    Attributes:
        learner: learns without subsets.
        draws: how many shuffles there are to be.
        seed, dataset: the run's seed and the dataset's digest.
    """

    learner: _Learner
    draws: int
    seed: int
    dataset: str

    def __call__(self, item: tuple[int, int]) -> Float[np.ndarray, "draw"]:
        """Validation scores of a label's draws, from a number on."""
        label, first = item
        annotations, seed = self.learner.annotations, self.seed
        images = len(annotations.pairs(label, train=True))
        found = [np.zeros(0)]
        for some in pack_by_cost(
            dict.fromkeys(range(first, self.draws), images), self.learner.most
        ):
            shuffles = [
                shuffle_masks(annotations, [label], seed=seed, dataset=self.dataset, draw=draw)
                for draw in some
            ]
            found.append(
                self.learner.scores([ConceptTask(one, label, seed=seed) for one in shuffles])
            )
        return np.concatenate(found)
