"""The model that made the masks of a dataset, as `annotator.json` in its folder describes it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from net2vec.data.files import read_regular, refuse_links_out
from net2vec.errors import DataError

ANNOTATOR_FILE = "annotator.json"
"""Name of the file in a dataset's folder."""

_KEY = "annotators"
_SHOWN = 12  # characters of a digest


@dataclass(frozen=True)
class WeightTensor:
    """A parameter of an annotator, without its values.

    Attributes:
        digest: of its values in single precision, whatever its shape.
        shape: its shape.
    """

    digest: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class AnnotatorRecord:
    """The model that made masks.

    Attributes:
        model: its name, without folders of the machine that it ran on.
        architecture: its class, or what else says how it is built.
        source: where it comes from, with the revision of a repository.
        licence: the terms of its weights.
        digest: of its weights and of all else that decides its masks.
        confidence: pixels of which it is less sure are void; None where it does not say how sure it
            is, so that no pixel is void for that reason.
        concepts: those that it was asked for; empty for all that it knows.
        weights: its parameters; empty where they could not be read.
        versions: of the libraries that ran it.
    """

    model: str
    architecture: str
    source: str
    licence: str
    digest: str
    confidence: float | None
    concepts: tuple[str, ...] = ()
    weights: tuple[WeightTensor, ...] = ()
    versions: tuple[tuple[str, str], ...] = ()

    @property
    def sentence(self) -> str:
        """The model that made the masks, with its source, licence and digest, for text."""
        parts = [part for part in (self.architecture, self.source) if part != self.model]
        sure = "" if self.confidence is None else f", pixels surer than {self.confidence:g}"
        return (
            f"{self.model} ({'; '.join(parts)}; licence {self.licence}; digest "
            f"{self.digest[:_SHOWN]}{sure})"
        )

    def as_json(self, *, weights: bool = True) -> dict[str, Any]:
        """The record as plain values, with or without its parameters."""
        plain = {**asdict(self), "versions": dict(self.versions)}
        plain["weights"] = [[one.digest, list(one.shape)] for one in self.weights]
        return plain if weights else {k: v for k, v in plain.items() if k != "weights"}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> AnnotatorRecord:
        """The record that `as_json` made plain.

        Raises:
            ValueError: if the values are not those of a record.
        """
        try:
            record = cls(
                **{
                    **plain,
                    "concepts": tuple(plain["concepts"]),
                    "weights": tuple(
                        WeightTensor(str(digest), tuple(map(int, shape)))
                        for digest, shape in plain.get("weights", ())
                    ),
                    "versions": tuple(plain["versions"].items()),
                }
            )
        except (TypeError, KeyError, AttributeError) as fault:
            raise ValueError(f"not the record of an annotator: {fault}") from fault
        texts = [getattr(record, name) for name in _TEXTS]
        if not all(isinstance(text, str) for text in (*texts, *record.concepts)):
            raise ValueError("not the record of an annotator: a text is none")
        if not isinstance(record.confidence, int | float | None):
            raise ValueError("not the record of an annotator: the confidence is no number")
        return record


_TEXTS = [entry.name for entry in fields(AnnotatorRecord) if entry.type == "str"]


def write_records(records: Sequence[AnnotatorRecord], folder: Path) -> None:
    """Writes the records of a dataset into its folder."""
    text = json.dumps({_KEY: [record.as_json() for record in records]}, indent=1)
    (folder / ANNOTATOR_FILE).write_text(text + "\n", encoding="utf-8", newline="\n")


def read_records(folder: Path) -> tuple[AnnotatorRecord, ...]:
    """The records in a dataset's folder; none where there is no such file.

    Raises:
        DataError: if the file cannot be read, or holds something else.
    """
    path = folder / ANNOTATOR_FILE
    if not path.exists():
        return ()
    refuse_links_out(folder, path)
    try:
        plain = json.loads(read_regular(path).decode())
        return tuple(AnnotatorRecord.from_json(one) for one in plain[_KEY])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as fault:
        raise DataError(
            f"{path}: cannot be read as what made the masks ({str(fault) or type(fault).__name__});"
            f" write the dataset again with `net2vec data annotate`"
        ) from None
