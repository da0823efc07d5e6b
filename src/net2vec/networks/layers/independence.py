"""Whether a layer's output for an image depends on that image alone.

A network that is random, keeps state from one pass to the next or looks at a whole batch gives
other numbers with other batches or in another order. The first image of the dry pass is passed
again, alone. Where that gives other numbers, two more passes and a third one tell why.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from net2vec.core.messages import first_line
from net2vec.errors import NetworkError
from net2vec.networks.layers.capture import run_layers
from net2vec.networks.layers.dry_images import dry_images, sketch
from net2vec.networks.layers.modes import network_precision
from net2vec.networks.layers.names import split_call
from net2vec.networks.network import Network

# Root mean square of a difference by that of the outputs. Rounding alone, which depends on the
# number of images, is about the precision's step; a random unit in ten thousand is above these.
_MAX_DIFFERENCE = {torch.float16: 0.05, torch.bfloat16: 0.2}
_MAX_DIFFERENCE_SINGLE = 1e-3


def refuse_dependence(network: Network, layers: Sequence[str]) -> None:
    """See to it that layers put out the same for an image in any batch, each time.

    One pass of one image, up to the last of the layers, beside the dry pass of the network.

    Args:
        network: is left as it was found.
        layers: module paths, or calls of them (`path#2`).

    Raises:
        NetworkError: if a layer is random, keeps state between passes or depends on the batch.
    """
    images = dry_images(2, network.input_shape)
    limit = _MAX_DIFFERENCE.get(network_precision(network.module), _MAX_DIFFERENCE_SINGLE)
    if _repeats_dry_pass(network, images[:1].clone(), layers, limit):
        return
    together = run_layers(network, images.clone(), layers)
    alone = _run_alone(network, images, layers)
    differing = [
        name
        for name in layers
        if alone[name].shape != together[name][:1].shape
        or _difference(together[name][:1], alone[name]) > limit
    ]
    if not differing:
        return
    repeated = run_layers(network, images.clone(), layers)
    layer = differing[0]
    if _difference(together[layer], repeated[layer]) > limit:
        raise NetworkError(
            f"layer {layer} of {network.name} gives other values for the same images each time: "
            f"the network is random or keeps state from pass to pass; dropout and noise must obey "
            f"evaluation mode (F.dropout(x, p, self.training)), or take a layer before them"
        )
    raise NetworkError(
        f"layer {layer} of {network.name} gives other values for an image alone than beside "
        f"another one: the network looks at the whole batch; batch norm must have its statistics "
        f"(track_running_stats=True), or take a layer before it"
    )


def _repeats_dry_pass(network: Network, image: Tensor, layers: Sequence[str], limit: float) -> bool:
    """Whether layers put out for an image alone what they did in the dry pass."""
    sketches = []
    for layer in layers:
        output = network.trace.find(*split_call(layer))
        if output is None:
            return False
        sketches.append((layer, output, network.trace.sketches.get((output.path, output.call))))
    try:
        outputs = run_layers(network, image, layers, as_grids=False)
    except Exception:  # told by the passes that follow
        return False
    return all(
        known is not None
        and len(rows := output.image_rows(outputs[layer])) == 1
        and _difference(known, sketch(rows[0])) <= limit
        for layer, output, known in sketches
    )


def _run_alone(network: Network, images: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    try:
        # A copy, since a network may change its input in place.
        return run_layers(network, images[:1].clone(), layers)
    except NetworkError:
        raise
    except Exception as error:
        raise NetworkError(
            f"{network.name} takes two images, but fails on one alone: {first_line(error)}; it "
            f"must take any number of images"
        ) from error


def _difference(first: Tensor, second: Tensor) -> float:
    scale = first.double().square().mean().sqrt()
    moved = (first.double() - second.double()).square().mean().sqrt()
    # Values that are not finite are refused where they are recorded.
    return float(torch.nan_to_num(moved / scale)) if bool(scale > 0) else float(moved > 0)
