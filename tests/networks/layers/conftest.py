import pytest
import torch
from torchvision.models import alexnet

from net2vec.networks import network_from_module


@pytest.fixture(scope="package")
def network():
    torch.manual_seed(0)
    return network_from_module(
        alexnet(),
        name="alexnet",
        size=64,
        layers=("features.4", "features.11"),
        aliases={"conv1": "features.1", "conv5": "features.11", "classifier.6": "features.0"},
    )
