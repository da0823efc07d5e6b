"""Decodes regions of images: polygons and run lengths, plain or packed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

MIN_POINTS = 3
"""A polygon of fewer points has no area."""


def encode_region(region: Any, height: int, width: int) -> Any:
    """Converts a COCO `segmentation` to the form that `decode_regions` takes.

    Raises:
        ModuleNotFoundError: if pycocotools is not installed.
        ValueError, TypeError, LookupError, OverflowError: if the region is invalid.
    """
    from pycocotools import mask as runs

    _check_region(region, height, width)
    if isinstance(region, list):
        return runs.merge(runs.frPyObjects(region, height, width))
    if isinstance(region["counts"], list):
        return runs.frPyObjects(region, height, width)
    return region


def decode_regions(encoded: Sequence[Any]) -> Bool[np.ndarray, "height width"]:
    """The union of several regions of one image."""
    from pycocotools import mask as runs

    return np.asarray(runs.decode(runs.merge(list(encoded))), bool)


def unpack_runs(counts: str) -> Int[np.ndarray, "run"]:
    """Decodes run lengths in COCO's text format.

    A letter has five bits of the number, the lowest first, and a sixth bit if more letters follow;
    the fifth bit of the last letter is the sign. From the fourth run on, the number is the
    difference from the run before the previous one.

    Raises:
        ValueError: if the text is not in this format.
    """
    codes = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    is_valid = len(codes) > 0 and codes.min() >= 0 and codes.max() <= 63 and not codes[-1] & 32
    last = np.flatnonzero(codes & 32 == 0)
    first = np.concatenate([[0], last[:-1] + 1])
    letters = last - first + 1
    if not is_valid or letters.max() > 7:  # 7 letters hold 32 bits
        raise ValueError("its runs are not packed as COCO packs them")
    position = np.arange(len(codes)) - np.repeat(first, letters)
    values = np.add.reduceat((codes & 31) << 5 * position, first)
    values -= np.where(codes[last] & 16, np.int64(1) << 5 * letters, 0)
    for start in (1, 2):
        values[start::2] = np.cumsum(values[start::2])
    return values


def _check_region(region: Any, height: int, width: int) -> None:
    """Checks a region that pycocotools could misread, or for which it could exhaust memory.

    Raises:
        ValueError: if the region is neither polygons nor runs of an image of this size.
    """
    if isinstance(region, list):
        for polygon in region:
            points = np.asarray(polygon, np.float64)
            if points.ndim != 1 or len(points) < 2 * MIN_POINTS or len(points) % 2:
                raise ValueError("a polygon is not a list of three or more x, y")
            if np.isnan(points).any():
                raise ValueError("a polygon has coordinates that are not numbers")
            if not (np.abs(points) <= 2 * max(height, width)).all():
                raise ValueError(f"a polygon leaves the image of {width}x{height}")
        return
    size, counts = region["size"], region["counts"]
    if size != [height, width]:
        raise ValueError(f"it is for an image of height and width {size}, not {[height, width]}")
    if isinstance(counts, list):
        numbers = np.asarray(counts)
    elif isinstance(counts, str):
        numbers = unpack_runs(counts)
    else:
        raise ValueError("its runs are neither numbers nor text")
    # pycocotools leaves pixels without a run uninitialised.
    if numbers.dtype.kind not in "iu" or numbers.min() < 0 or numbers.sum() != height * width:
        raise ValueError("its runs do not fill the image")
