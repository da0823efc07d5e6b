"""Datasets of a layer and of its tasks, made and checked by the schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from net2vec.errors import ResultsError
from net2vec.results.schema import METHODS, SCORE_NAME, SPLITS, declared


def make_dataset(
    task: str, arrays: Mapping[str, Any], attrs: Mapping[str, Any] | None = None
) -> xr.Dataset:
    """The dataset of a layer, or of a task on it, with the definitions of the schema.

    Args:
        task: `segment`, `classify` or `layer`.
        arrays: values by name, coordinates among them; `split`, `method` and the numbers of
            `filter`, `rank` and `null` are filled in where a variable has that dimension.
        attrs: the dataset's attributes, such as `fit`; `task` and `score` are filled in.

    Raises:
        ValueError: if an array is not declared for this task, or one that is required is missing.
    """
    schema = declared(task)
    values = {name: _typed(array, schema[name].dtype) for name, array in arrays.items()
              if name in schema}  # fmt: skip
    sizes = {
        dimension: size
        for name, array in values.items()
        for dimension, size in zip(schema[name].dims, array.shape, strict=True)
    }
    known = {"split": SPLITS, "method": METHODS}
    for name in ("split", "method", "filter", "rank", "null"):
        if name in sizes and name in schema:
            counted = known.get(name, range(sizes[name]))
            values.setdefault(name, _typed(counted, schema[name].dtype))
    unknown = [name for name in arrays if name not in schema]
    missing = [each.name for each in schema.values() if task in each.required]
    missing = [name for name in missing if name not in values]
    if unknown or missing:
        raise ValueError(f"arrays of {task}: unknown {unknown}, missing {missing}")
    variables = {
        name: (schema[name].dims, array, schema[name].attributes(task))
        for name, array in values.items()
    }
    coordinates = {name for name in variables if schema[name].coordinate}
    about = {"task": task, "score": SCORE_NAME[task]} if task in SCORE_NAME else {}
    return xr.Dataset(
        {name: each for name, each in variables.items() if name not in coordinates},
        {name: each for name, each in variables.items() if name in coordinates},
        {**about, **(attrs or {})},
    )


def check_dataset(dataset: xr.Dataset, task: str, group: str) -> xr.Dataset:
    """The dataset of a group that was read, if it is one that the schema knows.

    Args:
        dataset: what was read.
        task: `segment`, `classify` or `layer`.
        group: the name of the group, for the message.

    Raises:
        ResultsError: if a required array is missing, or an array has other dimensions.
    """
    for each in declared(task).values():
        if each.name in dataset.variables:
            dims = dataset[each.name].dims
            if dims != each.dims:
                fault = f"has {each.name} of dimensions {dims}, wanted {each.dims}"
                raise other_version(group, fault)
        elif task in each.required:
            raise other_version(group, f"lacks {each.name}")
    return dataset


def other_version(group: str, fault: str) -> ResultsError:
    """The error of results that are not as this version writes them."""
    return ResultsError(
        f"results.zarr was made by another version of net2vec: {group} {fault}; make the run again,"
        f" or open it with the version that its provenance.json names"
    )


def _typed(values: Any, dtype: str | None) -> np.ndarray:
    """Values with the declared type; text becomes Python strings of any length."""
    return np.asarray(values, dtype=object if dtype == "str" else dtype)
