"""Records of what readers leave out of a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class LeftOut:
    """Items of one kind that are not part of a dataset for the same reason.

    Attributes:
        what: "images", "annotations", "polygons", "classes" or "folders".
        reason: why they are left out.
        count: number of items.
        example: the first of them, or the image of the first.
    """

    what: str
    reason: str
    count: int
    example: str


def count_left_out(what: str, names_by_reason: Mapping[str, Iterable[str]]) -> Iterator[LeftOut]:
    """Records of what was left out, one for each reason that has any names."""
    for reason, names in names_by_reason.items():
        if listed := list(names):
            yield LeftOut(what, reason, len(listed), listed[0])
