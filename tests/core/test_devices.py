"""Where things are computed leaves no trace behind."""

import pytest
import torch
from torch.utils import deterministic

from net2vec.core.devices import repeatable, torch_device
from net2vec.errors import ConfigError


def state():
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        deterministic.fill_uninitialized_memory,
    )


def fail_there():
    with repeatable(torch.device("cuda")):
        assert state() == (True, False, False)
        raise KeyError


@pytest.mark.parametrize("before", [(False, False), (True, False), (True, True)])
def test_torch_is_left_as_it_was(monkeypatch, before):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    torch.use_deterministic_algorithms(before[0], warn_only=before[1])
    try:
        found = state()
        with pytest.raises(KeyError):
            fail_there()
        assert state() == found
        with repeatable(torch.device("cpu")):
            assert state() == found
    finally:
        torch.use_deterministic_algorithms(False)


def test_devices_go_by_name():
    assert torch_device("cpu") == torch_device(torch.device("cpu")) == torch.device("cpu")
    with pytest.raises(ConfigError, match="no device 'gpu'; wanted auto, cpu, cuda"):
        torch_device("gpu")
