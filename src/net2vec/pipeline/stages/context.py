"""The context that the stages on all layers of a run share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from net2vec.config import Settings
from net2vec.core.cache import ItemCache, digest_of
from net2vec.core.devices import policy_of
from net2vec.core.executors import AnyExecutor, choose_executor, map_items
from net2vec.core.fits import load_fit
from net2vec.data.annotations import Annotations, annotations_digest
from net2vec.pipeline.folder import CACHE
from net2vec.pipeline.inputs import Inputs, probe_batch
from net2vec.pipeline.progress import Ledger, Progress
from net2vec.recording import LayerRecording
from net2vec.tasks.fits.base import Fit, FitData
from net2vec.tasks.fits.training import Training
from net2vec.tasks.kinds import Task
from net2vec.tasks.samples import limit_images

# What the numbers of a work item depend on besides its inputs; raised when the method changes.
_METHOD = {"cpu": 5, "cuda": 6}

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass
class NetworkStage:
    """A stage that runs the network, before anything is learned on its layers.

    Attributes:
        settings: the run's settings.
        inputs: the network as it is so far, and the dataset.
        out: the run's folder.
        workers: threads that decode images.
        progress: reports the stages to the user.
        ledger: records what they cost.
    """

    settings: Settings
    inputs: Inputs
    out: Path
    workers: int
    progress: Progress
    ledger: Ledger


@dataclass(frozen=True)
class LayerContext:
    """The context that the stages on all layers of a run share.

    Attributes:
        settings: the run's settings.
        inputs: the network as it is probed, and the dataset.
        annotations: which image contains what.
        out: the run's folder.
        workers: how many items are computed at a time.
        progress: reports the stages to the user.
        ledger: records what they cost.
        executor: computes all items; None for the local executor that suits each stage.
    """

    settings: Settings
    inputs: Inputs
    annotations: Annotations
    out: Path
    workers: int
    progress: Progress
    ledger: Ledger
    executor: AnyExecutor | None = None

    def fits(self) -> list[Fit]:
        """The fits of the run, in the order of its settings."""
        segment, classify = self.settings.segment, self.settings.classify
        trainings = {
            "segment": Training(
                segment.learning_rate, segment.momentum, segment.batch, segment.epochs
            ),
            "classify": Training(
                classify.learning_rate,
                classify.momentum,
                classify.batch,
                classify.epochs,
                classify.drop_after,
            ),
        }
        return [load_fit(name).from_training(trainings) for name in self.settings.fits]

    def fit_data(self, task: Task, recording: LayerRecording) -> FitData:
        """The data that the fits of a layer learn a task from."""
        inputs = self.inputs
        annotations = self._limited if task.needs_grid else self.annotations
        return FitData(recording, annotations, inputs.dataset.digest, inputs.device)

    @cached_property
    def _limited(self) -> Annotations:
        """The annotations that are segmented."""
        limit, seed = self.settings.max_images_per_concept, self.settings.seed
        if limit is None:
            return self.annotations
        dataset = self.inputs.dataset.digest
        return limit_images(self.annotations, limit, seed=seed, dataset=dataset)

    def cache(self, task: str, layer: str, *, seed: int, **parts: Any) -> ItemCache:
        """The cache of items of one kind; `parts` are what else determines them."""
        limit = self.settings.max_images_per_concept
        if limit is not None:
            parts["limit"] = (limit, self.settings.seed)
        digest = digest_of(
            recording=recording_digest(self.settings, self.inputs),
            annotations=annotations_digest(self.inputs.dataset, self.inputs.mask_size),
            layer=layer,
            task=task,
            seed=seed,
            **parts,
        )
        return ItemCache(self.out / CACHE / task, digest, self.progress.say)

    def run(
        self,
        stage: str,
        title: str,
        function: Callable[[Item], Result],
        items: Mapping[Item, int],
        *,
        done: int = 0,
        keep: Callable[[Item, Result], object] = lambda item, result: None,
        fits: int = 0,
    ) -> dict[Item, Result]:
        """Compute items, and store what comes back.

        Args:
            stage: name of the stage in the ledger.
            title: of the stage, for the user.
            function: computes the result of an item; it can be pickled.
            items: with their cost: the remaining time is estimated by it.
            done: cost of the items of this stage that were computed before.
            keep: called with every item and its result in this process.
            fits: see `Fit.cost`; 0 keeps the function in this process.
        """
        cost = sum(items.values())
        advance = self.progress.stage(title, done + cost)
        if done:
            advance(done)
        on_gpu = policy_of(self.inputs.device).is_gpu
        executor = self.executor
        if executor is None:
            executor = choose_executor(self.workers, on_gpu=on_gpu, fits=fits, work=cost)
        found = {}
        with self.ledger.stage(stage), closing(map_items(executor, function, items)) as results:
            for item, result in results:
                keep(item, result)
                found[item] = result
                advance(items[item])
        return found


def recording_digest(settings: Settings, inputs: Inputs) -> str:
    """Names what recording a network's layers gives."""
    bases = {layer: basis.digest for layer, basis in inputs.network.bases.items()}
    return digest_of(
        method=_METHOD[inputs.device.type],
        network=inputs.network.digest,
        input=inputs.network.input_digest,
        dataset=inputs.dataset.digest,
        layers=inputs.layers,
        quantile=settings.quantile,
        batch=probe_batch(settings, inputs.device),
        mixed_precision=settings.mixed_precision,
        device=inputs.device.type,
        **({"bases": bases} if bases else {}),
    )
