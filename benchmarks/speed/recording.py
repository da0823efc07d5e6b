"""Thresholds, thresholded maps and means, on top of the forward pass."""

from __future__ import annotations

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn

from measure import Line, alternate
from net2vec.kernels.quantile import rank_of
from net2vec.networks import Network, run_layers
from net2vec.recording import record
from net2vec.recording.feeding import image_batches

LAYERS = ("features.1", "features.4", "features.7", "features.9", "features.11")
_SIDE = 227
BATCH = 16


class Pictures:
    """Random smooth pictures in memory, ready to be fed."""

    name, digest, labels, categories = "pictures", "pictures", ("",), ("object",)

    def __init__(self, count: int) -> None:
        self.images = [f"{index}.png" for index in range(count)]
        self.splits = ["train"] * count
        generator = torch.Generator().manual_seed(0)
        self._pixels = torch.empty(count, 3, _SIDE, _SIDE, dtype=torch.int8)
        for first in range(0, count, 100):
            n = min(100, count - first)
            total = torch.zeros(n, 3, _SIDE, _SIDE)
            for cells in (4, 16, 64):
                noise = torch.randn(n, 3, cells, cells, generator=generator)
                total += nn.functional.interpolate(noise, (_SIDE, _SIDE), mode="bilinear")
            contrast = 20 * torch.rand(n, 1, 1, 1, generator=generator) + 5
            self._pixels[first : first + n] = (total * contrast).clamp(-127, 127)

    def image(self, index: int) -> Image.Image:
        carrier = Image.new("1", (1, 1))  # decoding would be timed as well
        carrier.info["pixels"] = self._pixels[index]
        return carrier

    def annotation(self, index: int) -> None:
        raise NotImplementedError


class Ready:
    """The preprocessing of what is ready to be fed but for its type."""

    size = _SIDE
    channel_count = 3

    def __call__(self, image: Image.Image) -> Tensor:
        return image.info["pixels"].float() / 57


def alexnet() -> Network:
    """AlexNet with random weights: time does not depend on what they are."""
    torch.manual_seed(0)
    module = torchvision.models.alexnet(weights=None).eval()
    return Network(name="alexnet", module=module, preprocessing=Ready())


def forward(network: Network, pictures: Pictures) -> None:
    """The bare pass over the pictures, no further than conv5."""
    bare = network.module.features[:12]
    with torch.inference_mode():
        for _, images in image_batches(network, pictures, range(len(pictures.images)), BATCH):
            bare(images)


def recording(*, small: bool, pairs: int) -> list[Line]:
    images = 24 if small else 2000
    pictures, network = Pictures(images), alexnet()
    found = alternate(
        lambda: record(network, pictures, LAYERS, quantile=0.005, batch=BATCH),
        lambda: forward(network, pictures),
        pairs,
        warm=small,
    )
    ratio, seconds = found.median()
    exact = _exact(network, pictures, found.our_result[LAYERS[-1]])
    agreement = f"conv5 {'equals' if exact else 'differs from'} a full sort"
    size = f"{images} images, AlexNet conv1 to conv5, batches of {BATCH}"
    what = "forward pass with recording / without"
    return [Line(what, size, 1 / ratio, 1.15, False, seconds, agreement, exact)]


def _exact(network: Network, pictures: Pictures, recorded) -> bool:
    """Whether thresholds and maps are those of all activations, sorted."""
    parts = [
        run_layers(network, batch, LAYERS)[LAYERS[-1]].flatten(2).numpy().copy()
        for _, batch in image_batches(network, pictures, range(len(pictures.images)), BATCH)
    ]
    values = np.concatenate(parts)
    count = values.shape[0] * values.shape[2]
    by_filter = np.sort(values.transpose(1, 0, 2).reshape(values.shape[1], -1), axis=1)
    threshold = by_filter[:, count - 1 - rank_of(0.005, count)]
    maps = recorded.maps(np.arange(len(values))).dense().flatten(2).numpy()
    same_maps = np.array_equal(maps, values > threshold[:, None])
    return same_maps and np.array_equal(threshold, recorded.threshold)
