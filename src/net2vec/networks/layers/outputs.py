"""The return value of a module, read as one tensor with a row for each image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

# The name in transformers' outputs of what an encoder or a block of it passes on.
_HIDDEN_STATES = "last_hidden_state"


def main_tensor(result: Any) -> Tensor | None:
    """The tensor that a module's result stands for.

    Of a tuple, a list or a mapping it is the first element, if that is a float tensor and no other
    element is one of as many dimensions: blocks of transformers return their tokens and then
    weights of attention. Feature maps of several scales are not told apart, and are none.

    Args:
        result: what a module returned.

    Returns:
        The tensor, None if there is none or several could be meant.
    """
    if isinstance(result, Tensor):
        return result
    if isinstance(result, Mapping):
        if isinstance(hidden := result.get(_HIDDEN_STATES), Tensor):
            return hidden
        result = list(result.values())
    if not isinstance(result, (tuple, list)) or not result:
        return None
    first = result[0]
    if not isinstance(first, Tensor) or not first.is_floating_point():
        return None
    alike = [one for one in result if isinstance(one, Tensor) and one.ndim == first.ndim]
    return first if len(alike) == 1 else None


def usable_tensor(tensor: Tensor) -> Tensor:
    """The tensor, or a copy where it was made in `torch.inference_mode`.

    Such tensors can be changed in that mode alone, and a module's own `forward` may set it.
    """
    if not tensor.is_inference():
        return tensor
    with torch.inference_mode(False), torch.no_grad():
        return tensor.clone()
