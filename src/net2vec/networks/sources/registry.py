"""All sources of networks: those of this package, and those of others through entry points."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from net2vec.errors import NetworkError
from net2vec.networks.network import Network
from net2vec.networks.sources.base import Entry, NetworkSource
from net2vec.networks.weights.downloads import first_line

GROUP = "net2vec.networks"
"""Entry points in this group add sources; each names a subclass of `NetworkSource`."""

_SOURCES = (
    "packaged:PackagedNetworks",
    "zoo:NetworkZoo",
    "torchvision_models:TorchvisionModels",
    "timm_models:TimmModels",
    "transformers_models:TransformersModels",
    "open_clip_models:OpenClipModels",
    "caffe_files:CaffeFiles",
    "exported:ExportedPrograms",
    "python:PythonFunctions",  # the last one: it takes any name with a colon
)
"""Modules of this folder, each with its source; the first that recognises a name has it."""


class InstalledSource(NetworkSource):
    """A source of another package, imported when one of its networks is asked for."""

    def __init__(self, point: EntryPoint) -> None:
        """Take an entry point; its name is the prefix of the source's networks."""
        self._point = point
        self.usage = f"{point.name}:NAME"

    def recognises(self, name: str) -> bool:
        """Whether the name begins with that of the entry point and a colon."""
        return name.startswith(f"{self._point.name}:")

    def load(self, name: str, weights: str | None, seed: int) -> Network:
        """Have the source build a network; whatever it raises becomes a `NetworkError`."""
        source = self._source()
        try:
            network = source.load(name, weights, seed)
        except NetworkError:
            raise
        except Exception as error:
            hint = f"; {source.install}" if source.install else ""
            raise NetworkError(f"{name} cannot be loaded: {_described(error)}{hint}") from error
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
            return {self.usage: Entry(task=first_line(error), source=self._point.value)}

    def _source(self) -> NetworkSource:
        try:
            source = self._point.load()()
        except Exception as error:
            raise NetworkError(
                f"the networks {self.usage} of {self._point.value} cannot be loaded: "
                f"{_described(error)}; update or uninstall that package"
            ) from error
        if not isinstance(source, NetworkSource):
            raise NetworkError(
                f"the networks {self.usage} cannot be loaded: {self._point.value} is no subclass "
                f"of net2vec.networks.NetworkSource"
            )
        return source


def network_source(name: str) -> NetworkSource | None:
    """The source that has a network of this name, None if there is none."""
    return next((source for source in network_sources() if source.recognises(name)), None)


def network_sources() -> tuple[NetworkSource, ...]:
    """All sources in the order in which they are asked, those of other packages before the last."""
    *own, last = _own_sources()
    installed = (InstalledSource(point) for point in entry_points(group=GROUP))
    return (*own, *installed, last)


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
    names = (target.split(":") for target in _SOURCES)
    return tuple(
        getattr(import_module(f"net2vec.networks.sources.{module}"), source)()
        for module, source in names
    )


def _described(error: Exception) -> str:
    return f"{type(error).__name__}: {first_line(error)}"
