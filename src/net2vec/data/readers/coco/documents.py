"""One of COCO's JSON files: its images, its categories, and the regions of every image."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from net2vec.data.files import inside
from net2vec.data.images import check_mask, read_color_mask
from net2vec.data.labels import concept_name
from net2vec.data.readers.coco.locating import split_of
from net2vec.data.readers.coco.regions import decode_regions
from net2vec.errors import DataError


class Document:
    """One JSON file.

    Attributes:
        path: where it is.
        split: what its name or folder says, if anything.
        image_names, image_sizes: file name and (height, width) by the image's id.
        categories: (name, supercategory) by the category's id; the name is empty for a void one.
        regionless: ids of the images of annotations that have no region but a box.
        unlisted: ids of the images of annotations whose image is not listed.
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
        self.unlisted: list[int] = []
        self._regions: dict[int, list[tuple[int, Any]]] = defaultdict(list)
        self._segments: dict[int, tuple[str, dict[int, int]]] = {}
        for annotation in content["annotations"]:
            self._add(annotation)
        used = {category for regions in self._regions.values() for category, _ in regions}
        used |= {
            category for _, segments in self._segments.values() for category in segments.values()
        }
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
            region = (int(annotation["category_id"]), annotation["segmentation"])
            self._regions[image].append(region)
        else:
            self.regionless.append(image)

    @classmethod
    def read(cls, path: Path) -> Document:
        """Reads a JSON file.

        Raises:
            DataError: it is not what it should be, or contradicts itself.
        """
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

    def faults(self) -> Iterator[str]:
        """What is passed over although it cannot be meant so, as `file: reason`."""
        if self.unlisted:
            count, first = len(self.unlisted), self.unlisted[0]
            yield (
                f"{self.path}: {count} annotation{'s' * (count > 1)} of images that it does not "
                f"list, first of the id {first}"
            )

    def masks(self, image_id: int) -> Iterator[tuple[int, Bool[np.ndarray, "y x"]]]:
        """Category and mask of everything annotated in an image.

        Raises:
            DataError: a region is damaged, a mask of segments cannot be read or holds one that is
                not listed, or pycocotools is wanted and not there.
        """
        if image_id in self._segments:
            yield from self._segment_masks(image_id)
        by_category: dict[int, list[Any]] = defaultdict(list)
        for category, region in self._regions.get(image_id, ()):
            by_category[category].append(region)
        for category, regions in by_category.items():
            try:
                yield category, decode_regions(regions, *self.image_sizes[image_id])
            except ModuleNotFoundError:
                raise DataError(
                    f"{self.path}: reading it needs pycocotools; pip install 'net2vec[coco]'"
                ) from None
            except (LookupError, TypeError, ValueError, OverflowError) as fault:
                name = self.image_names[image_id]
                raise DataError(f"{self.path}: a region of {name} is damaged ({fault})") from None

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
            mine = [segment for segment, owner in segments.items() if owner == category]
            yield category, np.isin(ids, mine)

    def panoptic_files(self) -> list[Path]:
        """The masks of segments."""
        return [self._panoptic_folder / file for file, _ in self._segments.values()]

    @cached_property
    def _panoptic_folder(self) -> Path:
        places = (self.path.with_suffix(""), self.path.parent.parent / self.path.stem)
        return next((place for place in places if place.is_dir()), places[0])
