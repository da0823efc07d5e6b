"""A network's digest moves with whatever changes its outputs, and with nothing else."""

from __future__ import annotations

from copy import deepcopy
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from net2vec.networks import Preprocessing, load_network, network_from_module
from net2vec.networks.digest import digest_network, module_digest

SIZE = 16
SHAPE = (3, SIZE, SIZE)


def digest(module: nn.Module, **options) -> str:
    return network_from_module(
        module, Preprocessing(SIZE, (0.0,) * 3, (1.0,) * 3), **options
    ).digest


def conv(channels: int = 4) -> nn.Conv2d:
    torch.manual_seed(0)
    return nn.Conv2d(3, channels, 3)


class Ablated(nn.Module):
    """Some units are switched off by a plain attribute."""

    def __init__(self, units=(), **attributes) -> None:
        super().__init__()
        self.conv = conv()
        self.units = units
        for name, value in attributes.items():
            setattr(self, name, value)

    def forward(self, batch):
        output = self.conv(batch)
        output[:, list(self.units)] = 0
        return output * getattr(self, "factor", 1)


ATTRIBUTES = {
    "units in a list": ([], [1]),
    "units in a set": (set(), {1}),
    "units in an array": (np.array([], dtype=int), np.array([1])),
    "units in a tensor": (torch.tensor([0]), torch.tensor([1])),
    "keys of a dictionary": ({}, {1: True}),
}


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_plain_attributes_are_part_of_it(name):
    one, other = ATTRIBUTES[name]
    assert digest(Ablated(one)) == digest(Ablated(deepcopy(one))) != digest(Ablated(other))


@pytest.mark.parametrize("factor", [1 + 1e-7, torch.tensor(1 + 1e-6), np.float32(1.000001)])
def test_attributes_are_read_to_the_last_bit(factor):
    assert digest(Ablated(factor=factor)) != digest(Ablated(factor=type(factor)(1)))


def test_attributes_of_library_modules_are_part_of_it():
    one, other = (nn.TransformerEncoderLayer(8, heads, 16, batch_first=True) for heads in (2, 4))
    other.load_state_dict(one.state_dict())
    assert module_digest(one) != module_digest(other)


def test_buffers_that_are_not_kept_are_part_of_it():
    one, other = conv(), conv()
    for module, value in ((one, 1.0), (other, 2.0)):
        module.register_buffer("table", torch.tensor(value), persistent=False)
    assert digest(one) != digest(other)


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_packed_weights_are_part_of_it():
    def quantised(linear, convolution):
        def packed(*shape, scale):
            return torch.quantize_per_tensor(scale * torch.ones(shape), 0.1, 0, torch.qint8)

        module = nn.Sequential(
            torch.ao.nn.quantized.Conv2d(3, 2, 1), torch.ao.nn.quantized.Linear(4, 3)
        )
        module[0].set_weight_bias(packed(2, 3, 1, 1, scale=convolution), torch.zeros(2))
        module[1].set_weight_bias(packed(3, 4, scale=linear), torch.zeros(3))
        return digest_network(module, SHAPE)

    one, *others = (quantised(*scales) for scales in ((1, 1), (1, 2), (2, 1)))
    assert one == quantised(1, 1)
    assert one[1] == ""  # all of it is read
    assert len({one, *others}) == 3


def halved(module, inputs, output):
    return output / 2


class Closed:
    """An object of an unknown class that decides what is put out."""

    def __init__(self, power: float) -> None:
        self.power = power

    def __call__(self, batch):
        return batch**self.power


class Calling(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.conv = conv()
        self.function = function

    def forward(self, batch):
        return self.function(self.conv(batch))


def scaled(factor):
    return lambda batch: factor * batch


CALLED = {
    "objects": (Closed(2), Closed(2.001)),
    "closures": (scaled(2), scaled(2.0001)),
    "bound arguments": (partial(torch.mul, other=2), partial(torch.mul, other=2.00001)),
}


@pytest.mark.parametrize("name", CALLED)
def test_what_cannot_be_read_is_seen_in_the_outputs(name):
    one, other = (Calling(function) for function in CALLED[name])
    assert digest(one) == digest(deepcopy(one)) != digest(other)
    assert digest_network(one, SHAPE)[1] == ""


def test_hooks_are_seen():
    module = nn.Sequential(conv(), nn.ReLU())
    before = digest(module)
    handle = module[0].register_forward_hook(halved)
    assert digest(module) != before
    handle.remove()
    assert digest(module) == before
    seen = []
    module[0].register_forward_hook(lambda *values: seen.append(values))
    module[1].register_forward_pre_hook(lambda *values: None)
    assert digest(module) == before  # they change nothing
    assert seen


def test_hooks_of_all_modules_are_seen():
    module = nn.Sequential(conv(), nn.ReLU())
    before = digest(module)
    handle = nn.modules.module.register_module_forward_hook(halved)
    try:
        assert digest(module) != before
    finally:
        handle.remove()
    assert digest(module) == before


def test_a_forward_of_the_instance_is_seen():
    module = Ablated()
    before = digest(module)
    module.forward = lambda batch: module.conv(batch) + 1
    assert digest(module) != before


FACTOR = 1.0


class ReadingGlobals(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = conv()

    def forward(self, batch):
        return self.conv(batch) * FACTOR


def test_globals_are_seen(monkeypatch):
    before = digest(ReadingGlobals())
    monkeypatch.setitem(globals(), "FACTOR", 1.001)
    assert digest(ReadingGlobals()) != before


def test_modules_that_are_no_parts_are_seen():
    one, other = Calling(scaled(1)), Calling(scaled(1))
    for module, seed in ((one, 1), (other, 2)):
        torch.manual_seed(seed)
        module.hidden = [nn.Conv2d(4, 4, 1)]
        module.function = module.hidden[0].forward
    assert digest(one) != digest(other)


class Remembering(nn.Module):
    """Notes activations and a count of calls, and makes a table in its first pass."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = conv()
        self.table = None
        self.calls = 0

    def forward(self, batch):
        if self.table is None:
            self.table = torch.linspace(0, 1, batch.shape[-1])
        self.calls += 1
        self.seen = self.conv(batch * self.table)
        return self.seen


def test_what_a_pass_leaves_behind_is_no_part_of_it():
    module = Remembering()
    before = digest(module)
    for seed in (1, 2):
        torch.manual_seed(seed)
        module(torch.rand(2, *SHAPE))
        assert digest(module) == before
    assert digest(Remembering()) == before
    module.conv.weight.data += 1e-6
    assert digest(module) != before


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_number_of_threads_does_not_move_it(threads):
    torch.manual_seed(0)
    layers = [Calling(scaled(3))]
    for _ in range(6):
        layers += [nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.GELU()]
    module = nn.Sequential(*layers)
    wanted = digest(module)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert digest(module) == wanted
    finally:
        torch.set_num_threads(before)


class InSingle(nn.Module):
    def __init__(self, function) -> None:
        super().__init__()
        self.conv = conv()
        self.function = function

    def forward(self, batch):
        return self.function(self.conv(batch.float()).float())


class Stateful(nn.Module):
    """Another output each time, without any attribute that says so."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = conv()
        count = iter(range(10**6))
        self.next = lambda: next(count)

    def __deepcopy__(self, memo):
        raise TypeError("cannot be copied")

    def forward(self, batch):
        return self.conv(batch) + self.next()


def test_tables_that_library_modules_make_in_a_pass_are_no_part_of_it():
    module = nn.Sequential(conv(), nn.ReLU())
    module[1].table = {}
    before = digest(module)
    module[1].table["cpu"] = torch.ones(3)
    assert digest(module) == before


def test_what_it_cannot_cover_is_told():
    one, other = InSingle(scaled(2)), InSingle(scaled(3))
    found, uncovered = digest_network(one, SHAPE)
    assert uncovered == "small changes of code of InSingle, attribute function"
    assert found != digest_network(other, SHAPE)[0]
    module = Stateful()
    found, uncovered = digest_network(module, SHAPE)
    assert uncovered == "changes of code of Stateful, attribute next"
    assert digest_network(module, SHAPE)[0] == found


def test_functions_of_this_package_are_read():
    from net2vec.networks.caffe.modules import Formula

    assert digest_network(Formula("x / 2", scaled(0.5)), SHAPE)[1] == ""
    module = Formula("x / 2", scaled(0.5))
    assert digest_network(module, SHAPE)[0] == module_digest(module)


def test_a_network_whose_state_can_be_read_is_not_run(monkeypatch):
    network = load_network("torchvision:mobilenet_v3_small", weights="random")
    monkeypatch.setattr(type(network.module), "forward", None)
    assert len(network.digest) == 32
    assert network.uncovered == ""


def test_a_random_network_has_one_digest():
    class Random(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = conv()

        def forward(self, batch):
            return nn.functional.dropout(self.conv(batch))

    module = Random()
    state = torch.get_rng_state()
    assert digest(module) == digest(module)
    assert torch.equal(torch.get_rng_state(), state)
