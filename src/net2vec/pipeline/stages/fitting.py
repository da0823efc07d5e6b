"""Fits, seeds and null tests of one task on a layer, whatever the task and the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from net2vec.core.cache import ItemCache
from net2vec.pipeline.collect import NullDraws
from net2vec.pipeline.stages.context import LayerContext
from net2vec.tasks.concept import ConceptTask
from net2vec.tasks.fits.base import Fit, FitData
from net2vec.tasks.kinds import NullFits, Task
from net2vec.tasks.learned import LearnedConcept

Seeded = tuple[int, int]
"""A seed and a label."""


@dataclass(frozen=True)
class FitStage:
    """Learning the concepts of a task on a layer.

    Attributes:
        context: the run.
        task: segmentation or classification.
        data: the layer.
        labels: the concepts.
        sizes: numbers of filters to learn again with.
        best: by label its best single filter, where the task chooses that apart from the fits.
    """

    context: LayerContext
    task: Task
    data: FitData
    labels: Sequence[int]
    sizes: Sequence[int]
    best: Mapping[int, int]

    def fit(self, fit: Fit) -> dict[int, LearnedConcept]:
        """By label, what a fit learns with the run's own seed."""
        seed = self.context.settings.seed
        title = self._title(fit.title)
        return self._learn(f"{self.task.name} {fit.name}", title, fit, [seed])[seed]

    def fit_seeds(self, fit: Fit, seeds: Sequence[int]) -> dict[int, dict[int, LearnedConcept]]:
        """By seed and label, what a fit learns from other random starts."""
        title = self._title(f"{fit.title}, {len(seeds)} more seeds")
        return self._learn(f"{self.task.name} {fit.name} seeds", title, fit, seeds)

    def fit_nulls(self, fit: Fit) -> NullDraws:
        """The results of a fit on shuffled annotations; see `Task.null_methods` for the methods."""
        context, task, draws = self.context, self.task, self.context.settings.nulls
        cache = self._cache(fit, context.settings.seed, (), null="fit")
        none = NullFits(
            np.zeros((0, task.null_methods)),
            np.zeros((0, self.data.recording.filters), dtype=np.float32),
        )
        images = self._training_images()
        known = {
            label: (cache.get(str(label), NullFits) or none).first(draws) for label in self.labels
        }
        open_labels = {
            label: images[label] for label in self.labels if len(known[label].score) < draws
        }
        items: dict[tuple[tuple[int, ...], int], int] = {}
        for group in task.null_groups(fit, self.data, open_labels):
            first = min(len(known[label].score) for label in group)
            items[group, first] = sum((draws - first) * images[label] for label in group)

        def keep(item: tuple[tuple[int, ...], int], found: Sequence[NullFits]) -> None:
            group, first = item
            for label, more in zip(group, found, strict=True):
                known[label] = known[label].first(first).followed_by(more)
                cache.put(str(label), known[label])

        context.run(
            f"{task.name} {fit.name} nulls",
            self._title(f"{fit.title}, {draws} nulls"),
            _NullLearner(task, fit, self.data, draws, context.settings.seed),
            items,
            done=draws * sum(images.values()) - sum(items.values()),
            keep=keep,
            fits=fit.cost(task.name, ()),
        )
        each = [known[label] for label in self.labels]
        weight = np.stack([one.weight for one in each], 1) if task.keeps_null_weights else None
        return NullDraws(np.stack([one.score for one in each], 2), weight)

    def _learn(
        self, stage: str, title: str, fit: Fit, seeds: Sequence[int]
    ) -> dict[int, dict[int, LearnedConcept]]:
        context, task = self.context, self.task
        images = self._training_images()
        caches = {seed: self._cache(fit, seed, self.sizes) for seed in seeds}
        learned: dict[int, dict[int, LearnedConcept]] = {seed: {} for seed in seeds}
        for seed, cache in caches.items():
            for label in self.labels:
                known = cache.get(str(label), task.learned)
                if known is not None:
                    learned[seed][label] = known

        def keep(items: Sequence[Seeded], found: Sequence[LearnedConcept]) -> None:
            for (seed, label), one in zip(items, found, strict=True):
                caches[seed].put(str(label), one)
                learned[seed][label] = one

        open_items = {
            (seed, label): images[label]
            for seed in seeds
            for label in self.labels
            if label not in learned[seed]
        }
        context.run(
            stage,
            title,
            _Learner(task, fit, self.data, self.best, self.sizes, context.settings.seed),
            fit.groups(self.data, task.name, open_items),
            done=len(seeds) * sum(images.values()) - sum(open_items.values()),
            keep=keep,
            fits=fit.cost(task.name, self.sizes),
        )
        return learned

    def _training_images(self) -> dict[int, int]:
        """By label, the number of training images that contain it: the cost of learning it."""
        pairs = self.data.annotations.pairs
        return {label: len(pairs(label, train=True)) for label in self.labels}

    def _title(self, part: str) -> str:
        return f"{self.data.recording.layer}: learning to {self.task.name} ({part})"

    def _cache(self, fit: Fit, seed: int, sizes: Sequence[int], **parts: str) -> ItemCache:
        task, layer = self.task.name, self.data.recording.layer
        key = fit.cache_key(task)
        return self.context.cache(task, layer, seed=seed, sizes=list(sizes), fit=key, **parts)


@dataclass(frozen=True)
class _Learner:
    """Learns the concepts of some seeds and labels; `seed` is the run's own."""

    task: Task
    fit: Fit
    data: FitData
    best: Mapping[int, int]
    sizes: Sequence[int]
    seed: int

    def __call__(self, items: Sequence[Seeded]) -> list[LearnedConcept]:
        concepts = [
            ConceptTask(self.data.annotations, label, self.best.get(label, 0), seed)
            for seed, label in items
        ]
        learned = self.task.learn(self.fit, self.data, concepts, self.sizes)
        return [
            one if concept.seed == self.seed else one.of_another_seed()
            for concept, one in zip(concepts, learned, strict=True)
        ]


@dataclass(frozen=True)
class _NullLearner:
    """Learns concepts on shuffled annotations.

    Attributes:
        draws: how many shuffles there are to be.
        seed: the run's own.
    """

    task: Task
    fit: Fit
    data: FitData
    draws: int
    seed: int

    def __call__(self, item: tuple[tuple[int, ...], int]) -> list[NullFits]:
        """By label, the draws from a number on."""
        labels, first = item
        data, task = self.data, self.task
        images = sum(len(data.annotations.pairs(label, train=True)) for label in labels)
        nulls: list[list[NullFits]] = [[] for _ in labels]
        for draws in task.draws_together(self.fit, data, range(first, self.draws), images):
            shuffled = [
                task.shuffle(
                    data.annotations, labels, seed=self.seed, dataset=data.dataset, draw=draw
                )
                for draw in draws
            ]
            concepts = [
                ConceptTask(annotations, label, seed=self.seed)
                for annotations in shuffled
                for label in labels
            ]
            for place, one in enumerate(task.learn_null(self.fit, data, concepts)):
                nulls[place % len(labels)].append(one)
        return [
            NullFits(
                np.concatenate([one.score for one in each]),
                np.concatenate([one.weight for one in each]),
            )
            for each in nulls
        ]
