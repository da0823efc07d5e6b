"""The columns of a table that hold images, their masks and their classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from net2vec.data.description import DATASET_FILE, Description
from net2vec.errors import DataError

_IMAGES = frozenset(
    {"image", "images", "img", "pixel_values", "photo", "picture", "rgb", "input", "jpg", "jpeg"}
    | {"file", "image_bytes"}
)
MASKS = frozenset(
    {"mask", "masks", "label", "labels", "annotation", "annotations", "annotated", "seg", "gt"}
    | {"segmentation", "segmentation_mask", "segmentation_map", "semantic_segmentation", "png"}
    | {"semantic_mask", "semantic_map", "semantic", "label_map", "label_mask", "ground_truth"}
    | {"seg_map", "seg_mask", "mask_image", "conditioning_image_mask", "scene_category_mask"}
)
"""Usual names of masks, in lower case."""

LABELS = frozenset({"label", "labels", "class", "category", "class_name", "target", "cls"})
"""Usual names of classes of whole images."""


@dataclass(frozen=True)
class Columns:
    """The columns that are read.

    Attributes:
        image: of the images.
        mask: of their masks; None if there are classes alone.
        label: of the classes of whole images; None if there are masks.
        names: class names by number, where the table itself names them.
        passed_over: columns that could have been meant as well.
    """

    image: str
    mask: str | None
    label: str | None
    names: Sequence[str] | None = None
    passed_over: tuple[str, ...] = ()


def choose_columns(features: Mapping[str, Any], description: Description, where: str) -> Columns:
    """The columns by what they hold, and by their names where that is not enough.

    Args:
        features: of `datasets`, by column.
        description: columns that the user names: `images`, `masks`, `label`.
        where: the dataset, for messages.

    Raises:
        DataError: if there is no column of images, neither masks nor classes, or several of them.
    """
    encoded = {name for name, feature in features.items() if _is_encoded(feature, name)}
    image = _choose_column(encoded, description.images, _IMAGES, "images", where)
    if image is None:
        raise DataError(f"{where}: no column holds images; columns are {_listed(features)}")
    others = encoded - {image}
    classes = {n: f for n, f in features.items() if n not in encoded and _is_class(f, n)}
    if description.label is not None and not description.masks:
        mask = None
    else:
        named = {name for name in others if name.lower() in MASKS}
        mask = _choose_column(
            others if description.masks else named, description.masks, MASKS, "masks", where
        )
    if mask is not None:
        return Columns(image, mask, None, None, tuple(sorted(classes)))
    wanted = (description.label,) if description.label is not None else ()
    label = _choose_column(set(features if wanted else classes), wanted, LABELS, "label", where)
    if label is None:
        raise DataError(
            f"{where}: no column holds masks or classes of the images in {image!r}; columns are "
            f"{_listed(features)}; name one in a {DATASET_FILE} as `masks` or `label`"
        )
    return Columns(image, None, label, _class_names(features[label]), tuple(sorted(others)))


def has_images(schema: Any) -> bool:
    """Whether an Arrow schema has a column that may hold images."""
    import pyarrow as pa

    return any(
        _holds_bytes(field.type)
        or (field.name.lower() in _IMAGES and pa.types.is_binary(field.type))
        for field in schema
    )


def _holds_bytes(kind: Any) -> bool:
    import pyarrow as pa

    return pa.types.is_struct(kind) and {"bytes", "path"} >= {f.name for f in kind} >= {"bytes"}


def _choose_column(
    columns: set[str], stated_names: Sequence[str], usual: frozenset[str], key: str, where: str
) -> str | None:
    """The column that is stated, the only one, or the only one of a usual name; None if none is.

    Raises:
        DataError: if several may be meant, or that which is stated is not there.
    """
    if stated_names:
        candidates = [name for name in stated_names if name in columns]
        if len(candidates) != 1 or len(stated_names) > 1:
            raise DataError(
                f"{where}: {key} is stated as {', '.join(stated_names)}; wanted one of the columns "
                f"{_listed(columns)}"
            )
        return candidates[0]
    named = sorted(name for name in columns if name.lower() in usual)
    candidates = sorted(columns) if len(columns) == 1 else named
    if len(candidates) > 1 or (columns and not candidates):
        raise DataError(
            f"{where}: columns {_listed(columns)} may be the {key}; name one in a {DATASET_FILE} "
            f'(--dataset FILE), as in `{key} = "{sorted(columns)[0]}"`'
        )
    return candidates[0] if candidates else None


def _is_encoded(feature: Any, name: str) -> bool:
    """Whether a column holds encoded images: declared, or in their form."""
    if type(feature).__name__ == "Image":
        return True
    if isinstance(feature, dict):
        return {"bytes", "path"} >= set(feature) >= {"bytes"}
    binary = getattr(feature, "dtype", None) in ("binary", "large_binary")
    return binary and name.lower() in _IMAGES | MASKS


def _is_class(feature: Any, name: str) -> bool:
    one = _element(feature)
    if type(one).__name__ == "ClassLabel":
        return True
    dtype = str(getattr(one, "dtype", ""))
    return name.lower() in LABELS and dtype.startswith(("int", "uint", "string", "large_string"))


def _class_names(feature: Any) -> Sequence[str] | None:
    names = getattr(_element(feature), "names", None)
    return None if names is None else tuple(names)


def _element(feature: Any) -> Any:
    """The feature of a list's elements; a feature that is no list itself."""
    if isinstance(feature, list):
        return feature[0]
    return getattr(feature, "feature", feature)


def _listed(names: Any) -> str:
    return ", ".join(sorted(names)) or "none"
