"""Checks of what a dataset returns, since users' own datasets may break the protocol.

Without them such faults would cause errors far from their origin, or wrong results.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from net2vec.data.image_files import refuse_unread_format
from net2vec.data.labels import printable
from net2vec.data.protocol import SPLITS, Annotation, Plane, ProbeDataset
from net2vec.errors import DataError, Net2VecError

_Result = TypeVar("_Result")


def check_index(dataset: ProbeDataset) -> None:
    """Checks the digest, names and splits of a dataset against `ProbeDataset`.

    Raises:
        DataError: if one of them breaks the protocol.
    """
    digest_of(dataset)
    labels = _distinct(dataset, "labels")
    if not labels or labels[0] != "":
        first = f"begin with {labels[0]!r}" if labels else "are none"
        raise DataError(
            f'{dataset.name}: labels {first}; wanted "" first, for number 0 stands for nothing'
        )
    if not _distinct(dataset, "categories"):
        raise DataError(f"{dataset.name}: no categories; wanted one or more")
    images, splits = _distinct(dataset, "images"), _strings(dataset, "splits")
    if len(splits) != len(images):
        raise DataError(
            f"{dataset.name}: {len(splits)} splits for {len(images)} images; wanted one an image"
        )
    for image, split in zip(images, splits, strict=True):
        if split not in SPLITS:
            wanted = " or ".join(SPLITS)
            raise DataError(f"{dataset.name}, {image}: split {split!r}; wanted {wanted}")


def digest_of(dataset: ProbeDataset) -> str:
    """The dataset's digest.

    Raises:
        DataError: if it is not a non-empty string.
    """
    digest: object = dataset.digest
    if not (isinstance(digest, str) and digest):
        # Two datasets without digest would share their compiled annotations.
        raise DataError(
            f"{dataset.name}: digest is {digest!r}; wanted a string that changes with what the "
            f"dataset yields"
        )
    return digest


def image_of(dataset: ProbeDataset, index: int) -> Image.Image:
    """The image at `index`.

    Raises:
        DataError: if `dataset.image` fails or returns no image, or the image is not loaded yet and
            has none of the formats that are read from files.
    """
    image: object = _call("image", dataset, index, dataset.image)
    if not isinstance(image, Image.Image):
        raise _fault(
            dataset,
            index,
            f"image() gave {type(image).__name__}; wanted a PIL.Image.Image, as "
            f"PIL.Image.fromarray makes it of an array",
        )
    refuse_unread_format(image, f"{dataset.name}, {dataset.images[index]}")
    return image


def annotation_of(dataset: ProbeDataset, index: int) -> Annotation:
    """The annotation of the image at `index`.

    Raises:
        DataError: if `dataset.annotation` fails, or returns anything but an annotation with labels
            and categories of the dataset.
    """
    annotation: object = _call("annotation", dataset, index, dataset.annotation)
    if not isinstance(annotation, Annotation):
        raise _fault(
            dataset,
            index,
            f"annotation() gave {type(annotation).__name__}; wanted a net2vec.data.Annotation",
        )
    fault = _annotation_fault(annotation, dataset)
    if fault:
        raise _fault(dataset, index, fault)
    return annotation


def _annotation_fault(annotation: Annotation, dataset: ProbeDataset) -> str | None:
    for name in ("planes", "image_labels"):
        values = getattr(annotation, name)
        if not isinstance(values, tuple | list):
            return f"{name} are given as {type(values).__name__}; wanted a tuple of them"
    labels, categories = len(dataset.labels), tuple(dataset.categories)
    pairs: Sequence[Any] = annotation.image_labels
    for plane in annotation.planes:
        if fault := _plane_fault(plane, labels):
            return fault
    for pair in pairs:
        is_pair = isinstance(pair, tuple | list) and len(pair) == 2
        if not (is_pair and isinstance(pair[1], Integral)):
            return f"an image label is {pair!r}; wanted a category and the number of a label"
        if not 0 <= int(pair[1]) < labels:
            return f"an image label is the number {pair[1]}; labels are 0 to {labels - 1}"
    named = [plane.category for plane in annotation.planes]
    named += [category for category, _ in pairs]
    unknown = next((name for name in named if name not in categories), None)
    if unknown is not None:
        return f"the category {unknown!r} is none of {', '.join(categories)}"
    return None


def _plane_fault(plane: object, labels: int) -> str | None:
    if not isinstance(plane, Plane):
        return f"a plane is given as {type(plane).__name__}; wanted a net2vec.data.Plane"
    values: object = plane.labels
    if not isinstance(values, np.ndarray):
        return f"the labels of a plane are given as {type(values).__name__}; wanted a NumPy array"
    if values.dtype.kind not in "iu" or values.ndim != 2 or not values.size:
        return (
            f"the labels of a plane are {values.dtype} of shape {values.shape}; wanted integers of "
            f"shape (height, width)"
        )
    for extreme in (values.max(), values.min()):
        if not 0 <= extreme < labels:
            return f"a plane holds the label number {extreme}; labels are 0 to {labels - 1}"
    return None


def _call(
    name: str, dataset: ProbeDataset, index: int, method: Callable[[int], _Result]
) -> _Result:
    """Result of a method; an error is raised again with the name of the image."""
    try:
        return method(index)
    except Net2VecError:
        raise
    except Exception as error:
        raise _fault(dataset, index, f"{name}() failed with {error!r}") from error


def _fault(dataset: ProbeDataset, index: int, fault: str) -> DataError:
    # The `repr` of users' objects can have several lines.
    return DataError(f"{dataset.name}, {dataset.images[index]}: {printable(fault)}")


def _distinct(dataset: ProbeDataset, attribute: str) -> list[str]:
    names = _strings(dataset, attribute)
    # Unused label numbers may have no name.
    twice = next((name for name, count in Counter(filter(None, names)).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"{dataset.name}: {attribute} hold {twice!r} twice; wanted each once")
    return names


def _strings(dataset: ProbeDataset, attribute: str) -> list[str]:
    values: Any = getattr(dataset, attribute)
    if isinstance(values, str | Mapping) or not hasattr(values, "__getitem__"):
        kind = type(values).__name__
        raise DataError(f"{dataset.name}: {attribute} are a {kind}; wanted a list of strings")
    names = list(values)
    strange = next((name for name in names if not isinstance(name, str)), None)
    if strange is not None:
        raise DataError(f"{dataset.name}: {attribute} hold {strange!r}; wanted strings")
    return names
