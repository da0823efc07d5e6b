"""`provenance.json`: checksums of small files of a run and of itself, and kinds of its values."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from net2vec.errors import ResultsError
from net2vec.results.files import file_checksum, load_json, save_json

PROVENANCE = "provenance.json"

_FILES, _OWN = "checksums", "checksum"
_CHECKED = ("run.toml", "skipped.csv", "batch_norm.safetensors", "bases.safetensors")

_NUMBERS, _TEXTS, _TABLES = (int, float), (str, type(None)), (dict,)
# The kinds of values by key, and under "" those of all other keys.
_SHAPE: Mapping[str, Any] = {
    "network": {
        **dict.fromkeys(("name", "weights", "source", "licence", "digest", "input_digest"), _TEXTS),
        "trained": (bool,),
        "preprocessing": _TABLES,
        "digest_version": (int,),
    },
    "data": {
        **dict.fromkeys(("name", "digest"), _TEXTS),
        **dict.fromkeys(("images", "train_images", "val_images"), (int,)),
        **dict.fromkeys(("mask_size", "annotators"), (list,)),
        "truth": dict.fromkeys(("name", "digest"), _TEXTS),
        "sources": {"": {"": _NUMBERS}},
    },
    "machine": dict.fromkeys(("system", "processor", "device", "gpu"), _TEXTS),
    "versions": {"": _TEXTS},
    "seconds": {"": _NUMBERS},
    "peak_memory_bytes": {"": _NUMBERS},
    _FILES: {"": (int,)},
}
_SETTINGS_SHAPE: Mapping[str, Any] = {
    **dict.fromkeys(("network", "weights", "device", "fit"), _TEXTS),
    **dict.fromkeys(("seed", "nulls", "seeds", "probe_batch"), (int,)),
    "mixed_precision": (bool,),
}


def save_provenance(provenance: Mapping[str, Any], folder: Path) -> None:
    """Write the provenance of a run whose other files are in the folder already."""
    files = {
        name: value for name in _CHECKED if (value := file_checksum(folder / name)) is not None
    }
    document = {**provenance, _FILES: files}
    save_json({**document, _OWN: _checksum_of(document)}, folder / PROVENANCE)


def load_provenance(folder: Path) -> dict[str, Any]:
    """Read the provenance of a run.

    Raises:
        ResultsError: if there is none, it is damaged, or another version or program wrote it.
    """
    path = folder / PROVENANCE
    content = load_json(path)
    checksum = content.pop(_OWN, None)
    # Runs of before this version have neither checksum.
    if (checksum is not None or _FILES in content) and checksum != _checksum_of(content):
        raise ResultsError(
            f"{path} is damaged or was edited: its checksum is not that of its content; take it "
            f"from a backup, or make the run again in another folder"
        )
    _check_shape(content, _SHAPE, path)
    return content


def check_file(folder: Path, name: str) -> None:
    """See to it that a small file of a finished run is as it was written, where that is known.

    Raises:
        ResultsError: if it is missing or changed, or the run's provenance cannot be read.
    """
    if not (folder / PROVENANCE).is_file():
        return
    wanted = load_provenance(folder).get(_FILES, {}).get(name)
    if wanted is not None and file_checksum(folder / name) != wanted:
        raise ResultsError(
            f"{folder / name} is missing or not as it was written; take it from a backup, or make "
            f"the run again in another folder"
        )


def check_settings(settings: Mapping[str, Any], path: Path) -> None:
    """See to it that settings of a run, as they were read, have values of the right kinds.

    Raises:
        ResultsError: if they have not.
    """
    _check_shape(settings, _SETTINGS_SHAPE, path)


def _check_shape(loaded: Any, shape: Any, path: Path, where: str = "") -> None:
    if isinstance(shape, Mapping):
        fits = isinstance(loaded, dict)
    else:  # True is an int in Python
        fits = isinstance(loaded, shape) and (not isinstance(loaded, bool) or bool in shape)
    if not fits:
        raise ResultsError(
            f"{path} was written by another version or program: {where or 'it'} is {loaded!r:.60}; "
            f"make the run again, or open it with the version that made it"
        )
    if isinstance(shape, Mapping):
        for key, value in loaded.items():
            inner = shape.get(key, shape.get(""))
            if inner is not None:
                _check_shape(value, inner, path, f"{where}.{key}".lstrip("."))


def _checksum_of(provenance: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(provenance, sort_keys=True).encode())
