"""Networks that have a name of their own: those of the paper, and their published weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import nn

from net2vec.networks.caffe import references
from net2vec.networks.network import Network
from net2vec.networks.preprocessing import Preprocessing, Triple, imagenet_preprocessing
from net2vec.networks.sources.base import Architecture, Entry, NetworkSource, build_network
from net2vec.networks.sources.caffe_files import CaffeArchitecture
from net2vec.networks.sources.torchvision_models import TorchvisionArchitecture
from net2vec.networks.weights.checkpoints import load_checkpoint
from net2vec.networks.weights.downloads import fetch_files

# The mean, BGR, that the paper's comparison of networks subtracts for all of its Caffe models.
_DISSECTION_MEAN: Triple = (109.5388, 118.6897, 124.6901)
# Where the files of the networks that no library offers are published.
_PLACES365 = "http://places2.csail.mit.edu/models_places365"
_DISSECTION_ZOO = "http://netdissect.csail.mit.edu/dissect/zoo"

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


@dataclass(frozen=True, kw_only=True)
class ZooEntry(Entry):
    """A network of the table below.

    Attributes:
        architecture: makes what builds the network.
    """

    architecture: Callable[[], Architecture]


class NetworkZoo(NetworkSource):
    """The networks of the table below."""

    def recognises(self, name: str) -> bool:
        """Whether the name is in the table."""
        return name in NETWORKS

    def load(self, name: str, weights: str | None, seed: int) -> Network:
        """Build a network of the table."""
        entry = NETWORKS[name]
        return build_network(name, entry.architecture(), weights, seed, entry)

    def entries(self) -> Mapping[str, Entry]:
        """All networks of the table."""
        return NETWORKS


class PlacesAlexNet:
    """AlexNet of torchvision as the authors of Places365 trained and published it."""

    source = "torchvision:alexnet, weights of places2.csail.mit.edu"
    licence = "CC BY"
    published = ("places365",)

    def __init__(self, addresses: Sequence[str]) -> None:
        """Take the addresses of the checkpoint."""
        self._addresses = addresses

    def untrained(self) -> nn.Module:
        """The module with fresh weights, drawn from torch's global generator."""
        import torchvision

        module: nn.Module = torchvision.models.alexnet(weights=None, num_classes=365)
        return module

    def from_file(self, path: Path) -> nn.Module:
        """The module with the weights in a file."""
        module = self.untrained()
        load_checkpoint(module, path)
        return module

    def from_published(self, weights: str) -> nn.Module:
        """The module with published weights."""
        (path,) = fetch_files("alexnet_places365", self._addresses)
        return self.from_file(path)

    def preprocessing(self, module: nn.Module, weights: str | None) -> Preprocessing:
        """The preprocessing of its training, at the input size of AlexNet."""
        return imagenet_preprocessing(227)


def _features(places: Mapping[str, int]) -> Mapping[str, str]:
    return MappingProxyType({name: f"features.{place}" for name, place in places.items()})


def _imagenet(name: str, layers: tuple[str, ...], places: Mapping[str, int]) -> ZooEntry:
    return ZooEntry(
        task="classification",
        training_set="ImageNet",
        layers=layers,
        architecture=lambda: TorchvisionArchitecture(name),
        licence=TorchvisionArchitecture.licence,
        source="torchvision",
        aliases=_features(places),
    )


def _caffe(
    name: str,
    file: str,
    definition: Callable[[], Any],
    layers: tuple[str, ...],
    *,
    task: str,
    training_set: str,
    licence: str,
    aliases: Mapping[str, str] | None = None,
    zoo: str = _DISSECTION_ZOO,
) -> ZooEntry:
    addresses = tuple(f"{zoo}/{file}.{end}" for end in ("prototxt", "caffemodel"))
    return ZooEntry(
        task=task,
        training_set=training_set,
        layers=layers,
        architecture=lambda: CaffeArchitecture(
            name,
            definition,
            addresses=addresses,
            mean=_DISSECTION_MEAN,
            licence=licence,
            source=zoo,
        ),
        licence=licence,
        source=zoo,
        aliases=MappingProxyType(dict(aliases or {})),
    )


def _self_supervised(
    task: str,
    file: str,
    training_set: str,
    definition: Callable[[], Any],
    *,
    prefix: str = "",
    zoo: str = _DISSECTION_ZOO,
) -> ZooEntry:
    return _caffe(
        f"alexnet_{task}",
        file,
        definition,
        (f"{prefix}conv5",),
        task=f"self-supervised: {task}",
        training_set=training_set,
        licence="see its authors",
        aliases={f"conv{n}": f"{prefix}conv{n}" for n in range(1, 6)} if prefix else None,
        zoo=zoo,
    )


# As the paper's experiments feed it, not as torchvision documents it: 227 pixels, the mean of
# their Caffe models, one scale for all channels.
_ALEXNET = replace(
    _imagenet("alexnet", tuple(_ALEXNET_RELUS), _ALEXNET_RELUS),
    preprocessing=Preprocessing(
        227, mean=(124.6901, 118.6897, 109.5388), std=(255 * 0.224, 255 * 0.224, 255 * 0.224)
    ),
)
_ALEXNET_PLACES365 = ZooEntry(
    task="scene classification",
    training_set="Places365",
    layers=("conv5",),
    architecture=lambda: PlacesAlexNet([f"{_PLACES365}/alexnet_places365.pth.tar"]),
    licence=PlacesAlexNet.licence,
    source=_PLACES365,
    aliases=_features(_ALEXNET_RELUS),
)
_VGG16_PLACES365 = _caffe(
    "vgg16_places365",
    "vgg16_places365",
    lambda: references.vgg16(365),
    ("conv5_3",),
    task="scene classification",
    training_set="Places365",
    licence=PlacesAlexNet.licence,
)
_GOOGLENET_PLACES365 = _caffe(
    "googlenet_places365",
    "googlenet_places365",
    lambda: references.googlenet(365),
    ("inception_4e/output", "inception_5b/output"),
    task="scene classification",
    training_set="Places365",
    licence=PlacesAlexNet.licence,
    aliases={f"inception{block}": f"inception_{block}/output" for block in references.INCEPTIONS},
)

NETWORKS: Mapping[str, ZooEntry] = MappingProxyType(
    {
        "alexnet": _ALEXNET,
        "alexnet_places365": _ALEXNET_PLACES365,
        "vgg16": _imagenet("vgg16", ("conv5_3",), _VGG16_RELUS),
        "vgg16_places365": _VGG16_PLACES365,
        "googlenet": _imagenet("googlenet", ("inception4e", "inception5b"), {}),
        "googlenet_places365": _GOOGLENET_PLACES365,
        "alexnet_tracking": _self_supervised(
            "tracking", "weakly_videotracking", "videos from YouTube", references.alexnet
        ),
        "alexnet_audio": _self_supervised(
            "audio",
            "weakly_audio",
            "videos with sound from Flickr",
            lambda: references.alexnet(references.NORMALISED_BEFORE_RELU),
        ),
        "alexnet_objectcentric": _self_supervised(
            "objectcentric", "weakly_objectcentric", "videos from YouTube", references.alexnet
        ),
        "alexnet_moving": _self_supervised(
            "moving", "weakly_learningbymoving", "videos from cars", references.alexnet
        ),
        "alexnet_egomotion": _self_supervised(
            "egomotion",
            "weakly_egomotion",
            "videos from cars (KITTI)",
            lambda: references.alexnet(references.NORMALISED_AFTER_RELU, prefix="cls_"),
            prefix="cls_",
        ),
    }
)
