"""Batch-norm statistics from data, for networks whose weights are random."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import deepcopy

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from net2vec.errors import NetworkError
from net2vec.networks.layers.modes import evaluating, network_input
from net2vec.networks.network import Network


def estimate_batch_norm(
    network: Network, batches: Iterable[Float[Tensor, "image channel row column"]]
) -> Network:
    """A copy of a network with batch-norm statistics of given images.

    A new network normalises as if every activation had mean 0 and variance 1; with random weights
    most of its filters are then saturated or 0, which makes it useless as a control. Here every
    batch is normalised with its own statistics, and the copy uses the plain average of these over
    the batches. All else (dropout, parameters) stays as in evaluation.

    Args:
        network: is left as it was.
        batches: preprocessed images; each batch counts alike, so give them one size. A batch
            needs more than one image where a layer's grid is a single place.

    Returns:
        The copy, whose `weights` say so. A network without batch norm comes back as an equal copy.
    """
    module = deepcopy(network.module)
    norms = list(_norms(module).values())
    momenta = [norm.momentum for norm in norms]
    images = 0
    with evaluating(module):
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # torch's name for a cumulative average
            norm.training = True
        for batch in batches:
            module(network_input(module, batch))
            images += len(batch)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.training = False
    return _with_images(network.changed(module=module), images)


def batch_norm_statistics(module: nn.Module) -> dict[str, Tensor]:
    """The running statistics of a module's batch-norm layers, by the names of its buffers."""
    return {
        f"{path}.{name}": buffer.detach().cpu().clone()
        for path, norm in _norms(module).items()
        for name, buffer in norm.named_buffers(recurse=False)
    }


def with_batch_norm_statistics(
    network: Network, statistics: Mapping[str, Tensor], images: int | None = None
) -> Network:
    """A copy of a network with the statistics that `batch_norm_statistics` gave for its like.

    Args:
        network: is left as it was.
        statistics: by the names of buffers.
        images: of how many they are, for `weights` to say so.

    Raises:
        NetworkError: if they are those of another architecture.
    """
    module = deepcopy(network.module)
    known = batch_norm_statistics(module)
    if {name: value.shape for name, value in known.items()} != {
        name: value.shape for name, value in statistics.items()
    }:
        raise NetworkError(
            f"{network.name} has other batch-norm layers ({len(known)} statistics) than those "
            f"that were kept ({len(statistics)}); take the network that was probed"
        )
    module.load_state_dict(dict(statistics), strict=False)
    changed = network.changed(module=module)
    return changed if images is None else _with_images(changed, images)


def _with_images(network: Network, images: int) -> Network:
    """The network with the number of images of its statistics named in `weights`."""
    if not _norms(network.module):
        return network
    return network.changed(weights=f"{network.weights}, batch norm from {images} images")


def _norms(module: nn.Module) -> dict[str, _BatchNorm]:
    """The batch-norm layers that keep statistics, each once."""
    return {
        path: part
        for path, part in module.named_modules()
        if isinstance(part, _BatchNorm) and part.track_running_stats
    }
