import os
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from net2vec.errors import NetworkError
from net2vec.networks import load_network

_SOURCE = """
import torch
from torch import nn
from net2vec.networks import Network, Preprocessing, network_from_module

def small():
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())

def dressed():
    own = Preprocessing(20, (1.0, 2.0, 3.0), (1.0, 1.0, 1.0), "BGR")
    return network_from_module(small(), own, layers=["0"], aliases={"conv": "0"})

def untrained():
    return Network("mine", small(), dressed().preprocessing, trained=False, weights="drawn",
                   source="a paper")

class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))

class Scale(nn.Module):
    scale = 3

    def forward(self, batch):
        return batch * self.scale

def scaled():
    return nn.Sequential(nn.Conv2d(3, 3, 3), nn.ReLU(), Scale())

def own():
    return Own()

def broken():
    raise KeyError("weights")

def number():
    return 3
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(_SOURCE)
    return path


def test_a_file_or_an_installed_package_gives_the_module(file, monkeypatch):
    network = load_network(f"{file}:small")
    assert network.layers == ("2",)
    assert network.preprocessing.size == 224
    assert network.trained
    assert network.weights == "as the function returns them"
    assert not network.module.training
    monkeypatch.syspath_prepend(str(file.parent))
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    assert load_network("mine:small").digest == network.digest


def test_a_file_that_was_changed_within_a_second_is_read_again(tmp_path):
    """Python itself takes compiled code of the same date and size for that of the file."""
    path = tmp_path / "mine.py"
    text = "from torch import nn\ndef net():\n    return nn.Conv2d(3, {}, 1)\n"
    for channels in (4, 5):
        path.write_text(text.format(channels))
        os.utime(path, (1e9, 1e9))
        assert load_network(f"{path}:net").module.out_channels == channels
    assert not (tmp_path / "__pycache__").exists()


def test_a_file_may_be_moved(file, tmp_path):
    moved = tmp_path / "elsewhere" / "also_mine.py"
    moved.parent.mkdir()
    moved.write_text(file.read_text())
    own = load_network(f"{file}:scaled")
    assert load_network(f"{moved}:scaled").digest == own.digest
    moved.write_text(file.read_text().replace("batch * self.scale", "batch + self.scale"))
    assert load_network(f"{moved}:scaled").digest != own.digest


def test_a_network_is_what_its_function_says(file):
    network = load_network(f"{file}:untrained")
    assert (network.trained, network.weights, network.source) == (False, "drawn", "a paper")
    drawn = load_network(f"{file}:untrained", weights="random")
    assert (drawn.trained, drawn.weights) == (False, "random (seed 0)")


def test_a_function_may_bring_its_own_preprocessing_and_layers(file):
    network = load_network(f"{file}:dressed")
    assert network.preprocessing.channels == "BGR"
    assert network.layers == ("0",)
    assert network.aliases == {"conv": "0"}
    assert network.name == "mine.py:dressed"


def test_weights_come_from_a_file_or_are_drawn_by_the_seed(file, tmp_path):
    name = f"{file}:small"
    drawn = load_network(name, weights="random", seed=5)
    assert drawn.digest == load_network(name, weights="random", seed=5).digest
    assert drawn.digest != load_network(name, weights="random", seed=6).digest
    assert not drawn.trained
    torch.save(drawn.module.state_dict(), tmp_path / "w.pth")
    assert load_network(name, weights=str(tmp_path / "w.pth")).digest == drawn.digest


def test_trained_parameters_do_not_survive_a_random_start(file):
    file.write_text(
        _SOURCE + "\ndef trained():\n    module = small()\n    nn.init.ones_(module[0].weight)\n"
        "    module[1].running_mean.fill_(9)\n    return module\n"
    )
    module = load_network(f"{file}:trained", weights="random").module
    assert module[0].weight.std() > 0.01
    assert torch.equal(module[1].running_mean, torch.zeros(4))
    assert load_network(f"{file}:trained").module[1].running_mean[0] == 9


@pytest.mark.parametrize(
    ("function", "weights", "message"),
    [
        ("absent", None, "has no function 'absent'"),
        ("broken", None, r"failed: KeyError\('weights'\)"),
        ("number", None, "must return a torch module, not a int"),
        ("own", "random", r"the network \(Own\) has none"),
        ("small", "absent.pth", "there is no weights file"),
    ],
)
def test_faults_of_the_users_code_are_told_in_one_line(file, function, weights, message):
    with pytest.raises(NetworkError, match=message) as caught:
        load_network(f"{file}:{function}", weights=weights)
    assert "\n" not in str(caught.value)


def test_the_code_of_a_repository_is_not_fetched():
    with pytest.raises(NetworkError, match="clone it, look at it, and name the function of a file"):
        load_network("github:pytorch/vision:resnet18")


def test_a_file_that_cannot_be_imported_is_told(tmp_path):
    (tmp_path / "bad.py").write_text("import nothing_of_that_name\n")
    with pytest.raises(NetworkError, match="nothing_of_that_name"):
        load_network(f"{tmp_path / 'bad.py'}:small")


def test_two_files_of_one_name_do_not_meet(tmp_path):
    for folder, channels in (("a", 2), ("b", 5)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.py").write_text(
            f"from torch import nn\ndef build():\n    return nn.Conv2d(3, {channels}, 1)\n"
        )
    modules = [load_network(f"{tmp_path / f / 'model.py'}:build").module for f in ("a", "b")]
    assert [module.out_channels for module in modules] == [2, 5]
    assert isinstance(modules[0], nn.Conv2d)


def test_networks_built_in_two_threads_draw_what_they_draw_alone(tmp_path):
    """Both draw from torch's global generator, and each waits between its draws."""
    (tmp_path / "slow.py").write_text(
        "import time, torch\n"
        "def make():\n"
        "    parts = []\n"
        "    for _ in range(3):\n"
        "        parts.append(torch.nn.Conv2d(3, 3, 3))\n"
        "        time.sleep(0.05)\n"
        "    return torch.nn.Sequential(*parts)\n"
    )

    def first_weights(seed):
        network = load_network(f"{tmp_path / 'slow.py'}:make", seed=seed)
        return [part.weight[0, 0, 0, 0].item() for part in network.module]

    alone = [first_weights(seed) for seed in (0, 1)]
    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(first_weights, (0, 1))) == alone
