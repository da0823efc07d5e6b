"""The converged fit beside classifiers of libraries: `rival_classifiers.py [DATA ...]`.

All learn from the spatial means of the training images and are judged by the same balanced sets of
validation images. Logistic regression of scikit-learn balances classes and has the strength of `C`
that is best for the validation images, which is to its advantage. That of captum is the default
classifier of its TCAV. Each side runs in a process of its own, on one thread.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import torch
from captum.concept._utils.classifier import DefaultClassifier
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from measure import Line
from net2vec.tasks.concept import ConceptTask
from net2vec.tasks.fits.base import FitData
from net2vec.tasks.fits.converged import ConvergedFit
from net2vec.tasks.samples import draw_sample
from rivals import Case, Found, both_sides, print_lines

C = (0.01, 0.1, 1.0)


def converged(case: Case) -> list[Found]:
    """Our side."""
    begun = time.process_time()
    data = FitData(case.recording, case.annotations, case.digest, torch.device("cpu"))
    asked = [ConceptTask(case.annotations, label) for label in case.labels]
    score = np.array([one.score[1] for one in ConvergedFit().classify(data, asked, ())])
    return [Found("converged fit", score, time.process_time() - begun)]


def logistic(case: Case) -> list[Found]:
    """Scikit-learn, with every C."""
    return [
        _learned(case, f"scikit-learn, C {strength}", partial(_logistic, strength))
        for strength in C
    ]


def captum_default(case: Case) -> list[Found]:
    """Captum's default classifier."""
    return [_learned(case, "captum's default classifier", _captum)]


Learn = Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]


def _logistic(strength: float, x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=1000)
    return model.fit(x, y).predict


def _captum(x: np.ndarray, y: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = DefaultClassifier()
    found.lm.device = "cpu"
    rows = TensorDataset(torch.from_numpy(x), torch.from_numpy(y.astype(np.int64)))
    found.lm.fit(DataLoader(rows, batch_size=len(rows)))

    def predict(x: np.ndarray) -> np.ndarray:
        scores: Tensor = found.lm(torch.from_numpy(x))
        # Of two classes scikit-learn has one score, whose largest is always the first.
        chosen = (scores[:, 0] > 0).long() if scores.shape[1] == 1 else scores.argmax(1)
        return found.lm.classes()[chosen].numpy()

    return predict


def _learned(case: Case, name: str, learn: Learn) -> Found:
    begun = time.process_time()
    annotations = case.annotations
    means = case.recording.features().numpy()
    train = np.flatnonzero(annotations.is_train)
    means = (means - means[train].mean(0)) / means[train].std(0).clip(1e-12)
    score = []
    for label in case.labels:
        present = np.isin(train, annotations.image[annotations.pairs(label, train=True)])
        predict = learn(means[train], present)
        sample = draw_sample(annotations, label, epochs=1, seed=0, dataset=case.digest)
        rows, positive = sample.rows[1].numpy(), sample.positive[1].numpy()
        score.append((predict(means[rows]).astype(bool) == positive).mean())
    return Found(name, np.array(score), time.process_time() - begun)


def compared(data: str) -> Iterator[Line]:
    """Scores and seconds."""
    size, (ours,), rivals = both_sides(data, "classify", (converged, logistic, captum_default))
    for their in (max(some, key=lambda one: one.score.mean()) for some in rivals):
        line = partial(
            Line,
            size=size,
            seconds=(ours.seconds, their.seconds),
            agreement=f"mean accuracy {ours.score.mean():.4f} / {their.score.mean():.4f}",
            agrees=True,
        )
        sides = f"converged fit / {their.name}"
        ratio = ours.score.mean() / their.score.mean()
        yield line(f"{sides}: score", ratio=ratio, reach=1.0, at_least=True)
        ratio = ours.seconds / their.seconds
        yield line(f"{sides}: processor seconds", ratio=ratio, reach=1.0, at_least=False)


if __name__ == "__main__":
    sys.exit(print_lines(__doc__.splitlines()[0], compared))
