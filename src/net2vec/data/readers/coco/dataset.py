"""COCO's annotations (Lin et al. 2014): instances, stuff (Caesar et al. 2018) and panoptic; LVIS,
PACO and PartImageNet (`dialects`).

Every JSON file of the folder, of `annotations` in it or of a split's folder counts if it describes
regions of images. Regions are polygons, run lengths (crowds too) or segments of a panoptic PNG.
Supercategories are the dataset's categories.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int
from PIL import Image

from net2vec.data.description import Description
from net2vec.data.files import digest_files, inside, is_there, list_files, refuse_links_out
from net2vec.data.images import IMAGE_SUFFIXES, read_image, read_image_size, same_shape
from net2vec.data.labels import number_names
from net2vec.data.left_out import LeftOut, count_left_out
from net2vec.data.protocol import Annotation, Plane
from net2vec.data.readers.base import Evidence, Reader
from net2vec.data.readers.coco.dialects import ATTRIBUTE
from net2vec.data.readers.coco.documents import Document
from net2vec.data.readers.coco.locating import Locator
from net2vec.data.splits import TEST, split_in_path
from net2vec.errors import DataError

_SNIFFED_BYTES, _PARSED_BYTES = 1 << 16, 16 << 20
_LISTS = ("images", "annotations", "categories")
_REGIONLESS = ("captions", "person_keypoints", "image_info")


def _annotation_files(folder: Path) -> Iterator[Path]:
    splits = [path for path in sorted(folder.glob("*/")) if split_in_path(path.name)]
    for parent in (folder, folder / "annotations", folder / "gtFine", *splits):
        for path in sorted(parent.glob("*.json")):
            if path.is_file() and not path.name.startswith(_REGIONLESS):
                refuse_links_out(folder, path)
                if _looks_like_coco(path):
                    yield path


def _looks_like_coco(path: Path) -> bool:
    """Whether a file has lists of images and regions; large and damaged ones by their ends."""
    named = path.name.startswith(("instances", "stuff", "panoptic"))
    size = path.stat().st_size
    with path.open("rb") as file:
        ends = file.read(_SNIFFED_BYTES)
        file.seek(max(0, size - _SNIFFED_BYTES))
        ends += file.read()
        if b'"images"' not in ends and size <= 2 * _SNIFFED_BYTES:
            return False
        file.seek(0)
        if not named and size <= _PARSED_BYTES:
            try:
                content = json.load(file)
            except (ValueError, RecursionError):
                pass  # damaged: told when it is read
            else:
                lists = [content.get(k) for k in _LISTS] if isinstance(content, dict) else []
                return bool(lists) and isinstance(lists[0], list) and list in map(type, lists[1:])
    # The middle of large files, hundreds of megabytes of annotations, is not read.
    described = named or any(f'"{key}"'.encode() in ends for key in _LISTS[1:])
    return described and b'"images"' in ends


class CocoDataset(Reader):
    """A folder with COCO annotations.

    Opening it reads the JSON files. Images are searched by name anywhere in the folder. The split
    is that in the name of the image's folder or of its JSON file (`instances_val2017.json`), else
    it is drawn by a hash of the image's name; test images are left out.

    Args:
        folder: the folder that contains the JSON files, or `annotations` with them.
        stated: its splits.

    Raises:
        DataError: if a JSON file is invalid, an image in it matches several files, or no image is
            in a split that is stated.
    """

    layout = "COCO"
    marks = "*.json of instances, stuff or panoptic"
    takes = frozenset({"splits"})

    def __init__(self, folder: Path | str, description: Description | None = None) -> None:
        super().__init__(folder, description)
        rule = self.description.splits
        paths = list(_annotation_files(self.folder))
        self._documents = [Document.read(path, self.folder) for path in paths]
        self._regions: dict[str, list[tuple[Document, int | str]]] = defaultdict(list)
        splits: dict[str, str] = {}
        drawn: set[str] = set()
        self._located = Locator(self.folder, set(self._panoptic_files()))
        for document in self._documents:
            for image_id, file_name in document.image_names.items():
                name = self._located(file_name, document.path)
                self._check_same(name, document, file_name)
                stated_split = rule.stated_split(name) or rule.stated_split(document.place)
                if split := stated_split or rule.split_of(name) or rule.split_of(document.place):
                    splits[name] = split
                    drawn.discard(name)
                elif name not in splits:
                    splits[name] = rule.draw(name)
                    drawn.add(name)
                self._regions[name].append((document, image_id))
        self.images = tuple(sorted(name for name, split in splits.items() if split != TEST))
        self.splits = tuple(splits[name] for name in self.images)
        self._drawn = len(drawn)
        self._unused = sorted(set(splits) - set(self.images))
        if not self.images:
            raise DataError(f"{self.folder}: no images for training or validation")
        rule.check_used([*splits, *(d.place for d in self._documents)], str(self.folder))
        pairs = [pair for document in self._documents for pair in document.categories.values()]
        self.labels, self._numbers = number_names(name for name, _ in pairs)
        # A supercategory of void labels only would be a category without concepts.
        self.categories = tuple(dict.fromkeys(category for name, category in pairs if name))

    @classmethod
    def examine(cls, folder: Path) -> Evidence:
        """JSON files with lists of images and of regions or categories."""
        documents = tuple(str(path.relative_to(folder)) for path in _annotation_files(folder))
        empty = bool(documents) and not list_files(folder, IMAGE_SUFFIXES, within=folder)
        return Evidence(documents, ("no image is in the folder",) if empty else ())

    def _check_same(self, name: str, document: Document, file_name: str) -> None:
        """Checks that a file is not matched by two images which the JSON files distinguish.

        Raises:
            DataError: if the file matches an image of another split, or another image of the
                same JSON file.
        """
        for known, image_id in self._regions.get(name, ()):
            if None not in (known.split, document.split) and known.split != document.split:
                raise DataError(
                    f"{document.path}: {file_name} cannot be told from the one in "
                    f"{known.path.name}, of another split; both would be {name}"
                )
            if known is document and (twin := known.image_names[image_id]) != file_name:
                raise DataError(
                    f"{document.path}: {file_name} cannot be told from {twin}; both would be {name}"
                )

    @cached_property
    def digest(self) -> str:
        """Digest of JSON files, images and panoptic masks."""
        tables = [d.path.relative_to(self.folder).as_posix() for d in self._documents]
        files = [*self.images, *self._panoptic_files()]
        # Version 2 of what a file of these dialects means.
        settings = 2 if self.unverified or ATTRIBUTE in self.categories else None
        return digest_files(self.folder, tables, files, settings)

    @cached_property
    def unverified(self) -> frozenset[str]:
        """Labels that may be in images that are not annotated with them (LVIS, PACO)."""
        pairs = (pair for d in self._documents if d.federated for pair in d.categories.values())
        return frozenset(name for name, _ in pairs if name)

    @cached_property
    def left_out(self) -> Sequence[LeftOut]:
        """Test images, annotations without a region, and polygons of fewer than three points."""
        boxes = [d.image_names[image_id] for d in self._documents for image_id in d.regionless]
        partial = [d.image_names[image_id] for d in self._documents for image_id in d.partial]
        points = [d.image_names[image_id] for d in self._documents for image_id in d.pointless]
        return [
            *count_left_out("images", {"of a split for testing": self._unused}),
            *count_left_out("annotations", {"a box without a region": boxes}),
            *count_left_out("annotations", {"not all of the kind in its image": partial}),
            *count_left_out("polygons", {"fewer than three points": points}),
        ]

    def faults(self) -> Iterator[str]:
        """Annotations of images that their JSON file does not list, as `file: reason`."""
        for document in self._documents:
            yield from document.faults()

    def _panoptic_files(self) -> list[str]:
        return [
            path.relative_to(self.folder).as_posix()
            for document in self._documents
            for path in document.panoptic_files()
        ]

    @property
    def taken(self) -> Sequence[tuple[str, str]]:
        """The JSON files, and where the splits are from."""
        files = ", ".join(str(d.path.relative_to(self.folder)) for d in self._documents)
        return [("regions", files), self.split_taken(self._drawn)]

    @property
    def notes(self) -> Sequence[tuple[str, str]]:
        """Categories of one name, and images in other places than their names say."""
        notes = [
            *super().notes,
            *(
                ("one concept", f"the {len(ids)} categories {name!r} ({', '.join(map(str, ids))})")
                for document in self._documents
                for name, ids in document.repeated_names()
            ),
        ]
        if self.unverified:
            notes.append(
                ("not looked for everywhere", f"{len(self.unverified)} concepts: that an image has "
                 f"none of them is not known, so they are not classified")
            )  # fmt: skip
        if elsewhere := self._located.elsewhere:
            found, name = next(iter(elsewhere.items()))
            notes.append(("images elsewhere", f"{len(elsewhere)}, as {found} for {name!r}"))
        return notes

    @cached_property
    def missing(self) -> Sequence[int]:
        """Indices of images that a JSON file lists and that are not in the folder."""
        return [i for i, name in enumerate(self.images) if not is_there(self.folder, name)]

    def image(self, index: int) -> Image.Image:
        """The image at `index`, as `ProbeDataset.image`."""
        name = self.images[index]
        nowhere = f"no folder within {self.folder} has an image of the name {Path(name).name}"
        try:
            path = inside(self.folder, name)
        except DataError as error:
            if is_there(self.folder, name):  # a link
                raise
            raise DataError(f"{error}, and {nowhere}") from None
        if not os.path.exists(path):  # noqa: PTH110 - which is false where a name is too long
            raise DataError(f"{path}: the file is missing, and {nowhere}")
        image = read_image(path)
        height, width = self.image_size(index)
        # Resized images are accepted.
        if not same_shape(image.size[::-1], (height, width)):
            raise self._other_shape(path, image.size[::-1], (height, width))
        return image

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the image at `index`, from its JSON file."""
        document, image_id = self._regions[self.images[index]][0]
        return document.size(image_id)

    def _other_shape(
        self, path: Path, actual: tuple[int, int], listed: tuple[int, int]
    ) -> DataError:
        return DataError(
            f"{path}: the image is {actual[1]}x{actual[0]}, its JSON file says {listed[1]}x"
            f"{listed[0]}"
        )

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`.

        Where regions of a category overlap, the later label is put on the category's next plane.
        """
        name, size = self.images[index], self.image_size(index)
        # Before any mask of the size that a JSON file says is made.
        if is_there(self.folder, name):
            path = inside(self.folder, name)
            if not same_shape(actual := read_image_size(path), size):
                raise self._other_shape(path, actual, size)
        masks: dict[str, dict[int, Bool[np.ndarray, "y x"]]] = defaultdict(dict)
        for document, image_id in self._regions[self.images[index]]:
            for category_id, mask in document.masks(image_id):
                name, supercategory = document.categories[category_id]
                if number := self._numbers[name]:
                    known = masks[supercategory].get(number)
                    masks[supercategory][number] = mask if known is None else known | mask
        planes = [
            Plane(category, plane)
            for category in self.categories
            if category in masks
            for plane in stack_masks(masks[category])
        ]
        return Annotation(tuple(planes))


def stack_masks(masks: dict[int, Bool[np.ndarray, "y x"]]) -> list[Int[np.ndarray, "y x"]]:
    """Puts overlapping masks on the fewest label maps that hold them all, first labels first."""
    planes: list[Int[np.ndarray, "y x"]] = []
    for number, mask in masks.items():
        rest = mask
        for plane in planes:
            free = rest & (plane == 0)
            plane[free] = number
            rest = rest & ~free
        if rest.any():
            planes.append(np.where(rest, np.int32(number), np.int32(0)))
    return planes
