"""Classifiers of torchvision: `torchvision:NAME`.

The library is imported when a network of it is asked for; that takes seconds.
"""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from net2vec.networks.network import Network
from net2vec.networks.preprocessing import Preprocessing
from net2vec.networks.sources.base import NetworkSource, build_network, unknown_model
from net2vec.networks.weights.checkpoints import load_checkpoint
from net2vec.networks.weights.downloads import fetch_to_hub

# Auxiliary classifiers serve training alone; the published files still hold them.
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
# These two were ported from networks that take (x - 127.5) / 127.5 and convert their input.
_PORTED = {"aux_logits": False, "transform_input": True, "init_weights": True}
_KEYWORDS: dict[str, dict[str, Any]] = {"googlenet": _PORTED, "inception_v3": _PORTED}


class TorchvisionModels(NetworkSource):
    """All classifiers of torchvision."""

    usage = "torchvision:NAME"

    def recognises(self, name: str) -> bool:
        """Whether the name begins with `torchvision:`."""
        return name.startswith("torchvision:")

    def load(self, name: str, weights: str | None, seed: int) -> Network:
        """Build a classifier."""
        architecture = TorchvisionArchitecture(name.partition(":")[2])
        return build_network(name, architecture, weights, seed)


class TorchvisionArchitecture:
    """A classifier of torchvision."""

    licence = "BSD-3-Clause; ImageNet is for research"

    def __init__(self, name: str) -> None:
        import torchvision

        self._models = torchvision.models
        known = self._models.list_models(module=self._models)
        if name not in known:
            raise unknown_model("torchvision", name, known)
        self.name = name
        self.source = f"torchvision:{name}"

    @cached_property
    def _weights(self) -> Any:
        return self._models.get_model_weights(self.name)

    @property
    def published(self) -> tuple[str, ...]:
        """Names of the published weights, the default first."""
        default = self._weights.DEFAULT.name
        return (default, *(w.name for w in self._weights if w.name != default))

    def untrained(self) -> nn.Module:
        """The module with fresh weights, drawn from torch's global generator."""
        return self._build(None)

    def from_file(self, path: Path) -> nn.Module:
        """The module with the weights in a file."""
        return load_classifier(self._build(None), path)

    def from_published(self, weights: str) -> nn.Module:
        """The module with published weights."""
        address = self._weights[weights].url
        return load_classifier(self._build(weights), fetch_to_hub(self.source, address))

    def preprocessing(self, module: nn.Module, weights: str | None) -> Preprocessing:
        """The preprocessing that the network expects."""
        return self._preprocessing(weights)

    def _preprocessing(self, weights: str | None) -> Preprocessing:
        crop = self._weights[weights or self.published[0]].transforms()
        return Preprocessing.from_unit_scale(crop.crop_size[0], tuple(crop.mean), tuple(crop.std))

    def _build(self, weights: str | None) -> nn.Module:
        keywords = dict(_KEYWORDS.get(self.name, {}))
        if self.name.startswith("vit_"):  # whose position embedding depends on the input's size
            keywords["image_size"] = self._preprocessing(weights).size
        module: nn.Module = self._models.get_model(self.name, weights=None, **keywords)
        return module


def load_classifier(module: nn.Module, path: Path) -> nn.Module:
    """The module with the weights in a file, also in one published for older versions."""
    load_checkpoint(module, path, rename=_joined_densenet_key, ignore=_AUXILIARY)
    return module


def _joined_densenet_key(key: str) -> str:
    """The published DenseNets were saved when their layers were called `norm.1`, not `norm1`."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", key)
