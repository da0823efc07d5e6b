import threading

import pytest
import torch
from torch import nn

from net2vec.errors import NetworkError
from net2vec.networks import capture_outputs, network_from_module, run_layers
from net2vec.networks.layers.capture import output_callback, share_replicas


class TwiceRelu(nn.Module):
    """Uses one in-place ReLU twice, as ResNets do, and fails where it is told to."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 1)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Conv2d(4, 2, 1)
        self.pair = Pair()
        self.unused = nn.ReLU()
        self.computed = []

    def forward(self, batch):
        batch = self.relu(self.conv(batch))
        batch = self.relu(batch - 0.2)
        self.computed.append("relu")
        batch = self.head(batch)
        self.computed.append("head")
        self.pair(batch)
        return batch


class Pair(nn.Module):
    def forward(self, batch):
        return batch, batch


@pytest.fixture
def module():
    return TwiceRelu().eval()


@pytest.fixture
def batch():
    return torch.randn(2, 3, 5, 5, generator=torch.Generator().manual_seed(1))


def _hooks(module):
    return sum(len(p._forward_hooks) + len(p._forward_pre_hooks) for p in module.modules())


def test_a_layer_is_its_own_output_not_what_an_in_place_relu_made_of_it(module, batch):
    outputs = run_layers(module, batch, ["conv"])
    expected = module.conv(batch).detach()
    assert (expected < 0).any()
    assert torch.equal(outputs["conv"], expected)


def test_calls_are_addressed_one_by_one_and_the_path_alone_is_the_last(module, batch):
    outputs = run_layers(module, batch, ["relu", "relu#1", "relu#2"])
    first = module.conv(batch).relu().detach()
    assert torch.equal(outputs["relu#1"], first)
    assert torch.equal(outputs["relu#2"], (first - 0.2).relu())
    assert torch.equal(outputs["relu"], outputs["relu#2"])
    assert list(outputs) == ["relu", "relu#1", "relu#2"]


def test_every_pass_starts_anew_and_copies_are_detached(module, batch):
    with capture_outputs(module, ["head", "relu#2"]) as outputs:
        module(batch)
        first = outputs["head"]
        module(batch[:1])
        assert outputs["head"].shape[0] == 1
        assert "relu#2" in outputs
    assert first.shape[0] == 2
    assert not first.requires_grad


def test_hooks_are_gone_afterwards_also_after_an_error(module, batch):
    run_layers(module, batch, ["conv"])
    with pytest.raises(RuntimeError), capture_outputs(module, ["conv", "relu"]):
        module(torch.zeros(1, 7, 5, 5))
    with pytest.raises(NetworkError, match="no module 'nose'"):
        run_layers(module, batch, ["conv", "nose"])
    assert _hooks(module) == 0


def test_the_network_is_left_as_it_was(module, batch):
    module.train()
    module.head.eval()
    outputs = run_layers(module, batch, ["head"])
    assert module.training
    assert module.conv.training
    assert not module.head.training
    assert not outputs["head"].requires_grad
    assert torch.is_grad_enabled()
    assert all(parameter.grad is None for parameter in module.parameters())


def test_a_network_made_and_run_in_inference_mode_is_as_any_other(module, batch):
    with torch.inference_mode():
        copied = TwiceRelu().eval()
        copied.load_state_dict(module.state_dict())
        found = run_layers(copied, batch.clone(), ["relu#1"])["relu#1"]
    assert torch.equal(found, run_layers(module, batch, ["relu#1"])["relu#1"])


def test_nothing_after_the_last_layer_is_computed(module, batch):
    network = network_from_module(module, size=5)
    expected = run_layers(module, batch, ["relu#1", "relu"])
    assert network.trace.calls()["relu"] == 2  # the dry pass runs all
    module.computed.clear()
    outputs = run_layers(network, batch, ["relu", "conv", "relu#1"])
    assert module.computed == []
    assert torch.equal(outputs["relu"], expected["relu"])
    run_layers(network, batch, ["head", "conv"])
    assert module.computed == ["relu"]


def test_what_is_not_called_or_no_tensor_is_told(module, batch):
    with pytest.raises(NetworkError, match="never called unused"):
        run_layers(module, batch, ["unused", "conv"])
    with pytest.raises(NetworkError, match="pair returns a tuple"):
        run_layers(module, batch, ["pair"])
    with pytest.raises(NetworkError, match="never called relu#3"):
        run_layers(network_from_module(module, size=5), batch, ["relu#3"])


def test_mixed_precision_is_near_and_comes_out_in_single(module, batch):
    single = run_layers(module, batch, ["head"])["head"]
    mixed = run_layers(module, batch, ["head"], mixed_precision=True)["head"]
    assert mixed.dtype == single.dtype == torch.float32
    assert not torch.equal(mixed, single)
    torch.testing.assert_close(mixed, single, atol=0.05, rtol=0.05)


class Pairs(nn.Module):
    fixed_batch = 2

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU()

    def forward(self, batch):
        return self.relu(batch.reshape(2, 3, 4, 4))


def test_a_program_for_two_images_takes_five():
    batch = torch.randn(5, 3, 4, 4)
    outputs = run_layers(network_from_module(Pairs(), size=4), batch, ["relu"])
    assert torch.equal(outputs["relu"], batch.relu())


def test_no_layers_run_the_network_and_give_nothing(module, batch):
    assert run_layers(module, batch, []) == {}


def visits(network, batch, layers, first=0, **options):
    """What is seen of layers, copied, by layer and first image."""
    seen = {}

    def visit(layer, output, number):
        assert (layer, number) not in seen
        seen[layer, number] = output.clone()

    with output_callback(network, layers, visit, **options) as run:
        run(batch, first)
    return seen


def test_layers_are_visited_as_they_were_before_anything_rewrote_them(module, batch):
    network = network_from_module(module, size=5)
    layers = ["relu", "conv", "relu#1"]
    expected = run_layers(network, batch, layers)
    module.train()
    module.computed.clear()
    seen = visits(network, batch, layers, first=7)
    assert module.computed == []  # nothing after the last layer
    assert list(seen) == [("conv", 7), ("relu#1", 7), ("relu", 7)]
    for layer in layers:
        assert torch.equal(seen[layer, 7], expected[layer])
    assert module.training
    assert _hooks(module) == 0


def test_portions_of_a_program_are_visited_without_what_fills_the_last():
    batch = torch.randn(5, 3, 4, 4)
    seen = visits(network_from_module(Pairs(), size=4), batch, ["relu"], first=10)
    assert [number for _, number in seen] == [10, 12, 14]
    assert torch.equal(torch.cat(list(seen.values())), batch.relu())


def test_what_is_not_called_is_not_visited(module, batch):
    network = network_from_module(module, size=5)
    with pytest.raises(NetworkError, match="never called unused"):
        visits(network, batch, ["conv", "unused"])
    with pytest.raises(NetworkError, match="no module 'nose'"):
        visits(network, batch, ["nose"])
    assert _hooks(module) == 0


def test_replicas_share_their_parameters_and_nothing_else(module, batch):
    network = network_from_module(module, size=5)
    first, second, third = share_replicas(module, 3)
    assert first is module
    assert len({id(part.computed) for part in (first, second, third)}) == 3
    for one, two in zip(first.parameters(), third.parameters(), strict=True):
        assert one is two
    seen = visits(network, batch, ["head"], module=second)
    assert torch.equal(seen["head", 0], run_layers(network, batch, ["head"])["head"])
    assert share_replicas(Pairs(), 3)[1:] == []
    module.lock = threading.Lock()  # cannot be copied
    assert share_replicas(module, 3) == [module]
