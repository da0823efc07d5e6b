"""Differences of spaces, on the concepts that they share (sec. 5.3, Fig. 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from operator import attrgetter

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from net2vec.results import RunTable, TableInput
from net2vec.spaces.space import Space, SpaceError

LEAST_SHARED = 3
"""Fewer shared concepts than this have no structure to compare."""


@dataclass(frozen=True)
class Comparison:
    """Spaces compared, two by two.

    Attributes:
        spaces: their labels.
        concepts: the concepts that all of them share, which everything here is of.
        distances: `space, other, distance, cka, cka_by_chance, procrustes, rsa, p, n`; `distance`
            is D_ij.
        by_concept: `space, other, concept, category, distance`; these are the D_ijc.
        by_category: `space, other, category, mean, stderr, n` of the D_ijc of its concepts.
    """

    spaces: tuple[str, ...]
    concepts: tuple[str, ...]
    distances: pd.DataFrame
    by_concept: pd.DataFrame
    by_category: pd.DataFrame


def compare_spaces(
    spaces: Sequence[Space],
    *,
    categories: Mapping[str, str] | None = None,
    permutations: int = 999,
    seed: int = 0,
) -> Comparison:
    """Compare every two of several spaces on the concepts that all of them share.

    - `distance`: D_ij, the squared Frobenius norm of the difference of the two matrices of
      cosines. It is a sum over pairs of concepts: comparable only on the same concepts.
    - `cka`: linear centred kernel alignment (Kornblith et al. 2019), 1 for equal geometries; few
      concepts in many dimensions are near 1 whatever they are, so `cka_by_chance` is its mean over
      all permutations of the concepts of one space.
    - `procrustes`: the difference that the best rotation leaves between the two centred sets of
      vectors, scaled to norm 1 each (Ding et al. 2021); from 0 to 2.
    - `rsa`: Spearman's correlation between the cosines of all pairs of concepts (Kriegeskorte et
      al. 2008), and `p`, the share of permutations of the concepts of one space that give at least
      as much.

    Args:
        spaces: two or more, with labels of their own, in vectors of any dimension.
        categories: of the concepts; one that is not there is of no category.
        permutations: how many stand behind `p`; 0 leaves it missing.
        seed: of the permutations.

    Raises:
        SpaceError: if there are fewer than two spaces, two have one label, or they share too
            few concepts.
    """
    labels = [space.label for space in spaces]
    if len(spaces) < 2:
        raise SpaceError(f"a comparison needs two spaces or more, got {len(spaces)}")
    if twice := sorted({label for label in labels if labels.count(label) > 1}):
        raise SpaceError(f"two spaces are called {twice[0]!r}; each needs a label of its own")
    shared = [name for name in spaces[0].names if all(name in space for space in spaces[1:])]
    if len(shared) < LEAST_SHARED:
        raise SpaceError(
            f"{', '.join(labels)} share {len(shared)} concepts; a comparison needs at least "
            f"{LEAST_SHARED}"
        )
    from threadpoolctl import threadpool_limits

    # These matrices are small: threads would cost more than they save, and move the last bits.
    with threadpool_limits(1):
        units = [space.restrict(shared).unit for space in spaces]
        cosines = [unit @ unit.T for unit in units]
        centred = [_centre(unit) for unit in units]
        pairs = list(combinations(range(len(spaces)), 2))
        ranks = np.stack([_ranks(cosine) for cosine in cosines], axis=1)
        correlated = zip(*_correlate(ranks, np.array(pairs), permutations, seed), strict=True)
        rows, parts = [], []
        for (i, j), (rsa, p) in zip(pairs, correlated, strict=True):
            by_concept = ((cosines[i] - cosines[j]) ** 2).sum(axis=1)
            pair = {"space": labels[i], "other": labels[j]}
            rows.append(
                pair
                | {
                    "distance": by_concept.sum(),
                    **_alignment(centred[i], centred[j]),
                    "procrustes": _procrustes(centred[i], centred[j]),
                    "rsa": rsa,
                    "p": p,
                    "n": len(shared),
                }
            )
            parts.append(pd.DataFrame(pair | {"concept": shared, "distance": by_concept}))
    concepts = pd.concat(parts, ignore_index=True)
    known = categories or {}
    concepts.insert(3, "category", [known.get(name, "") for name in concepts["concept"]])
    groups = concepts.groupby(["space", "other", "category"], sort=False)["distance"]
    by_category = groups.agg(mean="mean", stderr="sem", n="size").reset_index()
    return Comparison(tuple(labels), tuple(shared), pd.DataFrame(rows), concepts, by_category)


def _centre(
    unit: Float[np.ndarray, "concept dimension"],
) -> Float[np.ndarray, "concept coordinate"]:
    """Centred vectors of total norm 1, in no more dimensions than there are concepts.

    Everything computed of them is the same in rotated coordinates, which are fewer where the
    vectors have thousands of dimensions. Where all vectors are equal nothing is left: all zeros.
    """
    centred = unit - unit.mean(axis=0)
    norm = np.linalg.norm(centred)
    if norm < 1e-12:
        return np.zeros((len(unit), 1))
    if centred.shape[1] > centred.shape[0]:
        from scipy import linalg  # SciPy takes a second to load, and most questions need none

        left, scale, _ = linalg.svd(centred, full_matrices=False)
        centred = left * scale
    scaled: Float[np.ndarray, "concept coordinate"] = centred / norm
    return scaled


def _alignment(
    first: Float[np.ndarray, "concept coordinate"], second: Float[np.ndarray, "concept dimension"]
) -> dict[str, float]:
    """Linear CKA of centred vectors of total norm 1, and its mean over permutations of one.

    A permutation takes every entry off the diagonal of a kernel to every other such place equally
    often. The rows of centred kernels sum to 0, and their traces are 1 here, so that the mean of
    the sum of products is 1 / (n - 1).
    """
    scale = np.linalg.norm(first.T @ first) * np.linalg.norm(second.T @ second)
    if not scale > 0:
        return {"cka": float("nan"), "cka_by_chance": float("nan")}
    return {
        "cka": float(np.linalg.norm(first.T @ second) ** 2 / scale),
        "cka_by_chance": float(1 / ((len(first) - 1) * scale)),
    }


def _procrustes(
    first: Float[np.ndarray, "concept coordinate"], second: Float[np.ndarray, "concept dimension"]
) -> float:
    from scipy import linalg

    left = 2 - 2 * float(linalg.svdvals(first.T @ second).sum())
    return max(0.0, left)  # rounding may go below


def _ranks(cosine: Float[np.ndarray, "concept concept"]) -> Float[np.ndarray, "pair"]:
    """Ranks of the cosines of all pairs of concepts, centred and of norm 1; all 0 if all tie."""
    from scipy import stats

    # Cosines of equal vectors differ in their last bits, which should make no order.
    rank = stats.rankdata(cosine[np.triu_indices(len(cosine), 1)].round(12))
    rank -= rank.mean()
    norm = np.linalg.norm(rank)
    scaled: Float[np.ndarray, "pair"] = rank / norm if norm > 0 else rank
    return scaled


def _correlate(
    ranks: Float[np.ndarray, "pair space"],
    compared: Int[np.ndarray, "comparison two"],
    permutations: int,
    seed: int,
) -> tuple[Float[np.ndarray, "comparison"], Float[np.ndarray, "comparison"]]:
    """Spearman's correlation of the cosines of two spaces, and its p by permuting the concepts.

    Permuting concepts permutes the ranks of their pairs, so that they are ranked but once. All
    comparisons are made with the same permutations, and those of a space are looked up once.

    Args:
        ranks: see `_ranks`.
        compared: which spaces; the first one's concepts are permuted.
        permutations: how many; without them p is missing.
        seed: of the permutations.
    """
    concepts = round((1 + np.sqrt(1 + 8 * len(ranks))) / 2)
    first, second = np.triu_indices(concepts, 1)
    place = np.zeros((concepts, concepts), dtype=np.int64)
    place[first, second] = place[second, first] = np.arange(len(ranks))
    one, other = compared.T

    def correlation(orders: np.ndarray, axis: int = -1) -> np.ndarray:
        """The correlation for one order of the concepts, or for a batch of orders."""
        correlations = [
            (ranks[place[order[first], order[second]]].T @ ranks)[one, other]
            for order in orders.reshape(-1, concepts)
        ]
        return np.reshape(correlations, (*orders.shape[:-1], len(compared)))

    identity = np.arange(concepts)
    if permutations:
        from scipy import stats

        tested = stats.permutation_test(
            (identity,),
            correlation,
            permutation_type="pairings",
            vectorized=True,
            n_resamples=permutations,
            alternative="greater",
            random_state=np.random.default_rng(seed),
        )
        correlations, p = tested.statistic, tested.pvalue
    else:
        correlations, p = correlation(identity), np.full(len(compared), np.nan)
    same = np.logical_not(ranks.any(axis=0))
    unordered = same[one] | same[other]
    return np.where(unordered, np.nan, correlations), np.where(unordered, np.nan, p)


DISTANCES = RunTable(
    name="distances",
    title="Distances between the spaces of the layers and tasks",
    source="Fig. 10",
    columns=("space", "other", "distance", "cka", "cka_by_chance", "procrustes", "rsa", "p", "n"),
    keys=("space", "other"),
    made_of=TableInput.COMPARISON,
    make=attrgetter("distances"),
    values=("distance", "cka", "procrustes", "rsa"),
)
DISTANCES_BY_CATEGORY = RunTable(
    name="distances_by_category",
    title="The same, mean over the concepts of each category",
    source="Fig. 10",
    columns=("space", "other", "category", "mean", "stderr", "n"),
    keys=("space", "other", "category"),
    made_of=TableInput.COMPARISON,
    make=attrgetter("by_category"),
    values=("mean",),
)
