import pytest
import torch
from torch import nn
from torch.nn import functional
from torchvision.models import googlenet, resnet18

from net2vec.networks.layers.tracing import trace_outputs


class Block(nn.Module):
    """One computation as a submodule, to see what is said of its output."""

    def __init__(self, compute):
        super().__init__()
        self.compute = compute

    def forward(self, batch):
        return self.compute(batch)


def _activation(compute):
    trace = trace_outputs(nn.Sequential(Block(compute)), torch.ones(1, 3, 8, 8))
    return trace.outputs[-1].activation


def _sum_after_relu(batch):
    batch = functional.relu(batch.clone())
    batch += 1
    return batch


@pytest.mark.parametrize(
    ("compute", "expected"),
    [
        (functional.relu, True),
        (lambda x: functional.relu(x.clone(), inplace=True), True),
        (lambda x: x.clamp(min=0), True),
        (nn.ReLU6(), True),
        (nn.SiLU(), True),
        (lambda x: functional.max_pool2d(functional.relu(x), 2), True),
        (lambda x: torch.cat([functional.relu(x), functional.relu(-x)], 1), True),
        (lambda x: torch.cat([functional.relu(x), x], 1), False),
        (lambda x: functional.dropout(functional.relu(x), training=False), True),
        (lambda x: functional.relu(x) + 1, False),
        (_sum_after_relu, False),
        (lambda x: x, False),
        (lambda x: functional.max_pool2d(x, 2), False),
        (nn.Conv2d(3, 4, 3), False),
    ],
)
def test_an_output_is_activated_iff_it_comes_straight_from_an_activation(compute, expected):
    assert _activation(compute) is expected


def test_real_networks_say_where_activations_follow():
    torch.manual_seed(0)
    by_path = {
        output.path: output.activation
        for output in trace_outputs(resnet18(), torch.zeros(1, 3, 64, 64)).outputs
    }
    assert by_path["layer1"]
    assert by_path["layer4.1.relu"]
    assert not by_path["layer1.0.bn2"]
    assert not by_path["fc"]
    inception = trace_outputs(
        googlenet(aux_logits=False, init_weights=False), torch.zeros(1, 3, 64, 64)
    )
    assert {out.path: out.activation for out in inception.outputs}["inception4e"]


def test_outputs_come_in_the_order_in_which_they_are_ready():
    shared = nn.ReLU()
    inner = nn.Sequential(nn.Conv2d(3, 2, 1), shared)
    trace = trace_outputs(nn.Sequential(inner, shared), torch.zeros(2, 3, 4, 4))
    assert [(out.path, out.call) for out in trace.outputs] == [
        ("0.0", 1),
        ("0.1", 1),
        ("0", 1),
        ("0.1", 2),
    ]
    assert trace.duplicates == {"1": "0.1"}
    assert trace.calls() == {"0.0": 1, "0.1": 2, "0": 1}
    assert [out.shape for out in trace.outputs] == [(2, 4, 4)] * 4


def test_what_is_no_float_tensor_has_no_shape():
    several = Block(lambda x: (x, x))
    numbers = Block(lambda x: x[0].argmax(1))
    trace = trace_outputs(nn.Sequential(several, numbers), torch.zeros(1, 3, 4, 4))
    assert [(out.shape, out.activation) for out in trace.outputs] == [(None, False)] * 2


def test_the_pass_leaves_modes_and_hooks_as_they_were():
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.ReLU())
    module[1].eval()
    before = [part.training for part in module.modules()]
    mean = module[1].running_mean.clone()
    trace_outputs(module, torch.ones(2, 3, 4, 4))
    assert [part.training for part in module.modules()] == before == [True, True, False, True]
    assert torch.equal(module[1].running_mean, mean)
    assert not any(part._forward_hooks for part in module.modules())
