"""Networks that were published as files: PyTorch checkpoints and Caffe models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from torch import nn

from net2vec.errors import NetworkError
from net2vec.networks.caffe.graph import CaffeNetwork
from net2vec.networks.caffe.messages import read_definition
from net2vec.networks.preprocessing import Preprocessing, Triple, imagenet_preprocessing
from net2vec.networks.weights.checkpoints import load_checkpoint
from net2vec.networks.weights.downloads import fetch_files

# The mean of ImageNet's images, BGR, that comes with Caffe.
CAFFE_MEAN: Triple = (104.00698793, 116.66876762, 122.67891434)
# The mean, BGR, that the paper's comparison of networks subtracts for all of its Caffe models.
DISSECTION_MEAN: Triple = (109.5388, 118.6897, 124.6901)


class PlacesAlexNet:
    """AlexNet of torchvision as the authors of Places365 trained and published it."""

    source = "torchvision:alexnet, weights of places2.csail.mit.edu"
    licence = "CC BY"
    published = ("places365",)

    def __init__(self, addresses: Sequence[str]) -> None:
        """Say where the checkpoint is published."""
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
        """What the network is fed: what it was trained on, at the size of an AlexNet's probes."""
        return imagenet_preprocessing(227)


class CaffeArchitecture:
    """A network that a prototxt describes, with weights in a `.caffemodel`.

    Attributes:
        source: where the files come from, for people.
        licence: the terms of the weights.
        published: the name of the published files, or nothing.
    """

    def __init__(
        self,
        name: str,
        definition: Callable[[], Any],
        *,
        addresses: Sequence[str] = (),
        mean: Triple = CAFFE_MEAN,
        licence: str = "unknown",
        source: str = "",
    ) -> None:
        """Say where the parts of the network are.

        Args:
            name: the network's name.
            definition: makes the message that describes the network, for weights that come
                without a prototxt.
            addresses: where prototxt and caffemodel are published; may be empty.
            mean: what the network subtracts from the pixels, BGR.
            licence: the terms of the weights.
            source: where the files come from, for people.
        """
        self.name = name
        self.source = source or name
        self.licence = licence
        self.published = tuple({PurePosixPath(address).stem: None for address in addresses})
        self._definition, self._addresses, self._mean = definition, addresses, mean

    @classmethod
    def from_prototxt(cls, path: Path) -> CaffeArchitecture:
        """The network of a `deploy.prototxt`."""
        return cls(path.name, lambda: read_definition(path), source=path.name)

    def untrained(self) -> nn.Module:
        """The module with fresh weights, drawn from torch's global generator."""
        return CaffeNetwork(self._definition())

    def from_file(self, path: Path) -> nn.Module:
        """The module with the weights in a file.

        A `.caffemodel` belongs to a prototxt: the one beside it, if there is one under the same
        name, else the network's own.
        """
        beside = path.with_suffix(".prototxt")
        own = beside.is_file() and path.suffix == ".caffemodel"
        module = CaffeNetwork(read_definition(beside) if own else self._definition())
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
        """What the network is fed: pixels from 0 to 255, BGR, minus a mean."""
        shape: tuple[int, ...] = getattr(module, "input_shape", ())
        if len(shape) != 3 or shape[0] != 3 or shape[1] != shape[2]:
            raise NetworkError(
                f"{self.name} takes inputs of shape {shape}, not colour images (3, size, size)"
            )
        return Preprocessing(shape[1], mean=self._mean, std=(1.0, 1.0, 1.0), channels="BGR")
