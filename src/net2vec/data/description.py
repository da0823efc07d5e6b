"""Statements of a user about a dataset, in `dataset.toml`, where its files leave them open."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from net2vec.core.messages import did_you_mean
from net2vec.data.color_lists import Color
from net2vec.data.files import inside, read_lines, read_regular
from net2vec.data.images import IMAGE_SUFFIXES
from net2vec.data.labels import MAX_VALUE
from net2vec.data.protocol import SPLITS
from net2vec.data.splits import VAL_SHARE, SplitRule
from net2vec.errors import DataError

DATASET_FILE = "dataset.toml"
"""Name of the file in a dataset's folder."""


@dataclass(frozen=True)
class Description:
    """Statements about a dataset; whatever is None or empty is left to its reader to find.

    Attributes:
        reader: layout, by the name of its reader.
        category: category of the classes of masks or class folders.
        subset: part of a table: a configuration, a split of it, or `CONFIGURATION/SPLIT`.
        images, masks: folders, or patterns (`photos/*/*.jpg`), relative to the dataset's folder.
            What the wildcards match is what an image and its mask have in common. Of a table, its
            columns.
        label: the column of a table with the classes of whole images.
        image_suffix, mask_suffix: endings of names before the extension, which are not in common.
        classes: the file of class names, or their names by pixel value.
        colors: the file of colours, or the colours of pixels by class name.
        void: pixel values that mean "not annotated".
        splits: which images train and which validate.
    """

    reader: str | None = None
    category: str | None = None
    subset: str | None = None
    images: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    label: str | None = None
    image_suffix: str = ""
    mask_suffix: str = ""
    classes: Path | Mapping[int, str] | None = None
    colors: Path | Mapping[str, Color] | None = None
    void: tuple[int, ...] | None = None
    splits: SplitRule = field(default_factory=SplitRule)

    @classmethod
    def read(cls, file: Path, folder: Path | None = None) -> Description:
        """Reads a file.

        Args:
            file: in TOML.
            folder: the dataset's, to which paths in the file are relative; by default that of the
                file.

        Raises:
            DataError: if it cannot be read, or holds anything but what a description may.
        """
        try:
            values = tomllib.loads(read_regular(file).decode("utf-8-sig"))
        except FileNotFoundError:
            raise DataError(f"{file}: no such file; `net2vec data describe` writes one") from None
        except OSError as fault:
            raise DataError(f"{file}: cannot be read ({fault.strerror or fault})") from None
        except (ValueError, RecursionError) as fault:
            raise DataError(f"{file}: cannot be read as TOML ({_reason(fault)})") from None
        return cls.from_dict(values, file, folder or file.parent)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], source: Path, folder: Path) -> Description:
        """A description from plain values, as TOML holds them.

        Args:
            values: by key.
            source: the file, for messages.
            folder: the dataset's.

        Raises:
            DataError: if a key is unknown, or a value is of the wrong kind.
        """
        check_keys(values, [entry.name for entry in fields(cls)], str(source))
        where = _Where(source, folder)
        return cls(**{key: _CONVERTERS[key](value, where, key) for key, value in values.items()})

    def stated_names(self) -> set[str]:
        """Names of what is stated, but for the reader."""
        default = Description()
        names = {entry.name for entry in fields(self)} - {"reader"}
        return {name for name in names if getattr(self, name) != getattr(default, name)}


def check_keys(values: Mapping[str, Any], known_keys: Iterable[str], where: str) -> None:
    """Checks that all keys are known.

    Raises:
        DataError: if one is not; similar keys are named.
    """
    names = list(known_keys)
    for key in values:
        if key not in names:
            hint = did_you_mean(key, names, f"known: {', '.join(names)}")
            raise DataError(f"{where}: unknown key {key!r}; {hint}")


@dataclass(frozen=True)
class _Where:
    """The file of a description, for messages, and the dataset's folder."""

    source: Path
    folder: Path

    def wrong(self, key: str, value: object, expected: str) -> DataError:
        got = repr(value)
        shown = got if len(got) <= 60 else f"{got[:60]}..."
        return DataError(f"{self.source}: {key} is {shown}; wanted {expected}")

    def file(self, name: str, key: str) -> Path:
        """A file in the dataset, or beside a description that is not in the dataset."""
        outside = self.source.parent.resolve() != self.folder.resolve()
        if outside and (self.source.parent / name).is_file():
            return self.source.parent / name
        path = inside(self.folder, name)
        if not path.is_file():
            raise DataError(
                f"{self.source}: {key} names {name!r}, which is no file in {self.folder}"
            )
        return path


def _text(value: Any, where: _Where, key: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise where.wrong(key, value, "a text")
    return value


def _suffix(value: Any, where: _Where, key: str) -> str:
    text = _text(value, where, key)
    if "/" in text or text.lower() in IMAGE_SUFFIXES:
        raise where.wrong(key, value, "the end of names before the extension, such as '_mask'")
    return text


def _patterns(value: Any, where: _Where, key: str) -> tuple[str, ...]:
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not listed or not all(isinstance(v, str) for v in listed):
        raise where.wrong(key, value, "a folder or pattern, or a list of them")
    for pattern in listed:
        if pattern.startswith("/") or ".." in pattern.split("/") or not pattern.strip("/"):
            raise where.wrong(key, pattern, f"a path within {where.folder}, such as 'photos/*.jpg'")
    return tuple(pattern.removeprefix("./").rstrip("/") or "." for pattern in listed)


def _classes(value: Any, where: _Where, key: str) -> Path | dict[int, str]:
    if isinstance(value, str):
        return where.file(value, key)
    if isinstance(value, list):
        value = {str(number): name for number, name in enumerate(value)}
    if not isinstance(value, dict) or not value:
        raise where.wrong(key, value, "a file, a list of names, or a table of names by value")
    names = {}
    for number, name in value.items():
        if not (number.isdecimal() and len(number) < 6 and int(number) <= MAX_VALUE):
            raise where.wrong(f"{key}.{number}", name, f"a pixel value of 0 to {MAX_VALUE} as key")
        if not isinstance(name, str):
            raise where.wrong(f"{key}.{number}", name, "a name")
        names[int(number)] = name
    return names


def _colors(value: Any, where: _Where, key: str) -> Path | dict[str, Color]:
    if isinstance(value, str):
        return where.file(value, key)
    if not isinstance(value, dict) or not value:
        raise where.wrong(key, value, "a file, or a table of colours by name")
    return {name: _color(color, where, f"{key}.{name}") for name, color in value.items()}


def _color(value: Any, where: _Where, key: str) -> Color:
    if isinstance(value, str) and len(value) == 7 and value[0] == "#":
        try:
            red, green, blue = bytes.fromhex(value[1:])
        except ValueError:
            raise where.wrong(key, value, "a colour as '#80c0ff' or [128, 192, 255]") from None
        return red, green, blue
    if not (isinstance(value, list) and len(value) == 3 and all(_is_count(v, 255) for v in value)):
        raise where.wrong(key, value, "a colour as '#80c0ff' or [128, 192, 255]")
    return value[0], value[1], value[2]


def _values(value: Any, where: _Where, key: str) -> tuple[int, ...]:
    listed = value if isinstance(value, list) else [value]
    if not all(_is_count(v, MAX_VALUE) for v in listed):
        raise where.wrong(key, value, f"a list of pixel values of 0 to {MAX_VALUE}")
    return tuple(listed)


def _splits(value: Any, where: _Where, key: str) -> SplitRule:
    if not isinstance(value, dict) or not value:
        raise where.wrong(key, value, "a table with train and val, or share and seed")
    check_keys(value, (*SPLITS, "share", "seed"), f"{where.source}, {key}")
    if "share" in value or "seed" in value:
        if set(value) & set(SPLITS):
            raise where.wrong(key, value, "train and val, or share and seed")
        share, seed = value.get("share", VAL_SHARE), value.get("seed", 0)
        if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share < 1:
            raise where.wrong(f"{key}.share", share, "the share of validation images, in 0 to 1")
        if not _is_count(seed, 2**63 - 1):
            raise where.wrong(f"{key}.seed", seed, "a number of 0 or more")
        return SplitRule.drawn(share, seed)
    folders: dict[str, tuple[str, ...]] = {}
    listed: dict[str, str] = {}
    for split, names in value.items():
        for name in _patterns(names, where, f"{key}.{split}"):
            if Path(name).suffix.lower() != ".txt":
                folders[split] = (*folders.get(split, ()), name)
                continue
            for line in filter(None, map(str.strip, read_lines(where.file(name, key)))):
                if listed.setdefault(line, split) != split:
                    raise DataError(f"{where.source}: {line!r} is on lists of both splits")
    if folders and listed:
        raise where.wrong(key, value, "folders alone or lists (.txt) alone")
    if set(value) == {"train"}:
        raise where.wrong(key, value, "val as well; train alone leaves nothing to validate")
    return SplitRule(folders.get("train", ()), folders.get("val", ()), listed)


def _is_count(value: Any, high: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= high


def _reason(fault: Exception) -> str:
    return "nested too deeply" if isinstance(fault, RecursionError) else str(fault)


_CONVERTERS: dict[str, Callable[[Any, _Where, str], Any]] = {
    "reader": _text,
    "category": _text,
    "subset": _text,
    "images": _patterns,
    "masks": _patterns,
    "label": _text,
    "image_suffix": _suffix,
    "mask_suffix": _suffix,
    "classes": _classes,
    "colors": _colors,
    "void": _values,
    "splits": _splits,
}
