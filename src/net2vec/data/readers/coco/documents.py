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

from net2vec.data.files import inside
from net2vec.data.images import check_mask, read_color_mask
from net2vec.data.labels import concept_name
from net2vec.data.readers.coco.locating import split_of
from net2vec.data.readers.coco.regions import MIN_POINTS, decode_regions, encode_region
from net2vec.errors import DataError


class _Region(NamedTuple):
    """A region of an image: its annotation's id or None, its category, and its `segmentation`."""

    id: object
    category: int
    code: Any


class Document:
    """One JSON file.

    Attributes:
        path: its path.
        split: the split in its name or that of its folder, if any.
        image_names, image_sizes: file name and (height, width) by image id.
        categories: (name, supercategory) by category id; the name is empty for a void category.
        regionless: image id of each annotation that has only a box.
        pointless: image id of each polygon of fewer than `MIN_POINTS` points.
        unlisted: image id of each annotation whose image is not listed.
    """

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self.path = path
        self.split = split_of(path)
        self.image_names: dict[int, str] = {}
        self.image_sizes: dict[int, tuple[int, int]] = {}
        for image in content["images"]:
            number, name = int(image["id"]), str(image["file_name"])
            if self.image_names.setdefault(number, name) != name:
                known = self.image_names[number]
                raise DataError(
                    f"{path}: the id {number} stands for two images, {known} and {name}"
                )
            self.image_sizes[number] = (int(image["height"]), int(image["width"]))
        self.categories: dict[int, tuple[str, str]] = {}
        for category in content["categories"]:
            names = concept_name(category["name"]), str(category.get("supercategory") or "object")
            if self.categories.setdefault(int(category["id"]), names) != names:
                raise DataError(f"{path}: the id {category['id']} stands for two categories")
        self.regionless: list[int] = []
        self.pointless: list[int] = []
        self.unlisted: list[int] = []
        self._regions: dict[int, list[_Region]] = defaultdict(list)
        self._segments: dict[int, tuple[str, dict[int, int]]] = {}
        for annotation in content["annotations"]:
            self._add(annotation)
        used = {region.category for regions in self._regions.values() for region in regions}
        used |= {c for _, segments in self._segments.values() for c in segments.values()}
        if unknown := used - set(self.categories):
            raise DataError(f"{path}: category {min(unknown)} is used but not listed")

    def _add(self, annotation: dict[str, Any]) -> None:
        image = int(annotation["image_id"])
        if image not in self.image_names:
            self.unlisted.append(image)
        elif "segments_info" in annotation:
            segments = {int(s["id"]): int(s["category_id"]) for s in annotation["segments_info"]}
            file = str(annotation["file_name"])
            if self._segments.setdefault(image, (file, segments)) != (file, segments):
                name = self.image_names[image]
                raise DataError(f"{self.path}: {name} has two masks of segments; wanted one")
        elif annotation.get("segmentation"):
            self._add_region(image, annotation)
        else:
            self.regionless.append(image)

    def _add_region(self, image: int, annotation: dict[str, Any]) -> None:
        """Keeps a region without polygons of one or two points, which some drawing tools leave."""
        code = annotation["segmentation"]
        if isinstance(code, list):
            whole = [part for part in code if not _is_pointless(part)]
            self.pointless += [image] * (len(code) - len(whole))
            code = whole
        if code:
            category = int(annotation["category_id"])
            self._regions[image].append(_Region(annotation.get("id"), category, code))

    @classmethod
    def read(cls, path: Path) -> Document:
        """Reads a JSON file.

        Raises:
            DataError: if it is invalid or contradicts itself.
        """
        try:
            return cls(path, json.loads(path.read_bytes()))
        except (OSError, LookupError, ValueError, TypeError, AttributeError, OverflowError) as err:
            raise DataError(f"{path}: not a COCO annotation file ({err!r})") from None

    def faults(self) -> Iterator[str]:
        """Annotations of images that are not listed, as `file: reason`."""
        if self.unlisted:
            count, first = len(self.unlisted), self.unlisted[0]
            yield (
                f"{self.path}: {count} annotation{'s' * (count > 1)} of images that it does not "
                f"list, first of the id {first}"
            )

    def masks(self, image_id: int) -> Iterator[tuple[int, Bool[np.ndarray, "y x"]]]:
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

    def _encoded(self, region: _Region, image_id: int) -> Any:
        try:
            return encode_region(region.code, *self.image_sizes[image_id])
        except ModuleNotFoundError:
            raise DataError(
                f"{self.path}: reading it needs pycocotools; pip install 'net2vec[coco]'"
            ) from None
        except (LookupError, TypeError, ValueError, OverflowError) as fault:
            name = self.image_names[image_id]
            which = "a region" if region.id is None else f"the region of annotation {region.id}"
            raise DataError(f"{self.path}: {which} in {name} is damaged ({fault})") from None

    def _segment_masks(self, image_id: int) -> Iterator[tuple[int, Bool[np.ndarray, "y x"]]]:
        file, segments = self._segments[image_id]
        path = inside(self._panoptic_folder, file)
        channels = read_color_mask(path).astype(np.int32)
        check_mask(path, channels, self.image_sizes[image_id])
        ids = channels[..., 0] + 256 * channels[..., 1] + 65536 * channels[..., 2]
        for segment in np.unique(ids[ids > 0]).tolist():
            if segment not in segments:
                raise DataError(f"{path}: the segment {segment} is not in {self.path.name}")
        for category in dict.fromkeys(segments.values()):
            numbers = [segment for segment, c in segments.items() if c == category]
            yield category, np.isin(ids, numbers)

    def panoptic_files(self) -> list[Path]:
        """Paths of the panoptic masks."""
        return [self._panoptic_folder / file for file, _ in self._segments.values()]

    @cached_property
    def _panoptic_folder(self) -> Path:
        folders = (self.path.with_suffix(""), self.path.parent.parent / self.path.stem)
        return next((folder for folder in folders if folder.is_dir()), folders[0])


def _is_pointless(polygon: Any) -> bool:
    return isinstance(polygon, list) and len(polygon) < 2 * MIN_POINTS
