"""Questions about spaces: maps, neighbours, arithmetic, and the differences of two spaces."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from net2vec.errors import ResultsError
from net2vec.explorer.answers import Moved, Pair, Solution, SpaceMap
from net2vec.explorer.encode import numbers, texts
from net2vec.explorer.state import Explorer, Selection, View
from net2vec.spaces import Space, compare_spaces, wordnet_space
from net2vec.spaces.expressions import parse_expression
from net2vec.vocabulary import VECTORS

METHODS = ("pca", "tsne")
WORDNET = "wordnet"
_NEAR = 10
_PARTS = 60


def space(
    explorer: Explorer, at: Selection, kind: str = "", method: str = "pca", near: int = _NEAR
) -> SpaceMap:
    """A map of the concepts of a space.

    `kind` is `weights`, `patterns` or `whitened` as the fit has them, by default patterns where it
    has them, or `wordnet`: the same concepts by their place in WordNet. `method` is `pca`, the
    plane of largest variance, or `tsne`, which takes some seconds for a thousand concepts.
    """
    view = explorer.view(at)
    found = space_of(view, kind)
    if method not in METHODS:
        raise ResultsError(f"unknown method {method!r}; wanted one of {', '.join(METHODS)}")
    make = found.map if method == "tsne" else lambda: plane(found)
    places = explorer.cache.get(("map", *view.key, kind, method), make, lambda place: place.nbytes)
    score = dict(zip(view.names, view.values("score")[1], strict=True))
    category = dict(zip(view.names, view.categories, strict=True))
    cosines = found.cosines()
    np.fill_diagonal(cosines, -np.inf)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, : min(near, len(found) - 1)]
    return SpaceMap(
        label=f"{view.label}, {kind}" if kind else view.label,
        name=list(found.names),
        category=[category[name] for name in found.names],
        score=numbers([score[name] for name in found.names]),
        x=places[:, 0].tolist(),
        y=places[:, 1].tolist(),
        near=nearest.tolist(),
        cosine=np.take_along_axis(cosines, nearest, axis=1).tolist(),
    )


def space_of(view: View, kind: str) -> Space:
    """The space of a view's concepts by one kind of vectors.

    Raises:
        ResultsError: if the fit has no such vectors.
        SpaceError: if WordNet is asked for and is not here.
    """
    if kind == WORDNET:
        return view.explorer.cache.get(
            ("wordnet", *view.key), lambda: wordnet_space(view.names).space, _bytes_of
        )
    if kind and kind not in VECTORS:
        wanted = ", ".join([*VECTORS, WORDNET])
        raise ResultsError(f"unknown vectors {kind!r}; wanted one of {wanted}")
    return view.space(kind or None)


def plane(space: Space) -> Float[np.ndarray, "concept 2"]:
    """The concepts on the plane of largest variance of their unit vectors."""
    place = np.zeros((len(space), 2))
    if len(space) > 1:
        centred = space.unit - space.unit.mean(axis=0)
        values, vectors = np.linalg.eigh(centred @ centred.T)
        for axis in range(2):
            place[:, axis] = vectors[:, -1 - axis] * np.sqrt(max(values[-1 - axis], 0))
    return place


def solve(
    explorer: Explorer, at: Selection, expression: str, kind: str = "", n: int = 8
) -> Solution:
    """Concept arithmetic: the concepts nearest to a sum such as `grass + blue - green`."""
    view = explorer.view(at)
    found = space_of(view, kind)
    answer = found.solve(expression, n)
    return Solution(
        label=found.label,
        terms=[name for _, name in parse_expression(expression, found.names)],
        concept=texts(answer["concept"].to_numpy()),
        cosine=numbers(answer["cosine"].to_numpy()),
    )


def pair(explorer: Explorer, at: Selection, name: str, other: str, kind: str = "") -> Pair:
    """Each filter's part of the cosine of two concepts."""
    view = explorer.view(at)
    found = space_of(view, kind)
    one, two = found.vector(name), found.vector(other)
    part = one * two
    largest = np.argsort(-np.abs(part), kind="stable")[:_PARTS]
    return Pair(
        label=found.label,
        cosine=float(part.sum()),
        filter=[int(index) for index in largest],
        part=numbers(part[largest]),
        one=numbers(one[largest]),
        other=numbers(two[largest]),
    )


def moved(
    explorer: Explorer, at: Selection, beside: Selection, kind: str = "", beside_kind: str = ""
) -> Moved:
    """The concepts that two spaces share, with how differently they are placed."""
    view, other = explorer.view(at), explorer.view(beside)
    one = space_of(view, kind).labelled("one")
    two = space_of(other, beside_kind).labelled("other")
    compared = compare_spaces([one, two], permutations=0)
    shared = list(compared.concepts)
    near = min(_NEAR, len(shared) - 1)
    sets = [_nearest_sets(each.restrict(shared), near) for each in (one, two)]
    neighbours_kept = dict(
        zip(shared, (len(a & b) for a, b in zip(*sets, strict=True)), strict=True)
    )
    table = compared.by_concept.sort_values("distance", ascending=False, kind="stable")
    category = dict(zip(view.names, view.categories, strict=True))
    names = texts(table["concept"].to_numpy())
    return Moved(
        label=view.label,
        other=other.label if beside_kind != WORDNET else WORDNET,
        concept=names,
        category=[category[name] for name in names],
        distance=numbers(table["distance"].to_numpy()),
        shared=[neighbours_kept[name] for name in names],
        of=near,
    )


def _nearest_sets(space: Space, count: int) -> list[set[int]]:
    cosines = space.cosines()
    np.fill_diagonal(cosines, -np.inf)
    return [set(row) for row in np.argsort(-cosines, axis=1, kind="stable")[:, :count].tolist()]


def _bytes_of(space: Space) -> int:
    return int(space.unit.nbytes)
