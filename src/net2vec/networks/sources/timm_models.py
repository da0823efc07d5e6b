"""Classifiers of timm: `timm:NAME`.

The library is imported when a network of it is asked for; that takes seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from net2vec.errors import NetworkError
from net2vec.networks.network import Network
from net2vec.networks.preprocessing import Preprocessing
from net2vec.networks.sources.base import NetworkSource, build_network, unknown_model
from net2vec.networks.sources.torchvision_models import load_classifier
from net2vec.networks.weights.downloads import first_line


class TimmModels(NetworkSource):
    """All classifiers of timm."""

    usage = "timm:NAME"

    def recognises(self, name: str) -> bool:
        """Whether the name begins with `timm:`."""
        return name.startswith("timm:")

    def load(self, name: str, weights: str | None, seed: int) -> Network:
        """Build a classifier."""
        architecture = TimmArchitecture(name.partition(":")[2])
        return build_network(name, architecture, weights, seed)


class TimmArchitecture:
    """A classifier of timm, named as there (`resnet50` or `resnet50.a1_in1k`)."""

    def __init__(self, name: str) -> None:
        import timm

        self._timm = timm
        base, _, tag = name.partition(".")
        if not timm.is_model(base):
            raise unknown_model("timm", base, timm.list_models())
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
        return load_classifier(self.untrained(), path)

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
        """The preprocessing that the network expects."""
        config = self._config(weights or self._default)
        _, height, width = config.input_size
        if height != width:
            raise NetworkError(f"{self.source} takes {height} x {width} images, not a square")
        return Preprocessing.from_unit_scale(height, tuple(config.mean), tuple(config.std))

    def _full(self, tag: str) -> str:
        return f"{self.name}.{tag}" if tag else self.name

    def _config(self, tag: str) -> Any:
        return self._timm.get_pretrained_cfg(self._full(tag))
