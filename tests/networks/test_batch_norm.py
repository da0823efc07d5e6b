import pytest
import torch
from timm.layers import BatchNormAct2d
from torch import nn

from net2vec.errors import NetworkError
from net2vec.networks import (
    batch_norm_statistics,
    estimate_batch_norm,
    network_from_module,
    with_batch_norm_statistics,
)


def _network():
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.ReLU(), BatchNormAct2d(4)
    )
    return network_from_module(module.eval(), size=6)


def _batches(count=3):
    generator = torch.Generator().manual_seed(2)
    return [5 + 3 * torch.randn(8, 3, 6, 6, generator=generator) for _ in range(count)]


def test_the_statistics_are_the_average_over_the_batches():
    network, batches = _network(), _batches()
    estimated = estimate_batch_norm(network, batches)
    values = [network.module[0](batch).detach() for batch in batches]
    mean = torch.stack([value.mean((0, 2, 3)) for value in values]).mean(0)
    variance = torch.stack([value.var((0, 2, 3)) for value in values]).mean(0)
    torch.testing.assert_close(estimated.module[1].running_mean, mean)
    torch.testing.assert_close(estimated.module[1].running_var, variance)


def test_filters_that_were_saturated_come_to_life():
    network, batches = _network(), _batches()
    estimated = estimate_batch_norm(network, batches)
    output = estimated.module[:2](batches[0])
    assert output.mean((0, 2, 3)).abs().max() < 0.2
    assert (output.std((0, 2, 3)) - 1).abs().max() < 0.2
    assert network.module[:2](batches[0]).mean((0, 2, 3)).abs().max() > 0.5


def test_the_original_is_untouched_and_the_copy_only_knows_more():
    network = _network()
    before = {name: value.clone() for name, value in network.module.state_dict().items()}
    digest = network.digest
    estimated = estimate_batch_norm(network, iter(_batches()))
    assert all(torch.equal(before[name], v) for name, v in network.module.state_dict().items())
    changed = {
        name
        for name, value in estimated.module.state_dict().items()
        if not torch.equal(before[name], value)
    }
    parts = ("running_mean", "running_var", "num_batches_tracked")
    assert changed == {f"{norm}.{part}" for norm in (1, 4) for part in parts}
    assert not any(part.training for part in estimated.module.modules())
    assert estimated.module[1].momentum == network.module[1].momentum == 0.1
    assert estimated.digest != digest == network.digest
    assert estimated.weights == "as given in Python, batch norm from 24 images"


def test_it_is_deterministic_and_a_network_without_batch_norm_stays_equal():
    network = _network()
    first = estimate_batch_norm(network, _batches())
    assert first.digest == estimate_batch_norm(network, _batches()).digest
    plain = network_from_module(nn.Sequential(nn.Conv2d(3, 2, 1)), size=6)
    copy = estimate_batch_norm(plain, _batches(1))
    assert copy.digest == plain.digest
    assert copy.weights == plain.weights
    with pytest.raises(ValueError, match="more than 1 value"):
        estimate_batch_norm(network, [torch.zeros(1, 3, 1, 1)])


def test_statistics_can_be_taken_to_another_network_of_the_kind():
    estimated, fresh = estimate_batch_norm(_network(), _batches()), _network()
    statistics = batch_norm_statistics(estimated.module)
    assert set(statistics) == {
        f"{path}.{name}"
        for path in ("1", "4")
        for name in ("running_mean", "running_var", "num_batches_tracked")
    }
    before = fresh.digest
    restored = with_batch_norm_statistics(fresh, statistics)
    assert restored.digest == estimated.digest != before
    assert network_from_module(fresh.module, size=6).digest == before
    statistics["1.running_mean"] += 1  # what was taken is a copy
    assert network_from_module(estimated.module, size=6).digest == estimated.digest


def test_statistics_of_another_kind_of_network_are_refused():
    statistics = batch_norm_statistics(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(5)))
    with pytest.raises(NetworkError, match="take the network that was probed"):
        with_batch_norm_statistics(_network(), statistics)
