"""Spaces read from files that `net2vec export` or another tool wrote."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from net2vec.spaces.sources.names import Lookup
from net2vec.spaces.sources.words import word_space
from net2vec.spaces.space import Space, SpaceError


def file_space(
    names: Sequence[str], path: Path, *, synonyms: Mapping[str, str] | None = None
) -> Lookup:
    """Concepts by a file of vectors: an exported space, or word vectors.

    `.csv` (a column `concept`, then numbers) and `.safetensors` (an array `vectors` with the names
    in its metadata) hold concepts, which are taken by their exact names; any other file holds word
    vectors (see `word_space`).

    Raises:
        SpaceError: if the file is not there or cannot be read.
    """
    readers = {".csv": _read_csv, ".safetensors": _read_safetensors}
    reader = readers.get(path.suffix)
    if reader is None:
        return word_space(names, path, synonyms=synonyms)
    if not path.is_file():
        raise SpaceError(f"{path}: no such file of vectors")
    try:
        known, vectors = reader(path)
    except (ValueError, KeyError, OSError, TypeError) as error:
        raise SpaceError(f"{path} cannot be read as vectors of concepts: {error}") from error
    space = Space(known, vectors, label=path.stem)
    present = [name for name in names if name in space]
    return Lookup(space.restrict(present), tuple(name for name in names if name not in space))


def _read_csv(path: Path) -> tuple[list[str], np.ndarray]:
    # A concept may be called `null`.
    table = pd.read_csv(path, dtype={"concept": str}, keep_default_na=False)
    numbers = table.drop(columns=["concept", "category"], errors="ignore")
    return table["concept"].tolist(), numbers.to_numpy(dtype=np.float64)


def _read_safetensors(path: Path) -> tuple[list[str], np.ndarray]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            names = json.loads((file.metadata() or {})["concepts"])
            return [str(name) for name in names], np.asarray(file.get_tensor("vectors"))
    except SafetensorError as error:
        raise ValueError(str(error)) from error
