"""Caffe layers as modules, one for each type.

Where PyTorch has the same computation under other settings, its module is taken; the classes here
fill the gaps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from net2vec.errors import NetworkError
from net2vec.networks.caffe.messages import CaffeLayer

Shape = tuple[int, ...]


def build_module(layer: CaffeLayer, shapes: Sequence[Shape]) -> nn.Module:
    """The module of a layer, with fresh weights where it has any.

    Args:
        layer: the layer.
        shapes: shapes of the blobs that it reads, batch included.

    Raises:
        NetworkError: if the layer's type, or one of its settings, is not supported.
    """
    builder = _BUILDERS.get(layer.type)
    if builder is None:
        raise NetworkError(
            f"layer {layer.name} is of type {layer.type}, which is not supported; supported are "
            f"{', '.join(sorted(_BUILDERS))}"
        )
    return builder(layer, shapes)


def state_of(module: nn.Module, blobs: Sequence[Float[np.ndarray, "..."]]) -> dict[str, Tensor]:
    """A layer's weights under the names that they have in the module of `build_module`.

    A blob that the module has no place for is named by its number.
    """
    tensors = [torch.from_numpy(np.array(blob)) for blob in blobs]
    if isinstance(module, nn.modules.batchnorm._BatchNorm) and len(tensors) > 1:
        # Caffe keeps running sums, and with them the weight to divide them by.
        mean, variance, *weight = tensors
        factor = float(weight[0]) if weight else 1.0
        factor = 1 / factor if factor else 0.0
        return {
            "running_mean": mean.flatten() * factor,
            "running_var": variance.flatten() * factor,
        }
    parameters = list(module.named_parameters())
    state = {f"blob {place}": tensor for place, tensor in enumerate(tensors)}
    for place, (name, wanted) in enumerate(parameters[: len(tensors)]):
        tensor = state.pop(f"blob {place}")
        if isinstance(module, InnerProduct) and module.transposed and name == "weight":
            tensor = tensor.reshape(tensor.shape[-2:]).T.contiguous()
        # Older files write every shape with four numbers: (1, 1, out, in).
        if _without_leading_ones(tensor.shape) == _without_leading_ones(wanted.shape):
            tensor = tensor.reshape(wanted.shape)
        state[name] = tensor
    return state


class InnerProduct(nn.Linear):
    """A linear layer over all that a place of the batch holds.

    Attributes:
        transposed: whether the file keeps the weights as (in, out).
    """

    def __init__(self, inputs: int, outputs: int, bias: bool, transposed: bool) -> None:
        super().__init__(inputs, outputs, bias)
        self.transposed = transposed

    def forward(self, batch: Tensor) -> Tensor:
        """Flatten and multiply."""
        return super().forward(batch.flatten(1))


class ChannelScale(nn.Module):
    """A factor, and perhaps a shift, for each channel."""

    def __init__(self, channels: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None

    def forward(self, batch: Tensor) -> Tensor:
        """Scale and shift."""
        places = (1,) * (batch.ndim - 2)
        scaled = batch * self.weight.view(-1, *places)
        return scaled if self.bias is None else scaled + self.bias.view(-1, *places)


class Formula(nn.Module):
    """A layer without weights: a function of its blobs.

    Attributes:
        description: the function and its settings, for people and for the network's digest.
    """

    def __init__(self, description: str, function: Callable[..., Any]) -> None:
        super().__init__()
        self.description, self.function = description, function

    def forward(self, *blobs: Tensor) -> Any:
        """Apply the function; a layer with several results gives a tuple."""
        return self.function(*blobs)

    def extra_repr(self) -> str:
        """The description."""
        return self.description


def _convolution(layer: CaffeLayer, shapes: Sequence[Shape]) -> nn.Module:
    settings = layer.message.convolution_param
    return nn.Conv2d(
        shapes[0][1],
        settings.num_output,
        _pair(settings, "kernel_size", "kernel"),
        stride=_pair(settings, "stride", default=1),
        padding=_pair(settings, "pad"),
        dilation=_pair(settings, "dilation", default=1),
        groups=settings.group,
        bias=settings.bias_term,
    )


def _pooling(layer: CaffeLayer, shapes: Sequence[Shape]) -> nn.Module:
    settings = layer.message.pooling_param
    method = _choice(settings, "pool")
    if method == "STOCHASTIC":
        raise NetworkError(f"layer {layer.name} pools at random, which is not supported")
    if settings.global_pooling:
        return nn.AdaptiveAvgPool2d(1) if method == "AVE" else nn.AdaptiveMaxPool2d(1)
    window = _pair(settings, "kernel_size", "kernel")
    stride, padding = _pair(settings, "stride", default=1), _pair(settings, "pad")
    # Caffe rounds the size of the output up.
    if method == "AVE":
        return nn.AvgPool2d(window, stride, padding, ceil_mode=True)
    return nn.MaxPool2d(window, stride, padding, ceil_mode=True)


def _inner_product(layer: CaffeLayer, shapes: Sequence[Shape]) -> nn.Module:
    settings = layer.message.inner_product_param
    if settings.axis != 1:
        raise NetworkError(f"layer {layer.name} keeps axes before {settings.axis}, only 1 may be")
    inputs = int(np.prod(shapes[0][1:]))
    return InnerProduct(inputs, settings.num_output, settings.bias_term, settings.transpose)


def _response_norm(layer: CaffeLayer, shapes: Sequence[Shape]) -> nn.Module:
    settings = layer.message.lrn_param
    size, alpha, beta = settings.local_size, settings.alpha, settings.beta
    if _choice(settings, "norm_region") == "ACROSS_CHANNELS":
        return nn.LocalResponseNorm(size, alpha, beta, settings.k)
    return Formula(
        f"within channel, size={size}, alpha={alpha:g}, beta={beta:g}",
        partial(_normalise_within, size=size, alpha=alpha, beta=beta),
    )


def _batch_norm(layer: CaffeLayer, shapes: Sequence[Shape]) -> nn.Module:
    kind = nn.BatchNorm1d if len(shapes[0]) == 2 else nn.BatchNorm2d
    # The factor and shift are a layer of their own, Scale.
    return kind(shapes[0][1], eps=layer.message.batch_norm_param.eps, affine=False)


def _scale(layer: CaffeLayer, shapes: Sequence[Shape]) -> nn.Module:
    settings = layer.message.scale_param
    if len(shapes) == 2:
        return Formula(f"product from axis {settings.axis}", partial(_scale_by, axis=settings.axis))
    if (settings.axis, settings.num_axes) != (1, 1):
        raise NetworkError(f"layer {layer.name} scales something else than channels")
    return ChannelScale(shapes[0][1], settings.bias_term)


def _eltwise(layer: CaffeLayer, shapes: Sequence[Shape]) -> nn.Module:
    settings = layer.message.eltwise_param
    operation = _choice(settings, "operation")
    if operation == "PROD":
        return Formula("product", lambda *blobs: reduce(torch.mul, blobs))
    if operation == "SUM":
        factors = tuple(settings.coeff) or (1.0,) * len(shapes)
        return Formula(f"sum, factors {factors}", partial(_weighted_sum, factors))
    return Formula("maximum", lambda *blobs: reduce(torch.maximum, blobs))


def _concat(layer: CaffeLayer, shapes: Sequence[Shape]) -> nn.Module:
    settings = layer.message.concat_param
    axis = settings.concat_dim if settings.HasField("concat_dim") else settings.axis
    return Formula(f"along axis {axis}", lambda *blobs: torch.cat(blobs, axis))


def _slice(layer: CaffeLayer, shapes: Sequence[Shape]) -> nn.Module:
    settings = layer.message.slice_param
    axis = settings.slice_dim if settings.HasField("slice_dim") else settings.axis
    size = shapes[0][axis]
    tops = len(layer.tops)
    points = tuple(settings.slice_point) or tuple(size * i // tops for i in range(1, tops))
    return Formula(f"at {points} along axis {axis}", partial(_split, points=points, axis=axis))


def _reshape(layer: CaffeLayer, shapes: Sequence[Shape]) -> nn.Module:
    settings = layer.message.reshape_param
    if settings.axis or settings.num_axes != -1:
        raise NetworkError(f"layer {layer.name} reshapes some of the axes, only all may be")
    sizes = tuple(settings.shape.dim)
    return Formula(f"to {sizes}", partial(_reshape_to, sizes=sizes))


def _relu(layer: CaffeLayer, shapes: Sequence[Shape]) -> nn.Module:
    slope = layer.message.relu_param.negative_slope
    return nn.LeakyReLU(slope) if slope else nn.ReLU()


def _power(layer: CaffeLayer, shapes: Sequence[Shape]) -> nn.Module:
    settings = layer.message.power_param
    power, scale, shift = settings.power, settings.scale, settings.shift
    return Formula(
        f"({shift:g} + {scale:g} x) ** {power:g}", lambda batch: (shift + scale * batch) ** power
    )


def _flatten(layer: CaffeLayer, shapes: Sequence[Shape]) -> nn.Module:
    settings = layer.message.flatten_param if _has(layer, "flatten_param") else None
    return nn.Flatten(settings.axis, settings.end_axis) if settings else nn.Flatten()


def _prelu(layer: CaffeLayer, shapes: Sequence[Shape]) -> nn.Module:
    return nn.PReLU(1 if layer.message.prelu_param.channel_shared else shapes[0][1])


def _split_copies(layer: CaffeLayer, shapes: Sequence[Shape]) -> nn.Module:
    copies = len(layer.tops)
    return Formula(f"{copies} copies", lambda blob: (blob,) * copies)


_BUILDERS: Mapping[str, Callable[[CaffeLayer, Sequence[Shape]], nn.Module]] = {
    "AbsVal": lambda layer, shapes: Formula("absolute value", torch.abs),
    "BatchNorm": _batch_norm,
    "BNLL": lambda layer, shapes: nn.Softplus(),
    "Concat": _concat,
    "Convolution": _convolution,
    "Dropout": lambda layer, shapes: nn.Dropout(),
    "Eltwise": _eltwise,
    "ELU": lambda layer, shapes: nn.ELU(layer.message.elu_param.alpha),
    "Flatten": _flatten,
    "InnerProduct": _inner_product,
    "LRN": _response_norm,
    "Pooling": _pooling,
    "Power": _power,
    "PReLU": _prelu,
    "ReLU": _relu,
    "Reshape": _reshape,
    "Scale": _scale,
    "Sigmoid": lambda layer, shapes: nn.Sigmoid(),
    "Slice": _slice,
    "Softmax": lambda layer, shapes: nn.Softmax(layer.message.softmax_param.axis),
    "Split": _split_copies,
    "TanH": lambda layer, shapes: nn.Tanh(),
}


def _pair(settings: Any, name: str, stem: str = "", *, default: int = 0) -> tuple[int, int]:
    """Height and width of a setting that may be given as one number, two, or `_h` and `_w`."""
    stem = stem or name
    names = {field.name for field in settings.DESCRIPTOR.fields}
    if f"{stem}_h" in names and settings.HasField(f"{stem}_h"):
        return getattr(settings, f"{stem}_h"), getattr(settings, f"{stem}_w")
    values = getattr(settings, name) or [default]
    return values[0], values[-1]


def _choice(settings: Any, name: str) -> str:
    """The name of an enumerated setting's value."""
    values = settings.DESCRIPTOR.fields_by_name[name].enum_type.values_by_number
    return str(values[getattr(settings, name)].name)


def _has(layer: CaffeLayer, field: str) -> bool:
    return field in layer.message.DESCRIPTOR.fields_by_name


def _without_leading_ones(shape: Sequence[int]) -> Shape:
    first = next((place for place, size in enumerate(shape) if size != 1), len(shape))
    return tuple(shape[first:])


def _normalise_within(batch: Tensor, size: int, alpha: float, beta: float) -> Tensor:
    mean = functional.avg_pool2d(batch * batch, size, stride=1, padding=size // 2)
    return batch / (1 + alpha * mean) ** beta


def _scale_by(batch: Tensor, factor: Tensor, axis: int) -> Tensor:
    sizes = (1,) * axis + tuple(factor.shape)
    return batch * factor.reshape(sizes + (1,) * (batch.ndim - len(sizes)))


def _weighted_sum(factors: Sequence[float], *blobs: Tensor) -> Tensor:
    return reduce(torch.add, (f * blob for f, blob in zip(factors, blobs, strict=True)))


def _split(batch: Tensor, points: Sequence[int], axis: int) -> tuple[Tensor, ...]:
    return torch.tensor_split(batch, points, dim=axis)


def _reshape_to(batch: Tensor, sizes: Shape) -> Tensor:
    return batch.reshape([size or batch.shape[place] for place, size in enumerate(sizes)])
