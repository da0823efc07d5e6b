"""How outputs are grids, by laws and by hand; `test_families` holds them against timm."""

import pytest
import torch
from torch import nn

from net2vec.errors import NetworkError
from net2vec.networks import list_layers, network_from_module, resolve_layers, run_layers
from net2vec.networks.layers.grids import TOKENS, Layout, layouts_of, to_grid


class _Tokens(nn.Module):
    """A patch embedding whose tokens are then put in another order."""

    def __init__(self, order, side=8):
        super().__init__()
        torch.manual_seed(0)
        self.order = order
        self.embed = nn.Conv2d(3, 12, 64 // side, 64 // side)
        self.block = nn.Linear(12, 12)
        self.head = nn.Identity()

    def forward(self, image):
        tokens = self.embed(image).flatten(2).transpose(1, 2)
        return self.head(self.block(tokens[:, self.order]).mean(1))


def test_an_order_of_chance_is_refused_in_one_line():
    order = torch.randperm(64, generator=torch.Generator().manual_seed(1))
    network = network_from_module(_Tokens(order), size=64)
    with pytest.raises(NetworkError, match=r"block .* puts out 64 x 12, .* cannot be told") as told:
        resolve_layers(network, ["block"])
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "layout", layouts_of((64, 12)), ids=lambda layout: f"{layout.order}{layout.step}"
)
def test_every_known_order_is_undone(layout):
    # Where each token of the known order comes from: the inverse of what makes it a grid.
    places = to_grid(torch.arange(64.0).view(1, 64, 1), layout=layout).flatten().long()
    module = _Tokens(places.argsort())
    network = network_from_module(module, size=64)
    network.decide_layouts(["block"])
    assert network.layouts.layout(network.trace.find("block")) == layout
    batch = torch.randn(2, 3, 64, 64)
    found = run_layers(network, batch, ["embed", "block"])
    wanted = module.block(found["embed"].movedim(1, -1)).movedim(-1, 1)
    torch.testing.assert_close(found["block"], wanted)


def test_hieras_order_by_hand():
    # Of 4 x 4 tokens in units of two, first those in the upper left of each unit.
    tokens = torch.tensor([0, 2, 8, 10, 1, 3, 9, 11, 4, 6, 12, 14, 5, 7, 13, 15]).view(1, 16, 1)
    grid = to_grid(tokens, layout=Layout(TOKENS, 4, 4, "unrolled", 2))
    assert grid.flatten().tolist() == list(range(16))


class _Turned(nn.Module):
    """A layer whose rows are the image's columns."""

    def __init__(self, last):
        super().__init__()
        torch.manual_seed(0)
        self.even = nn.Conv2d(3, 12, 8, 8)
        self.turned = nn.Conv2d(12, 12, 1) if last else nn.Linear(12, 12)
        self.last = last

    def forward(self, images):
        maps = self.even(images)
        return self.turned(maps.transpose(2, 3) if self.last else maps.permute(0, 3, 2, 1))


@pytest.mark.parametrize("last", [True, False])
def test_rows_that_are_columns_are_refused(last):
    network = network_from_module(_Turned(last), size=64)
    assert resolve_layers(network, ["even"]) == ("even",)
    with pytest.raises(NetworkError, match=r"turned .* rows and columns are not those"):
        resolve_layers(network, ["turned"])


class _Mixing(nn.Module):
    """(image, channel, token), with as many channels as a square has places."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Conv2d(3, 16, 8, 8)
        self.mixed = nn.Linear(64, 64)

    def forward(self, image):
        return self.mixed(self.embed(image).flatten(2)).mean(2)


def test_channels_are_not_taken_for_places():
    network = network_from_module(_Mixing(), size=64)
    listed = {info.path: info for info in list_layers(network)}
    assert listed["embed"].shape == (16, 8, 8)
    assert listed["mixed"].shape is None
    assert "16 x 64" in listed["mixed"].refused


class _Cube(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 8, 8)
        self.last = nn.Linear(8, 8)

    def forward(self, image):
        return self.last(self.first(image).movedim(1, -1)).mean((1, 2))


def test_as_many_channels_as_rows_are_told_apart():
    network = network_from_module(_Cube(), size=64)
    found = run_layers(network, torch.randn(2, 3, 64, 64), ["first", "last"])
    wanted = network.module.last(found["first"].movedim(1, -1)).movedim(-1, 1)
    torch.testing.assert_close(found["last"], wanted)
