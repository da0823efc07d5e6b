"""From the name of a network and of its weights to the network."""

from __future__ import annotations

from net2vec.core.chance import seeded_torch
from net2vec.core.messages import did_you_mean
from net2vec.errors import NetworkError
from net2vec.networks.layers.listing import default_layers
from net2vec.networks.network import Network
from net2vec.networks.sources.registry import available_networks, network_source, network_sources


def load_network(name: str, *, weights: str | None = None, seed: int = 0) -> Network:
    """Build a network with its weights, in evaluation mode.

    Args:
        name: a name of `available_networks`, `torchvision:NAME`, `timm:NAME`, `hf:ORG/NAME`,
            `open_clip:NAME`, a Caffe `deploy.prototxt`, an exported program (`.pt2`),
            `package.module:function` or `file.py:function`, which return a module, or a name of an
            installed source.
        weights: a file of weights; "random"; the name of published weights (`IMAGENET1K_V2`); or
            None for the default published weights, or for those that a function or program
            has. Published weights may be downloaded, nothing else is.
        seed: of whatever is drawn in building the network; torch's global generator is left as
            it was.

    Raises:
        NetworkError: if the network or its weights cannot be had.
    """
    source = network_source(name)
    if source is None:
        raise NetworkError(_unknown(name))
    try:
        with seeded_torch(seed):
            network = source.load(name, weights, seed)
    except ImportError as error:
        if not source.install:
            raise
        raise NetworkError(
            f"{name} needs {error.name}, which comes with an extra that is not installed: "
            f"{source.install}"
        ) from error
    network.module.eval()
    return network if network.layers else network.changed(layers=default_layers(network))


def _unknown(name: str) -> str:
    hint = did_you_mean(name, available_networks(), "`net2vec networks` lists them;")
    *usual, last = (source.usage for source in network_sources() if source.usage)
    return f"there is no network {name[:200]!r}; {hint} also {', '.join(usual)}, {last}"
