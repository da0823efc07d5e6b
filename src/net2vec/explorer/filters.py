"""Questions about filters: the matrix of concepts and filters, and one filter."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from net2vec.analysis import concepts_of_filter
from net2vec.errors import ResultsError
from net2vec.explorer.answers import FilterDetail, MatrixIndex
from net2vec.explorer.encode import Binary, integers, number, numbers, texts
from net2vec.explorer.state import Explorer, Selection, View

KINDS = ("weights", "iou")
_VAL = 1


def matrix_index(explorer: Explorer, at: Selection, values: str = "weights") -> MatrixIndex:
    """Rows and columns of the matrix of concepts and filters, and their orders by likeness.

    `values` is `weights`, each concept's divided by its length, or `iou`, the set IoU of every
    filter by itself on validation images.
    """
    view = explorer.view(at)
    matrix = _matrix(view, values)

    def order() -> tuple[list[int], list[int]]:
        return integers(similarity_order(matrix)), integers(similarity_order(matrix.T))

    rows, columns = explorer.cache.get(("order", *view.key, values), order, lambda _: matrix.size)
    return MatrixIndex(
        concept=view.names,
        category=view.categories,
        filter=view.filters,
        concept_order=rows,
        filter_order=columns,
        largest=float(np.abs(matrix).max()) if matrix.size else 0.0,
    )


def matrix(explorer: Explorer, at: Selection, values: str = "weights") -> Binary:
    """The matrix itself: floats of 32 bits, little-endian, a row a concept, a column a filter."""
    found = _matrix(explorer.view(at), values)
    return Binary(found.astype("<f4").tobytes())


def _matrix(view: View, values: str) -> Float[np.ndarray, "concept filter"]:
    if values not in KINDS:
        raise ResultsError(f"unknown values {values!r}; wanted one of {', '.join(KINDS)}")
    if values == "iou" and view.task != "segment":
        raise ResultsError("classification has no IoU of filters; choose weights")

    def make() -> np.ndarray:
        if values == "iou":
            iou: np.ndarray = np.nan_to_num(view.values("single_iou")[_VAL].astype(np.float32))
            return iou
        weight = np.nan_to_num(view.values("weight").astype(np.float32))
        length = np.linalg.norm(weight, axis=1, keepdims=True)
        unit: np.ndarray = weight / np.where(length > 0, length, 1)
        return unit

    key = ("matrix", *view.key, values)
    return view.explorer.cache.get(key, make, lambda found: int(found.nbytes))


def similarity_order(rows: Float[np.ndarray, "row column"]) -> Int[np.ndarray, "row"]:
    """An order of rows that puts like beside like: the leaves of an average-linkage tree.

    Likeness is the cosine; rows of zeros are like nothing.
    """
    if len(rows) < 3:
        return np.arange(len(rows))
    from scipy.cluster.hierarchy import leaves_list, linkage

    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.where(length > 0, length, 1)
    distance = 1 - unit @ unit.T
    upper = np.triu_indices(len(rows), 1)
    tree = linkage(np.maximum(distance[upper], 0).astype(np.float64), method="average")
    order: Int[np.ndarray, "row"] = leaves_list(tree)
    return order


def filter_detail(explorer: Explorer, at: Selection, index: int) -> FilterDetail:
    """A filter: its most active images, and every concept seen from it."""
    view = explorer.view(at)
    recorded = view.recorded_filter(index)
    table = concepts_of_filter(view.arrays, index)
    return FilterDetail(
        index=index,
        threshold=number(recorded["threshold"]),
        active_share=number(recorded["active_share"]),
        image=texts(recorded["top_image"].to_numpy()),
        activation=numbers(recorded["top_activation"].to_numpy()),
        concept=texts(table["concept"].to_numpy()),
        category=texts(table["category"].to_numpy()),
        iou=numbers(table["iou"].to_numpy(dtype=float)),
        weight=numbers(table["weight"].to_numpy()),
        rank=[
            None if np.isnan(rank) else int(rank) for rank in table["rank"].to_numpy(dtype=float)
        ],
        best=[bool(best) for best in table["best"]],
    )
