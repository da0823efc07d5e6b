"""Dataset folders that tests fill, and the outcome of `net2vec data info` for each of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from net2vec.cli import main

NUMBERS = range(4)
NAMES = "void\nleaf\nstem"
PALETTE = [0, 0, 0, 200, 0, 0, 0, 200, 0]
COLORS = np.array(PALETTE, np.uint8).reshape(3, 3)
BLACK = np.zeros((4, 6, 3), np.uint8)


class Folder:
    """A dataset's folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def text(self, name: str, text: str = "") -> None:
        self._new(name).write_text(text, encoding="utf-8")

    def picture(self, name: str, picture: np.ndarray | Image.Image, **options: object) -> None:
        image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
        image.save(self._new(name), **options)

    def photos(self, name: str, stem: str = "{}", suffix: str = "jpg") -> None:
        for number in NUMBERS:
            self.picture(f"{name}/{stem.format(number)}.{suffix}", photograph(number))

    def masks(
        self, name: str, stem: str = "{}", mask: np.ndarray | Image.Image | None = None
    ) -> None:
        for number in NUMBERS:
            self.picture(f"{name}/{stem.format(number)}.png", indexed() if mask is None else mask)

    def pipe(self, name: str) -> None:
        path = self._new(name)
        path.unlink(missing_ok=True)
        os.mkfifo(path)

    def link(self, name: str, target: str) -> None:
        path = self._new(name)
        path.unlink(missing_ok=True)
        path.symlink_to(target)

    def _new(self, name: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def photograph(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (12, 16, 3), np.uint8)


def values() -> np.ndarray:
    """Class numbers 0 to 2."""
    return np.arange(12 * 16, dtype=np.uint8).reshape(12, 16) // 64


def indexed() -> Image.Image:
    image = Image.fromarray(values())
    image.putpalette(PALETTE)
    return image


def pair(
    folder: Folder,
    images: str = "images",
    masks: str = "masks",
    names: str | None = NAMES,
    stem: str = "{}",
    mask: np.ndarray | None = None,
) -> None:
    """Images, masks and, unless None, their names as in any of the usual folders."""
    folder.photos(images)
    folder.masks(masks, stem, mask)
    if names is not None:
        folder.text("classes.txt", names)


def classes(folder: Folder, *names: str) -> None:
    for name in names or ("cat", "dog"):
        folder.photos(name)


@dataclass(frozen=True)
class Read:
    """Expected: the layout, the concepts, the images that train and validate, and a message."""

    layout: str
    concepts: str
    images: tuple[int, int] | None = None
    told: str = ""


PLANTS = Read("masks", "leaf stem")
ANIMALS = Read("classes", "cat dog")

Fill = Callable[[Folder], object]


class Rows(dict[str, tuple[Fill, Read | str, tuple[str, ...]]]):
    """By name: the function that fills a folder, the expected outcome, and options of `info`.

    The outcome is a dataset, or a text in the line by which the folder is refused.
    """

    def row(self, expected: Read | str, *options: str, name: str = "") -> Callable[[Fill], Fill]:
        """Adds a row, by default under the name of the decorated function."""

        def add(fill: Fill) -> Fill:
            key = name or fill.__name__
            assert key not in self, key
            self[key] = (fill, expected, options)
            return fill

        return add

    def check(self, name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Fills a folder and compares the outcome of `info` with the expected one."""
        fill, expected, options = self[name]
        folder.mkdir()
        fill(Folder(folder))
        with pytest.raises(SystemExit) as ended:
            main(["data", "info", str(folder), "--mask-size", "12", "--json", *options])
        out, err = capsys.readouterr()
        if isinstance(expected, str):
            assert (ended.value.code, out) == (2, ""), out
            (line,) = err.strip().splitlines()
            assert expected in line, line
            return
        assert ended.value.code == 0, err
        found = json.loads(out)
        assert found["layout"] == expected.layout
        if expected.concepts:
            assert sorted(row["concept"] for row in found["concepts"]) == expected.concepts.split()
        if expected.images is not None:
            assert tuple(found["images"].values()) == expected.images
        told = [f"{row['what']}: {row['as']}" for row in found["taken"]]
        told += [f"{row['what']} {row['reason']}" for row in found["passed_over"]]
        told += [found["no_run"], *(f"{name}: not there" for name in found["missing"])]
        assert expected.told in "\n".join(told)
