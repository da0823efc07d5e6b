"""The full ADE20K (Zhou et al. 2017) in its release of 2021: objects, their parts, and scenes.

An image `X.jpg` has its objects in `X_seg.png` and the parts of objects, of parts, ... in
`X_parts_1.png`, `X_parts_2.png`; a pixel's class is (red // 10) * 256 + green. `X.json` names the
classes; the folders name the split and the scene: `training/urban/street/X.jpg`.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np

from net2vec.data.files import digest_files, inside, read_regular, refuse_links_out
from net2vec.data.images import check_mask, read_color_mask
from net2vec.data.json_files import JSON_FAULTS, number_at, reason_of
from net2vec.data.labels import concept_name, first_synonym, number_names
from net2vec.data.protocol import TRAIN, VAL, Annotation, Plane
from net2vec.data.readers.base import Evidence, Reader, label_table, look_up
from net2vec.errors import DataError

OBJECT, PART, SCENE = "object", "part", "scene"
_CLASSES = 26 * 256  # number of values of (red // 10) * 256 + green
_BESIDE = re.compile(r"(.*?)(?:_seg\.png|_parts_([0-9]+)\.png|\.json)")
"""Files of an image: its stem, and the level of parts."""
_SPLIT_FOLDERS = {"training": TRAIN, "validation": VAL}


class Ade20kDataset(Reader):
    """The full ADE20K release.

    Opening it reads the class names in every JSON file; there is no other index. A class is named
    by its first synonym; classes with the same first synonym become one label. Scenes end in `-s`,
    as in Broden.

    Args:
        folder: the release (`ADE20K_2021_17_01`), or the folder of `training` and `validation`.

    Raises:
        DataError: if there are no images, or a JSON file is missing or invalid.
    """

    layout = "ADE20K"
    marks = "training/*/*/*_seg.png"
    categories = (OBJECT, PART, SCENE)

    def __init__(self, folder: Path | str) -> None:
        super().__init__(folder)
        self.root = _root(self.folder)
        resolved = self.root.resolve()
        self.name = (resolved.parents[1] if resolved.name == "ADE" else resolved).name
        files = [file for split in _SPLIT_FOLDERS for file in sorted(_files(self.root / split))]
        self._files = set(files)
        self.images = tuple(file for file in files if file.endswith(".jpg"))
        if not self.images:
            raise DataError(f"{self.folder}: no images under training or validation")
        self.splits = tuple(_SPLIT_FOLDERS[name.split("/")[0]] for name in self.images)
        self._levels: dict[str, int] = defaultdict(int)
        for file in files:
            if (match := _BESIDE.fullmatch(file)) and match[2]:
                self._levels[match[1]] = max(self._levels[match[1]], int(match[2]))
        class_names: dict[int, str] = {}
        for image in self.images:
            path = self.root / f"{_stem(image)}.json"
            refuse_links_out(self.folder, path)
            class_names |= _class_names(path)
        scenes = {_scene(image) for image in self.images}
        names = [class_names[value] for value in sorted(class_names)]
        self.labels, self._numbers = number_names([*names, *sorted(scenes)])
        numbers = {value: self._numbers[name] for value, name in class_names.items()}
        self._table = label_table({0: 0} | numbers)

    @classmethod
    def examine(cls, folder: Path) -> Evidence:
        """The splits with `_seg.png` masks, here or in `images/ADE`."""
        root = _root(folder)
        masks = (next((root / name).glob("*/*/*_seg.png"), None) for name in _SPLIT_FOLDERS)
        return Evidence(tuple(str(path.relative_to(folder)) for path in masks if path))

    @cached_property
    def digest(self) -> str:
        """Digest of JSON files, images and masks."""
        files = sorted(self._files)
        tables = [file for file in files if file.endswith(".json")]
        others = [file for file in files if not file.endswith(".json")]
        return digest_files(self.root, tables, others, within=self.folder)

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        stem = _stem(self.images[index])
        size = self.image_size(index)
        planes = [self._plane(OBJECT, f"{stem}_seg.png", size)]
        # A missing level below the highest one is an error like any missing mask.
        for level in range(1, 1 + self._levels.get(stem, 0)):
            planes.append(self._plane(PART, f"{stem}_parts_{level}.png", size))
        scene = self._numbers[_scene(self.images[index])]
        return Annotation(tuple(planes), ((SCENE, scene),) if scene else ())

    def faults(self) -> Iterator[str]:
        """Masks and JSON files without their image, as `file: reason`."""
        for file in sorted(self._files):
            match = _BESIDE.fullmatch(file)
            if match and f"{match[1]}.jpg" not in self._files:
                yield f"{self.root / file}: has no image {Path(match[1]).name}.jpg"

    @property
    def taken(self) -> list[tuple[str, str]]:
        """The files of objects and parts, and the folders of scenes."""
        return [
            ("objects", "X_seg.png"),
            ("parts", "X_parts_1.png, ..."),
            (
                "scenes",
                f"folders in {' and '.join(sorted({i.split('/')[0] for i in self.images}))}",
            ),
        ]

    def _plane(self, category: str, file: str, size: tuple[int, int]) -> Plane:
        path = inside(self.root, file, self.folder)
        channels = read_color_mask(path)
        check_mask(path, channels, size)
        values = channels[..., 0] // 10 * np.int32(256) + channels[..., 1]
        labels, unknown = look_up(self._table, values)
        if unknown is not None:
            raise DataError(f"{path}: no JSON file names the class {unknown}")
        return Plane(category, labels)


def _root(folder: Path) -> Path:
    inner = folder / "images" / "ADE"
    return inner if inner.is_dir() else folder


def _files(split: Path) -> list[str]:
    """Images, masks and JSON files of a split, two folders down, relative to the split's parent."""
    masks: dict[Path, Path] = {}
    for folder in sorted(split.glob("*/*/"), key=lambda path: (path.is_symlink(), path)):
        masks.setdefault(folder.resolve(), folder)  # once, whatever links lead to it
    return [
        f"{folder.relative_to(split.parent).as_posix()}/{entry.name}"
        for folder in sorted(masks.values())
        for entry in os.scandir(folder)
        if entry.name.endswith((".jpg", ".png", ".json"))
    ]


def _stem(image: str) -> str:
    return image.removesuffix(".jpg")


def _scene(image: str) -> str:
    """`street-s` for an image in `urban/street`, `inn-outdoor-s` for `urban/inn__outdoor`."""
    name = concept_name(image.split("/")[-2].replace("__", "-"))
    return f"{name}-s" if name else ""


def _class_names(path: Path) -> dict[int, str]:
    try:
        # Some files of the release contain Latin-1 in `raw_name`.
        text = read_regular(path).decode("utf-8", errors="replace")
        objects = json.loads(text)["annotation"]["object"]
        objects = [objects] if isinstance(objects, dict) else objects
        names = {
            number_at(thing, "name_ndx", "an object"): concept_name(first_synonym(thing["name"]))
            for thing in objects
        }
        if wrong := set(names) - set(range(_CLASSES)):
            raise ValueError(f"the class {min(wrong)} is not among 0 to {_CLASSES - 1}")
        return {value: name for value, name in names.items() if value}
    except FileNotFoundError:
        raise DataError(f"{path}: the file is missing") from None
    except JSON_FAULTS as fault:
        raise DataError(f"{path}: not a description of ADE20K ({reason_of(fault)})") from None
