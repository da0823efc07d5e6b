"""COCO JSON files: images, categories, and the regions of every image."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool
from PIL import Image

from net2vec.data.files import inside, on_disk, read_regular
from net2vec.data.images import check_mask, read_color_mask
from net2vec.data.json_files import JSON_FAULTS, number_at, reason_of, whole_number
from net2vec.data.labels import concept_name
from net2vec.data.readers.coco.dialects import (
    attribute_names,
    category_names,
    is_federated,
    not_exhaustive,
)
from net2vec.data.readers.coco.locating import split_of
from net2vec.data.readers.coco.regions import MIN_POINTS, decode_regions, encode_region
from net2vec.errors import DataError

MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)
"""Pillow refuses larger images."""

_Id = int | str


class _Region(NamedTuple):
    """A region of an image: its annotation's id or None, its category, and its `segmentation`."""

    id: object
    category: int
    code: Any


class Document:
    """A JSON file of annotations.

    Attributes:
        path: its path.
        split: the split in its name or that of its folder, if any.
        place: names that may stand for a split: its own, the words in it, and its folder's.
        image_names, image_sizes: file name and (height, width) by image id, a number or a text.
        categories: (name, supercategory) by category id; the name is empty for a void category.
        regionless: image id of each annotation that has only a box.
        pointless: image id of each polygon of fewer than `MIN_POINTS` points.
        unlisted: image id of each annotation whose image is not listed.
        federated: whether a category that an image lacks may be in it all the same (LVIS).
        partial: image id of each region of a category that is not annotated throughout its image;
            such regions are left out.
    """

    def __init__(self, path: Path, folder: Path, content: dict[str, Any]) -> None:
        self.path = path
        self.split = split_of(path)
        self.place = "/".join([path.stem, *path.stem.split("_"), path.parent.name, ""])
        self._dataset = folder
        self.image_names: dict[_Id, str] = {}
        self.image_sizes: dict[_Id, tuple[int, int]] = {}
        self._not_exhaustive: dict[_Id, frozenset[int]] = {}
        self.federated = is_federated(content)
        for image in content["images"]:
            number, name = _identity(image["id"]), _file_name(image)
            if self.image_names.setdefault(number, name) != name:
                known = self.image_names[number]
                raise DataError(
                    f"{path}: the id {number} stands for two images, {known} and {name}"
                )
            height, width = (number_at(image, key, "an image") for key in ("height", "width"))
            self.image_sizes[number] = (height, width)
            self._not_exhaustive[number] = not_exhaustive(image)
        self.categories: dict[int, tuple[str, str]] = {}
        for category in content["categories"]:
            names = (
                concept_name(_unicode(category["name"])),
                _unicode(category.get("supercategory") or "object"),
            )
            category_id = number_at(category, "id", "a category")
            if self.categories.setdefault(category_id, names) != names:
                raise DataError(f"{path}: the id {category['id']} stands for two categories")
        self.categories = category_names(self.categories)
        attributes = attribute_names(content)
        self.categories |= {
            _attribute_id(number): (concept_name(_unicode(name)), kind)
            for number, (name, kind) in attributes.items()
        }
        self.regionless: list[_Id] = []
        self.partial: list[_Id] = []
        self.pointless: list[_Id] = []
        self.unlisted: list[_Id] = []
        self._regions: dict[_Id, list[_Region]] = defaultdict(list)
        self._segments: dict[_Id, tuple[str, dict[int, int]]] = {}
        for annotation in content["annotations"]:
            self._add(annotation)
        info = content.get("info")
        contributor = info.get("contributor") if isinstance(info, dict) else None
        if contributor == "Label Studio" and not self._regions:
            raise DataError(
                f"{path}: Label Studio's COCO export, which leaves out brush masks: of "
                f"{len(self.image_names)} images no region is annotated; export the masks as PNG "
                f"or NumPy, and the project as JSON, into one folder with the images"
            )
        parts = [
            part
            for regions in self._regions.values()
            for region in regions
            if isinstance(region.code, list)
            for part in region.code
        ]
        if parts and all(map(_is_in_first_pixel, parts)):
            raise DataError(
                f"{path}: all polygons lie within the first pixel, so that their coordinates are "
                "shares of the sides; wanted pixels"
            )
        used = {region.category for regions in self._regions.values() for region in regions}
        used |= {c for _, segments in self._segments.values() for c in segments.values()}
        if unknown := used - set(self.categories):
            raise DataError(f"{path}: category {min(unknown)} is used but not listed")

    def _add(self, annotation: dict[str, Any]) -> None:
        image = _identity(annotation["image_id"])
        if image not in self.image_names:
            self.unlisted.append(image)
        elif "segments_info" in annotation:
            segments = {
                number_at(one, "id", "a segment"): number_at(one, "category_id", "a segment")
                for one in annotation["segments_info"]
            }
            if beyond := [number for number in segments if not 0 <= number < 256**3]:
                raise ValueError(f"no pixel can hold the segment {str(beyond[0])[:20]}")
            file = _unicode(annotation["file_name"])
            if self._segments.setdefault(image, (file, segments)) != (file, segments):
                name = self.image_names[image]
                raise DataError(f"{self.path}: {name} has two masks of segments; wanted one")
        elif annotation.get("segmentation"):
            self._add_region(image, annotation)
        else:
            self.regionless.append(image)

    def _add_region(self, image: _Id, annotation: dict[str, Any]) -> None:
        """Keeps a region without polygons of one or two points, which some drawing tools leave."""
        code = annotation["segmentation"]
        if isinstance(code, list):
            parts = [part for part in code if not _is_pointless(part)]
            self.pointless += [image] * (len(code) - len(parts))
            code = parts
        if code:
            category = number_at(annotation, "category_id", "an annotation")
            if category in self._not_exhaustive[image]:
                self.partial.append(image)
                return
            attributes = annotation.get("attribute_ids") or ()
            numbers = (whole_number(number, "one of attribute_ids") for number in attributes)
            for one in (category, *map(_attribute_id, numbers)):
                self._regions[image].append(_Region(annotation.get("id"), one, code))

    @classmethod
    def read(cls, path: Path, folder: Path) -> Document:
        """Reads a JSON file of a dataset in `folder`.

        Raises:
            DataError: if it is invalid or contradicts itself.
        """
        try:
            return cls(path, folder, json.loads(read_regular(path)))
        except JSON_FAULTS as fault:
            raise DataError(f"{path}: not a COCO annotation file ({reason_of(fault)})") from None

    def repeated_names(self) -> Iterator[tuple[str, list[int]]]:
        """Names of several categories, with their ids."""
        ids: dict[str, list[int]] = defaultdict(list)
        for number, (name, _) in self.categories.items():
            ids[name].append(number)
        yield from ((name, numbers) for name, numbers in ids.items() if name and len(numbers) > 1)

    def size(self, image_id: _Id) -> tuple[int, int]:
        """(height, width) of an image.

        Raises:
            DataError: if no image that is read has this size; its masks could exhaust memory.
        """
        height, width = self.image_sizes[image_id]
        if not (height > 0 < width and height * width <= MAX_PIXELS):
            raise DataError(
                f"{self.path}: {self.image_names[image_id]} is said to have {width}x{height} "
                f"pixels; wanted 1 to {MAX_PIXELS}"
            )
        return height, width

    def faults(self) -> Iterator[str]:
        """Annotations of images that are not listed, as `file: reason`."""
        if self.unlisted:
            count, first = len(self.unlisted), self.unlisted[0]
            yield (
                f"{self.path}: {count} annotation{'s' * (count > 1)} of images that it does not "
                f"list, first of the id {first}"
            )

    def masks(self, image_id: _Id) -> Iterator[tuple[int, Bool[np.ndarray, "y x"]]]:
        """Category and mask of each category in an image.

        Raises:
            DataError: if a region is invalid, a panoptic mask cannot be read or contains a segment
                that is not listed, or pycocotools is needed but not installed.
        """
        if image_id in self._segments:
            yield from self._segment_masks(image_id)
        encoded: dict[int, list[Any]] = defaultdict(list)
        for region in self._regions.get(image_id, ()):
            encoded[region.category].append(self._encoded(region, image_id))
        for category, regions in encoded.items():
            yield category, decode_regions(regions)

    def _encoded(self, region: _Region, image_id: _Id) -> Any:
        try:
            return encode_region(region.code, *self.size(image_id))
        except ModuleNotFoundError:
            raise DataError(
                f"{self.path}: reading it needs pycocotools; pip install 'net2vec[coco]'"
            ) from None
        except (LookupError, TypeError, ValueError, OverflowError) as fault:
            name = self.image_names[image_id]
            which = "a region" if region.id is None else f"the region of annotation {region.id}"
            raise DataError(f"{self.path}: {which} in {name} is damaged ({fault})") from None

    def _segment_masks(self, image_id: _Id) -> Iterator[tuple[int, Bool[np.ndarray, "y x"]]]:
        file, segments = self._segments[image_id]
        path = inside(self._panoptic_folder, on_disk(self._panoptic_folder, file), self._dataset)
        channels = read_color_mask(path).astype(np.int32)
        check_mask(path, channels, self.size(image_id))
        ids = channels[..., 0] + 256 * channels[..., 1] + 65536 * channels[..., 2]
        for segment in np.unique(ids[ids > 0]).tolist():
            if segment not in segments:
                raise DataError(f"{path}: the segment {segment} is not in {self.path.name}")
        for category in dict.fromkeys(segments.values()):
            numbers = [segment for segment, c in segments.items() if c == category]
            yield category, np.isin(ids, numbers)

    def panoptic_files(self) -> list[Path]:
        """Paths of the panoptic masks."""
        folder = self._panoptic_folder
        return [folder / on_disk(folder, file) for file, _ in self._segments.values()]

    @cached_property
    def _panoptic_folder(self) -> Path:
        folders = (self.path.with_suffix(""), self.path.parent.parent / self.path.stem)
        return next((folder for folder in folders if folder.is_dir()), folders[0])


def _attribute_id(number: int) -> int:
    """The number of an attribute among those of categories, which are not negative."""
    return -1 - number


def _identity(value: Any) -> _Id:
    """The id of an image: a number, also as text, or the text that Cityscapes has."""
    if isinstance(value, str) and not value.isdecimal():
        return _unicode(value)
    return whole_number(value, "the id of an image")


def _file_name(image: dict[str, Any]) -> str:
    """The name of an image; LVIS gives only where it was, `.../train2017/000000391895.jpg`."""
    if "file_name" in image:
        return _unicode(image["file_name"])
    url = _unicode(image.get("coco_url") or "")
    if not url:
        raise ValueError(f"the image {image['id']} has neither file_name nor coco_url")
    return "/".join(url.split("/")[-2:])


def _unicode(value: Any) -> str:
    text = str(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{text!a} is no valid Unicode") from None
    return text


def _is_in_first_pixel(polygon: Any) -> bool:
    return isinstance(polygon, list) and all(isinstance(n, int | float) and n <= 1 for n in polygon)


def _is_pointless(polygon: Any) -> bool:
    # [[x, y], ...], which some programs write, is refused when it is decoded.
    flat = isinstance(polygon, list) and not any(isinstance(part, list) for part in polygon)
    return flat and len(polygon) < 2 * MIN_POINTS
