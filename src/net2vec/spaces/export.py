"""Concept vectors in the forms that other tools open."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from net2vec.core.storage import replacing
from net2vec.results import save_table, save_text
from net2vec.spaces.space import SpaceError


def save_word2vec(
    names: Sequence[str], vectors: Float[np.ndarray, "concept filter"], path: Path
) -> None:
    """word2vec's text format, which gensim and most tools for word vectors open.

    A space ends a name there, so `traffic light` is written `traffic_light`.

    Raises:
        SpaceError: if two names would become one.
    """
    words = ["_".join(name.split()) for name in names]
    if len(set(words)) < len(words):
        twice = next(word for word in words if words.count(word) > 1)
        raise SpaceError(f"two concepts would both be written {twice!r}; export them as csv")
    rows = [
        f"{word} {' '.join(map(str, vector))}" for word, vector in zip(words, vectors, strict=True)
    ]
    save_text("\n".join([f"{len(words)} {vectors.shape[1]}", *rows]) + "\n", path)


def save_safetensors(
    names: Sequence[str],
    vectors: Float[np.ndarray, "concept filter"],
    path: Path,
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """An array `vectors`, as it was learned, with the names as JSON in the metadata `concepts`."""
    from safetensors.numpy import save

    described = {**(metadata or {}), "concepts": json.dumps(list(names), ensure_ascii=False)}
    data = save({"vectors": np.ascontiguousarray(vectors)}, metadata=described)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def save_csv(
    names: Sequence[str],
    vectors: Float[np.ndarray, "concept filter"],
    path: Path,
    *,
    categories: Sequence[str],
) -> None:
    """A row a concept: `concept, category` and a column a filter, named by its index."""
    table = pd.DataFrame(vectors, columns=[str(index) for index in range(vectors.shape[1])])
    table.insert(0, "category", np.array(categories, dtype=object))
    table.insert(0, "concept", np.array(names, dtype=object))
    save_table(table, path)


def save_projector(
    names: Sequence[str],
    vectors: Float[np.ndarray, "concept filter"],
    path: Path,
    *,
    categories: Sequence[str],
) -> None:
    """The two files of TensorBoard's embedding projector: `path`, and its metadata beside it.

    The metadata stand in `NAME_metadata.tsv` where the vectors are `NAME.tsv`.
    """
    save_text("".join("\t".join(map(str, vector)) + "\n" for vector in vectors), path)
    rows = [("concept", "category"), *zip(names, categories, strict=True)]
    lines = ["\t".join(" ".join(cell.split()) for cell in row) for row in rows]
    save_text("\n".join(lines) + "\n", path.with_name(f"{path.stem}_metadata.tsv"))
