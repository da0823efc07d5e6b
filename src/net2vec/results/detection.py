"""Precision and recall of pixels, from the counts by image that are stored."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float, Integer


class DetectedPixels:
    """The pixels of concepts in validation images, with what is needed to sum counts over them.

    Args:
        arrays: of a layer in segmentation. Runs of earlier versions do not have the areas of masks;
            precision and recall are then missing.
    """

    def __init__(self, arrays: xr.Dataset) -> None:
        self._concepts = arrays.sizes["concept"]
        self._area: Integer[np.ndarray, "pair"] | None = None
        if "pair_area" not in arrays.coords:
            return
        self._chosen = np.flatnonzero(arrays["pair_split"].to_numpy() == "val")
        place = {name: number for number, name in enumerate(arrays["concept"].to_numpy())}
        concept = arrays["pair_concept"].to_numpy()[self._chosen]
        self._concept = np.array([place[name] for name in concept], dtype=np.int64)
        self._area = arrays["pair_area"].to_numpy()

    def precision_and_recall(
        self, intersection: Integer[np.ndarray, "pair"], union: Integer[np.ndarray, "pair"]
    ) -> tuple[Float[np.ndarray, "concept"], Float[np.ndarray, "concept"]]:
        """Over all pixels of the validation images that contain each concept.

        Args:
            intersection: pixels that are predicted and true.
            union: pixels that are one or the other.

        Returns:
            Shares of the predicted pixels that are true, which is missing where none is predicted,
            and of the true ones that are predicted.
        """
        if self._area is None:
            missing = np.full(self._concepts, np.nan)
            return missing, missing
        hit, true = self._sum(intersection), self._sum(self._area)
        predicted = self._sum(union) - true + hit
        with np.errstate(invalid="ignore"):
            return hit / predicted, hit / true

    def _sum(self, counts: Integer[np.ndarray, "pair"]) -> Float[np.ndarray, "concept"]:
        # Sums are below 2**53, so that weights in double precision add up exactly.
        return np.bincount(self._concept, counts[self._chosen], minlength=self._concepts)
