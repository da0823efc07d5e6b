"""The documentation of `results.zarr`, made from the schema.

`python -m net2vec.results.document > docs/results.md` writes it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from net2vec.results.schema import CLASSIFY, DIMENSIONS, LAYER, SEGMENT, declared
from net2vec.results.stored_array import StoredArray

_INTRODUCTION = """\
# The format of `results.zarr`

<!-- Made by `python -m net2vec.results.document > docs/results.md`; do not edit. -->

The results of a run are a Zarr store (format 2) that `xarray.open_datatree` opens. Its groups:

| group | holds |
| --- | --- |
| `/` | the attributes `network`, `data`, `layers` and `fits`, both in their order |
| `/LAYER` | what was recorded of a layer; the group's name has `-` for every `/` |
| `/LAYER/segment`, `/LAYER/classify` | a task on that layer, by the first fit |
| `/LAYER/TASK/FIT` | the same by another fit, under the same names |

Each task's group has the attributes `task`, `score` (the name of its score), `fit` (its name),
`fit_title` (its name in the report) and `has_start` (1 where the vectors depend on a random start).
Runs of version 0.1.0 have neither the attribute `fits` nor the last two.

An optional array is missing where it was not computed: the fit has no such value, or the settings
did not ask for it. Where a fit was made with several seeds, `seed_NAME` holds the array NAME with
each of them, along a dimension `seed`; “if it differs” means that it is stored only where some seed
has other values. Of an array over `method` it holds the combination alone.
"""
_TITLES = {
    LAYER: "A layer: `/LAYER`",
    SEGMENT: "Segmentation: `/LAYER/segment`",
    CLASSIFY: "Classification: `/LAYER/classify`",
}


def document() -> str:
    """The text of `docs/results.md`."""
    parts = [_INTRODUCTION, "## Dimensions\n", _table(("dimension", "along it"), _dimensions())]
    for task, title in _TITLES.items():
        arrays = [each for each in declared(task).values() if not each.name.startswith("seed_")]
        columns = ("array", "dimensions", "type", "unit", "optional", "with every seed")
        parts.append(f"## {title}\n")
        parts.append(_table((*columns, "definition"), (_row(each, task) for each in arrays)))
    return "\n".join(parts)


def _dimensions() -> Iterator[tuple[str, ...]]:
    return ((f"`{name}`", meaning) for name, meaning in DIMENSIONS.items())


def _row(array: StoredArray, task: str) -> tuple[str, ...]:
    seeds = ""
    if task in array.per_seed:
        seeds = f"`{array.seed_name}`"
    elif task in array.seed_free:
        seeds = f"`{array.seed_name}`, if it differs"
    return (
        f"`{array.name}`",
        ", ".join(array.dims),
        "text" if array.dtype == "str" else array.dtype or "float",
        array.units or "",
        "" if task in array.required else "optional",
        seeds,
        array.attributes(task)["long_name"],
    )


def _table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [columns, ("---",) * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.stdout.write(document())
