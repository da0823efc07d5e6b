"""Small datasets, in memory and on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from net2vec.data.protocol import Annotation, Plane


@dataclass
class MemoryDataset:
    """A dataset of arrays."""

    labels: tuple[str, ...]
    categories: tuple[str, ...]
    images: tuple[str, ...]
    splits: tuple[str, ...]
    annotations: list[Annotation]
    pictures: list[np.ndarray] = field(default_factory=list)
    name: str = "memory"
    digest: str = "0"

    def image(self, index: int) -> Image.Image:
        if self.pictures:
            return Image.fromarray(self.pictures[index])
        return Image.fromarray(np.full((6, 9, 3), 40 * (index + 1), np.uint8))

    def annotation(self, index: int) -> Annotation:
        return self.annotations[index]


@pytest.fixture
def street() -> MemoryDataset:
    """Three images in three categories: two planes of parts, a label in two categories, a label
    that pandas would take for missing, and one that is nowhere.
    """

    def plane(category: str, *rows: str) -> Plane:
        return Plane(category, np.array([[int(d) for d in row] for row in rows], np.int32))

    return MemoryDataset(
        labels=("", "car", "null", "wheel", "grass", "street-s", "nowhere"),
        categories=("object", "part", "material", "scene"),
        images=("a/one.jpg", "two.png", "three.tif"),
        splits=("train", "val", "train"),
        annotations=[
            Annotation(
                (
                    plane("object", "1100", "1100", "0022", "0022"),
                    plane("part", "3000", "0000", "0000", "0000"),
                    plane("part", "0003", "0000", "0000", "0000"),
                    plane("material", "0000", "0000", "0000", "4444"),
                ),
                (("scene", 5),),
            ),
            Annotation((plane("object", "0000", "0000", "4444", "4444"),)),
            Annotation((), (("scene", 5), ("material", 2))),
        ],
    )


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Writes an array, a picture or text under the test's folder."""

    def write(
        name: str, content: np.ndarray | Image.Image | str | bytes, **options: object
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content, encoding="utf-8")
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            picture = Image.fromarray(content) if isinstance(content, np.ndarray) else content
            picture.save(path, **options)
        return path

    return write


@pytest.fixture
def gray() -> np.ndarray:
    """A picture of no interest, 4 rows and 6 columns."""
    return np.full((4, 6, 3), 128, np.uint8)
