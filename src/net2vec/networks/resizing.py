"""Feed a network images of another size than its usual one.

A network of convolutions takes any size. What depends on it, such as embeddings of positions, is
adapted by the means of the library that the network is of, and nothing of our own.
"""

from __future__ import annotations

import inspect
from copy import deepcopy
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from torch import nn

from net2vec.core.image_size import Size, show_size, width_and_height
from net2vec.core.messages import first_line
from net2vec.errors import NetworkError
from net2vec.networks.network import Network
from net2vec.networks.preprocessing import CustomPreprocessing

# The argument by which transformers' networks are asked to adapt their embeddings of positions.
_INTERPOLATE = "interpolate_pos_encoding"


def with_input_size(network: Network, size: Size) -> Network:
    """The network with images of another size as its input.

    Args:
        network: is left as it was; its copy has its layers.
        size: side of the square in pixels, or (width, height).

    Raises:
        NetworkError: if the network has a transform of its own, or does not take the size.
    """
    usual = network.preprocessing
    if isinstance(usual, CustomPreprocessing):
        raise NetworkError(
            f"{network.name} is fed by a transform of its own, which alone decides the size "
            f"({usual.size} px): give another transform in the place of input = {size}"
        )
    if usual.size == size:
        return network
    module = deepcopy(network.module)
    resized = replace(network, module=module, preprocessing=replace(usual, size=size))
    try:
        _adapt(module, usual.size, size)
        _ = resized.trace
    except Exception as error:  # each network has errors of its own
        raise NetworkError(
            f"{network.name} cannot be fed {show_size(size)} pixels (width x height): "
            f"{first_line(error)}; leave out the size of the input ({show_size(usual.size)} px are "
            f"usual), or take a multiple of the patches"
        ) from error
    return resized


def _adapt(module: nn.Module, usual: Size, size: Size) -> None:
    """Adapt what depends on the size of the input, in place.

    Raises:
        ValueError: if the patches that the network cuts an image into would leave out its edge.
    """
    first = next((part for part in module.modules() if isinstance(part, nn.Conv2d)), None)
    width, height = width_and_height(size)
    if first is not None and first.kernel_size == first.stride and (
        height % first.stride[0] or width % first.stride[1]
    ):  # fmt: skip
        raise ValueError(f"its patches of {first.stride[0]} pixels would leave out the edge")
    if callable(resize := getattr(module, "set_input_size", None)):  # timm, also in open_clip
        resize((height, width))
    elif _INTERPOLATE in inspect.signature(module.forward).parameters:
        module.register_forward_pre_hook(_interpolating, with_kwargs=True)
    elif hasattr(module, "positional_embedding") and hasattr(module, "grid_size"):
        _adapt_open_clip(module, usual, size)
    elif hasattr(module, "seq_length") and hasattr(module, "image_size"):
        _adapt_torchvision(module, size)


def _interpolating(
    _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    return args, {**kwargs, _INTERPOLATE: True}


def _adapt_open_clip(module: Any, usual: Size, size: Size) -> None:
    from open_clip.model import resize_pos_embed

    key = "visual.positional_embedding"
    state = {key: module.positional_embedding.detach()}
    sides = zip(
        module.grid_size, width_and_height(size)[::-1], width_and_height(usual)[::-1], strict=True
    )
    module.grid_size = tuple(count * new // old for count, new, old in sides)
    resize_pos_embed(state, SimpleNamespace(visual=module))
    module.positional_embedding = nn.Parameter(state[key])


def _adapt_torchvision(module: Any, size: Size) -> None:
    if not isinstance(size, int):
        raise ValueError("torchvision's transformers take squares alone")
    from torchvision.models.vision_transformer import interpolate_embeddings

    state = interpolate_embeddings(size, module.patch_size, module.state_dict())
    key = "encoder.pos_embedding"
    module.encoder.pos_embedding = nn.Parameter(state[key])
    module.image_size, module.seq_length = size, state[key].shape[1]
