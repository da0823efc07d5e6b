"""Networks of other packages, which entry points add."""

import json
import sys

import pytest
from torch import nn

from net2vec.cli.app import main
from net2vec.errors import NetworkError
from net2vec.networks import (
    Entry,
    NetworkSource,
    available_networks,
    load_network,
    network_from_module,
)


class Mine(NetworkSource):
    install = "pip install things"

    def recognises(self, name):
        raise AssertionError("sources of other packages are known by their entry points")

    def load(self, name, weights, seed):
        if name == "mine:broken":
            raise KeyError("thing")
        if name == "mine:number":
            return 3
        module = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU())
        return network_from_module(module, name=name, size=16)

    def entries(self):
        return {"mine:thing": Entry(task="things", layers=("1",), source="my own")}


@pytest.fixture(autouse=True)
def _installed(monkeypatch, install_plugin):
    monkeypatch.setitem(sys.modules, __name__, sys.modules[Mine.__module__])
    install_plugin("net2vec.networks", "mine", f"{__name__}:Mine")
    install_plugin("net2vec.networks", "gone", "no.such.package:Source")
    install_plugin("net2vec.networks", "wrong", "collections:Counter")


def test_a_network_of_another_package_is_loaded_by_its_prefix():
    network = load_network("mine:thing", seed=3)
    assert network.name == "mine:thing"
    assert network.layers == ("1",)
    assert not network.module.training
    assert network.digest == load_network("mine:thing", seed=3).digest
    assert network.digest != load_network("mine:thing", seed=4).digest


def test_networks_of_other_packages_are_listed_and_a_broken_source_hides_no_other(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["networks", "--json"])
    rows = {row["network"]: row for row in json.loads(capsys.readouterr().out)}
    assert next(iter(rows)) == "efficientnet_lite0"
    assert (rows["mine:thing"]["task"], rows["mine:thing"]["source"]) == ("things", "my own")
    assert "no.such.package:Source cannot be loaded" in rows["gone:NAME"]["task"]
    assert rows.keys() == available_networks().keys()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mine:broken", r"mine:broken cannot be loaded: KeyError: 'thing'; pip install things"),
        ("mine:number", "its source returns a int, not a net2vec.networks.Network"),
        ("gone:thing", r"'gone' of no.such.package:Source .*No module named 'no'; update"),
        (
            "wrong:thing",
            "collections:Counter is no subclass of .*NetworkSource; update",
        ),
        ("nothing", "also torchvision:NAME, .*mine:NAME, .*file.py:function"),
    ],
)
def test_what_another_package_does_wrong_is_told_in_one_line(name, message):
    with pytest.raises(NetworkError, match=message) as caught:
        load_network(name)
    assert "\n" not in str(caught.value)
