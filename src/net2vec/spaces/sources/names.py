"""From the names of a dataset's concepts to the words of a dictionary."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from net2vec.spaces.expressions import SUFFIXES
from net2vec.spaces.space import Space, SpaceError


@dataclass(frozen=True)
class Lookup:
    """Concepts looked up in a dictionary.

    Attributes:
        space: the concepts that were found, by the names of the dataset.
        missing: the names that were not found.
    """

    space: Space
    missing: tuple[str, ...]


def bare_name(name: str) -> str:
    """A name without Broden's `-c` of colours and `-s` of scenes."""
    for suffix in SUFFIXES:
        if name.endswith(suffix) and name != suffix:
            return name.removesuffix(suffix)
    return name


def load_synonyms(path: Path) -> dict[str, str]:
    """Read a file of `name = word` lines; empty lines and those that begin with `#` are skipped.

    The word may be a synset of WordNet, such as `crane.n.04`.

    Raises:
        SpaceError: if it is not there, or a line is of another form.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SpaceError(f"{path} cannot be read as a file of synonyms: {error}") from error
    synonyms = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, word = (part.strip() for part in line.partition("="))
        if not (name and equals and word):
            raise SpaceError(f"{path}, line {number}: wanted `name = word`, got {line.strip()!r}")
        synonyms[name] = word
    return synonyms


def missing_extra(need: str, package: str) -> SpaceError:
    """The error that says how to install what is needed."""
    return SpaceError(
        f'{need} need the package {package}; install it: pip install "net2vec[words]"'
    )
