"""New images through a network: batches in, the outputs of its layers out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from net2vec.core.devices import torch_device
from net2vec.errors import ConfigError, NetworkError
from net2vec.networks import Network, run_layers
from net2vec.prediction.images import NewImage


@dataclass(frozen=True)
class LayerOutputs:
    """The outputs of some layers for a batch of images.

    Attributes:
        images: the images.
        sizes: own height and width of each.
        outputs: by layer: (image, filter, y, x), or (image, filter) where it has no grid.
    """

    images: Sequence[NewImage]
    sizes: Sequence[tuple[int, int]]
    outputs: dict[str, Tensor]


@dataclass(frozen=True)
class ForwardPass:
    """A network with the device, batch size and precision that it is run with.

    Attributes:
        network: the network.
        device: where it runs.
        batch: images at a time; another number than the run's may move rounding.
        mixed_precision: whether in half precision where that is safe.
        workers: threads that decode images.
    """

    network: Network
    device: str | torch.device = "cpu"
    batch: int = 16
    mixed_precision: bool = False
    workers: int = 2

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ConfigError(f"batch must be 1 or more, got {self.batch}; 16 is usual")

    def layer_outputs(
        self, images: Sequence[NewImage], layers: Sequence[str]
    ) -> Iterator[LayerOutputs]:
        """The outputs of some layers, batch by batch; one pass serves all layers.

        Raises:
            DataError: if an image cannot be read.
            NetworkError: if a layer is not in the network, or gives values that are not finite.
        """
        layers = list(dict.fromkeys(layers))
        for chosen, sizes, fed in self.batches(images):
            outputs = run_layers(self.network, fed, layers, mixed_precision=self.mixed_precision)
            for layer, output in outputs.items():
                if not bool(torch.isfinite(output).all()):
                    raise NetworkError(
                        f"layer {layer} gives values that are not finite (NaN or infinity) on "
                        f"{chosen[0].name} to {chosen[-1].name}: check the preprocessing"
                    )
            yield LayerOutputs(chosen, sizes, outputs)

    def batches(
        self, images: Sequence[NewImage]
    ) -> Iterator[tuple[Sequence[NewImage], Sequence[tuple[int, int]], Tensor]]:
        """Images as the network is fed them, on its device, with their own heights and widths.

        Raises:
            DataError: if an image cannot be read.
        """
        device = torch_device(self.device)
        self.network.module.to(device)
        with ThreadPoolExecutor(self.workers) as pool:
            for first in range(0, len(images), self.batch):
                chosen = images[first : first + self.batch]
                loaded = list(pool.map(lambda image: image.network_input(self.network), chosen))
                stacked = torch.stack([fed for fed, _ in loaded])
                # In memory as the probe's recording has it, for the same convolutions to be chosen.
                stacked = stacked.contiguous(memory_format=torch.channels_last)
                yield chosen, [size for _, size in loaded], stacked.to(device)
