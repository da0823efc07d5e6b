"""The interface of annotators and of their sources."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Bool, Int
from PIL import Image

from net2vec.core.messages import did_you_mean
from net2vec.data.annotator_record import AnnotatorRecord
from net2vec.data.labels import concept_name, number_names
from net2vec.errors import DataError


@dataclass(frozen=True)
class Masks:
    """Masks of an image.

    Attributes:
        names: the concepts that may occur.
        planes: label maps; 0 for pixels that are void, else 1 + an index into `names`. There are
            several where concepts overlap.
        judged: whether pixels of little confidence are void; False where it is not known.
    """

    names: tuple[str, ...]
    planes: tuple[Int[np.ndarray, "y x"], ...]
    judged: bool


@dataclass(frozen=True)
class Request:
    """Concepts and settings with which an annotator is opened.

    Attributes:
        concepts: names of concepts; empty for all that it knows.
        confidence: pixels of which it is less sure are void, in 0 to 1.
        device: where it runs.
    """

    concepts: tuple[str, ...] = ()
    confidence: float = 0.5
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


class Annotator(ABC):
    """A model that makes masks.

    Attributes:
        record: where it comes from, and all that decides its masks.
    """

    record: AnnotatorRecord

    @abstractmethod
    def annotate(self, image: Image.Image) -> Masks:
        """The masks of an image in RGB, at its own size.

        Raises:
            DataError: if the model fails on it, or gives something else.
        """


class AnnotatorSource(ABC):
    """Annotators of one origin, known by how they are named.

    Attributes:
        usage: how its annotators are named, for messages.
        install: how to install what it imports, where that is an extra.
    """

    usage: str = ""
    install: str = ""

    @abstractmethod
    def recognises(self, name: str) -> bool:
        """Whether a name is one of this source's; nothing is opened or imported for it."""

    @abstractmethod
    def open(self, name: str, request: Request) -> Annotator:
        """Open an annotator.

        Raises:
            NetworkError: if it cannot be had.
            DataError: if it does not know a concept that is asked for, or has no class names.
            ImportError: if a package is not installed.
        """


class ClassTable:
    """The concepts of a model's classes, numbered for label maps.

    Void classes (`background`, ...) have no concept; classes of one name are one concept.

    Args:
        names: the class names, by class number from 0.
        wanted: the concepts to keep; empty for all.
        label: the model, for messages.

    Attributes:
        names: the concepts.

    Raises:
        DataError: if the model has no concept of a name that is wanted.
    """

    def __init__(self, names: Sequence[str], concepts_to_keep: Iterable[str], label: str) -> None:
        concepts = [concept_name(name) for name in names]
        chosen = list(dict.fromkeys(concepts_to_keep))
        for name in chosen:
            if not name or name not in concepts:
                hint = did_you_mean(name, filter(None, concepts), "leave out --concepts")
                raise DataError(
                    f"{label} has no class {name!r} among its {len(set(concepts))}; {hint}"
                )
        listed = [name if not chosen or name in chosen else "" for name in concepts]
        labels, numbers = number_names(listed)
        self.names = labels[1:]
        self._table = np.array([numbers[name] for name in listed], dtype=np.int32)

    def __len__(self) -> int:
        return len(self._table)

    def masks(
        self, classes: Int[np.ndarray, "y x"], sure: Bool[np.ndarray, "y x"] | None = None
    ) -> Masks:
        """The masks of an image.

        Args:
            classes: class numbers; negative for none.
            sure: where the model is sure enough; None where it does not say.
        """
        labels = np.where(classes < 0, 0, self._table[np.maximum(classes, 0)])
        if sure is not None:
            labels = np.where(sure, labels, 0)
        return Masks(self.names, (labels.astype(np.int32),), sure is not None)
