"""Arrays and answers as JSON: numbers that are not finite are null, masks are packed bits."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Binary:
    """An answer that is no JSON."""

    content: bytes
    media_type: str = "application/octet-stream"


def to_json(answer: Any) -> bytes:
    """An answer as JSON: a dataclass becomes an object with its fields."""
    text = json.dumps(
        answer, default=_object, allow_nan=False, ensure_ascii=False, separators=(",", ":")
    )
    # A name that is no Unicode text cannot be encoded; its place is marked.
    return text.encode("utf-8", errors="replace")


def _object(value: Any) -> dict[str, Any]:
    if not is_dataclass(value):
        raise TypeError(f"no answer: {type(value).__name__}")
    return {field.name: getattr(value, field.name) for field in fields(value)}


def number(value: Any) -> float | None:
    """A number; None where it is not finite, which JSON cannot say."""
    return float(value) if np.isfinite(value) else None


def numbers(values: Any) -> list[float | None]:
    """Numbers, with None for those that are not finite."""
    array = np.asarray(values, dtype=np.float64)
    listed: list[float | None] = array.tolist()
    for place in np.flatnonzero(~np.isfinite(array)):
        listed[place] = None
    return listed


def integers(values: Any) -> list[int]:
    """Whole numbers."""
    return [int(value) for value in np.asarray(values).tolist()]


def texts(values: Any) -> list[str]:
    """Text."""
    return [str(value) for value in np.asarray(values, dtype=object).tolist()]


def packed(mask: np.ndarray) -> str:
    """A mask as bits, eight pixels a byte in row order, the first in the lowest bit; base64."""
    return encoded(np.packbits(mask, bitorder="little"))


def encoded(array: np.ndarray) -> str:
    """The bytes of an array, little-endian and in row order, as base64."""
    little = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    return base64.b64encode(little.tobytes()).decode("ascii")
