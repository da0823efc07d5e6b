"""A small probed network, and the images that it was probed with as files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import net2vec
from net2vec.data.annotations import compile_annotations

from builders_runs import SIDE, small_dataset, small_network

LAYERS = ("1", "3")
SETTINGS = {
    "fit": "paper",
    "layers": LAYERS,
    "quantile": 0.05,
    "segment": {"epochs": 20, "subsets": (), "batch": 8, "learning_rate": 1e-2},
    "classify": {"epochs": 20, "subsets": (), "batch": 8},
}


def squash(image: Image.Image) -> torch.Tensor:
    pixels = torch.from_numpy(np.array(image.resize((SIDE, SIDE)), dtype=np.float32))
    return pixels.permute(2, 0, 1) / 255 - 0.4


@contextmanager
def no_report() -> Iterator[None]:
    """Runs without the page, which takes longest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("net2vec.pipeline.runner.write_report", lambda *_, **__: None)
        yield


def probe_small(out: Path, **options) -> net2vec.Run:
    """A run of the small network, given in Python, on the small dataset."""
    settings = {"transform": squash, "data": small_dataset(), **SETTINGS, **options}
    with no_report():
        return net2vec.analyze(small_network(), out=out, **settings)


def individual_ious(masks: np.ndarray, concept: str, size: int, folder: Path) -> np.ndarray:
    """IoU of masks [image, y, x] of the small dataset's images that contain a concept."""
    annotations = compile_annotations(small_dataset(), (size, size), folder)
    pairs = annotations.pairs(list(annotations.names).index(concept))
    found, truth = masks[annotations.image[pairs]], annotations.masks_of(pairs)
    union = (found | truth).sum((1, 2))
    return ((found & truth).sum((1, 2)) / np.maximum(union, 1)).astype(np.float32)


def told_ious(run: net2vec.Run, layer: str, concept: str) -> np.ndarray:
    """What the run says of the same."""
    arrays = run.arrays(layer)
    mine = arrays["pair_concept"].values == concept
    return arrays["pair_iou"].sel({"method": "combined"}).values[mine].astype(np.float32)


def save_pictures(folder: Path) -> list[Path]:
    """The images of the small dataset as files, in its order."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, pixels in enumerate(small_dataset().pictures):
        paths.append(folder / f"{index:04}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths
