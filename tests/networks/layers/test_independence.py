"""Networks whose output for an image depends on something else than the image are refused."""

import pytest
import torch
from torch import nn
from torch.nn.functional import dropout

from net2vec.errors import NetworkError
from net2vec.networks import network_from_module, refuse_dependence


class _Net(nn.Module):
    def __init__(self, middle):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3, 2)
        self.middle = middle
        self.last = nn.Conv2d(8, 8, 3, 2)

    def forward(self, images):
        return self.last(torch.relu(self.middle(self.first(images))))


class _Middle(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, maps):
        return self.function(self, maps)


def _dropout(_, maps):
    return dropout(maps, 0.1)


def _noise(_, maps):
    return maps + 0.01 * torch.randn_like(maps)


def _state(self, maps):
    self.seen += 1
    return maps * self.seen


def _whole_batch(_, maps):
    return maps - maps.mean((0, 2, 3), keepdim=True)


def _whole_image(_, maps):
    return maps - maps.mean((1, 2, 3), keepdim=True)


@pytest.mark.parametrize("function", [_dropout, _noise, _state])
@pytest.mark.parametrize("precision", [torch.float32, torch.float64])
def test_random_networks_and_those_with_a_memory_are_refused(function, precision):
    network = network_from_module(_Net(_Middle(function)).to(precision), size=48)
    with pytest.raises(
        NetworkError, match=r"layer last of _Net .* each time: .*self\.training"
    ) as e:
        refuse_dependence(network, ["first", "last"])
    assert "\n" not in str(e.value)
    refuse_dependence(network, ["first"])  # it comes before


@pytest.mark.parametrize(
    "middle", [_Middle(_whole_batch), nn.BatchNorm2d(8, track_running_stats=False)]
)
def test_networks_that_look_at_the_whole_batch_are_refused(middle):
    with pytest.raises(NetworkError, match=r"layer middle .* beside another one: .*statistics"):
        refuse_dependence(network_from_module(_Net(middle), size=48), ["first", "middle"])


@pytest.mark.parametrize(
    ("middle", "precision"),
    [
        (nn.Dropout(0.5), torch.float32),
        (nn.BatchNorm2d(8), torch.float32),
        (nn.InstanceNorm2d(8), torch.float32),
        (_Middle(_whole_image), torch.float32),
        (nn.BatchNorm2d(8), torch.bfloat16),
        (nn.GroupNorm(2, 8), torch.float16),
        (_Middle(lambda _, maps: 0 * maps), torch.float32),
    ],
)
def test_others_are_taken_in_whatever_mode_they_come(middle, precision):
    module = _Net(middle).to(precision).train()
    refuse_dependence(network_from_module(module, size=48), ["middle", "last"])
    assert module.training


def test_looking_costs_one_image_beside_the_dry_pass():
    module = _Net(nn.Identity())
    network = network_from_module(module, size=48)
    seen = []
    module.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    network.decide_layouts(["last"])
    refuse_dependence(network, ["last"])
    assert seen == [2, 1]


def test_statistics_that_are_set_after_the_dry_pass_are_no_dependence():
    module = _Net(nn.BatchNorm2d(8))
    network = network_from_module(module, size=48)
    network.decide_layouts(["last"])
    module.middle.running_mean += 1
    refuse_dependence(network, ["last"])


def test_a_network_that_changes_its_input_is_taken_and_one_that_fails_on_one_image_is_told():
    def in_place(_, maps):
        return maps.mul_(2).sub_(1)

    class _Normalising(_Net):
        def forward(self, images):
            images -= 0.5
            return super().forward(images)

    refuse_dependence(network_from_module(_Normalising(_Middle(in_place)), size=48), ["last"])

    def squeezed(_, maps):
        return maps.squeeze(0) if len(maps) > 1 else maps[1]

    network = network_from_module(_Net(_Middle(squeezed)), size=48)
    with pytest.raises(NetworkError, match=r"takes two images, but fails on one alone: .*index 1"):
        refuse_dependence(network, ["last"])
