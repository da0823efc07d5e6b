import dataclasses
from copy import deepcopy

import numpy as np
import pytest
import torch
from torch import nn

from net2vec.errors import NetworkError
from net2vec.networks import (
    Preprocessing,
    list_layers,
    load_network,
    network_from_module,
    run_layers,
)
from net2vec.networks.digest import module_digest


def _small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 2, 3), nn.BatchNorm2d(2), nn.ReLU())


def test_the_digest_is_the_same_for_equal_networks_and_moves_with_every_part():
    module = _small()
    digest = module_digest(module)
    assert module_digest(deepcopy(module)) == digest

    weight = deepcopy(module)
    weight[0].weight.data[0, 0, 0, 0] += 1e-6
    buffer = deepcopy(module)
    buffer[1].running_var[1] = 2
    setting = deepcopy(module)
    setting[1].eps = 1e-3
    kind = deepcopy(module)
    kind[2] = nn.ReLU6()
    assert len({digest, *map(module_digest, (weight, buffer, setting, kind))}) == 5


def test_an_edited_forward_changes_the_digest(tmp_path):
    def digest(result):
        (tmp_path / "model.py").write_text(
            f"from torch import nn\nclass Model(nn.Module):\n"
            f"    def forward(self, batch):\n        return {result}\n"
        )
        return load_network(f"{tmp_path / 'model.py'}:Model").digest

    assert digest("batch") == digest("batch") != digest("batch.relu()")


def test_the_digest_knows_where_the_places_begin():
    one, two = (network_from_module(_small(), prefix_tokens=count) for count in (1, 2))
    assert one.digest != two.digest


def test_bfloat16_parameters_have_a_digest():
    module = nn.Linear(2, 2)
    assert module_digest(module) != module_digest(module.to(torch.bfloat16))


def test_the_input_digest_tells_transforms_apart_whatever_they_are_called():
    def network(scale):
        def transform(image):
            pixels = torch.from_numpy(np.array(image.resize((8, 8)), dtype=np.float32))
            return scale * pixels.permute(2, 0, 1)

        return network_from_module(_small(), transform)

    assert network(1.0).input_digest == network(1.0).input_digest
    assert network(1.0).input_digest != network(2.0).input_digest


def test_a_users_module_is_taken_as_it_is():
    module = _small().train()
    network = network_from_module(module, Preprocessing(16, (0.0,) * 3, (1.0,) * 3), name="mine")
    assert network.module is module
    assert [info.shape for info in list_layers(network)] == [(2, 14, 14)] * 3
    assert all(part.training for part in module.modules())
    assert network.name == "mine"
    assert network_from_module(module).name == "Sequential"
    assert network_from_module(module, size=32).preprocessing.size == 32


def test_a_compiled_module_is_the_module_that_was_compiled():
    module = _small()
    assert network_from_module(torch.compile(module), size=16).module is module


def test_a_module_that_compiled_itself_runs_uncompiled_and_stays_compiled():
    def backend(graph, inputs):
        raise AssertionError("compiled")

    plain, module = _small(), _small()
    module.compile(backend=backend)
    module[0].compile(backend=backend)
    calls = [part._compiled_call_impl for part in module.modules()]
    one, other = (network_from_module(part, size=16) for part in (plain, module))
    assert list_layers(one) == list_layers(other)
    assert one.digest == other.digest
    images = torch.rand(2, 3, 16, 16)
    outputs = [run_layers(network, images, ["0", "2"]) for network in (one, other)]
    assert all(torch.equal(outputs[0][layer], outputs[1][layer]) for layer in ("0", "2"))
    assert [part._compiled_call_impl for part in module.modules()] == calls


@pytest.mark.filterwarnings("ignore")
def test_torchscript_is_refused():
    traced = torch.jit.trace(_small(), torch.zeros(1, 3, 16, 16))
    with pytest.raises(NetworkError, match="layers of TorchScript cannot be recorded"):
        network_from_module(traced)


def test_parameters_without_values_are_told():
    module = _small()
    module[1] = nn.BatchNorm2d(2, device="meta")
    with pytest.raises(NetworkError, match="without values"):
        network_from_module(module)


def test_a_copy_does_not_keep_the_old_digest():
    network = network_from_module(_small(), size=8)
    before = network.digest
    other = dataclasses.replace(network, module=_small().append(nn.ReLU()))
    assert other.digest != before


def test_a_module_that_cannot_take_images_is_told():
    with pytest.raises(NetworkError, match=r"Linear fails on an input of shape \(2, 3, 8, 8\)"):
        list_layers(network_from_module(nn.Linear(5, 5), size=8))
