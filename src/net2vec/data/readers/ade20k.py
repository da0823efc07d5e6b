"""The full ADE20K (Zhou et al. 2017), as released in 2021: objects, their parts, and scenes.

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
from PIL import Image

from net2vec.data.files import digest_files
from net2vec.data.images import check_mask, read_color_mask, read_image, read_image_size
from net2vec.data.labels import concept_name, first_synonym, number_names
from net2vec.data.protocol import TRAIN, VAL, Annotation, Plane
from net2vec.errors import DataError

OBJECT, PART, SCENE = "object", "part", "scene"
_CLASSES = 26 * 256  # what a pixel's red // 10 and green can say
_BESIDE = re.compile(r"(.*?)(?:_seg\.png|_parts_([0-9]+)\.png|\.json)")
"""What belongs to an image: its stem, and the level of parts."""
_SPLIT_FOLDERS = {"training": TRAIN, "validation": VAL}


def is_ade20k(folder: Path) -> bool:
    """Whether the folder, or `images/ADE` in it, has ADE20K's splits with `_seg.png` masks."""
    root = _root(folder)
    splits = (root / name for name in _SPLIT_FOLDERS)
    return any(next(split.glob("*/*/*_seg.png"), None) is not None for split in splits)


def _root(folder: Path) -> Path:
    inner = folder / "images" / "ADE"
    return inner if inner.is_dir() else folder


class Ade20kDataset:
    """The full ADE20K release.

    Opening it reads the names in every JSON file, which are the only index it has. A class is
    called by its first synonym; classes that share it become one label. Scenes carry `-s`, as in
    Broden.

    Args:
        folder: the release (`ADE20K_2021_17_01`), or the folder of `training` and `validation`.

    Raises:
        DataError: there are no images, or a JSON file is missing or not what it should be.
    """

    categories = (OBJECT, PART, SCENE)

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self._root = _root(self.folder)
        place = self._root.resolve()
        release = place.parents[1] if place.name == "ADE" else place
        self.name = release.name
        files = {name: sorted(_files(self._root / name)) for name in _SPLIT_FOLDERS}
        self._files = {file for names in files.values() for file in names}
        self.images = tuple(
            file for names in files.values() for file in names if file.endswith(".jpg")
        )
        if not self.images:
            raise DataError(f"{self.folder}: no images under training or validation")
        self.splits = tuple(_SPLIT_FOLDERS[name.split("/")[0]] for name in self.images)
        self._levels: dict[str, list[int]] = defaultdict(list)
        for file in self._files:
            if (match := _BESIDE.fullmatch(file)) and match[2]:
                self._levels[match[1]].append(int(match[2]))
        class_names: dict[int, str] = {}
        for image in self.images:
            class_names |= _class_names(self._root / f"{_stem(image)}.json")
        scenes = {_scene(image) for image in self.images}
        names = [class_names[value] for value in sorted(class_names)]
        self.labels, self._numbers = number_names([*names, *sorted(scenes)])
        self._label_at = np.full(1 + max(class_names, default=0), -1, np.int32)
        self._label_at[0] = 0
        for value, name in class_names.items():
            self._label_at[value] = self._numbers[name]

    @cached_property
    def digest(self) -> str:
        """Digest of JSON files, images and masks."""
        files = sorted(self._files)
        tables = [file for file in files if file.endswith(".json")]
        heavy = [file for file in files if not file.endswith(".json")]
        return digest_files(self._root, tables, heavy)

    def image(self, index: int) -> Image.Image:
        """The image at `index`, as `ProbeDataset.image`."""
        return read_image(self._root / self.images[index])

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the image at `index`, from its header."""
        return read_image_size(self._root / self.images[index])

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        stem = _stem(self.images[index])
        size = self.image_size(index)
        planes = [self._plane(OBJECT, f"{stem}_seg.png", size)]
        for level in range(1, 1 + max(self._levels.get(stem, ()), default=0)):
            # A level that is missing among others is refused as any missing mask.
            planes.append(self._plane(PART, f"{stem}_parts_{level}.png", size))
        scene = self._numbers[_scene(self.images[index])]
        return Annotation(tuple(planes), ((SCENE, scene),) if scene else ())

    def faults(self) -> Iterator[str]:
        """Masks and JSON files without their image, which are passed over, as `file: reason`."""
        for file in sorted(self._files):
            match = _BESIDE.fullmatch(file)
            if match and f"{match[1]}.jpg" not in self._files:
                yield f"{self._root / file}: has no image {Path(match[1]).name}.jpg"

    def _plane(self, category: str, file: str, size: tuple[int, int]) -> Plane:
        channels = read_color_mask(self._root / file)
        check_mask(self._root / file, channels, size)
        values = channels[..., 0] // 10 * np.int32(256) + channels[..., 1]
        known = values < len(self._label_at)
        labels = self._label_at[np.where(known, values, 0)]
        if not known.all() or labels.min() < 0:
            value = values[~known | (labels < 0)].min()
            raise DataError(f"{self._root / file}: no JSON file names the class {value}")
        return Plane(category, labels)


def _files(split: Path) -> list[str]:
    """Images, masks and JSON files of a split, two folders down, relative to the split's parent."""
    found = []
    for folder in sorted(split.glob("*/*/")):
        place = folder.relative_to(split.parent).as_posix()
        found += [
            f"{place}/{entry.name}"
            for entry in os.scandir(folder)
            if entry.name.endswith((".jpg", ".png", ".json"))
        ]
    return found


def _stem(image: str) -> str:
    return image.removesuffix(".jpg")


def _scene(image: str) -> str:
    """`street-s` for an image in `urban/street`, `inn-outdoor-s` for `urban/inn__outdoor`."""
    name = concept_name(image.split("/")[-2].replace("__", "-"))
    return f"{name}-s" if name else ""


def _class_names(path: Path) -> dict[int, str]:
    try:
        # Some files of the release hold Latin-1 in people's own words for objects.
        text = path.read_bytes().decode("utf-8", errors="replace")
        objects = json.loads(text)["annotation"]["object"]
        objects = [objects] if isinstance(objects, dict) else objects
        names = {
            int(thing["name_ndx"]): concept_name(first_synonym(thing["name"])) for thing in objects
        }
        if wrong := set(names) - set(range(_CLASSES)):
            raise ValueError(f"the class {min(wrong)} is not among 0 to {_CLASSES - 1}")
        return {value: name for value, name in names.items() if value}
    except FileNotFoundError:
        raise DataError(f"{path}: the file is missing") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as fault:
        raise DataError(f"{path}: not a description of ADE20K ({fault!r})") from None
