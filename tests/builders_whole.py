"""Whole small runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

import net2vec

from builders_runs import small_dataset, small_network

LAYERS = ("1", "3")
FAST = {
    "fit": "paper",
    "segment": {"epochs": 4, "subsets": (1, 4, 64), "batch": 8, "learning_rate": 1e-2},
    "classify": {"epochs": 6, "subsets": (1, 3), "batch": 8},
}


def squash(image):
    pixels = torch.from_numpy(np.array(image.resize((32, 32)), dtype=np.float32))
    return pixels.permute(2, 0, 1) / 255


def make(out: Path, **options) -> net2vec.Run:
    data = options.pop("data", None) or small_dataset()
    settings = {"layers": LAYERS, "transform": squash, **FAST, **options}
    return net2vec.analyze(small_network(), data, out, **settings)


class Interrupting:
    """Interrupts the user's run in the middle of a stage."""

    def __init__(self, stage: str) -> None:
        self.stage_name = stage

    def stage(self, name, total):
        def advance(steps):
            if self.stage_name in name and steps:
                raise KeyboardInterrupt

        return advance

    def say(self, text):
        pass
