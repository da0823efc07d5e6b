"""Where work items are done: side by side, measured, shown, and kept on shelves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float

from net2vec.config import Settings
from net2vec.data.annotations import Annotations, annotations_digest
from net2vec.pipeline.folder import CACHE, Shelf, digest_of
from net2vec.pipeline.inputs import Inputs, probe_batch
from net2vec.pipeline.progress import Ledger, Progress
from net2vec.tasks import map_in_processes, map_in_threads

# What the numbers of a work item depend on besides its inputs; raised when the method changes.
_METHOD = {"cpu": 4, "cuda": 5}
# Threads that learn: calls are so short that threads mostly wait for Python's lock, and many
# threads are slower than one. Beside a GPU, some prepare what it is to do next.
_CPU_THREADS = 4
_GPU_THREADS = 3
# Fits of a concept in an image from which on processes are worth their start.
_WORTH_PROCESSES = 5000

Item = TypeVar("Item")
Found = TypeVar("Found")


@dataclass(frozen=True)
class Workplace:
    """What all work on the layers of a run has in common.

    Attributes:
        settings: the run's settings.
        inputs: the network as it is probed, and the dataset.
        annotations: who contains what.
        out: the run's folder.
        workers: threads or processes.
        progress: told of stages.
        ledger: keeps what they cost.
    """

    settings: Settings
    inputs: Inputs
    annotations: Annotations
    out: Path
    workers: int
    progress: Progress
    ledger: Ledger

    def shelf(self, task: str, layer: str, *, seed: int, **parts: Any) -> Shelf:
        """The shelf of work items of one kind; `parts` are what else determines them."""
        digest = digest_of(
            recording=recording_digest(self.settings, self.inputs),
            annotations=annotations_digest(self.inputs.dataset, self.inputs.mask_size),
            layer=layer,
            task=task,
            seed=seed,
            **parts,
        )
        return Shelf(self.out / CACHE / task, digest, self.progress.say)

    def work_of(self, labels: Sequence[int]) -> dict[int, int]:
        """How long concepts take to learn, beside each other: their training images."""
        pairs = self.annotations.pairs
        return {label: len(pairs(label, train=True)) for label in labels}

    def do(
        self,
        name: str,
        shown: str,
        function: Callable[[Item], Found],
        work: Mapping[Item, int],
        *,
        done: int = 0,
        keep: Callable[[Item, Found], object] = lambda item, found: None,
        fits: int = 0,
    ) -> dict[Item, Found]:
        """Do work items side by side.

        Args:
            name: of the stage in the ledger.
            shown: of the stage, for the user.
            function: does an item.
            work: items in the order in which they are begun, and how long each takes beside the
                others: the time that remains is estimated by that.
            done: of such work, what is done already.
            keep: called with every item and what was found, once it is found.
            fits: where the function may be sent to other processes, how many fits a unit of work
                is.
        """
        advance = self.progress.stage(shown, done + sum(work.values()))
        if done:
            advance(done)
        found = {}
        on_gpu = self.inputs.device.type == "cuda"
        # Two threads hardly wait for each other where every concept is a single fit, and processes
        # take memory of their own.
        enough = self.workers > (2 if fits == 1 else 1)
        if fits * sum(work.values()) >= _WORTH_PROCESSES and enough and not on_gpu:
            results = map_in_processes(function, work, self.workers)
        else:
            most = _GPU_THREADS if on_gpu else _CPU_THREADS
            results = map_in_threads(function, work, min(self.workers, most))
        with self.ledger.stage(name), closing(results):
            for item, result in results:
                keep(item, result)
                found[item] = result
                advance(work[item])
        return found


def recording_digest(settings: Settings, inputs: Inputs) -> str:
    """Names what recording a network's layers gives."""
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
    )


@dataclass(frozen=True)
class NullScores:
    """Validation scores of fits on shuffled annotations, draw by draw.

    Attributes:
        score: what each draw gives; columns are methods, or concepts.
    """

    score: Float[np.ndarray, "draw column"]


@dataclass(frozen=True)
class NullFits:
    """Fits of a concept on shuffled annotations, draw by draw.

    Attributes:
        score: validation scores; columns are methods.
        weight: the vectors.
    """

    score: Float[np.ndarray, "draw method"]
    weight: Float[np.ndarray, "draw filter"]

    def first(self, draws: int) -> NullFits:
        """No more than so many draws."""
        return NullFits(self.score[:draws], self.weight[:draws])

    def followed_by(self, more: NullFits) -> NullFits:
        """These draws, and then more of them."""
        return NullFits(
            np.concatenate([self.score, more.score]), np.concatenate([self.weight, more.weight])
        )


def kept_draws(
    shelf: Shelf, name: str, draws: int, columns: int
) -> Float[np.ndarray, "draw column"]:
    """The draws of an item that are on a shelf already, the first `draws` of them at most."""
    known = shelf.get(name, NullScores)
    return np.zeros((0, columns)) if known is None else known.score[:draws]
