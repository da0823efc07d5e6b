"""Label Studio's brush masks: its exports as PNG and as NumPy arrays, beside its JSON export.

A mask is of one label in one annotation of a task: `task-3-annotation-7-by-1-tag-Cat-0.png`. Which
image a task is of, and how labels are called, stands in the JSON export alone (JSON or JSON-MIN).
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np
from jaxtyping import Bool

from net2vec.data.description import Description
from net2vec.data.files import composed, digest_files, list_files, read_regular, refuse_links_out
from net2vec.data.images import IMAGE_SUFFIXES, check_mask, read_mask
from net2vec.data.json_files import JSON_FAULTS, number_at, reason_of
from net2vec.data.labels import concept_name, number_names
from net2vec.data.left_out import LeftOut, count_left_out
from net2vec.data.protocol import Annotation, Plane
from net2vec.data.readers.base import Evidence, Reader
from net2vec.data.readers.coco import stack_masks
from net2vec.data.splits import SplitChoice
from net2vec.errors import DataError

_MASK = re.compile(
    r"task-(?P<task>\d+)-annotation-(?P<annotation>\d+)-by-[^-]*-(?P<label>.+)-\d+\.(png|npy)"
)
_SUFFIXES = frozenset({".png", ".npy"})
# What Label Studio puts before the names of files that are uploaded.
_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")
_ARRAY = ".npy"
_PARSED_BYTES = 512 << 20


@dataclass
class _Task:
    """A task of the JSON export.

    Attributes:
        names: possible names of its image, the likeliest first.
        annotations: numbers of its annotations.
        labels: class names by how file names call them (`tag-Cat`).
    """

    names: list[str]
    annotations: list[int]
    labels: dict[str, list[str]] = field(default_factory=dict)


class LabelStudioDataset(Reader):
    """Images with brush masks of Label Studio.

    Of several annotations of one image the first is read. Images without any annotation are left
    out; an annotated one without a mask has none of the classes. The split is that of a folder on
    the image's path, else it is drawn.

    Args:
        folder: with the masks, the JSON export and the images anywhere in it.
        stated: its category ("object" by default) and splits.

    Raises:
        DataError: if there is no JSON export, a mask is of none of its tasks or labels, or the
            image of a task is not there.
    """

    layout = "Label Studio"
    marks = "task-*-annotation-*.png or .npy, and the JSON export"
    takes = frozenset({"category", "splits"})

    def __init__(self, folder: Path | str, description: Description | None = None) -> None:
        super().__init__(folder, description)
        self.categories = (self.description.category or "object",)
        masks = _masks_in(self.folder)
        self._exports = list(_exports(self.folder))
        if not self._exports:
            raise DataError(f"{self.folder}: {_NO_EXPORT}")
        tasks: dict[int, _Task] = {}
        for path in self._exports:
            for number, task in _tasks(self.folder / path):
                if tasks.setdefault(number, task).names != task.names:
                    raise DataError(f"{self.folder / path}: task {number} has two images")
        files = list_files(self.folder, IMAGE_SUFFIXES, within=self.folder)
        images: dict[str, list[str]] = defaultdict(list)
        for file in files:
            if file not in masks:
                images[composed(PurePosixPath(file).name)].append(file)
        self._choice = SplitChoice(self.description.splits)
        self._others: list[str] = []
        by_task: dict[int, list[tuple[str, str]]] = defaultdict(list)
        for file in masks:
            by_task[int(_match(file)["task"])].append((file, _match(file)["annotation"]))
        if unknown := sorted(set(by_task) - set(tasks)):
            raise DataError(
                f"{self.folder / by_task[unknown[0]][0][0]}: the JSON export has no task "
                f"{unknown[0]}; export it again"
            )
        self._masks: dict[str, list[tuple[str, list[str]]]] = {}
        self._choose(tasks, by_task, images)
        splits = self._choice.splits
        if not splits:
            raise DataError(f"{self.folder}: no annotated images for training or validation")
        self.description.splits.check_used(splits, str(self.folder))
        self.images = tuple(sorted(splits))
        self.splits = tuple(splits[image] for image in self.images)
        found = sorted({n for listed in self._masks.values() for _, names in listed for n in names})
        self.labels, self._numbers = number_names(found)

    @classmethod
    def examine(cls, folder: Path) -> Evidence:
        """Masks whose names tell their task, and the export that says which image it is of."""
        masks = _masks_in(folder)
        if not masks:
            return Evidence()
        against = () if any(_exports(folder)) else (_NO_EXPORT,)
        return Evidence((f"{len(masks)} masks such as {masks[0]}",), against)

    def annotation(self, index: int) -> Annotation:
        """The annotation of the image at `index`, as `ProbeDataset.annotation`."""
        united: dict[int, Bool[np.ndarray, "y x"]] = {}
        size = self.image_size(index)
        for file, names in self._masks[self.images[index]]:
            mask = self._read(file, size)
            for number in filter(None, map(self._numbers.__getitem__, names)):
                known = united.get(number)
                if known is not None and known.shape != mask.shape:
                    raise DataError(f"{self.folder / file}: has another size than its other masks")
                united[number] = mask if known is None else known | mask
        if len({mask.shape for mask in united.values()}) > 1:
            raise DataError(f"{self._image_source(index)}: its masks have several sizes")
        planes = (Plane(self.categories[0], plane) for plane in stack_masks(united))
        return Annotation(tuple(planes))

    @cached_property
    def digest(self) -> str:
        """Digest of the labels and splits, images and masks."""
        masks = [file for image in self.images for file, _ in self._masks[image]]
        names = [self._masks[image] for image in self.images]
        settings = (self.categories, self.labels, self.splits, names)
        return digest_files(self.folder, (), [*self.images, *masks], settings)

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """Images without annotation or for testing, and further annotations of an image."""
        return [
            *count_left_out("images", self._choice.unused),
            *count_left_out("masks", {"of another annotation of the same image": self._others}),
        ]

    @property
    def taken(self) -> Sequence[tuple[str, str]]:
        """The export and where the splits are from."""
        count = sum(map(len, self._masks.values()))
        exports = ", ".join(self._exports)
        return [
            ("masks", f"{count} brush masks"),
            ("tasks", exports),
            self.split_taken(self._choice.drawn),
        ]

    def _choose(
        self,
        tasks: Mapping[int, _Task],
        masks: Mapping[int, Sequence[tuple[str, str]]],
        images: Mapping[str, Sequence[str]],
    ) -> None:
        """Chooses the images that are used, and sets their masks."""
        choice, chosen = self._choice, set()
        for number, task in tasks.items():
            numbers = sorted({*task.annotations, *(int(a) for _, a in masks.get(number, ()))})
            if not numbers:
                choice.unused.setdefault("not annotated", []).append(task.names[0])
                continue
            image = self._image_of(number, task, images)
            if image in chosen:
                raise DataError(
                    f"{self.folder / image}: is the image of two tasks, one is {number}"
                )
            chosen.add(image)
            if not choice.add(image, choice.rule.split_of(image)):
                continue
            self._masks[image] = []
            for file, annotation in sorted(masks.get(number, ())):
                if int(annotation) != numbers[0]:
                    self._others.append(file)
                    continue
                label = _match(file)["label"]
                if label not in task.labels:
                    raise DataError(
                        f"{self.folder / file}: the JSON export has no label {label!r} for this "
                        f"task; export both at the same time"
                    )
                names = [concept_name(name) for name in task.labels[label]]
                self._masks[image].append((file, names))

    def _image_of(self, number: int, task: _Task, images: Mapping[str, Sequence[str]]) -> str:
        for name in task.names:
            candidates = images.get(name, ())
            if len(candidates) > 1:
                raise DataError(
                    f"{self.folder}: the image {name} of task {number} may be {candidates[0]} or "
                    f"{candidates[1]}"
                )
            if candidates:
                return candidates[0]
        wanted = " or ".join(task.names) or "of no name"
        raise DataError(
            f"{self.folder}: the image of task {number}, {wanted}, is not in the folder; Label "
            f"Studio's exports of masks hold no images: copy them beside"
        )

    def _read(self, file: str, image: tuple[int, int]) -> Bool[np.ndarray, "y x"]:
        path = self.folder / file
        refuse_links_out(self.folder, path)
        mask = _read_array(path) if file.endswith(_ARRAY) else read_mask(path, palettes=False)
        if mask.ndim != 2:
            raise DataError(f"{path}: a mask of shape {mask.shape}; wanted rows and columns")
        check_mask(path, mask, image)
        on: Bool[np.ndarray, "y x"] = mask > 0
        return on


_NO_EXPORT = (
    "Label Studio's masks alone do not say which image they are of; put its JSON export of the "
    "project beside them"
)


def _match(file: str) -> re.Match[str]:
    match = _MASK.fullmatch(PurePosixPath(file).name)
    assert match is not None  # noqa: S101 - only such files are listed
    return match


def _masks_in(folder: Path) -> list[str]:
    files = list_files(folder, _SUFFIXES, within=folder)
    return [file for file in files if _MASK.fullmatch(PurePosixPath(file).name)]


def _exports(folder: Path) -> Iterator[str]:
    """JSON files here that hold a list of tasks."""
    for path in sorted(folder.glob("*.json")):
        refuse_links_out(folder, path)
        if path.is_file() and path.stat().st_size <= _PARSED_BYTES:
            with path.open("rb") as file:
                begins = file.read(64).lstrip(b"\xef\xbb\xbf \r\n\t")
            if begins[:1] == b"[":
                yield path.name


def _tasks(path: Path) -> Iterator[tuple[int, _Task]]:
    """The tasks of an export with their numbers.

    Raises:
        DataError: if it is no export of tasks.
    """
    try:
        for entry in json.loads(read_regular(path)):
            annotated = entry.get("annotations")
            if annotated is None:  # JSON-MIN: an entry an annotation, with its results by tag
                key = "annotation_id"
                numbers = [number_at(entry, key, "a task")] if key in entry else []
                results = [
                    (tag, value)
                    for tag, values in entry.items()
                    if isinstance(values, list)
                    for value in values
                    if isinstance(value, dict)
                ]
            else:
                completed = [one for one in annotated if not one.get("was_cancelled")]
                numbers = [number_at(one, "id", "an annotation") for one in completed]
                parts = [part for one in completed for part in one["result"]]
                results = [(part.get("from_name"), part.get("value")) for part in parts]
            task = _Task(_image_names(entry), numbers)
            for tag, value in results:
                if names := (value or {}).get("brushlabels"):
                    task.labels[f"{tag}-{'-'.join(names)}"] = list(map(str, names))
            yield number_at(entry, "id", "a task"), task
    except JSON_FAULTS as fault:
        raise DataError(
            f"{path}: not Label Studio's JSON export of tasks ({reason_of(fault)}); move it away "
            f"if it is something else"
        ) from None


def _image_names(entry: Mapping[str, Any]) -> list[str]:
    """Names of a task's image: that of its address, and that before it was uploaded."""
    data = entry.get("data", entry)
    values = [value for value in data.values() if isinstance(value, str)]
    names = [str(entry["file_upload"])] if entry.get("file_upload") else []
    for value in values:
        address = urlsplit(value)
        local = parse_qs(address.query).get("d", [""])[0]  # `/data/local-files/?d=photos/1.jpg`
        names.append(local or unquote(address.path))
    file_names = [composed(PurePosixPath(name.replace("\\", "/")).name) for name in names]
    file_names = [
        name for name in file_names if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES
    ]
    file_names += [match[1] for name in list(file_names) if (match := _UPLOADED.fullmatch(name))]
    return list(dict.fromkeys(file_names))


def _read_array(path: Path) -> np.ndarray:
    """A mask as an array, without running anything that the file may hold.

    Raises:
        DataError: if it is damaged or holds anything but numbers.
    """
    try:
        # A file that is shorter than its header says is refused before memory is asked for.
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        if mapped.dtype.kind not in "biu":
            raise ValueError(f"it holds {mapped.dtype}")
        return np.array(mapped)
    except (OSError, ValueError, EOFError, AttributeError) as fault:
        raise DataError(f"{path}: cannot be read as an array of whole numbers ({fault})") from None
