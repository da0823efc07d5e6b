"""What a run learns on a layer to classify."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from net2vec import results
from net2vec.config import CONVERGED, PAPER
from net2vec.data.annotations import Annotations
from net2vec.kernels.convex.standardised import Standardised
from net2vec.kernels.sgd.cuda_graphs import in_turn
from net2vec.kernels.sgd.logistic import concepts_in_block
from net2vec.pipeline.collect import NullDraws, task_results
from net2vec.pipeline.folder import Shelf
from net2vec.pipeline.learning.workplace import NullFits, Workplace
from net2vec.recording import LayerRecording
from net2vec.tasks.fits.converged_classification import (
    classify_converged,
    concepts_together,
    standardise,
)
from net2vec.tasks.fits.paper_classification import Classified, classify_concepts, draw_sample
from net2vec.tasks.fits.training import Training
from net2vec.tasks.nulls import shuffle_images

TASK = "classify"


def learn_to_classify(
    place: Workplace, recording: LayerRecording, labels: Sequence[int], sizes: Sequence[int]
) -> list[xr.Dataset]:
    """All that settings ask of a layer, as the arrays of every fit, the first first.

    Args:
        place: where to work.
        recording: the layer.
        labels: the concepts.
        sizes: numbers of filters, above 1, to learn again with.
    """
    settings = place.settings
    features = None
    if CONVERGED in settings.fits:
        features = standardise(recording, place.annotations, place.inputs.device)
    layer = _Layer(place, recording, labels, sizes, features)
    learned = {fit: layer.fit(fit) for fit in settings.fits}
    seeds = range(settings.seed, settings.seed + settings.seeds)
    again = layer.fit_again(seeds[1:]) if len(seeds) > 1 else {}
    nulls = {fit: layer.nulls(fit) for fit in settings.fits} if settings.nulls else {}
    return [
        task_results(
            TASK,
            place.annotations,
            place.inputs.dataset,
            {label: learned[fit][label] for label in labels},
            sizes,
            recording.filters,
            fit=results.fit_attributes(fit),
            seeds={settings.seed: learned[fit], **again} if fit == PAPER and again else {},
            nulls=nulls.get(fit),
        )
        for fit in settings.fits
    ]


@dataclass(frozen=True)
class _Layer:
    """Learning to classify on one layer; `features` are what the converged fit learns on."""

    place: Workplace
    recording: LayerRecording
    labels: Sequence[int]
    sizes: Sequence[int]
    features: Standardised | None

    @property
    def name(self) -> str:
        return self.recording.layer

    @property
    def training(self) -> Training:
        chosen = self.place.settings.classify
        return Training(
            chosen.learning_rate, chosen.momentum, chosen.batch, chosen.epochs, chosen.drop_after
        )

    def fit(self, fit: str) -> dict[int, Classified]:
        """Every concept's fit."""
        suffix = "" if fit == PAPER else f" {fit}"
        seed = self.place.settings.seed
        shown = f"{self.name}: learning to classify{suffix}"
        return self._fits(f"{TASK}{suffix}", shown, fit, [seed])[seed]

    def fit_again(self, seeds: Sequence[int]) -> dict[int, dict[int, Classified]]:
        """By seed, the paper's fit of every concept from other starts, on other images."""
        shown = f"{self.name}: learning to classify from {len(seeds)} more starts"
        return self._fits(f"{TASK} seeds", shown, PAPER, seeds)

    def _fits(
        self, stage: str, shown: str, fit: str, seeds: Sequence[int]
    ) -> dict[int, dict[int, Classified]]:
        place, work_of = self.place, self.place.work_of(self.labels)
        shelves = {seed: self._shelf(fit, seed, sizes=self.sizes) for seed in seeds}
        learned: dict[int, dict[int, Classified]] = {seed: {} for seed in seeds}
        for seed, shelf in shelves.items():
            for label in self.labels:
                known = shelf.get(str(label), Classified)
                if known is not None:
                    learned[seed][label] = known

        def learn(item: tuple[int, tuple[int, ...]]) -> list[Classified]:
            seed, labels = item
            found = self._learn(fit, place.annotations, labels, seed, self.sizes)
            for label, one in zip(labels, found, strict=True):
                shelves[seed].put(str(label), one)
            return found

        work = {
            (seed, labels): sum(work_of[label] for label in labels)
            for seed in seeds
            for labels in self._blocks(fit, set(self.labels) - set(learned[seed]), work_of)
        }
        done = len(seeds) * sum(work_of.values()) - sum(work.values())
        for (seed, labels), found in place.do(stage, shown, learn, work, done=done).items():
            learned[seed].update(zip(labels, found, strict=True))
        return learned

    def nulls(self, fit: str) -> NullDraws:
        """The fit, without subsets, on images drawn at random."""
        place, draws, seed = self.place, self.place.settings.nulls, self.place.settings.seed
        shelf = self._shelf(fit, seed, sizes=(), null="images")
        none = NullFits(np.zeros((0, 2)), np.zeros((0, self.recording.filters), dtype=np.float32))
        known = {
            label: (shelf.get(str(label), NullFits) or none).first(draws) for label in self.labels
        }
        images = place.work_of(self.labels)

        def learn(labels: tuple[int, ...]) -> list[NullFits]:
            done = min(len(known[label].score) for label in labels)
            found = []
            for draw in range(done, draws):
                shuffled = shuffle_images(
                    place.annotations,
                    labels,
                    seed=seed,
                    dataset=place.inputs.dataset.digest,
                    draw=draw,
                )
                found.append(self._learn(fit, shuffled, labels, seed, ()))
            joined = []
            for label, learned in zip(labels, zip(*found, strict=True), strict=True):
                more = NullFits(
                    np.array([(one.single_score[1], one.score[1]) for one in learned]),
                    np.stack([one.weight for one in learned]),
                )
                joined.append(known[label].first(done).followed_by(more))
                shelf.put(str(label), joined[-1])
            return joined

        left = {label for label in self.labels if len(known[label].score) < draws}
        work = {
            labels: sum(draws * images[label] for label in labels)
            for labels in self._blocks(fit, left, images)
        }
        suffix = "" if fit == PAPER else f" {fit}"
        made = place.do(
            f"{TASK}{suffix} nulls",
            f"{self.name}: learning to classify{suffix} on {draws} shuffles",
            learn,
            work,
            done=draws * sum(images.values()) - sum(work.values()),
        )
        for labels, found in made.items():
            known.update(zip(labels, found, strict=True))
        each = [known[label] for label in self.labels]
        return NullDraws(
            np.stack([one.score for one in each], 2), np.stack([one.weight for one in each], 1)
        )

    def _blocks(self, fit: str, labels: set[int], work: Mapping[int, int]) -> list[tuple[int, ...]]:
        """Labels in the blocks in which they are learned side by side."""
        device = self.place.inputs.device
        if fit == PAPER:
            size = concepts_in_block(self.recording.filters, self.training.batch, device)
        else:
            size = concepts_together(device)
        # Concepts side by side should have about as many steps to take.
        order = sorted(labels, key=lambda label: (-work[label], label))
        return [tuple(order[first : first + size]) for first in range(0, len(order), size)]

    def _shelf(self, fit: str, seed: int, *, sizes: Sequence[int], **parts: str) -> Shelf:
        how: Mapping[str, object] = (
            {"training": vars(self.training)} if fit == PAPER else {"fit": fit}
        )
        return self.place.shelf(TASK, self.name, seed=seed, sizes=list(sizes), **how, **parts)

    def _learn(
        self,
        fit: str,
        annotations: Annotations,
        labels: Sequence[int],
        seed: int,
        sizes: Sequence[int],
    ) -> list[Classified]:
        """Fit concepts side by side."""
        dataset, device = self.place.inputs.dataset.digest, self.place.inputs.device
        # Only the paper's training draws images anew in every epoch.
        epochs = self.training.epochs if fit == PAPER else 1
        with in_turn(device):
            samples = [
                draw_sample(annotations, label, epochs=epochs, seed=seed, dataset=dataset)
                for label in labels
            ]
        if fit == PAPER:
            return classify_concepts(
                self.recording,
                [annotations.names[label] for label in labels],
                samples,
                subset_sizes=sizes,
                training=self.training,
                seed=seed,
                device=device,
            )
        return classify_converged(
            self.recording,
            annotations,
            labels,
            samples,
            subset_sizes=sizes,
            device=device,
            features=self.features,
        )
