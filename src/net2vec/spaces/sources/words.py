"""Word vectors as a space: word2vec text and binary, GloVe text (sec. 5.3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from net2vec.spaces.sources.names import Lookup, bare_name, missing_extra
from net2vec.spaces.space import Space, SpaceError


def word_space(
    names: Sequence[str],
    path: Path,
    *,
    synonyms: Mapping[str, str] | None = None,
) -> Lookup:
    """Concepts by the vectors of their names.

    A name is looked up as it is, then without its `-c` or `-s`; of several words, as one, joined
    by `_`, `-` or nothing. What the words of a name mean one by one says little of the whole: they
    are not added.

    Args:
        names: the concepts to look up.
        path: vectors in word2vec's text or binary format or in GloVe's text format, possibly
            compressed (`.gz`).
        synonyms: for some names, the word to look up instead.

    Returns:
        The space, labelled with the file's name, and the names that have no vector.

    Raises:
        SpaceError: if gensim or the file is not there, or it cannot be read.
    """
    vectors, renamed = _load(path), synonyms or {}
    names_found, missing = [], []
    for name in names:
        chosen = renamed.get(name, renamed.get(bare_name(name)))
        words = [chosen] if chosen else [name, bare_name(name)]
        key = next((form for word in words for form in _forms(word) if form in vectors), None)
        if key is None or not np.any(vectors[key]):
            missing.append(name)
        else:
            names_found.append((name, vectors[key]))
    stacked = np.stack([vector for _, vector in names_found]) if names_found else np.zeros((0, 1))
    label = path.name.removesuffix(".gz").rsplit(".", 1)[0]
    return Lookup(Space([name for name, _ in names_found], stacked, label=label), tuple(missing))


def _forms(word: str) -> list[str]:
    parts = word.replace("_", " ").split()
    joined = [separator.join(parts) for separator in ("_", "-", "", " ")]
    return list(dict.fromkeys([word, *joined, *(form.lower() for form in joined)]))


def _load(path: Path) -> Any:
    try:
        from gensim.models import KeyedVectors
    except ImportError as error:
        raise missing_extra("word vectors", "gensim") from error
    if not path.is_file():
        raise SpaceError(f"{path}: no such file of word vectors")
    first = _first_line(path)
    binary = ".bin" in path.suffixes
    # A file of word2vec begins with two numbers; one of GloVe begins with a word at once.
    header = binary or (len(first) == 2 and all(part.isdigit() for part in first))
    try:
        return KeyedVectors.load_word2vec_format(str(path), binary=binary, no_header=not header)
    except (ValueError, EOFError, OSError, IndexError, TypeError, MemoryError) as error:
        what = error if first else "the file is empty"
        raise SpaceError(f"{path} cannot be read as word vectors: {what}") from error


def _first_line(path: Path) -> list[str]:
    import gzip

    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            return file.readline(1 << 16).decode("utf-8", errors="replace").split()
    except OSError as error:
        raise SpaceError(f"{path} cannot be read as word vectors: {error}") from error
