"""What readers leave out of a dataset, told so that nothing goes missing silently."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from net2vec.data.protocol import ProbeDataset


@dataclass(frozen=True)
class LeftOut:
    """Things of one kind that are no part of a dataset for one reason.

    Attributes:
        what: "images", "annotations", "polygons", "classes" or "folders".
        reason: why.
        count: how many.
        example: the first of them, or the image of the first.
    """

    what: str
    reason: str
    count: int
    example: str


def count_left_out(what: str, reason: str, names: Iterable[str]) -> list[LeftOut]:
    """One entry for all of them; none where there is nothing."""
    names = list(names)
    return [LeftOut(what, reason, len(names), names[0])] if names else []


def left_out_of(dataset: ProbeDataset) -> Sequence[LeftOut]:
    """What a dataset says it leaves out: nothing, where it does not say."""
    told: Sequence[LeftOut] = getattr(dataset, "left_out", ())
    return told


def left_out_of_several(
    datasets: Sequence[ProbeDataset], prefixes: Sequence[str]
) -> Sequence[LeftOut]:
    """What joined datasets leave out, the examples named after their dataset."""
    return [
        replace(item, example=f"{prefix}/{item.example}")
        for prefix, dataset in zip(prefixes, datasets, strict=True)
        for item in left_out_of(dataset)
    ]
