"""Networks of Caffe: a `deploy.prototxt` with its `.caffemodel`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from torch import nn

from net2vec.errors import NetworkError
from net2vec.networks.caffe.graph import CaffeNetwork
from net2vec.networks.caffe.messages import read_definition
from net2vec.networks.network import Network
from net2vec.networks.preprocessing import Preprocessing, Triple
from net2vec.networks.sources.base import NetworkSource, absolute_path, build_network
from net2vec.networks.weights.checkpoints import load_checkpoint
from net2vec.networks.weights.downloads import fetch_files

# The mean of ImageNet's images, BGR, that comes with Caffe.
CAFFE_MEAN: Triple = (104.00698793, 116.66876762, 122.67891434)


class CaffeFiles(NetworkSource):
    """Networks of a `deploy.prototxt`."""

    usage = "FILE.prototxt"

    def recognises(self, name: str) -> bool:
        """Whether the name ends in `.prototxt`."""
        return name.endswith(".prototxt")

    def absolute(self, name: str) -> str:
        """The absolute path of the file."""
        return absolute_path(name)

    def load(self, name: str, weights: str | None, seed: int) -> Network:
        """Build the network that the file describes."""
        path = Path(name)
        architecture = CaffeArchitecture(
            path.name, lambda: read_definition(path), follow_weights=False, source=path.name
        )
        return build_network(path.name, architecture, weights, seed)


class CaffeArchitecture:
    """A network that a prototxt describes, with weights in a `.caffemodel`.

    Attributes:
        source: where the files come from.
        licence: the terms of the weights.
        published: the name of the published files, or nothing.
    """

    def __init__(
        self,
        name: str,
        definition: Callable[[], Any],
        *,
        follow_weights: bool = True,
        addresses: Sequence[str] = (),
        mean: Triple = CAFFE_MEAN,
        licence: str = "unknown",
        source: str = "",
    ) -> None:
        """Take the places of the network's files; nothing is opened.

        Args:
            name: the network's name.
            definition: makes the message that describes the network.
            follow_weights: whether a prototxt beside a caffemodel, under the same name, is used
                instead of `definition`. False where the user named the prototxt.
            addresses: where prototxt and caffemodel are published; may be empty.
            mean: what the network subtracts from the pixels, BGR.
            licence: the terms of the weights.
            source: where the files come from.
        """
        self.name = name
        self.source = source or name
        self.licence = licence
        self.published = tuple({PurePosixPath(address).stem: None for address in addresses})
        self._definition, self._addresses, self._mean = definition, addresses, mean
        self._follow_weights = follow_weights

    def untrained(self) -> nn.Module:
        """The module with fresh weights, drawn from torch's global generator."""
        return CaffeNetwork(self._definition())

    def from_file(self, path: Path) -> nn.Module:
        """The module with the weights in a file.

        The architecture is that of the prototxt beside a `.caffemodel`, if there is one under the
        same name and `follow_weights` allows it, else the network's own.
        """
        beside = path.with_suffix(".prototxt")
        follow = self._follow_weights and path.suffix == ".caffemodel" and beside.is_file()
        module = CaffeNetwork(read_definition(beside) if follow else self._definition())
        if path.suffix == ".caffemodel":
            module.load_caffemodel(path)
        else:
            load_checkpoint(module, path)
        return module

    def from_published(self, weights: str) -> nn.Module:
        """The module with published weights."""
        paths = fetch_files(self.name, self._addresses)
        definition = next(path for path in paths if path.suffix == ".prototxt")
        module = CaffeNetwork(read_definition(definition))
        module.load_caffemodel(next(path for path in paths if path.suffix == ".caffemodel"))
        return module

    def preprocessing(self, module: nn.Module, weights: str | None) -> Preprocessing:
        """The preprocessing that the network expects: pixels from 0 to 255, BGR, minus a mean."""
        shape: tuple[int, ...] = getattr(module, "input_shape", ())
        if len(shape) != 3 or shape[0] != 3 or shape[1] != shape[2]:
            raise NetworkError(
                f"{self.name} takes inputs of shape {shape}, not colour images (3, size, size)"
            )
        return Preprocessing(shape[1], mean=self._mean, std=(1.0, 1.0, 1.0), channels="BGR")
