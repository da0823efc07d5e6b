"""A space of concepts: names with unit vectors, wherever they come from (sec. 5.3)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Float, Int
from markupsafe import Markup

from net2vec.errors import Net2VecError
from net2vec.spaces.expressions import found_elsewhere, parse_expression, resolve_name

_PERPLEXITY = 30
# What a notebook shows of a space.
_SHOWN_CONCEPTS, _SHOWN_NEIGHBOURS = 10, 3
_EXACT = 400
"""Up to so many concepts, t-SNE's exact gradient costs less than the approximate one."""


class SpaceError(Net2VecError):
    """A name or an expression that a space cannot answer."""


class Space:
    """Concepts as unit vectors, with their neighbours and their arithmetic.

        >>> vectors = np.array([[1.0, 0.0], [-1.0, 1.0], [-1.0, 2.0]])
        >>> space = Space(["red-c", "sky", "grass"], vectors)
        >>> space.nearest("sky", 1)
           rank concept    cosine
        0     1   grass  0.948683
        >>> space.solve("grass + red").loc[0, "concept"]
        'sky'

    Attributes:
        label: the name of the space in tables and messages.
        names: the concepts, unique.
        unit: their vectors made unit length, shape (concept, dimension), float64.
        hardly_moved: concepts whose vector is mostly its random start; None where vectors have no
            start.
        elsewhere: names of concepts by the place that has them, for messages about missing ones.
    """

    def __init__(
        self,
        names: Sequence[str],
        vectors: Float[np.ndarray, "concept dimension"],
        *,
        label: str = "space",
        hardly_moved: Collection[str] | None = None,
        elsewhere: Mapping[str, Collection[str]] | None = None,
    ) -> None:
        """Make a space of names and vectors of any length but zero.

        Raises:
            SpaceError: if a name stands twice, or a vector has no direction.
        """
        self.label = label
        self.hardly_moved = None if hardly_moved is None else frozenset(hardly_moved)
        self.elsewhere = dict(elsewhere or {})
        self.names = tuple(str(name) for name in names)
        self._index = {name: index for index, name in enumerate(self.names)}
        vectors = np.asarray(vectors, dtype=np.float64)
        if vectors.shape[0] != len(self.names) or len(self._index) != len(self.names):
            raise SpaceError(
                f"{label} has {len(self.names)} names, {len(self._index)} of them different, for "
                f"{vectors.shape[0]} vectors; each vector needs a name of its own"
            )
        length = np.linalg.norm(vectors, axis=1)
        if not np.all(np.isfinite(length) & (length > 0)):
            name = self.names[int(np.argmin(np.isfinite(length) & (length > 0)))]
            raise SpaceError(
                f"the vector of {name!r} in {label} is zero or not finite; leave it out"
            )
        self.unit: Float[np.ndarray, "concept dimension"] = vectors / length[:, None]

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def __repr__(self) -> str:
        return f"Space({self.label!r}: {len(self)} concepts, {self.unit.shape[1]} dimensions)"

    def _repr_html_(self) -> str:
        rows = Markup("").join(
            Markup("<tr><td>{}</td><td>{}</td></tr>").format(
                name, ", ".join(self.nearest(name, _SHOWN_NEIGHBOURS)["concept"])
            )
            for name in self.names[:_SHOWN_CONCEPTS]
        )
        more = len(self) - _SHOWN_CONCEPTS
        return str(
            Markup(
                "<table><caption>{}: {} concepts, {} dimensions</caption>"
                "<tr><th>concept</th><th>nearest</th></tr>{}{}</table>"
            ).format(
                self.label,
                len(self),
                self.unit.shape[1],
                rows,
                Markup("<tr><td colspan=2>and {} more</td></tr>").format(more) if more > 0 else "",
            )
        )

    def vector(self, name: str) -> Float[np.ndarray, "dimension"]:
        """The unit vector of a concept, named with or without its `-c` or `-s`.

        Raises:
            SpaceError: if the space has no such concept, or several.
        """
        vector: Float[np.ndarray, "dimension"] = self.unit[self._index[self.find(name)]]
        return vector

    def find(self, name: str) -> str:
        """The full name of a concept, given with or without its `-c` or `-s`.

        Raises:
            SpaceError: if the space has no such concept, or several.
        """
        try:
            return resolve_name(name, self._index)
        except ValueError as error:
            raise self._unknown(error) from error

    def nearest(self, name: str, n: int = 5) -> pd.DataFrame:
        """The concepts whose vectors point most nearly the same way (Table 2).

        Args:
            name: a concept, with or without its `-c` or `-s`; it is left out of the answer.
            n: how many; fewer come where the space has not as many.

        Returns:
            `rank, concept, cosine`, from the nearest; of equals, the first of the space first.
            Where vectors have a start, `hardly_moved` says of which concept it is mostly that.

        Raises:
            SpaceError: if the space has no such concept, or `n` is not positive.
        """
        resolved = self.find(name)
        return self._rank(self.vector(resolved), leave_out={resolved}, n=n)

    def solve(self, expression: str, n: int = 5) -> pd.DataFrame:
        """The concepts nearest to a sum of unit vectors, as `grass + blue - green` (Table 3).

        Operators stand between spaces and a number before a name scales it; of names, the longest
        known one wins. The cosine is that with the sum; the paper prints products with the mean of
        the signed vectors, which rank the same.

        Args:
            expression: names, `+`, `-` and numbers; its concepts are left out of the answer.
            n: how many; fewer come where the space has not as many.

        Returns:
            `rank, concept, cosine` and, as in `nearest`, `hardly_moved`, from the nearest.

        Raises:
            SpaceError: if the expression cannot be read, holds an unknown name, sums to nothing, or
                `n` is not positive.
        """
        try:
            terms = parse_expression(expression, self._index)
        except ValueError as error:
            raise self._unknown(error) from error
        target = np.zeros(self.unit.shape[1])
        for factor, name in terms:
            target += factor * self.unit[self._index[name]]
        # Opposite terms cancel to rounding errors, which have a length but no meaning.
        if np.linalg.norm(target) < 1e-9 * sum(abs(factor) for factor, _ in terms) or not any(
            factor for factor, _ in terms
        ):
            raise SpaceError(f"{expression!r} adds up to nothing; no direction is left to look in")
        return self._rank(target, leave_out={name for _, name in terms}, n=n)

    def cosines(self) -> Float[np.ndarray, "concept concept"]:
        """The cosine of every pair of concepts."""
        cosines: Float[np.ndarray, "concept concept"] = self.unit @ self.unit.T
        return cosines

    def cluster(self, clusters: int | None = None, *, seed: int = 0) -> Int[np.ndarray, "concept"]:
        """The cluster of every concept, by k-means of the unit vectors (supplement).

        Args:
            clusters: how many; by default the root of half the number of concepts. Fewer come
                where fewer vectors differ.
            seed: of the starts, of which the best of ten is kept.

        Returns:
            Numbers from 0, in the order in which the clusters first occur.

        Raises:
            SpaceError: if `clusters` is not positive.
        """
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits

        if clusters is None:
            clusters = max(1, round((len(self) / 2) ** 0.5))
        if clusters < 1:
            raise SpaceError(f"the number of clusters must be at least 1, got {clusters}")
        if not len(self):
            return np.zeros(0, dtype=np.int64)
        # The order of a sum over threads would move the last bits, and now and then a cluster.
        with threadpool_limits(1):
            clustering = KMeans(
                min(clusters, len(np.unique(self.unit, axis=0))), n_init=10, random_state=seed
            ).fit_predict(self.unit)
        _, first, inverse = np.unique(clustering, return_index=True, return_inverse=True)
        numbers: Int[np.ndarray, "concept"] = np.argsort(np.argsort(first))[inverse]
        return numbers

    def map(self, *, seed: int = 0) -> Float[np.ndarray, "concept 2"]:
        """A place in the plane for every concept, by t-SNE of the unit vectors (supplement).

        The perplexity is 30, or less where there are few concepts: a third of the others. Below
        four concepts, for which t-SNE means nothing, it is the plane of largest variance.

        Args:
            seed: of the random numbers of t-SNE, which starts from that plane.
        """
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits

        if len(self) < 4 or self.unit.shape[1] < 2:
            return self._plane()
        with threadpool_limits(1):
            place: Float[np.ndarray, "concept 2"] = (
                TSNE(
                    perplexity=min(_PERPLEXITY, (len(self) - 1) / 3),
                    init="pca",
                    method="exact" if len(self) <= _EXACT else "barnes_hut",
                    random_state=seed,
                )
                .fit_transform(self.unit)
                .astype(np.float64)
            )
        return place

    def labelled(self, label: str) -> Space:
        """The space under another label."""
        return Space(
            self.names,
            self.unit,
            label=label,
            hardly_moved=self.hardly_moved,
            elsewhere=self.elsewhere,
        )

    def restrict(self, names: Sequence[str]) -> Space:
        """The space of some of its concepts, in the order asked for.

        Raises:
            SpaceError: if the space lacks one of them.
        """
        missing = [name for name in names if name not in self._index]
        if missing:
            raise SpaceError(f"no concept {missing[0]!r} in {self.label}")
        unit = self.unit[[self._index[name] for name in names]]
        return Space(names, unit, label=self.label, hardly_moved=self.hardly_moved)

    def _unknown(self, error: ValueError) -> SpaceError:
        return SpaceError(f"{error} in {self.label}{found_elsewhere(error, self.elsewhere)}")

    def _plane(self) -> Float[np.ndarray, "concept 2"]:
        place = np.zeros((len(self), 2))
        if len(self):
            left, scale, _ = np.linalg.svd(self.unit - self.unit.mean(axis=0), full_matrices=False)
            dimensions = min(2, len(scale))
            place[:, :dimensions] = left[:, :dimensions] * scale[:dimensions]
        return place

    def _rank(
        self, target: Float[np.ndarray, "dimension"], *, leave_out: set[str], n: int
    ) -> pd.DataFrame:
        if n < 1:
            raise SpaceError(f"the number of neighbours must be at least 1, got {n}")
        cosine = self.unit @ (target / np.linalg.norm(target))
        order = [
            index
            for index in np.argsort(-cosine, kind="stable")
            if self.names[index] not in leave_out
        ][:n]
        table = pd.DataFrame(
            {
                "rank": np.arange(1, len(order) + 1),
                "concept": np.array([self.names[index] for index in order], dtype=object),
                "cosine": cosine[order],
            }
        )
        if self.hardly_moved is not None:
            table["hardly_moved"] = [name in self.hardly_moved for name in table["concept"]]
        return table
