"""Parquet files by configuration and split, as the Hugging Face hub arranges them.

A dataset's card (`README.md`) may name them in `configs`; otherwise their paths do:
`CONFIG/SPLIT/...` on branches that the hub converts, `SPLIT-00000-of-00002.parquet`, or folders of
splits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from net2vec.data.files import read_regular
from net2vec.data.splits import split_in_path
from net2vec.errors import DataError

CARD = "README.md"
"""The card of a dataset, which begins with YAML."""

UNNAMED = "data"
"""The split of files whose names say none."""

DEFAULT = "default"
"""The configuration that is meant where none is named."""

Arrangement = Mapping[str, Mapping[str, Sequence[str]]]
"""Files by configuration and split."""

_SHARD = re.compile(r"(?P<split>.+?)[-_.](?P<number>\d{5})-of-(?P<count>\d{5})(?:-[0-9a-f]+)?")
_FRONT = re.compile(r"---\s*\n(.*?)\n---\s*(\n|$)", re.DOTALL)
_SEPARATORS = re.compile(r"[-_. ]+|\d+")


def read_card(path: Path) -> dict[str, Any]:
    """The values at the top of a dataset's card; none if there is no card or it has none.

    Raises:
        DataError: if it cannot be read as YAML.
    """
    import yaml

    if not path.is_file():
        return {}
    front = _FRONT.match(read_regular(path).decode("utf-8", errors="replace"))
    try:
        card = yaml.safe_load(front[1]) if front else {}
    except (yaml.YAMLError, RecursionError, ValueError) as fault:
        reason = " ".join(str(fault).split())
        raise DataError(f"{path}: its first lines cannot be read as YAML ({reason})") from None
    return card if isinstance(card, dict) else {}


def arrange(files: Sequence[str], card: Mapping[str, Any]) -> Arrangement:
    """The files of each configuration and split.

    Args:
        files: all Parquet files of the dataset, relative to its folder.
        card: values of its card; patterns in it match only these files. A split that it names
            may have none.
    """
    listed = card.get("configs")
    arrangement: dict[str, dict[str, list[str]]] = {}
    for config in listed if isinstance(listed, list) else ():
        if isinstance(config, dict) and config.get("data_files"):
            name = str(config.get("config_name", DEFAULT))
            splits = _matched(files, config["data_files"], str(config.get("data_dir") or ""))
            if any(splits.values()):
                arrangement[name] = splits
    if arrangement:
        return arrangement
    for file in sorted(files):
        name, split = _from_path(PurePosixPath(file))
        arrangement.setdefault(name, {}).setdefault(split, []).append(file)
    if len(arrangement) > 1 and DEFAULT in arrangement:
        # Some files lie in no configuration's folder.
        return {DEFAULT: _merged(arrangement)}
    return arrangement


def choose(arrangement: Arrangement, subset: str, where: str) -> Mapping[str, Sequence[str]]:
    """The files by split of what the user names.

    Args:
        arrangement: all files.
        subset: a configuration, a split of the only or default one, or `CONFIGURATION/SPLIT`; empty
            for every split of the only or default one.
        where: the dataset, for messages.

    Raises:
        DataError: if there is no such part, or several configurations and none is named.
    """
    name, _, split = subset.partition("/")
    if name not in arrangement and not split:
        name, split = "", name
    usual = DEFAULT if DEFAULT in arrangement else next(iter(arrangement))
    if not name and len(arrangement) > 1 and usual != DEFAULT:
        raise DataError(
            f"{where}: has {len(arrangement)} configurations, {_listed(arrangement)}; name one "
            f"behind a colon, as in hf:ORG/NAME:{usual}, or as `subset` in a dataset.toml"
        )
    splits = arrangement.get(name or usual)
    if splits is None:
        raise DataError(f"{where}: has no configuration {name!r}; there are {_listed(arrangement)}")
    if split and split not in splits:
        others = f"; configurations are {_listed(arrangement)}" if len(arrangement) > 1 else ""
        raise DataError(f"{where}: has no split {split!r}; there are {_listed(splits)}{others}")
    return {split: splits[split]} if split else splits


def absent_shards(files: Sequence[str]) -> int:
    """Number of absent shards, of those that names such as `train-00000-of-00002` count."""
    counted: dict[tuple[str, int], set[int]] = {}
    for file in files:
        path = PurePosixPath(file)
        if match := _SHARD.fullmatch(path.stem):
            key = (str(path.parent / match["split"]), int(match["count"]))
            counted.setdefault(key, set()).add(int(match["number"]))
    return sum(count - len(numbers) for (_, count), numbers in counted.items())


def split_of_file(path: PurePosixPath) -> str:
    """The split in the name of a shard or of a folder around it; `UNNAMED` if there is none."""
    named = [part for part in reversed(path.parent.parts) if split_in_path(part)]
    named += [word for word in _SEPARATORS.split(path.stem) if split_in_path(word)]
    return named[0] if named else UNNAMED


def _matched(files: Sequence[str], stated_patterns: Any, folder: str) -> dict[str, list[str]]:
    """Files by split of a configuration on a card: a pattern, patterns, or splits with theirs."""
    entries = stated_patterns if isinstance(stated_patterns, list) else [stated_patterns]
    if not all(isinstance(entry, dict) and "path" in entry for entry in entries):
        if isinstance(stated_patterns, dict):
            entries = [{"split": key, "path": value} for key, value in stated_patterns.items()]
        else:
            entries = [{"split": UNNAMED, "path": entries}]
    splits: dict[str, list[str]] = {}
    for entry in entries:
        paths = entry["path"] if isinstance(entry["path"], list) else [entry["path"]]
        patterns = [str(PurePosixPath(folder, str(path))) for path in paths]
        matched = [file for file in sorted(files) if any(fnmatchcase(file, p) for p in patterns)]
        splits.setdefault(str(entry.get("split", UNNAMED)), []).extend(matched)
    return splits


def _from_path(path: PurePosixPath) -> tuple[str, str]:
    """The configuration and the split of a file."""
    folders = path.parent.parts
    config = folders[0] if len(folders) > 1 and not split_in_path(folders[0]) else DEFAULT
    match = _SHARD.fullmatch(path.stem)
    return config, match["split"] if match else split_of_file(path)


def _merged(arrangement: Arrangement) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {}
    for parts in arrangement.values():
        for split, files in parts.items():
            splits.setdefault(split, []).extend(files)
    return splits


def _listed(names: Mapping[str, object]) -> str:
    shown = list(names)
    return ", ".join(shown[:12]) + (", ..." if len(shown) > 12 else "")
