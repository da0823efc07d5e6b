"""The linear discriminant beside what one would write in an hour, tuned: `rivals.py [DATA ...]`.

The rival is one matrix for all concepts and its biases, learned by PyTorch from activations of all
cells of the training images: filters standardised over these cells, masks averaged over each cell's
block of the image, the log loss of every concept weighing the same, a little L2. Rounds of full
L-BFGS, or of Adam over batches of images, are the best of `ROUNDS` for the validation images, which
is to its advantage. The cut of every concept is that of the best set IoU on training images that
contain it, at every second row and column of pixels, and the judgement that of all pixels of the
validation images that do. One rival reads activations thresholded as in the paper.

Every side runs in a process of its own, on one thread, which says its processor seconds and the
largest memory that it had.
"""

from __future__ import annotations

import argparse
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from measure import HEADER, Line, PeakMemory
from net2vec.data import open_dataset
from net2vec.data.annotations import Annotations, compile_annotations
from net2vec.networks import load_network
from net2vec.recording import LayerRecording, record
from net2vec.tasks.choice import choose_concepts
from net2vec.tasks.concept import ConceptTask
from net2vec.tasks.fits.base import FitData
from net2vec.tasks.fits.lda import LdaFit

NETWORK, LAYER = "efficientnet_lite0", "blocks.4.1.bn1"
ROUNDS = (10, 15, 30)
# Of 1e-5 to 1e-2 it made little difference; of the images that contain a concept and all, all were
# better for it, and classes balanced by the root of their ratio were no better.
_L2 = 1e-4
_ADAM_RATE, _ADAM_IMAGES = 1e-2, 32
_BINS = 1024
_BATCH = 64


@dataclass(frozen=True)
class Case:
    """A layer and the concepts to learn on it."""

    recording: LayerRecording
    annotations: Annotations
    labels: Sequence[int]
    digest: str


@dataclass(frozen=True)
class Found:
    """What a side came to.

    Attributes:
        name: of the side.
        score: by concept, on validation images.
        seconds: of the processor, from activations on disk to scores.
        memory: the largest that the process had, less what it began with, in bytes.
    """

    name: str
    score: np.ndarray
    seconds: float
    memory: int = 0


def discriminant(case: Case) -> list[Found]:
    """Our side."""
    begun = time.process_time()
    data = FitData(case.recording, case.annotations, case.digest, torch.device("cpu"))
    asked = [ConceptTask(case.annotations, label) for label in case.labels]
    score = np.array([one.score[1] for one in LdaFit().segment(data, asked, ())])
    return [Found("discriminant", score, time.process_time() - begun)]


@dataclass
class Rival:
    """One matrix for all concepts.

    Attributes:
        case: what to learn.
        thresholded: whether it reads where filters are on, in place of activations.
        optimizer: `lbfgs` or `adam`.
    """

    case: Case
    thresholded: bool
    optimizer: str
    weight: Tensor = field(init=False)

    def __call__(self) -> list[Found]:
        """What it comes to after each number of rounds."""
        begun = time.process_time()
        annotations = self.case.annotations
        self.train = np.flatnonzero(annotations.is_train)
        values = self._values(self.train)
        mean, deviation = values.mean((0, 1)), values.std((0, 1)).clamp(min=1e-6)
        values = values.sub_(mean).div_(deviation)
        shares = self._shares()
        self.weight = torch.zeros(values.shape[2] + 1, len(self.case.labels), requires_grad=True)
        learn = self._lbfgs if self.optimizer == "lbfgs" else self._adam
        found, scoring = [], 0.0
        for rounds in learn(values, shares):
            paused = time.process_time()
            raw = self.weight.detach()[:-1] / deviation[:, None]
            score = self._score(raw)
            now = time.process_time()
            name = f"{'thresholded' if self.thresholded else 'raw'} {self.optimizer}, {rounds}"
            found.append(Found(f"{name} rounds", score, now - begun - scoring))
            scoring += now - paused
        return found

    def _values(self, images: np.ndarray) -> Tensor:
        """Activations [image, cell, filter], or where filters are on."""
        recording = self.case.recording
        raw = torch.from_numpy(recording.activations.raw[images].astype(np.float32))
        return (raw > torch.from_numpy(recording.threshold)).float() if self.thresholded else raw

    def _shares(self) -> Tensor:
        """The share of every cell of training images that lies in a mask [image, cell, concept]."""
        annotations, (rows, columns) = self.case.annotations, self.case.recording.grid
        place = np.cumsum(annotations.is_train) - 1
        found = torch.zeros(len(self.train), rows * columns, len(self.case.labels))
        for concept, label in enumerate(self.case.labels):
            pairs = annotations.pairs(label, train=True)
            masks = torch.from_numpy(annotations.masks_of(pairs)).float()
            blocks = functional.adaptive_avg_pool2d(masks[:, None], (rows, columns))
            found[torch.from_numpy(place[annotations.image[pairs]]), :, concept] = blocks.flatten(1)
        return found

    def _loss(self, values: Tensor, shares: Tensor) -> Tensor:
        z = values.flatten(0, 1) @ self.weight[:-1] + self.weight[-1]
        loss = functional.binary_cross_entropy_with_logits(
            z, shares.flatten(0, 1), reduction="sum"
        ) / len(z)
        return loss + _L2 / 2 * self.weight[:-1].square().sum()

    def _lbfgs(self, values: Tensor, shares: Tensor) -> Iterator[int]:
        optimizer = torch.optim.LBFGS(
            [self.weight],
            history_size=20,
            line_search_fn="strong_wolfe",
            tolerance_grad=0,
            tolerance_change=0,
        )

        def closure() -> Tensor:
            optimizer.zero_grad()
            loss = self._loss(values, shares)
            loss.backward()
            return loss

        done = 0
        for rounds in ROUNDS:
            optimizer.param_groups[0]["max_iter"] = rounds - done
            optimizer.param_groups[0]["max_eval"] = 2 * rounds
            optimizer.step(closure)
            done = rounds
            yield rounds

    def _adam(self, values: Tensor, shares: Tensor) -> Iterator[int]:
        optimizer = torch.optim.Adam([self.weight], lr=_ADAM_RATE)
        order = torch.Generator().manual_seed(0)
        for rounds in range(1, ROUNDS[-1] + 1):
            for some in torch.randperm(len(values), generator=order).split(_ADAM_IMAGES):
                optimizer.zero_grad()
                self._loss(values[some], shares[some]).backward()
                optimizer.step()
            if rounds in ROUNDS:
                yield rounds

    def _score(self, weight: Tensor) -> np.ndarray:
        """Set IoU of every concept on validation images, at the best cut on training images."""
        images = np.arange(len(self.case.annotations.is_train))
        parts = [images[first : first + _BATCH] for first in range(0, len(images), _BATCH)]
        z = torch.cat([self._values(part) @ weight for part in parts])
        scores = []
        for concept, label in enumerate(self.case.labels):
            value, mask = self._pixels(z[:, :, concept], label, train=True)
            cut = _best_cut(value[:, ::2, ::2], mask[:, ::2, ::2])
            value, mask = self._pixels(z[:, :, concept], label, train=False)
            predicted = value > cut
            hit, union = (predicted & mask).sum(), (predicted | mask).sum()
            scores.append(float(hit / union.clamp(min=1)))
        return np.array(scores)

    def _pixels(self, z: Tensor, label: int, *, train: bool) -> tuple[Tensor, Tensor]:
        """Z and masks at all pixels of the images of a split that contain a concept."""
        annotations = self.case.annotations
        pairs = annotations.pairs(label, train=train)
        grid = z[torch.from_numpy(annotations.image[pairs])].view(-1, 1, *self.case.recording.grid)
        value = functional.interpolate(grid, annotations.size, mode="bilinear")[:, 0]
        return value, torch.from_numpy(annotations.masks_of(pairs))


def _best_cut(value: Tensor, mask: Tensor) -> float:
    low, high = float(value.min()), float(value.max())
    width = max(high - low, 1e-30) / _BINS
    bins = ((value - low) / width).long().clamp(max=_BINS - 1).flatten()
    counts = [torch.bincount(some, minlength=_BINS) for some in (bins, bins[mask.flatten()])]
    size, hit = (part.flip(0).cumsum(0).double() for part in counts)
    best = int((hit / (size + mask.sum() - hit)).argmax())
    return low + (_BINS - 1 - best) * width


def _alone(path: Path, side: Callable[[Case], list[Found]]) -> list[Found]:
    torch.set_num_threads(1)
    case = pickle.loads(path.read_bytes())
    with PeakMemory() as peak:
        found = side(case)
    return [replace(one, memory=peak.bytes) for one in found]


def _rival(case: Case, thresholded: bool, optimizer: str) -> list[Found]:
    return Rival(case, thresholded, optimizer)()


SIDES: tuple[Callable[[Case], list[Found]], ...] = (
    discriminant,
    partial(_rival, thresholded=False, optimizer="lbfgs"),
    partial(_rival, thresholded=False, optimizer="adam"),
    partial(_rival, thresholded=True, optimizer="lbfgs"),
)


def both_sides(
    data: str, task: str, sides: Sequence[Callable[[Case], list[Found]]], min_train: int = 1
) -> tuple[str, list[Found], list[list[Found]]]:
    """The size of a case, and what the first side and the others come to, each on its own."""
    with tempfile.TemporaryDirectory() as folder:
        case = _recorded(data, Path(folder), task, min_train)
        path = Path(folder) / "case.pickle"
        path.write_bytes(pickle.dumps(case))
        found = []
        for side in sides:
            with ProcessPoolExecutor(1, get_context("spawn")) as alone:
                found.append(alone.submit(_alone, path, side).result())
    return f"{Path(data).name}, {len(case.labels)} concepts, {LAYER}", found[0], found[1:]


def compared(data: str, *, min_train: int = 1) -> Iterator[Line]:
    """Lines about segmentation: score and its share of concepts, memory, seconds."""
    size, (ours,), rivals = both_sides(data, "segment", SIDES, min_train)
    # The best rounds of each, the strongest first.
    best = [max(some, key=lambda one: one.score.mean()) for some in rivals]
    best.sort(key=lambda one: -one.score.mean())
    for their in best:
        line = partial(
            Line,
            size=size,
            seconds=(ours.seconds, their.seconds),
            agreement=f"mean val set IoU {ours.score.mean():.3f} / {their.score.mean():.3f}",
            agrees=True,
        )
        sides = f"discriminant / {their.name}"
        ratios = [("score", ours.score.mean() / their.score.mean(), 1.0, True)]
        if their is best[0]:
            as_good = float((ours.score >= their.score).mean())
            ratios.append(("share of concepts at least as good", as_good, 0.8, True))
            ratios.append(("memory", ours.memory / their.memory, 0.5, False))
        ratios.append(("processor seconds", ours.seconds / their.seconds, 1 / 3, False))
        for what, ratio, reach, at_least in ratios:
            yield line(f"{sides}: {what}", ratio=ratio, reach=reach, at_least=at_least)


def _recorded(data: str, folder: Path, task: str, min_train: int) -> Case:
    network, dataset = load_network(NETWORK), open_dataset(data)
    annotations = compile_annotations(dataset, (112, 112), folder)
    labels = choose_concepts(annotations, task, min_train=min_train).labels
    if not labels:
        sys.exit(f"{data} has no concept to {task}")
    recordings = record(
        network,
        dataset,
        [LAYER],
        quantile=0.005,
        batch=16,
        folder=folder / "recording",
        keep_activations=[LAYER],
    )
    return Case(recordings[LAYER], annotations, labels, dataset.digest)


def rivals(*, small: bool, pairs: int) -> list[Line]:
    """As a benchmark of `run.py`; every side runs once, whatever `pairs`."""
    return list(compared("diorama:60" if small else "diorama", min_train=2 if small else 1))


def print_lines(about: str, compare: Callable[[str], Iterable[Line]]) -> int:
    """Compare on the datasets of the command line; the exit code is 1 if a line is not met."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("data", nargs="*", default=["diorama"], help="datasets, as of net2vec run")
    print(HEADER, flush=True)
    missed = 0
    for data in parser.parse_args().data:
        for line in compare(data):
            print(line, flush=True)
            missed += not line.met
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(print_lines(__doc__.splitlines()[0], compared))
