"""A small network and dataset whose activations are exact whatever the batch, with many ties."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import nn

from net2vec.data.protocol import Annotation
from net2vec.networks import Network, Preprocessing, network_from_module
from net2vec.recording import LayerRecording

from builders_data import ArrayDataset

SIZE = 15
IMAGES = 7
LAYERS = ["early", "late", "logits"]
TAU = 0.05


def whole_numbers(part: nn.Module) -> nn.Module:
    for parameter in part.parameters():
        parameter.data = torch.randint(-2, 3, parameter.shape).float()
    return part


def small_network() -> Network:
    """Grids of 7 x 7 and 3 x 3, and a vector; ReLU6 saturates, and filter 2 of `early` is off."""
    torch.manual_seed(0)
    module = nn.Sequential()
    module.add_module("first", whole_numbers(nn.Conv2d(3, 5, 3, stride=2)))
    module.add_module("early", nn.ReLU())
    module.add_module("second", whole_numbers(nn.Conv2d(5, 4, 3, stride=2)))
    module.add_module("late", nn.ReLU6())
    module.add_module("flat", nn.Flatten())
    module.add_module("logits", whole_numbers(nn.Linear(4 * 9, 3)))
    module.first.weight.data[2] = -1
    module.first.bias.data[2] = -1
    return network_from_module(module, Preprocessing(SIZE, (0.0,) * 3, (1.0,) * 3))


def small_dataset() -> ArrayDataset:
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 4, (IMAGES, SIZE, SIZE, 3), dtype=np.uint8)
    pictures[4] = pictures[1]  # equal images tie for the highest activation
    splits = ["train", "val", "train", "train", "val", "train", "train"]
    return ArrayDataset([""], ["object"], splits, [Annotation()] * IMAGES, pictures)


def assert_equal(some: LayerRecording, other: LayerRecording) -> None:
    for field in dataclasses.fields(LayerRecording):
        one, two = getattr(some, field.name), getattr(other, field.name)
        np.testing.assert_array_equal(one, two, err_msg=field.name)
        if isinstance(one, np.ndarray):
            assert one.dtype == two.dtype, field.name
