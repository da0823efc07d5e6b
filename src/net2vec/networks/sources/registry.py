"""All sources of networks: those of this package, and those of others through entry points."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from net2vec.core.messages import class_and_line, first_line
from net2vec.core.plugins import Registry
from net2vec.errors import NetworkError
from net2vec.networks.network import Network
from net2vec.networks.sources.base import Entry, NetworkSource

_HERE = "net2vec.networks.sources"
SOURCES: Registry[NetworkSource] = Registry(
    "source of networks",
    f"{_HERE}.base:NetworkSource",
    {
        "packaged": f"{_HERE}.packaged:PackagedNetworks",
        "zoo": f"{_HERE}.zoo:NetworkZoo",
        "torchvision": f"{_HERE}.torchvision_models:TorchvisionModels",
        "timm": f"{_HERE}.timm_models:TimmModels",
        "hf": f"{_HERE}.transformers_models:TransformersModels",
        "open_clip": f"{_HERE}.open_clip_models:OpenClipModels",
        "caffe": f"{_HERE}.caffe_files:CaffeFiles",
        "exported": f"{_HERE}.exported:ExportedPrograms",
        "python": f"{_HERE}.python:PythonFunctions",  # the last one: it takes any name with a colon
    },
    NetworkError,
    group="net2vec.networks",
)
"""The first source that recognises a name has it; installed ones are asked before the last."""


class InstalledSource(NetworkSource):
    """A source of another package, imported when one of its networks is asked for."""

    def __init__(self, name: str) -> None:
        """Take the name of its entry point, the prefix of the source's networks."""
        self._name = name
        self.usage = f"{name}:NAME"

    def recognises(self, name: str) -> bool:
        """Whether the name begins with that of the entry point and a colon."""
        return name.startswith(f"{self._name}:")

    def load(self, name: str, weights: str | None, seed: int) -> Network:
        """Have the source build a network; whatever it raises becomes a `NetworkError`."""
        source = self._source()
        try:
            network = source.load(name, weights, seed)
        except NetworkError:
            raise
        except Exception as error:
            hint = f"; {source.install}" if source.install else ""
            raise NetworkError(f"{name} cannot be loaded: {class_and_line(error)}{hint}") from error
        if not isinstance(network, Network):
            raise NetworkError(
                f"{name} cannot be loaded: its source returns a {type(network).__name__}, not a "
                f"net2vec.networks.Network"
            )
        return network

    def entries(self) -> Mapping[str, Entry]:
        """The networks that the source lists; for a broken source, one line with the reason."""
        try:
            return dict(self._source().entries())
        except Exception as error:
            return {self.usage: Entry(task=first_line(error))}

    def _source(self) -> NetworkSource:
        source = SOURCES.load(self._name)
        try:
            return source()
        except Exception as error:
            raise NetworkError(
                f"the networks {self.usage} cannot be loaded: {class_and_line(error)}"
            ) from error


def network_source(name: str) -> NetworkSource | None:
    """The source that has a network of this name, None if there is none."""
    return next((source for source in network_sources() if source.recognises(name)), None)


def network_sources() -> tuple[NetworkSource, ...]:
    """All sources in the order in which they are asked, those of other packages before the last."""
    *own, last = _own_sources()
    return (*own, *map(InstalledSource, SOURCES.installed), last)


def available_networks() -> Mapping[str, Entry]:
    """The networks that have a name of their own, by name.

    Besides these, `load_network` takes `torchvision:NAME`, `timm:NAME`, `hf:ORG/NAME`,
    `open_clip:NAME`, a `deploy.prototxt`, an exported program (`.pt2`), `package.module:function`
    and `file.py:function`.
    """
    listed = {
        name: entry for source in network_sources() for name, entry in source.entries().items()
    }
    return MappingProxyType(listed)


@cache
def _own_sources() -> tuple[NetworkSource, ...]:
    return tuple(SOURCES.load(name)() for name in SOURCES.builtin)
