"""WordNet as a space: a concept is the set of everything it is a kind of (sec. 5.3, supplement)."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from net2vec.spaces.sources.names import Lookup, bare_name, missing_extra
from net2vec.spaces.space import Space, SpaceError

SENSES: Mapping[str, str | None] = {
    "bannister": "bannister.n.02",
    "blotchy": "blotchy.s.02",
    "bumpy": "bumpy.s.02",
    "crane": "crane.n.04",
    "gray": "gray.n.01",
    "grey": "gray.n.01",
    "jersey": "jersey.n.04",
    "meshed": "meshed.s.01",
    "muzzle": "muzzle.n.02",
    "orange-c": "orange.n.02",  # without the mark of a colour it is the fruit
    "porous": "porous.a.02",
    "waffled": None,
    "white": "white.n.02",
}
"""Names of Broden whose first sense in WordNet is not what the dataset shows; None has no sense."""

_FOLDERS = ("/usr/share/wordnet", "/usr/local/share/wordnet", "/usr/share/wordnet-3.0/dict")
_INDEX = "index.noun"


def wordnet_space(
    names: Sequence[str],
    folder: Path | None = None,
    *,
    senses: Mapping[str, str] | None = None,
) -> Lookup:
    """Concepts by their place in WordNet.

    A name loses its `-c` or `-s`, its spaces become `_`, and its first synset is taken but for
    `SENSES` and `senses`. Its vector marks the synset and all above it, made unit length.

    Args:
        names: the concepts to look up.
        folder: a WordNet database (`index.noun`, `data.noun`, ...); without one `WNSEARCHDIR`,
            Debian's place and NLTK's data folders are searched.
        senses: for some names a synset, as `crane.n.04`, or another word to look up.

    Returns:
        The space, labelled `wordnet`, and the names that have no synset.

    Raises:
        SpaceError: if nltk or the database is not there, or a chosen sense is not in it.
    """
    reader = _open_reader(folder or find_wordnet())
    senses = senses or {}
    lines: dict[str, Collection[str]] = {}
    missing = []
    for name in names:
        found: list[str | None] = [
            chosen[one]
            for chosen in (senses, SENSES)
            for one in (name, bare_name(name))
            if one in chosen
        ]
        word = (found or [bare_name(name)])[0]
        given = name in senses or bare_name(name) in senses
        synset = None if word is None else _synset(reader, word, is_synset_name=given)
        if synset is None:
            missing.append(name)
        else:
            lines[name] = {above.name() for path in synset.hypernym_paths() for above in path}
    synsets = sorted(set().union(*lines.values()))
    column = {synset: index for index, synset in enumerate(synsets)}
    vectors = np.zeros((len(lines), len(synsets)))
    for row, line in enumerate(lines.values()):
        vectors[row, [column[synset] for synset in line]] = 1
    return Lookup(Space(list(lines), vectors, label="wordnet"), tuple(missing))


def find_wordnet() -> Path:
    """A local WordNet database.

    Raises:
        SpaceError: if there is none in the usual places.
    """
    places = [os.environ.get("WNSEARCHDIR", ""), *_FOLDERS, *_nltk_folders()]
    for place in filter(None, places):
        if (Path(place) / _INDEX).is_file():
            return Path(place)
    raise SpaceError(
        "no WordNet database found; install your system's (Debian: wordnet-base), or set "
        "WNSEARCHDIR to a folder that holds index.noun"
    )


def _nltk_folders() -> list[str]:
    try:
        import nltk
    except ImportError:
        return []
    return [str(Path(folder) / "corpora" / "wordnet") for folder in nltk.data.path]


@lru_cache(maxsize=1)
def _open_reader(folder: Path) -> Any:
    """NLTK's reader of a database; it takes a second, so the last one is kept."""
    try:
        import nltk
        from nltk.corpus.reader.wordnet import WordNetCorpusReader
    except ImportError as error:
        raise missing_extra("WordNet", "nltk") from error

    class Reader(WordNetCorpusReader):  # type: ignore[misc]
        """Does without files that not every copy has and nothing here needs."""

        def open(self, file: str) -> Any:
            if file == "lexnames":
                return io.StringIO("".join(f"{index:02} file{index} 0\n" for index in range(100)))
            return super().open(file)

        def map_wn(self, version: str = "wordnet") -> None:
            """Other versions matter to other languages alone."""

    if not (folder / _INDEX).is_file():
        raise SpaceError(f"{folder} holds no WordNet database; wanted a folder with {_INDEX}")
    root = str(folder.resolve())
    if root not in nltk.data.path:  # NLTK reads nothing outside of these
        nltk.data.path.append(root)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it is in one language
            return Reader(root, None)
    except (OSError, ValueError, LookupError, AssertionError) as error:
        raise SpaceError(f"{folder} cannot be read as a WordNet database: {error}") from error


def _synset(reader: Any, word: str, *, is_synset_name: bool) -> Any:
    """The synset that is meant by `crane.n.04` or by a word; None where the word has none."""
    if word.count(".") < 2:
        synsets = reader.synsets(word.replace(" ", "_"))
        return synsets[0] if synsets else None
    # Versions of NLTK number satellite adjectives (s) among all adjectives, or apart.
    for form in (word, word.replace(".s.", ".a.")):
        try:
            return reader.synset(form)
        except Exception as error:  # several kinds, one of them NLTK's own
            reason = error
    if is_synset_name:
        raise SpaceError(f"WordNet has no synset {word!r}: {reason}") from reason
    return None
