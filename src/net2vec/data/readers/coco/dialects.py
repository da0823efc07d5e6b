"""Additions to COCO's files by other datasets: LVIS, PACO and PartImageNet.

- LVIS (Gupta et al. 2019) annotates every category in some images only. An image lists those that
  were looked for and are not there (`neg_category_ids`), and those of which not every object is
  annotated (`not_exhaustive_category_ids`). Nothing is known of all others.
- PACO (Ramanathan et al. 2023) adds parts, called `object:part`, and attributes of regions.
- PartImageNet (He et al. 2022) has parts alone, called `Quadruped Head`, each with its object as
  supercategory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from net2vec.data.json_files import whole_number

PART, ATTRIBUTE = "part", "attribute"

_Named = tuple[str, str]


def category_names(categories: Mapping[int, _Named]) -> dict[int, _Named]:
    """Names and supercategories in which parts have the category `part`.

    Args:
        categories: (name, supercategory) by id.
    """
    named = [pair for pair in categories.values() if pair[0]]
    if named and all(name.startswith(f"{whole} ") for name, whole in named):
        return {number: (name, PART) for number, (name, _) in categories.items()}
    if named and {kind for _, kind in named} <= {"OBJECT", "PART"}:
        return {number: (name, kind.lower()) for number, (name, kind) in categories.items()}
    return dict(categories)


def attribute_names(content: Mapping[str, Any]) -> dict[int, _Named]:
    """(name, kind) of each attribute by its id; the kind is `attribute` where the file says none.

    Args:
        content: of a JSON file.
    """
    kinds = {
        whole_number(number, "an attribute of a kind"): str(kind)
        for kind, numbers in (content.get("attr_type_to_attr_idxs") or {}).items()
        for number in numbers
    }
    listed = content.get("attributes") or []
    numbered = [(whole_number(one["id"], "the id of an attribute"), one["name"]) for one in listed]
    return {number: (str(name), kinds.get(number, ATTRIBUTE)) for number, name in numbered}


def is_federated(content: Mapping[str, Any]) -> bool:
    """Whether a category that an image does not have may be in it all the same."""
    return any("neg_category_ids" in image for image in content["images"])


def not_exhaustive(image: Mapping[str, Any]) -> frozenset[int]:
    """Categories of which not every object in an image is annotated."""
    key = "not_exhaustive_category_ids"
    return frozenset(whole_number(number, f"one of {key}") for number in image.get(key) or ())
