"""The files of a run, written whole and read back to the same bits."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from xarray.core import indexing

from net2vec.core.storage import replacing
from net2vec.errors import ResultsError
from net2vec.results.tree import checked

# In the folder of results: the CRC-32 of every other file in it.
_CHECKSUMS = ".checksums"


def save_tree(tree: xr.DataTree, path: Path) -> None:
    """Write `results.zarr` in Zarr's format 2.

    Format 3 has no standard for the metadata of all groups in one file, without which opening takes
    several times as long, nor one for text.
    """
    from zarr.storage import MemoryStore  # takes a while to load

    # On disk every array would be several small files, each looked for, written and read again.
    files: dict[str, Any] = {}
    tree.to_zarr(
        MemoryStore(files),
        zarr_format=2,
        mode="w",
        consolidated=True,
        write_inherited_coords=True,
    )
    with replacing(path) as temporary:
        for name, content in files.items():
            file = temporary / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.to_bytes())
        checksums = {name: zlib.crc32(content.to_bytes()) for name, content in files.items()}
        (temporary / _CHECKSUMS).write_text(json.dumps(checksums), encoding="utf-8")


def load_tree(path: Path) -> xr.DataTree:
    """Read `results.zarr` lazily, without the encodings of its files, text as Python strings.

    Raises:
        ResultsError: if there is none, it is damaged, cannot be read, or was made by another
            version.
    """
    if not path.is_dir():
        raise ResultsError(f"{path.parent} is not a finished run: it has no {path.name}")
    _refuse_damaged(path)
    try:
        groups = xr.open_groups(path, engine="zarr")
    except Exception as error:
        raise ResultsError(f"{path} cannot be read as results: {error}") from error
    # The encodings fit no other format of Zarr, and writing to it would fail by them.
    return checked(xr.DataTree.from_dict({name: _plain(each) for name, each in groups.items()}))


def _plain(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset without encodings, its text as arrays of objects, still lazy."""
    text: dict[Any, Any] = {}
    for name, variable in dataset.variables.items():
        if variable.dtype.kind == "T":  # numpy's StringDType, which most formats cannot hold
            if name in dataset.indexes:
                values: Any = variable.to_numpy().astype(object)
            else:
                values = _cached(_copied_on_write(indexing.LazilyIndexedArray(_Text(variable))))
            text[name] = (variable.dims, values, variable.attrs)
    coordinates = {name: text.pop(name) for name in list(text) if name in dataset.coords}
    return dataset.assign_coords(coordinates).assign(text).drop_encoding()


# As xarray wraps what it reads; neither is typed.
_cached: Any = indexing.MemoryCachedArray
_copied_on_write: Any = indexing.CopyOnWriteArray


class _Text(xr.backends.BackendArray):
    """Text that is read on access, as an array of objects."""

    def __init__(self, variable: xr.Variable) -> None:
        self.variable = variable
        self.shape, self.dtype = variable.shape, np.dtype(object)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._read
        )

    def _read(self, key: tuple[Any, ...]) -> NDArray[np.object_]:
        return np.asarray(self.variable[key].to_numpy(), dtype=object)


def _refuse_damaged(path: Path) -> None:
    """See to it that all files of a tree are as they were written.

    Zarr takes a missing file for one of zeros, and does not notice other numbers in it.

    Raises:
        ResultsError: some are missing, or changed.
    """
    try:
        wanted = load_json(path / _CHECKSUMS)
    except ResultsError:
        if not (path / _CHECKSUMS).exists():  # written by another program, or an older version
            return
        raise
    changed = [name for name, value in wanted.items() if file_checksum(path / name) != value]
    if changed:
        raise ResultsError(
            f"{path} is damaged: {len(changed)} of its {len(wanted)} files are missing or changed "
            f"({changed[0]}); take it from a backup, or make the run again in another folder"
        )


def file_checksum(path: Path) -> int | None:
    """The CRC-32 of a file; None if it cannot be read."""
    try:
        return zlib.crc32(path.read_bytes())
    except OSError:
        return None


def save_table(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV; numbers read back to the same bits."""
    with replacing(path) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


def load_table(path: Path) -> pd.DataFrame:
    """Read a CSV of a run. A concept named `null` stays a name, an empty number is missing.

    Raises:
        ResultsError: there is none, or it cannot be read.
    """
    if not path.is_file():
        raise ResultsError(f"{path.parent} is not a finished run: it has no {path.name}")
    names = ("network", "layer", "task", "concept", "category", "method", "fit", "reason")
    try:
        header = pd.read_csv(path, nrows=0).columns
        text = {name: str for name in names if name in header}
        numbers = {name: [""] for name in header if name not in text}
        return pd.read_csv(
            path,
            dtype=text,
            keep_default_na=False,
            na_values=numbers,
            engine="python",  # its floats are exact in every version of pandas
        )
    except (ValueError, OSError) as error:
        raise ResultsError(f"{path} cannot be read as a table: {error}") from error


def save_json(value: Mapping[str, Any], path: Path) -> None:
    """Write a JSON file, for people as well."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    save_text(text, path)


def save_text(text: str, path: Path) -> None:
    """Write a text file."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def load_json(path: Path) -> dict[str, Any]:
    """Read a JSON file of a run.

    Raises:
        ResultsError: there is none, or it is not JSON.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ResultsError(f"{path.parent} is not a finished run: it has no {path.name}") from error
    except (OSError, ValueError, RecursionError) as error:
        raise ResultsError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise ResultsError(f"{path} holds no JSON object; it was not written by net2vec")
    return value
