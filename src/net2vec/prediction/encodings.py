"""The encoding of concepts by a layer: all that a prediction needs besides the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Encoding:
    """The vectors of some concepts on a layer, with the numbers that turn them into predictions.

    Attributes:
        layer: the layer.
        task: `segment` or `classify`.
        fit: how the vectors were learned.
        names: the concepts.
        category: of each concept.
        threshold: activation above which a filter is on (T_k).
        weight: the concepts' vectors.
        bias: added to z; 0 in the paper's segmentation.
        cut: what z + bias must exceed; 0 in the paper's fit, and in classification.
        mask_size: rows and columns of the masks that segmentation was learned on.
        scale: where segmenting vectors weigh activations as they are, what these are multiplied
            by; None where they weigh thresholded maps.
    """

    layer: str
    task: str
    fit: str
    names: tuple[str, ...]
    category: tuple[str, ...]
    threshold: Float[Tensor, "filter"]
    weight: Float[Tensor, "concept filter"]
    bias: Float[Tensor, "concept"]
    cut: Float[Tensor, "concept"]
    mask_size: tuple[int, int]
    scale: Float[Tensor, "filter"] | None = None

    @classmethod
    def of(cls, recorded: xr.Dataset, learned: xr.Dataset, names: Sequence[str]) -> Encoding:
        """Some concepts of a run.

        Args:
            recorded: the arrays of the layer in `results.zarr`.
            learned: the arrays of a task on the layer.
            names: the concepts, of those of the task, in the order wanted.
        """
        chosen = learned.sel(concept=list(names))
        nothing = xr.zeros_like(chosen["n_train"], dtype="float32")
        rows, columns = (int(side) for side in recorded.attrs["mask_size"])
        return cls(
            layer=str(recorded.attrs["layer"]),
            task=str(learned.attrs["task"]),
            fit=str(learned.attrs["fit"]),
            names=tuple(names),
            category=tuple(str(name) for name in chosen["category"].values),
            threshold=_tensor(recorded["threshold"]),
            weight=_tensor(chosen["weight"]),
            bias=_tensor(chosen.get("bias", nothing)),
            cut=_tensor(chosen.get("cut", nothing)),
            mask_size=(rows, columns),
            scale=_tensor(chosen["filter_scale"]) if "filter_scale" in chosen else None,
        )


def _tensor(array: xr.DataArray) -> Tensor:
    return torch.from_numpy(array.to_numpy().astype("float32"))
