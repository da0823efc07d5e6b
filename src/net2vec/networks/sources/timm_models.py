"""Networks of timm: `timm:NAME`, `timm:hf-hub:ORG/NAME`, `timm:local-dir:FOLDER`.

The library is imported when a network of it is asked for; that takes seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from net2vec.core.messages import first_line
from net2vec.errors import NetworkError
from net2vec.networks.network import Network
from net2vec.networks.preprocessing import Preprocessing
from net2vec.networks.sources.base import (
    NetworkSource,
    absolute_path,
    build_network,
    unknown_model,
)
from net2vec.networks.sources.torchvision_models import load_classifier
from net2vec.networks.weights.hub import Repository, open_folder, open_repository

_HUB, _FOLDER = "timm:hf-hub:", "timm:local-dir:"


class TimmModels(NetworkSource):
    """All classifiers of timm, and networks that it saved on the hub or in a folder."""

    usage = "timm:NAME"

    def recognises(self, name: str) -> bool:
        """Whether the name begins with `timm:`."""
        return name.startswith("timm:")

    def absolute(self, name: str) -> str:
        """The name with the absolute path of its folder, if it names one."""
        folder = name.removeprefix(_FOLDER)
        return f"{_FOLDER}{absolute_path(folder)}" if folder != name else name

    def load(self, name: str, weights: str | None, seed: int) -> Network:
        """Build a network."""
        if name.startswith((_HUB, _FOLDER)):
            open_it, prefix = (
                (open_repository, _HUB) if name.startswith(_HUB) else (open_folder, _FOLDER)
            )
            repository = open_it(name, name.removeprefix(prefix))
            saved = SavedTimmNetwork(repository)
            return build_network(repository.network_name(prefix), saved, weights, seed)
        architecture = TimmArchitecture(name.partition(":")[2])
        return build_network(name, architecture, weights, seed)


class SavedTimmNetwork:
    """A network that timm saved in a repository of the hub or in a folder."""

    def __init__(self, repository: Repository) -> None:
        import timm

        self._timm, self._repository = timm, repository
        config = repository.config()
        if "architecture" not in config:
            where = repository.name or f"./{repository.folder.name}"
            other = f": name it hf:{where}" if "model_type" in config else ""
            raise NetworkError(f"{repository.label} is none of timm's networks{other}")
        if not timm.is_model(config["architecture"]):
            raise unknown_model("timm", str(config["architecture"]), timm.list_models())
        self.published = (repository.published,)

    @property
    def source(self) -> str:
        """Where the architecture comes from."""
        return self._repository.source

    @property
    def licence(self) -> str:
        """The terms of the published weights."""
        return self._repository.licence

    def untrained(self) -> nn.Module:
        """The module with fresh weights, drawn from torch's global generator."""
        return self._create(pretrained=False)

    def from_file(self, path: Path) -> nn.Module:
        """The module with the weights in a file."""
        return load_classifier(self.untrained(), path)

    def from_published(self, weights: str) -> nn.Module:
        """The module with the repository's weights."""
        self._repository.fetch_weights()
        return self._create(pretrained=True)

    def preprocessing(self, module: nn.Module, weights: str | None) -> Preprocessing:
        """The preprocessing that the network's configuration states."""
        config: Any = module.pretrained_cfg
        return _preprocessing(self.source, config)

    def _create(self, *, pretrained: bool) -> nn.Module:
        try:
            module: nn.Module = self._timm.create_model(
                f"local-dir:{self._repository.folder}", pretrained=pretrained
            )
        except Exception as error:  # timm has no family of errors for damaged files
            raise NetworkError(
                f"{self._repository.label} cannot be loaded: {first_line(error)}"
            ) from error
        return module


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
        return _preprocessing(self.source, vars(self._config(weights or self._default)))

    def _full(self, tag: str) -> str:
        return f"{self.name}.{tag}" if tag else self.name

    def _config(self, tag: str) -> Any:
        return self._timm.get_pretrained_cfg(self._full(tag))


def _preprocessing(source: str, config: Mapping[str, Any]) -> Preprocessing:
    channels, height, width = config["input_size"]
    if channels not in (1, 3):
        raise NetworkError(f"{source} takes {channels} channels, not an image")
    mean, std = (tuple(255 * one for one in config[key]) for key in ("mean", "std"))
    if channels == 1 and len(mean) > 1:
        raise NetworkError(
            f"{source} takes one channel, but its configuration has a mean of three; load it in a "
            f"function of your own with Preprocessing(..., channels='L'), named file.py:function"
        )
    size = height if height == width else (width, height)
    return Preprocessing(size, mean, std, "L" if channels == 1 else "RGB")
