"""COCO's annotations (Lin et al. 2014): instances, stuff (Caesar et al. 2018) and panoptic.

Every JSON file of the folder, of `annotations` in it or of a split's folder counts if it describes
regions of images. Regions are polygons, run lengths (crowds too) or segments of a panoptic PNG.
Supercategories are the dataset's categories.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from jaxtyping import Bool, Int
from PIL import Image

from net2vec.data.files import digest_files, hashed_split, inside, list_files, split_in_path
from net2vec.data.images import IMAGE_SUFFIXES, check_mask, read_color_mask, read_image, same_shape
from net2vec.data.labels import concept_name, number_names
from net2vec.data.protocol import TRAIN, VAL, Annotation, Plane
from net2vec.errors import DataError

_SNIFFED_BYTES = 1 << 16
_REGIONLESS = ("captions", "person_keypoints", "image_info")


def is_coco(folder: Path) -> bool:
    """Whether a JSON file of the folder begins and ends like COCO's."""
    return any(True for _ in _annotation_files(folder))


def _annotation_files(folder: Path) -> Iterator[Path]:
    splits = [path for path in sorted(folder.glob("*/")) if split_in_path(path.name)]
    for place in (folder, folder / "annotations", *splits):
        for path in sorted(place.glob("*.json")):
            if not path.name.startswith(_REGIONLESS) and _looks_like_coco(path):
                yield path


def _looks_like_coco(path: Path) -> bool:
    with path.open("rb") as file:
        ends = file.read(_SNIFFED_BYTES)
        file.seek(max(0, path.stat().st_size - _SNIFFED_BYTES))
        ends += file.read()
    # Between the ends of the largest files stand hundreds of megabytes of annotations.
    described = path.name.startswith(("instances", "stuff", "panoptic")) or any(
        key in ends for key in (b'"categories"', b'"annotations"')
    )
    return described and b'"images"' in ends


class CocoDataset:
    """A folder with COCO's annotations.

    Opening it reads the JSON files. Images are looked for by name anywhere in the folder. The split
    is the one that the image's folder or its JSON file is named after (`instances_val2017.json`),
    else it is drawn by a hash of the image's name; test images are left out.

    Args:
        folder: what holds the JSON files, or `annotations` with them.

    Raises:
        DataError: a JSON file is not what it should be.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.name = self.folder.resolve().name
        self._files = tuple(_annotation_files(self.folder))
        self._parts = [_Part.read(path) for path in self._files]
        located = _Locator(self.folder)
        self._regions: dict[str, list[tuple[_Part, int]]] = defaultdict(list)
        splits: dict[str, str] = {}
        for part in self._parts:
            for image_id, file_name in part.image_names.items():
                name = located(file_name, part.path)
                split = split_in_path(_without_year(name)) or part.split or hashed_split(name)
                if split in (TRAIN, VAL):
                    splits.setdefault(name, split)
                    self._regions[name].append((part, image_id))
        self.images = tuple(sorted(splits))
        self.splits = tuple(splits[name] for name in self.images)
        if not self.images:
            raise DataError(f"{self.folder}: no images for training or validation")
        pairs = [pair for part in self._parts for pair in part.categories.values()]
        self.labels, self._numbers = number_names(name for name, _ in pairs)
        # A supercategory of void labels alone would be a category without concepts.
        self.categories = tuple(dict.fromkeys(category for name, category in pairs if name))

    @cached_property
    def digest(self) -> str:
        """Digest of JSON files, images and panoptic masks."""
        tables = [path.relative_to(self.folder).as_posix() for path in self._files]
        masks = [
            path.relative_to(self.folder).as_posix()
            for part in self._parts
            for path in part.panoptic_files()
        ]
        return digest_files(self.folder, tables, [*self.images, *masks])

    def image(self, index: int) -> Image.Image:
        """The image at `index`, as `ProbeDataset.image`."""
        path = inside(self.folder, self.images[index])
        image = read_image(path)
        height, width = self.image_size(index)
        # Resized images are welcome.
        if not same_shape(image.size[::-1], (height, width)):
            raise DataError(
                f"{path}: the image is {image.width}x{image.height}, its JSON file says "
                f"{width}x{height}"
            )
        return image

    def image_size(self, index: int) -> tuple[int, int]:
        """(height, width) of the image at `index`, as its JSON file gives it."""
        part, image_id = self._regions[self.images[index]][0]
        return part.image_sizes[image_id]

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`.

        Regions overlap; a pixel that one plane of a category gives to another label is put on the
        category's next plane.
        """
        masks: dict[str, dict[int, Bool[np.ndarray, "y x"]]] = defaultdict(dict)
        for part, image_id in self._regions[self.images[index]]:
            for category_id, mask in part.masks(image_id):
                name, supercategory = part.categories[category_id]
                number = self._numbers[name]
                if number:
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
    """Lays masks that may overlap on as few maps of labels as they need, the first label on top."""
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


class _Part:
    """One JSON file: its images, its categories, and the regions of every image."""

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self.path = path
        words = _without_year(path.stem).split("_")
        self.split = split_in_path("/".join([*words, path.parent.name]))
        self.image_names = {int(i["id"]): str(i["file_name"]) for i in content["images"]}
        self.image_sizes = {
            int(i["id"]): (int(i["height"]), int(i["width"])) for i in content["images"]
        }
        self.categories = {
            int(c["id"]): (concept_name(c["name"]), str(c.get("supercategory") or "object"))
            for c in content["categories"]
        }
        self._regions: dict[int, list[tuple[int, Any]]] = defaultdict(list)
        self._segments: dict[int, tuple[str, dict[int, int]]] = {}
        for annotation in content["annotations"]:
            image_id = int(annotation["image_id"])
            if "segments_info" in annotation:
                segments = {
                    int(s["id"]): int(s["category_id"]) for s in annotation["segments_info"]
                }
                self._segments[image_id] = (str(annotation["file_name"]), segments)
            elif annotation.get("segmentation"):
                region = (int(annotation["category_id"]), annotation["segmentation"])
                self._regions[image_id].append(region)
        used = {category for regions in self._regions.values() for category, _ in regions}
        used |= {
            category for _, segments in self._segments.values() for category in segments.values()
        }
        if unknown := used - set(self.categories):
            raise DataError(f"{path}: category {min(unknown)} is used but not listed")

    @classmethod
    def read(cls, path: Path) -> _Part:
        try:
            return cls(path, json.loads(path.read_bytes()))
        except (
            OSError,
            LookupError,
            ValueError,
            TypeError,
            AttributeError,
            OverflowError,
        ) as fault:
            raise DataError(f"{path}: not a COCO annotation file ({fault!r})") from None

    def masks(self, image_id: int) -> Iterator[tuple[int, Bool[np.ndarray, "y x"]]]:
        """Category and mask of everything annotated in an image."""
        if image_id in self._segments:
            file, segments = self._segments[image_id]
            path = inside(self._panoptic_folder, file)
            channels = read_color_mask(path).astype(np.int32)
            check_mask(path, channels, self.image_sizes[image_id])
            ids = channels[..., 0] + 256 * channels[..., 1] + 65536 * channels[..., 2]
            for segment in np.unique(ids[ids > 0]).tolist():
                if segment not in segments:
                    raise DataError(f"{path}: the segment {segment} is not in {self.path.name}")
            for category in dict.fromkeys(segments.values()):
                mine = [segment for segment, owner in segments.items() if owner == category]
                yield category, np.isin(ids, mine)
        by_category: dict[int, list[Any]] = defaultdict(list)
        for category, region in self._regions.get(image_id, ()):
            by_category[category].append(region)
        for category, regions in by_category.items():
            yield category, self._decode(regions, image_id)

    def panoptic_files(self) -> list[Path]:
        """The panoptic masks."""
        return [self._panoptic_folder / file for file, _ in self._segments.values()]

    @cached_property
    def _panoptic_folder(self) -> Path:
        places = (self.path.with_suffix(""), self.path.parent.parent / self.path.stem)
        return next((place for place in places if place.is_dir()), places[0])

    def _decode(self, regions: Sequence[Any], image_id: int) -> Bool[np.ndarray, "y x"]:
        try:
            from pycocotools import mask as runs
        except ModuleNotFoundError:
            raise DataError(
                f"{self.path}: reading it needs pycocotools; pip install 'net2vec[coco]'"
            ) from None
        height, width = self.image_sizes[image_id]
        try:
            encoded = []
            for region in regions:
                _check_region(region, height, width)
                code = region
                if isinstance(region, list):
                    code = runs.merge(runs.frPyObjects(region, height, width))
                elif isinstance(region["counts"], list):
                    code = runs.frPyObjects(region, height, width)
                encoded.append(code)
            return np.asarray(runs.decode(runs.merge(encoded)), bool)
        except (LookupError, TypeError, ValueError, OverflowError) as fault:
            name = self.image_names[image_id]
            raise DataError(f"{self.path}: a region of {name} is damaged ({fault})") from None


def _check_region(region: Any, height: int, width: int) -> None:
    """Refuses what pycocotools would misread, or would fill the memory with.

    Raises:
        ValueError: the region is neither polygons nor runs over an image of this size.
    """
    if isinstance(region, list):
        for polygon in region:
            points = np.asarray(polygon, np.float64)
            if points.ndim != 1 or len(points) < 6 or len(points) % 2:
                raise ValueError("a polygon is not a list of three or more x, y")
            if not (np.abs(points) <= 2 * max(height, width)).all():
                raise ValueError(f"a polygon leaves the image of {width}x{height}")
        return
    size, counts = region["size"], region["counts"]
    if size != [height, width]:
        raise ValueError(f"it is for an image of height and width {size}, not {[height, width]}")
    if isinstance(counts, list):
        numbers = np.asarray(counts)
        if numbers.dtype.kind not in "iu" or numbers.min() < 0 or numbers.sum() != height * width:
            raise ValueError("its runs do not fill the image")
    elif not isinstance(counts, str):
        raise ValueError("its runs are neither numbers nor text")


class _Locator:
    """Finds the images that JSON files name, wherever they lie in the folder."""

    def __init__(self, folder: Path) -> None:
        self._by_name: dict[str, list[str]] = defaultdict(list)
        for file in list_files(folder, IMAGE_SUFFIXES):
            self._by_name[PurePosixPath(file).name].append(file)

    def __call__(self, file_name: str, part: Path) -> str:
        """The path relative to the folder; where several fit, the one of the JSON file's split."""
        named = self._by_name.get(PurePosixPath(file_name.replace("\\", "/")).name, [])
        found = [path for path in named if f"/{path}".endswith(f"/{file_name}")]
        if not found and len(named) == 1:
            found = named  # the folders on the way are those of another machine
        words = set(_without_year(part.stem).split("_"))
        of_split = [
            path for path in found if words & set(_without_year(path.split("/")[0]).split("_"))
        ]
        return next(iter([*of_split, *found]), file_name)


def _without_year(name: str) -> str:
    """`val` for `val2017`, in every part of a path or name."""
    return "".join(letter for letter in name if not letter.isdecimal())
