"""Optional members of a dataset, with the values that hold for datasets without them.

Users' own datasets need only the members of `ProbeDataset`.
"""

from __future__ import annotations

from collections.abc import Sequence

from net2vec.data.annotator_record import AnnotatorRecord
from net2vec.data.checked import image_of
from net2vec.data.left_out import LeftOut
from net2vec.data.protocol import ProbeDataset


def image_size(dataset: ProbeDataset, index: int) -> tuple[int, int]:
    """(height, width) of an image; without `dataset.image_size` the image is decoded."""
    if hasattr(dataset, "image_size"):
        size: tuple[int, int] = dataset.image_size(index)
        return size
    width, height = image_of(dataset, index).size
    return height, width


def image_sources(dataset: ProbeDataset) -> Sequence[str]:
    """`dataset.sources`: by image, the name of its dataset if several are joined."""
    sources: Sequence[str] | None = getattr(dataset, "sources", None)
    return [dataset.name] * len(dataset.images) if sources is None else sources


def left_out_of(dataset: ProbeDataset) -> Sequence[LeftOut]:
    """`dataset.left_out`: items of its folder that are not part of it; default none."""
    left_out: Sequence[LeftOut] = getattr(dataset, "left_out", ())
    return left_out


def layout_of(dataset: ProbeDataset) -> str:
    """`dataset.layout`: name of the layout that it was read from; default empty."""
    return str(getattr(dataset, "layout", ""))


def taken_of(dataset: ProbeDataset) -> Sequence[tuple[str, str]]:
    """Roles that parts of its folder were given: `dataset.reading`, `taken` and `notes`."""
    parts = (getattr(dataset, name, ()) for name in ("reading", "taken", "notes"))
    return [pair for part in parts for pair in part]


def missing_of(dataset: ProbeDataset) -> Sequence[int]:
    """`dataset.missing`: images that an index names and that are not there; default none."""
    missing: Sequence[int] = getattr(dataset, "missing", ())
    return missing


def annotators_of(dataset: ProbeDataset) -> Sequence[AnnotatorRecord]:
    """`dataset.annotators`: the models that made its masks; default none."""
    annotators: Sequence[AnnotatorRecord] = getattr(dataset, "annotators", ())
    return annotators


def unverified_of(dataset: ProbeDataset) -> frozenset[str]:
    """`dataset.unverified`: labels that may be in images that are not annotated with them.

    Such an image is no negative. By default what is not annotated is not there.
    """
    return frozenset(getattr(dataset, "unverified", ()))
