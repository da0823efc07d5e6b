"""WebDataset's shards: tar files in which files of one key make a sample, read without unpacking.

A key is a member's name up to the first dot of its last part: `000012.jpg`, `000012.seg.png` and
`000012.json` are the image, the mask and the description of one sample.
"""

from __future__ import annotations

import hashlib
import json
import os
import tarfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from net2vec.data.description import DATASET_FILE, Description
from net2vec.data.files import list_files, refuse_links_out, refuse_undecoded
from net2vec.data.image_files import ImageBytes
from net2vec.data.images import IMAGE_SUFFIXES
from net2vec.data.left_out import LeftOut, count_left_out
from net2vec.data.protocol import SPLITS
from net2vec.data.readers.base import Evidence
from net2vec.data.readers.image_classes import listed_classes, name_classes
from net2vec.data.readers.mask_classes import MaskClasses
from net2vec.data.readers.mask_folders import MASK_SUFFIXES
from net2vec.data.readers.one_category import OneCategoryReader
from net2vec.data.readers.parquet.arrangement import split_of_file
from net2vec.data.readers.parquet.columns import LABELS, MASKS
from net2vec.data.splits import SplitChoice
from net2vec.errors import DataError

_SHARD_SUFFIXES = frozenset({".tar"})
_MAX_MEMBERS = 20_000_000
_MAX_MEMBER_BYTES = 1 << 30
_SNIFFED_MEMBERS = 16
_END_BYTES = 512  # zeros at the end of every tar file
# Of the members of one sample.
_CLASS, _DESCRIPTION = "cls", "json"


@dataclass(frozen=True)
class _Member:
    """The position of a file: its shard's number, the offset and size of its content in bytes."""

    shard: int
    offset: int
    size: int


class WebDataset(OneCategoryReader):
    """Images in tar files, each with a mask of class numbers or colours, or with a class.

    Opening it reads the headers of all members, not their content. The class is in a member `cls`,
    or in the `json` under a usual name. The split is that in the name of the shard or of its
    folder, else it is drawn by a hash of the sample's key.

    Args:
        folder: with tar files anywhere in it.
        stated: endings of images and masks (`images = "jpg"`, `masks = "seg.png"`), the key of the
            class in the `json` (`label`), category, names or colours, void values, splits.

    Raises:
        DataError: if a shard is damaged or compressed, no sample has an image and a mask or class,
            or it is not clear which endings are meant or what numbers mean.
    """

    layout = "WebDataset"
    marks = "*.tar with images"
    takes = frozenset(
        {"images", "masks", "label", "category", "classes", "colors", "void", "splits"}
    )
    is_outermost = True

    def __init__(self, folder: Path | str, description: Description | None = None) -> None:
        super().__init__(folder, description)
        self._shards = list_files(self.folder, _SHARD_SUFFIXES, within=self.folder)
        self.categories = (self.description.category or "object",)
        self._passed_over: Counter[str] = Counter()
        samples: dict[str, dict[str, _Member]] = {}
        for number, shard in enumerate(self._shards):
            split = split_of_file(PurePosixPath(shard))
            for name, offset, size in _members(self.folder, shard, self._passed_over):
                path = PurePosixPath(name)
                stem, _, ending = path.name.partition(".")
                key = f"{split}/{(path.parent / stem).as_posix()}"
                if samples.setdefault(key, {}).setdefault(
                    ending.lower(), _Member(number, offset, size)
                ) != _Member(number, offset, size):
                    raise DataError(f"{self.folder / shard}: has two files {name!r} of one sample")
        self._image_endings, self._mask_ending = self._endings(samples)
        self._choose(samples)

    @classmethod
    def examine(cls, folder: Path) -> Evidence:
        """Tar files, the first of which begins with samples that have an image."""
        shards = list_files(folder, _SHARD_SUFFIXES)
        if not shards:
            return Evidence()
        refuse_links_out(folder, folder / shards[0])
        if not _begins_with_image(folder, shards[0]):
            return Evidence((), (f"{folder / shards[0]}: does not begin with samples of images",))
        return Evidence((f"{shards[0]}{', ...' if len(shards) > 1 else ''}",))

    @cached_property
    def digest(self) -> str:
        """Digest of the shards' contents and of what decides their meaning."""
        meaning = self.mask_classes.settings if self.mask_classes else (self.image_labels,)
        settings = (self.categories, self.labels, self.images, self.splits, *meaning)
        state = hashlib.sha256(f"{settings!r} {self._mask_ending}\0".encode())
        for number in sorted({m.shard for sample in self._samples for m in sample.values()}):
            with (self.folder / self._shards[number]).open("rb") as file:
                state.update(hashlib.file_digest(file, "sha256").digest())
        return state.hexdigest()

    @property
    def left_out(self) -> Sequence[LeftOut]:
        """Samples for testing or without annotation, and members that are no regular files."""
        members = {f"{kind} in a shard": [kind] * n for kind, n in self._passed_over.items()}
        return [
            *count_left_out("images", self._choice.unused),
            *count_left_out("members", members),
        ]

    @property
    def taken(self) -> Sequence[tuple[str, str]]:
        """Endings of images and masks, names and splits."""
        return [
            ("shards", f"{len(self._shards)}"),
            ("images", ", ".join(f"*.{ending}" for ending in self._image_endings)),
            *self.classes_taken(f"*.{self._mask_ending}", self._label_source),
            self.split_taken(self._choice.drawn),
        ]

    def _image_source(self, index: int) -> ImageBytes:
        endings = self._samples[index]
        return self._read(index, next(e for e in self._image_endings if e in endings))

    def _mask_source(self, index: int) -> ImageBytes:
        return self._read(index, str(self._mask_ending))

    def _read(self, index: int, ending: str) -> ImageBytes:
        member = self._samples[index][ending]
        name = f"{self.folder / self._shards[member.shard]}, {self.images[index]}.{ending}"
        return ImageBytes(name, self._content(member, name))

    def _content(self, member: _Member, name: str) -> bytes:
        path = self.folder / self._shards[member.shard]
        refuse_links_out(self.folder, path)
        with path.open("rb") as file:
            file.seek(member.offset)
            content = file.read(member.size)
        if len(content) < member.size:
            raise DataError(f"{name}: the shard ends before the file does")
        return content

    def _endings(
        self, samples: Mapping[str, Mapping[str, _Member]]
    ) -> tuple[tuple[str, ...], str | None]:
        """Endings of images, and that of masks; None if there are none."""
        counts = Counter(ending for sample in samples.values() for ending in sample)
        pictures = {e for e in counts if f".{e.rpartition('.')[2]}" in IMAGE_SUFFIXES}
        named = {e for e in pictures if e.rpartition(".")[0] in MASKS}
        alone = {
            e for sample in samples.values() for e in sample if len(pictures & set(sample)) == 1
        }
        beside = {e for e in pictures - alone if f".{e}" in MASK_SUFFIXES}
        if len(self.description.masks) == 1 and self.description.masks[0] in pictures:
            masks = set(self.description.masks)
        elif self.description.masks:
            raise self._unclear("masks", pictures)
        else:
            # `x.png` beside `x.jpg` is the mask; alone it is an image.
            masks = named or (beside if pictures - beside else set())
        images = set(self.description.images) or {e for e in pictures - masks if "." not in e}
        if not images or not images <= pictures or images & masks:
            raise self._unclear("images", pictures)
        if len(masks) > 1:
            raise self._unclear("masks", pictures)
        return tuple(sorted(images)), next(iter(masks), None)

    def _unclear(self, key: str, endings: set[str]) -> DataError:
        listed = ", ".join(sorted(endings)) or "none"
        return DataError(
            f"{self.folder}: it is not clear which files of a sample are its {key}; those of "
            f'pictures end in {listed}; name one in a {DATASET_FILE}, as in `{key} = "png"`'
        )

    def _choose(self, samples: Mapping[str, dict[str, _Member]]) -> None:
        """Set the images, their samples, splits and labels."""
        rule = self.description.splits
        self._choice = SplitChoice(rule)
        self._samples: list[dict[str, _Member]] = []
        self._label_source = ""
        classes: list[list[Any]] = []
        for key, sample in samples.items():
            split, reason = rule.split_of(key), None
            named: list[Any] = []
            if not any(ending in sample for ending in self._image_endings):
                reason = "no picture in the sample"
            elif self._mask_ending is not None:
                reason = None if self._mask_ending in sample else "no mask"
            elif split in (*SPLITS, None):
                named = self._classes_of(key, sample)
                reason = None if named else "no class"
            if self._choice.add(key, split, reason):
                self._samples.append(sample)
                classes.append(named)
        if not self._choice.splits:
            endings = ", ".join(
                sorted({ending for sample in samples.values() for ending in sample})
            )
            raise DataError(
                f"{self.folder}: no annotated images for training or validation; files of a sample "
                f"end in {endings}; name those of masks in a {DATASET_FILE}, as in `masks = "
                f'"seg.png"`, or the key of the class in the json as `label`'
            )
        rule.check_used(samples, str(self.folder))
        self.images, self.splits = zip(*self._choice.splits.items(), strict=True)
        if self._mask_ending is not None:
            self.mask_classes = MaskClasses.from_description(self.folder, self.description)
            self.labels = self.mask_classes.labels
            return
        is_named = any(isinstance(value, str) for row in classes for value in row)
        names = (
            None if is_named else MaskClasses.from_description(self.folder, self.description).names
        )
        where = f"{self.folder}, {self._label_source}"
        self.labels, self.image_labels = name_classes(classes, names, self.categories[0], where)

    def _classes_of(self, key: str, sample: Mapping[str, _Member]) -> list[Any]:
        if _CLASS in sample and self.description.label is None:
            self._label_source = f"*.{_CLASS}"
            text = (
                self._content(sample[_CLASS], f"{key}.{_CLASS}").decode("utf-8", "replace").strip()
            )
            return listed_classes(int(text) if text.lstrip("-").isdecimal() else text)
        if _DESCRIPTION not in sample:
            return []
        name = f"{self.folder / self._shards[sample[_DESCRIPTION].shard]}, {key}.{_DESCRIPTION}"
        try:
            content = json.loads(self._content(sample[_DESCRIPTION], name))
        except (ValueError, RecursionError):
            raise DataError(f"{name}: cannot be read as JSON") from None
        keys = [k for k in content if k == self.description.label or k.lower() in LABELS] if (
            isinstance(content, dict)
        ) else []  # fmt: skip
        if self.description.label is not None:
            keys = [k for k in keys if k == self.description.label]
        if len(keys) > 1:
            raise DataError(
                f"{name}: {', '.join(keys)} may be its class; name one in a {DATASET_FILE}, as in "
                f'`label = "{keys[0]}"`'
            )
        if not keys:
            return []
        self._label_source = f"{keys[0]} of *.{_DESCRIPTION}"
        return listed_classes(content[keys[0]])


def _members(folder: Path, shard: str, passed_over: Counter[str]) -> list[tuple[str, int, int]]:
    """Name, offset and size of each regular file in a tar file; others are counted.

    Raises:
        DataError: if it is damaged or compressed, or a member is too large.
    """
    path = folder / shard
    refuse_links_out(folder, path)
    members: list[tuple[str, int, int]] = []
    with path.open("rb") as file:
        file.seek(-min(_END_BYTES, path.stat().st_size), os.SEEK_END)
        if any(file.read()):  # a part of a tar file is one to the library, too
            raise DataError(
                f"{path}: no tar file, or cut short: it has no end mark; compressed ones are to be "
                f"unpacked, as by gunzip"
            )
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                archive.members = []  # type: ignore[attr-defined] # or all headers are kept
                hidden = PurePosixPath(member.name).name.startswith(".")
                if member.isdir() or hidden:
                    continue
                if not member.isreg() or member.issparse():
                    passed_over["a link or device"] += 1
                    continue
                refuse_undecoded(member.name)
                if member.size > _MAX_MEMBER_BYTES or len(members) >= _MAX_MEMBERS:
                    raise DataError(f"{path}: {member.name} is too large, or there are too many")
                members.append((member.name, member.offset_data, member.size))
    except (tarfile.TarError, OSError, ValueError, EOFError) as fault:
        reason = " ".join(str(fault).split())
        raise DataError(f"{path}: cannot be read as a tar file ({reason})") from None
    return members


def _begins_with_image(folder: Path, shard: str) -> bool:
    try:
        with tarfile.open(folder / shard, "r:") as archive:
            for _, member in zip(range(_SNIFFED_MEMBERS), archive, strict=False):
                if member.isreg() and PurePosixPath(member.name).suffix.lower() in IMAGE_SUFFIXES:
                    return True
    except (tarfile.TarError, OSError, ValueError, EOFError):
        return False
    return False
