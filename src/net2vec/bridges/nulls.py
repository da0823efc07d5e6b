"""Random vectors, which a sensitivity is compared with."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from net2vec.errors import ConfigError

_USUAL = 999


def p_values(
    vectors: Float[np.ndarray, "concept filter"],
    gradient: Float[np.ndarray, "filter"],
    null: Float[np.ndarray, "null concept_or_one filter"],
) -> Float[np.ndarray, "concept"]:
    """P-values of slopes along vectors: (1 + null vectors as steep) / (1 + null vectors).

    A null vector counts if the slope along it is at least as steep, up or down; only the
    directions of vectors matter. NaN for a vector that has none.

    Args:
        vectors: of the concepts.
        gradient: of the output by the filters.
        null: random vectors: each concept's own, or the same for all.
    """
    steep, by_chance = np.abs(_unit(vectors) @ gradient), np.abs(_unit(null) @ gradient)
    # A null vector without a direction counts against the concept.
    count = (np.nan_to_num(by_chance, nan=np.inf) >= steep).sum(axis=0)
    p: Float[np.ndarray, "concept"] = np.where(
        np.isfinite(steep), (1 + count) / (1 + len(null)), np.nan
    )
    return p


def vectors_by_chance(
    weight: Float[np.ndarray, "concept filter"],
    null_vectors: np.ndarray | None,
    learned: Float[np.ndarray, "null asked filter"] | None,
    count: int | None,
    seed: int,
) -> tuple[Float[np.ndarray, "null asked_or_one filter"], str]:
    """Vectors that a concept's vector is compared with, and their description.

    Args:
        weight: the vectors of all concepts.
        null_vectors: vectors that the user gives.
        learned: those that the run has learned on shuffled annotations, of the concepts asked for.
        count: how many to draw where none are given; None for those learned, or for 999.
        seed: of the draws.

    Raises:
        ConfigError: if the count is not positive, or what is given is of another shape.
    """
    if null_vectors is None:
        if learned is not None and count is None:
            return learned, "vectors learned on shuffled annotations"
        count = _USUAL if count is None else count
        if count < 1:
            raise ConfigError(f"nulls must be 1 or more, got {count}; {_USUAL} is usual")
        return mixtures(weight, count, seed)[:, None], "random mixtures of the layer's vectors"
    try:
        vectors = np.asarray(null_vectors, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"null vectors must be an array of numbers, got {null_vectors!r}"
        ) from error
    if vectors.ndim != 2 or vectors.shape[1] != weight.shape[1] or not len(vectors):
        raise ConfigError(
            f"null vectors must be rows of {weight.shape[1]} filters, got an array of shape "
            f"{vectors.shape}"
        )
    return vectors[:, None], "vectors given"


def mixtures(
    weight: Float[np.ndarray, "concept filter"], count: int, seed: int
) -> Float[np.ndarray, "null filter"]:
    """Random vectors in the span of the concepts, normally distributed factors of unit vectors."""
    directed = weight[np.isfinite(weight).all(axis=1) & weight.any(axis=1)]
    factors = np.random.default_rng(seed).normal(size=(count, len(directed)))
    mixed: Float[np.ndarray, "null filter"] = factors @ _unit(directed)
    return mixed


def _unit(vectors: Float[np.ndarray, "*row filter"]) -> Float[np.ndarray, "*row filter"]:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit: Float[np.ndarray, "*row filter"] = vectors / np.where(length > 0, length, np.nan)
    return unit
