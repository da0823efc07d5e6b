"""Grids of a small network of nearly every family of timm; benchmarks/families.py judges all."""

from collections import Counter

import pytest
import timm
import torch
from torch import nn

from net2vec.networks import network_from_module

from builders_families import SMALL, dark_layers, judge, small_model

# Maps whose order nothing tells: attention of random weights looks at all places alike.
REFUSED = {"efficientformer": 1, "twins": 1}

pytestmark = pytest.mark.filterwarnings("ignore")


def test_there_are_enough_families():
    assert len(SMALL) >= 50
    modules = {timm.models.model_entrypoint(one["model"]).__module__ for one in SMALL.values()}
    assert modules == {f"timm.models.{family}" for family in SMALL}


@pytest.mark.slow
@pytest.mark.parametrize("family", SMALL)
def test_grids_are_timms_and_change_where_a_square_is_painted(family):
    found = judge(*small_model(family))
    counts = Counter(found.maps)
    assert found.sound, found
    assert (counts["refused"], counts["no layer"]) == (REFUSED.get(family, 0), 0)


class _Turned(nn.Module):
    """A layer whose rows are the image's columns."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.even = nn.Conv2d(3, 8, 8, 8)
        self.turned = nn.Identity()

    def forward(self, images):
        return self.turned(self.even(images).transpose(2, 3).contiguous())


def test_the_painted_square_tells_other_orders():
    network = network_from_module(_Turned(), size=64)
    assert dark_layers(network, ["even", "turned"]) == ["turned"]
