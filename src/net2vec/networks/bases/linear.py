"""Linear bases: a random rotation of a layer's channels, and their principal components."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from net2vec.core.chance import generator
from net2vec.networks.bases.base import Basis


class RandomBasis(Basis):
    """A random rotation, drawn once for a layer: the control of Network Dissection.

    What is found as well in a rotated layer is a matter of the layer, not of its filters.

    Source: Bau et al., Network Dissection, CVPR 2017, section 3.2.
    """

    kind: ClassVar[str] = "random"
    usage: ClassVar[str] = "random"

    @classmethod
    def make(cls, name: str, layer: str, channels: int, seed: int) -> RandomBasis:
        """See `Basis.make`; the rotation depends on the seed, the layer and its channels."""
        draw = generator(seed, "basis", layer)
        # With the signs of R's diagonal, Q is evenly distributed over all rotations and mirrorings.
        q, r = np.linalg.qr(draw.standard_normal((channels, channels)))
        rotation = q * np.sign(np.diagonal(r))
        return cls({"rotation": torch.from_numpy(rotation.astype(np.float32))})

    @property
    def features(self) -> int:
        """The number of features, that of the channels."""
        return len(self.tensors["rotation"])

    def __call__(self, values: Float[Tensor, "*place channel"]) -> Float[Tensor, "*place feature"]:
        """The channels, rotated."""
        return values @ self.on(values.device)["rotation"]


class PrincipalBasis(Basis):
    """The principal components of a layer's activations, the largest variance first.

    The sign of a component is such that its largest weight is positive.
    """

    kind: ClassVar[str] = "pca"
    usage: ClassVar[str] = "pca"

    @classmethod
    def make(cls, name: str, layer: str, channels: int, seed: int) -> PrincipalBasis:
        """See `Basis.make`; it is not fitted."""
        return cls({"mean": torch.zeros(channels), "components": torch.zeros(channels, 0)})

    @property
    def is_fitted(self) -> bool:
        """Whether there are components."""
        return self.tensors["components"].shape[1] > 0

    def fit(self, cells: Float[Tensor, "cell channel"]) -> PrincipalBasis:
        """The components of some cells, in double precision."""
        exact = cells.double()
        mean = exact.mean(0)
        centred = exact - mean
        _, vectors = torch.linalg.eigh(centred.T @ centred / len(exact))
        vectors = vectors.flip(1)
        largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
        components = vectors * torch.where(largest < 0, -1.0, 1.0)
        return PrincipalBasis({"mean": mean.float(), "components": components.float()})

    @property
    def features(self) -> int:
        """The number of features, that of the channels."""
        return len(self.tensors["mean"])

    def __call__(self, values: Float[Tensor, "*place channel"]) -> Float[Tensor, "*place feature"]:
        """The coordinates along the components, from the mean."""
        own = self.on(values.device)
        return (values - own["mean"]) @ own["components"]
