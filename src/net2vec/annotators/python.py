"""Annotators that are functions of the user's: `package.module:function`, `file.py:function`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import nn

from net2vec.annotators.base import Annotator, AnnotatorSource, ClassTable, Masks, Request
from net2vec.annotators.likeness import weights_of
from net2vec.core.cache import digest_of
from net2vec.data.annotator_record import AnnotatorRecord
from net2vec.data.images import same_shape
from net2vec.data.labels import concept_name
from net2vec.errors import DataError, NetworkError
from net2vec.networks.sources.python import named_function

_EXPECTED = (
    "wanted (class numbers [y, x], names) with or without confidences [y, x], or masks [y, x] by "
    "name"
)


class PythonAnnotators(AnnotatorSource):
    """Functions from an image to its masks.

    A function takes a Pillow image in RGB and returns one of

    - `(classes, names)`: class numbers [y, x], and the class names by number, as a list or mapping;
    - `(classes, names, confidence)`: likewise, with confidences [y, x] in 0 to 1;
    - masks [y, x] by name, of booleans, or of probabilities, which are confidences.

    Its attributes `licence` (a text), `files` (paths of its weights) and `module` (a torch module)
    stand in the record, where it has them.
    """

    usage = "file.py:function"

    def recognises(self, name: str) -> bool:
        """Whether the name has a colon with something behind it."""
        return bool(name.partition(":")[2])

    def open(self, name: str, request: Request) -> PythonAnnotator:
        """Find a function; its module is run."""
        with named_function(name) as function:
            return PythonAnnotator(name, function, request)


class PythonAnnotator(Annotator):
    """A function as an annotator."""

    def __init__(self, name: str, function: Callable[[Image.Image], Any], request: Request) -> None:
        self._function, self._request = function, request
        place, _, called = name.rpartition(":")
        is_file = place.endswith(".py")
        self._label = f"{Path(place).name if is_file else place}:{called}"
        files = [Path(path) for path in getattr(function, "files", ())]
        module = getattr(function, "module", None)
        weights = weights_of(module) if isinstance(module, nn.Module) else ()
        contents = {path.name: _file_digest(path) for path in files}
        code = _file_digest(Path(place)) if is_file else ""
        self.record = AnnotatorRecord(
            model=self._label,
            architecture=type(module).__name__ if weights else ", ".join(contents),
            source=self._label,
            licence=str(getattr(function, "licence", "unknown")),
            digest=digest_of(
                code=code, files=contents, weights=[one.digest for one in weights], name=self._label
            ),
            confidence=request.confidence,
            concepts=request.concepts,
            weights=weights,
        )
        self._tables: dict[tuple[str, ...], ClassTable] = {}

    def annotate(self, image: Image.Image) -> Masks:
        """The masks of an image."""
        try:
            returned = self._function(image)
        except (Exception, SystemExit) as error:  # sys.exit(0) would end as a success
            what = " ".join(repr(error).split())
            raise DataError(f"{self._label} failed: {what}") from error
        size = image.height, image.width
        if isinstance(returned, Mapping):
            return self._from_masks(returned, size)
        if isinstance(returned, tuple) and len(returned) in (2, 3):
            return self._from_classes(*returned, size=size)
        raise self._wrong(f"a {type(returned).__name__}")

    def _from_classes(
        self, classes: Any, names: Any, confidence: Any = None, *, size: tuple[int, int]
    ) -> Masks:
        classes = self._plane(classes, "class numbers", "iu", size)
        table = self._table(names)
        highest = int(classes.max())
        if highest >= len(table):
            raise self._wrong(f"the class number {highest} with {len(table)} names")
        if confidence is None:
            return table.masks(classes)
        confidence = self._plane(confidence, "confidences", "f", size)
        if confidence.shape != classes.shape:
            raise self._wrong(f"confidences {confidence.shape} of class numbers {classes.shape}")
        return table.masks(classes, confidence >= self._request.confidence)

    def _from_masks(self, masks_by_name: Mapping[Any, Any], size: tuple[int, int]) -> Masks:
        wanted = self._request.concepts
        names, planes, judged = [], [], True
        for name, mask in masks_by_name.items():
            concept = concept_name(str(name))
            if not concept or (wanted and concept not in wanted):
                continue
            mask = self._plane(mask, f"the mask of {name}", "bf", size)
            judged &= mask.dtype.kind == "f"
            on = mask >= self._request.confidence if mask.dtype.kind == "f" else mask
            names.append(concept)
            planes.append(np.where(on, len(names), 0).astype(np.int32))
        return Masks(tuple(names), tuple(planes), judged and bool(planes))

    def _table(self, names: Any) -> ClassTable:
        if isinstance(names, Mapping) and all(isinstance(n, int) and n >= 0 for n in names):
            listed = [str(names.get(number, "")) for number in range(max(names, default=-1) + 1)]
        elif isinstance(names, Sequence) and not isinstance(names, str):
            listed = [str(name) for name in names]
        else:
            raise self._wrong(f"names as a {type(names).__name__}")
        if not any(map(concept_name, listed)):
            raise self._wrong("no names of classes")
        key = tuple(listed)
        if key not in self._tables:
            self._tables[key] = ClassTable(listed, self._request.concepts, self._label)
        return self._tables[key]

    def _plane(self, values: Any, what: str, kinds: str, size: tuple[int, int]) -> np.ndarray:
        array = np.asarray(values)
        if array.ndim != 2 or array.dtype.kind not in kinds or not array.size:
            raise self._wrong(f"{what} as {array.dtype} of shape {array.shape}")
        if not same_shape(array.shape, size):
            raise self._wrong(f"{what} of shape {array.shape} for an image of {size}")
        return array

    def _wrong(self, returned: str) -> DataError:
        return DataError(f"{self._label} returned {returned}; {_EXPECTED}")


def _file_digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise NetworkError(f"{path}: cannot be read ({error.strerror or error})") from None
