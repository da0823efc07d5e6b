"""Batch-norm statistics from data, for networks whose weights are random."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace

from jaxtyping import Float
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from net2vec.networks.layers.modes import evaluating, parameter_device
from net2vec.networks.network import Network


def estimate_batch_norm(
    network: Network, batches: Iterable[Float[Tensor, "image 3 size size"]]
) -> Network:
    """A copy of a network whose batch-norm layers know the statistics of given images.

    A fresh network believes that every activation has mean 0 and variance 1; with random weights
    most of its filters are then saturated or silent, and as a control it is worthless. Here every
    batch is normalised with its own statistics, and the plain average of these over the batches
    is what the copy uses. All else (dropout, parameters) stays as in evaluation.

    Args:
        network: is left as it was.
        batches: preprocessed images; each batch counts alike, so give them one size. A batch
            needs more than one image where a layer's grid is a single place.

    Returns:
        The copy, whose `weights` say so. A network without batch norm comes back as an equal copy.
    """
    module = deepcopy(network.module)
    norms = [part for part in module.modules() if isinstance(part, _BatchNorm)]
    norms = [part for part in norms if part.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    device = parameter_device(module)
    images = 0
    with evaluating(module):
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # torch's name for a cumulative average
            norm.training = True
        for batch in batches:
            module(batch.to(device))
            images += len(batch)
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            norm.training = False
    weights = f"{network.weights}, batch norm from {images} images" if norms else network.weights
    return replace(network, module=module, weights=weights)
