"""What modules return: tuples, mappings, other precisions, tensors of inference mode."""

from collections import OrderedDict

import pytest
import torch
from torch import nn

from net2vec.errors import NetworkError
from net2vec.networks import (
    Preprocessing,
    capture_outputs,
    list_layers,
    network_from_module,
    resolve_layers,
    run_layers,
)
from net2vec.networks.layers.outputs import main_tensor

TOKENS, WEIGHTS, MAPS = torch.ones(2, 5, 3), torch.ones(2, 2, 5, 5), torch.zeros(2, 5, 3)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (TOKENS, TOKENS),
        ((TOKENS,), TOKENS),
        ([TOKENS, WEIGHTS, None], TOKENS),
        ((TOKENS, (7, 7)), TOKENS),
        (OrderedDict(pooled=MAPS, last_hidden_state=TOKENS), TOKENS),
        ({"out": WEIGHTS}, WEIGHTS),
        ((TOKENS, MAPS), None),  # either may be meant
        ({"fine": TOKENS, "coarse": MAPS}, None),
        ((None, TOKENS), None),
        ((torch.ones(2, dtype=torch.long), TOKENS), None),
        ((), None),
        (None, None),
    ],
)
def test_one_tensor_is_meant_or_none(result, expected):
    assert main_tensor(result) is expected


class _Net(nn.Module):
    def __init__(self, channels=3):
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(channels, 8, 3, 2)
        self.relu = nn.ReLU()
        self.last = nn.Conv2d(8, 6, 3, 2)
        self.relu_in_place = nn.ReLU(inplace=True)

    def forward(self, images):
        return self.relu_in_place(self.last(self.relu(self.first(images))))


class _Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = _Net()

    def forward(self, images):
        found = self.inner(images)
        return found, found.mean((2, 3))


def test_the_first_of_a_tuple_is_captured():
    module = nn.Sequential(_Block())
    network = network_from_module(module, size=32)
    images = torch.randn(2, 3, 32, 32)
    listed = {info.path: (info.shape, info.activation) for info in list_layers(network)}
    assert listed["0"] == listed["0.inner"] == ((6, 7, 7), True)
    found = run_layers(network, images, ["0", "0.inner"])
    assert torch.equal(found["0"], found["0.inner"])


class _Inference(_Net):
    @torch.inference_mode()
    def forward(self, images):
        found = super().forward(images)
        found += 1
        return self.first(images), found


def test_a_forward_in_inference_mode_is_probed_like_any_other():
    plain, decorated = (network_from_module(kind(), size=32) for kind in (_Net, _Inference))
    images, layers = torch.randn(2, 3, 32, 32), ["relu", "relu_in_place"]
    assert resolve_layers(plain) == resolve_layers(decorated) == ("relu", "relu_in_place")
    wanted, found = (run_layers(network, images, layers) for network in (plain, decorated))
    for layer in layers:
        assert torch.equal(found[layer], wanted[layer])
        found[layer] += 1  # a tensor of inference mode could not be changed here


@pytest.mark.parametrize(
    ("precision", "tolerance"),
    [(torch.float16, 2e-3), (torch.bfloat16, 2e-2), (torch.float64, 1e-6)],
)
def test_a_module_is_probed_in_its_own_precision(precision, tolerance):
    images = torch.randn(2, 3, 32, 32)
    wanted = run_layers(network_from_module(_Net(), size=32), images, ["relu"])["relu"]
    network = network_from_module(_Net().to(precision), size=32)
    assert resolve_layers(network) == ("relu", "relu_in_place")
    found = run_layers(network, images, ["relu"])["relu"]
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, wanted, atol=tolerance, rtol=0)


def test_a_module_of_one_channel_is_probed_with_its_preprocessing():
    grey = Preprocessing(32, mean=(127.5,), std=(127.5,), channels="L")
    network = network_from_module(_Net(channels=1), grey)
    assert network.input_shape == (1, 32, 32)
    assert resolve_layers(network) == ("relu", "relu_in_place")
    with pytest.raises(NetworkError, match=r"1 channels.*Preprocessing\(.*channels='L'\)") as told:
        resolve_layers(network_from_module(_Net(channels=1), size=32))
    assert "\n" not in str(told.value)


class _BlocksWithTail(nn.Module):
    """Four blocks of a transformer whose tokens are followed by others."""

    def __init__(self, before, after):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Conv2d(3, 16, 8, 8)
        self.before, self.after = (nn.Parameter(torch.randn(1, n, 16)) for n in (before, after))
        self.blocks = nn.ModuleList(_Residual() for _ in range(4))

    def forward(self, images):
        tokens = self.embed(images).flatten(2).transpose(1, 2)
        several = [part.expand(len(tokens), -1, -1) for part in (self.before, self.after)]
        tokens = torch.cat([several[0], tokens, several[1]], 1)
        for block in self.blocks:
            tokens, _ = block(tokens)
        return tokens


class _Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(16), nn.Linear(16, 16)

    def forward(self, tokens):
        return tokens + self.linear(self.norm(tokens)), None


def test_tokens_of_an_unknown_number_are_told_with_the_remedy_and_the_remedy_works():
    module = _BlocksWithTail(3, 0)
    network = network_from_module(module, size=32)
    with pytest.raises(NetworkError, match=r"blocks.3 .*19 x 16 .*prefix_tokens=\.\.\.") as told:
        resolve_layers(network)
    assert "\n" not in str(told.value)
    assert resolve_layers(network, ["embed"]) == ("embed",)
    known = network_from_module(module, size=32, prefix_tokens=3)
    assert resolve_layers(known) == tuple(f"blocks.{place}" for place in range(4))
    # Three of the tokens are taken for the wrong places where the others stand at the end.
    moved = network_from_module(_BlocksWithTail(0, 3), size=32, prefix_tokens=3)
    with pytest.raises(NetworkError, match="cannot be told"):
        resolve_layers(moved, ["blocks.3"])


class _SequenceFirst(nn.Module):
    """A transformer of torch's own, whose tokens come before the images."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Conv2d(3, 16, 8, 8)
        self.cls_token = nn.Parameter(torch.randn(16))
        layer = nn.TransformerEncoderLayer(16, 2, 32)
        self.encoder = nn.TransformerEncoder(layer, 4, enable_nested_tensor=False)

    def forward(self, images):
        tokens = self.embed(images).flatten(2).permute(2, 0, 1)
        first = self.cls_token.expand(1, tokens.shape[1], -1)
        return self.encoder(torch.cat([first, tokens]))[0]


def test_tokens_may_come_before_the_images():
    module = _SequenceFirst().eval()
    network = network_from_module(module, size=40)
    layers = tuple(f"encoder.layers.{place}" for place in range(4))
    assert resolve_layers(network) == layers
    for images in (torch.randn(3, 3, 40, 40), torch.randn(26, 3, 40, 40)):  # as many as tokens
        found = run_layers(network, images, layers)
        with torch.no_grad(), capture_outputs(module, layers) as raw:
            module(images)
        for layer in layers:
            wanted = raw[layer][1:].permute(1, 2, 0).reshape(len(images), 16, 5, 5)
            torch.testing.assert_close(found[layer], wanted)
