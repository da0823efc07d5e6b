"""A small network and small annotated pictures for whole runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from net2vec.data.protocol import Annotation, Plane
from net2vec.data.tools import write_broden

from builders_data import ArrayDataset, splits_of

SIDE = 32
NAMES = ["", "red-c", "blue-c", "square", "null", "day-s"]

NETWORK_FILE = """
import torch
from torch import nn

def small():
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 12, 3, 2, 1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(12, 5),
    )

def with_batch_norm():
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU())
"""


def small_network() -> nn.Module:
    scope: dict = {}
    exec(NETWORK_FILE, scope)  # the same network as the file's
    with torch.random.fork_rng():
        return scope["small"]()


def small_dataset(images: int = 40, seed: int = 0) -> ArrayDataset:
    """Coloured squares on noise, with masks of half the size; some images are bright."""
    rng = np.random.default_rng(seed)
    pictures, annotations = [], []
    for index in range(images):
        bright = bool(rng.integers(2))
        picture = rng.integers(60, 120, (SIDE, SIDE, 3)) + 60 * bright
        colors = np.zeros((SIDE // 2, SIDE // 2), np.int32)
        shapes = np.zeros_like(colors)
        for label, channel in ((1, 0), (2, 2)):
            if rng.random() < 0.6:
                y, x = rng.integers(0, SIDE // 2 - 6, 2)
                picture[2 * y : 2 * y + 12, 2 * x : 2 * x + 12] = 20
                picture[2 * y : 2 * y + 12, 2 * x : 2 * x + 12, channel] = 250
                colors[y : y + 6, x : x + 6] = label
                shapes[y : y + 6, x : x + 6] = 3
        if index % 5 == 0:
            shapes[0, :] = 4
        pictures.append(picture.astype(np.uint8))
        whole = (("scene", 5),) if bright else ()
        annotations.append(Annotation((Plane("color", colors), Plane("object", shapes)), whole))
    return ArrayDataset(
        labels=NAMES,
        categories=["color", "object", "scene"],
        splits=splits_of([index % 3 != 2 for index in range(images)]),
        annotations=annotations,
        pictures=pictures,
        name="squares",
        digest=f"squares {images} {seed}",
    )


def write_small_folder(folder: Path) -> Path:
    """The small dataset in Broden's layout."""
    return write_broden(small_dataset(), folder, size=SIDE)


TRACED_NETWORK = """
from pathlib import Path

import torch

def make():
    (Path(__file__).parent / "has run").write_text("x")
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, 2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(6),
    )
"""


def write_traced_network(folder: Path) -> tuple[str, Path]:
    """The name of a network in a file, and the file that is there once its code has run."""
    (folder / "net.py").write_text(TRACED_NETWORK)
    return f"{folder / 'net.py'}:make", folder / "has run"


def write_network_file(folder: Path) -> Path:
    """A file with functions that return small networks."""
    path = folder / "networks_of_mine.py"
    path.write_text(NETWORK_FILE)
    return path
