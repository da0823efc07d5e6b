"""Classifiers of torchvision and timm.

The libraries are imported when a network of theirs is asked for; they take seconds.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from net2vec.errors import NetworkError
from net2vec.networks.preprocessing import Preprocessing
from net2vec.networks.weights.checkpoints import load_checkpoint
from net2vec.networks.weights.downloads import fetch_to_hub, first_line

# Auxiliary classifiers serve training alone; the published files hold them still.
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
# These two were ported from networks that take (x - 127.5) / 127.5 and convert their input.
_PORTED = {"aux_logits": False, "transform_input": True, "init_weights": True}
_KEYWORDS: dict[str, dict[str, Any]] = {"googlenet": _PORTED, "inception_v3": _PORTED}


class TorchvisionArchitecture:
    """A classifier of torchvision."""

    licence = "BSD-3-Clause; ImageNet is for research"

    def __init__(self, name: str) -> None:
        import torchvision

        self._models = torchvision.models
        known = self._models.list_models(module=self._models)
        if name not in known:
            raise NetworkError(_unknown("torchvision", name, known))
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
        return _loaded(self._build(None), path)

    def from_published(self, weights: str) -> nn.Module:
        """The module with published weights."""
        address = self._weights[weights].url
        return _loaded(self._build(weights), fetch_to_hub(self.source, address))

    def preprocessing(self, module: nn.Module, weights: str | None) -> Preprocessing:
        """What the network is fed."""
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


class TimmArchitecture:
    """A classifier of timm, named as there (`resnet50` or `resnet50.a1_in1k`)."""

    def __init__(self, name: str) -> None:
        import timm

        self._timm = timm
        base, _, tag = name.partition(".")
        if not timm.is_model(base):
            raise NetworkError(_unknown("timm", base, timm.list_models()))
        tags = [full.partition(".")[2] for full in timm.list_pretrained(f"{base}.*")]
        if tag and tag not in tags:
            raise NetworkError(
                f"timm has no weights {tag!r} for {base}; it has {', '.join(tags) or 'none'}"
            )
        self.name = base
        self._default = tag or self._config("").tag or ""
        self.published = tuple(sorted(filter(None, tags), key=lambda known: known != self._default))
        self.source = f"timm:{name}"

    @property
    def licence(self) -> str:
        """The terms of the published weights."""
        return str(self._config(self._default).license or "see timm")

    def untrained(self) -> nn.Module:
        """The module with fresh weights, drawn from torch's global generator."""
        module: nn.Module = self._timm.create_model(self._full(self._default), pretrained=False)
        return module

    def from_file(self, path: Path) -> nn.Module:
        """The module with the weights in a file."""
        return _loaded(self.untrained(), path)

    def from_published(self, weights: str) -> nn.Module:
        """The module with published weights."""
        name = self._full(weights)
        try:
            module: nn.Module = self._timm.create_model(name, pretrained=True)
        except Exception as error:  # every layer of a download has errors of its own
            config = self._config(weights)
            raise NetworkError(
                f"cannot download the weights of timm:{name}: {first_line(error)}; fetch "
                f"{config.url or f'https://huggingface.co/{config.hf_hub_id}'} by other means and "
                f"name the file with --weights FILE"
            ) from error
        return module

    def preprocessing(self, module: nn.Module, weights: str | None) -> Preprocessing:
        """What the network is fed."""
        config = self._config(weights or self._default)
        _, height, width = config.input_size
        if height != width:
            raise NetworkError(f"{self.source} takes {height} x {width} images, not a square")
        return Preprocessing.from_unit_scale(height, tuple(config.mean), tuple(config.std))

    def _full(self, tag: str) -> str:
        return f"{self.name}.{tag}" if tag else self.name

    def _config(self, tag: str) -> Any:
        return self._timm.get_pretrained_cfg(self._full(tag))


def _loaded(module: nn.Module, path: Path) -> nn.Module:
    load_checkpoint(module, path, rename=_joined_densenet_key, ignore=_AUXILIARY)
    return module


def _joined_densenet_key(key: str) -> str:
    """The published DenseNets were saved when their layers were called `norm.1`, not `norm1`."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", key)


def _unknown(library: str, name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=5, cutoff=0.5)
    hint = f"did you mean {', '.join(close)}?" if close else "see its list of models"
    return f"{library} has no classifier {name!r}; {hint}"
