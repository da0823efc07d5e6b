"""The paper's Caffe networks, as texts that their prototxt files agree with where it matters.

A published network is built from its own prototxt. These stand in for it where there is none: for
random weights, and to list a network's layers before anything is downloaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf import text_format

from net2vec.networks.caffe.messages import net_parameter

_ALEXNET_CONVOLUTIONS = (
    # outputs, kernel, stride, padding, groups
    (96, 11, 4, 0, 1),
    (256, 5, 1, 2, 2),
    (384, 3, 1, 1, 1),
    (384, 3, 1, 1, 2),
    (256, 3, 1, 1, 2),
)
_VGG16_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
INCEPTIONS = {
    # outputs of the branches: 1x1; 3x3 and its reduction; 5x5 and its reduction; after pooling
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


# What follows each of AlexNet's convolutions.
REFERENCE = ("relu pool norm", "relu pool norm", "relu", "relu", "relu")
NORMALISED_BEFORE_RELU = ("bn relu pool norm", "bn relu pool norm", "bn relu", "bn relu", "bn relu")
NORMALISED_AFTER_RELU = ("relu pool bn norm", "relu pool norm bn", "relu bn", "relu bn", "relu")


def alexnet(after: Sequence[str] = REFERENCE, *, prefix: str = "") -> Any:
    """Caffe's reference AlexNet, up to the last pooling.

    Args:
        after: what follows each convolution, in order.
        prefix: what the names of layers begin with.

    Returns:
        The message that describes the network.
    """
    net = _Text(227)
    blob = "data"
    for number, (outputs, kernel, stride, padding, groups) in enumerate(_ALEXNET_CONVOLUTIONS, 1):
        conv = f"{prefix}conv{number}"
        net.convolution(conv, blob, outputs, kernel, stride, padding, groups)
        blob = conv
        for kind in after[number - 1].split():
            blob = net.follow(kind, f"{prefix}{kind}{number}", blob)
    net.pool(f"{prefix}pool5", blob, 3, 2)
    return net.parsed()


def vgg16(classes: int) -> Any:
    """VGG16 under Caffe's names."""
    net = _Text(224)
    blob = "data"
    for stage, (outputs, convolutions) in enumerate(_VGG16_STAGES, 1):
        for place in range(1, convolutions + 1):
            net.convolution(f"conv{stage}_{place}", blob, outputs, 3, 1, 1)
            net.follow("relu", f"relu{stage}_{place}", f"conv{stage}_{place}")
            blob = f"conv{stage}_{place}"
        net.pool(f"pool{stage}", blob, 2, 2)
        blob = f"pool{stage}"
    for number in (6, 7):
        net.inner_product(f"fc{number}", blob, 4096)
        net.follow("relu", f"relu{number}", f"fc{number}")
        blob = f"fc{number}"
    net.inner_product("fc8a", blob, classes)
    return net.parsed()


def googlenet(classes: int) -> Any:
    """GoogLeNet under Caffe's names."""
    net = _Text(224)
    net.convolution("conv1/7x7_s2", "data", 64, 7, 2, 3)
    net.follow("relu", "conv1/relu_7x7", "conv1/7x7_s2")
    net.pool("pool1/3x3_s2", "conv1/7x7_s2", 3, 2)
    net.follow("norm", "pool1/norm1", "pool1/3x3_s2")
    net.convolution("conv2/3x3_reduce", "pool1/norm1", 64, 1)
    net.follow("relu", "conv2/relu_3x3_reduce", "conv2/3x3_reduce")
    net.convolution("conv2/3x3", "conv2/3x3_reduce", 192, 3, 1, 1)
    net.follow("relu", "conv2/relu_3x3", "conv2/3x3")
    net.follow("norm", "conv2/norm2", "conv2/3x3")
    net.pool("pool2/3x3_s2", "conv2/norm2", 3, 2)
    blob = "pool2/3x3_s2"
    for name, outputs in INCEPTIONS.items():
        if name in ("4a", "5a"):
            pool = f"pool{int(name[0]) - 1}/3x3_s2"
            net.pool(pool, blob, 3, 2)
            blob = pool
        blob = net.inception(f"inception_{name}", blob, outputs)
    net.pool("pool5/7x7_s1", blob, 7, 1, method="AVE")
    net.inner_product("loss3/classifier", "pool5/7x7_s1", classes)
    return net.parsed()


class _Text:
    """A prototxt that grows by layers."""

    def __init__(self, size: int) -> None:
        self._lines = [f'input: "data" input_dim: [1, 3, {size}, {size}]']

    def parsed(self) -> Any:
        return text_format.Parse("\n".join(self._lines), net_parameter()())

    def convolution(
        self,
        name: str,
        blob: str,
        outputs: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
        groups: int = 1,
    ) -> None:
        self._add(
            "Convolution",
            name,
            [blob],
            f"convolution_param {{ num_output: {outputs} kernel_size: {kernel} stride: {stride} "
            f"pad: {padding} group: {groups} }}",
        )

    def pool(
        self,
        name: str,
        blob: str,
        kernel: int,
        stride: int,
        padding: int = 0,
        method: str = "MAX",
    ) -> None:
        self._add(
            "Pooling",
            name,
            [blob],
            f"pooling_param {{ pool: {method} kernel_size: {kernel} stride: {stride} "
            f"pad: {padding} }}",
        )

    def inner_product(self, name: str, blob: str, outputs: int) -> None:
        self._add("InnerProduct", name, [blob], f"inner_product_param {{ num_output: {outputs} }}")

    def follow(self, kind: str, name: str, blob: str) -> str:
        """A layer of the usual kind and settings; returns the blob that it writes."""
        if kind == "relu":
            self._add("ReLU", name, [blob], top=blob)
            return blob
        if kind == "pool":
            self.pool(name, blob, 3, 2)
        elif kind == "norm":
            self._add("LRN", name, [blob], "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }")
        else:
            self._add("BatchNorm", name, [blob], top=blob)
            return blob
        return name

    def inception(self, name: str, blob: str, outputs: Sequence[int]) -> str:
        single, reduce3, three, reduce5, five, projection = outputs
        branches = [
            ("1x1", blob, single, 1),
            ("3x3_reduce", blob, reduce3, 1),
            ("3x3", f"{name}/3x3_reduce", three, 3),
            ("5x5_reduce", blob, reduce5, 1),
            ("5x5", f"{name}/5x5_reduce", five, 5),
            ("pool_proj", f"{name}/pool", projection, 1),
        ]
        self.pool(f"{name}/pool", blob, 3, 1, 1)
        for part, bottom, channels, kernel in branches:
            self.convolution(f"{name}/{part}", bottom, channels, kernel, 1, kernel // 2)
            self.follow("relu", f"{name}/relu_{part}", f"{name}/{part}")
        ends = [f"{name}/{part}" for part in ("1x1", "3x3", "5x5", "pool_proj")]
        self._add("Concat", f"{name}/output", ends)
        return f"{name}/output"

    def _add(
        self, kind: str, name: str, blobs: Sequence[str], settings: str = "", top: str = ""
    ) -> None:
        bottoms = " ".join(f'bottom: "{blob}"' for blob in blobs)
        self._lines.append(
            f'layer {{ name: "{name}" type: "{kind}" {bottoms} top: "{top or name}" {settings} }}'
        )
