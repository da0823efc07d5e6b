import numpy as np
import pytest
import torch

from net2vec.errors import NetworkError
from net2vec.networks import available_networks, list_layers, load_network
from net2vec.networks.caffe.graph import CaffeNetwork
from net2vec.networks.caffe.messages import read_definition
from net2vec.networks.sources import zoo
from networks.caffe.writing import conv, data, draw_weights, layer, pool, write_network
from networks.serving import serving

TEXT = (
    data(32)
    + conv("conv4", "data", 4, 5, stride=2)
    + pool("pool4", "conv4", 2, 2)
    + conv("conv5", "pool4", 6, 3, pad=1)
    + layer("InnerProduct", "fc", "conv5", "inner_product_param { num_output: 3 }")
)


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("NET2VEC_CACHE", str(tmp_path / "cache"))


def _write(folder, stem="net"):
    folder.mkdir(exist_ok=True)
    definition, _ = write_network(folder, TEXT, {}, stem=stem)
    weights = draw_weights(CaffeNetwork(read_definition(definition)))
    return (*write_network(folder, TEXT, weights, stem=stem), weights)


def test_a_prototxt_and_a_caffemodel_are_a_network(tmp_path):
    definition, model, weights = _write(tmp_path)
    network = load_network(str(definition), weights=str(model))
    assert network.weights == "file:net.caffemodel"
    assert network.layers == ("conv4", "conv5")
    assert [info.shape for info in list_layers(network) if info.path == "conv5"] == [(6, 7, 7)]
    assert np.allclose(network.module.conv5.conv5.weight.detach(), weights["conv5"][0])
    assert (network.preprocessing.size, network.preprocessing.channels) == (32, "BGR")
    assert np.allclose(network.preprocessing.mean, (104.00698793, 116.66876762, 122.67891434))
    assert load_network(str(definition), weights="random").digest != network.digest
    with pytest.raises(NetworkError, match="no published weights: give --weights FILE or random"):
        load_network(str(definition))


def test_a_caffe_network_takes_its_weights_from_a_state_dict_too(tmp_path):
    definition, model, _ = _write(tmp_path)
    network = load_network(str(definition), weights=str(model))
    torch.save({"state_dict": network.module.state_dict()}, tmp_path / "net.pth")
    again = load_network(str(definition), weights=str(tmp_path / "net.pth"))
    assert again.digest == network.digest


def test_the_prototxt_that_is_named_is_used_whatever_lies_beside_the_weights(tmp_path):
    def text(pad):
        return data(32) + conv("conv", "data", 4, 3, pad=pad)

    weights = draw_weights(CaffeNetwork(read_definition(write_network(tmp_path, text(0), {})[0])))
    _, model = write_network(tmp_path, text(0), weights)
    named, _ = write_network(tmp_path, text(1), {}, stem="mine")
    assert model.with_suffix(".prototxt").is_file()
    network = load_network(str(named), weights=str(model))
    assert {info.shape for info in list_layers(network)} == {(4, 32, 32)}  # without pad, 30


def test_a_network_of_the_table_follows_the_prototxt_beside_its_weights(tmp_path):
    _, model, _ = _write(tmp_path, "weakly_audio")
    network = load_network("alexnet_audio", weights=str(model))
    assert network.layers == ("conv5",)
    assert network.module.conv5.conv5.out_channels == 6
    assert network.preprocessing.size == 32
    model.with_suffix(".prototxt").unlink()
    with pytest.raises(NetworkError, match=r"do not fit CaffeNetwork: .* missing"):
        load_network("alexnet_audio", weights=str(model))


def test_published_files_are_fetched_and_used(tmp_path, monkeypatch):
    _write(tmp_path / "zoo", "weakly_audio")
    with serving(tmp_path / "zoo") as (address, asked):
        entry = zoo._self_supervised("audio", "weakly_audio", "videos", lambda: None, zoo=address)
        monkeypatch.setattr(zoo, "NETWORKS", {"alexnet_audio": entry})
        network = load_network("alexnet_audio")
    assert sorted(asked) == ["/weakly_audio.caffemodel", "/weakly_audio.prototxt"]
    assert network.trained
    assert network.weights == "weakly_audio"
    offline = load_network("alexnet_audio")  # from the cache
    assert offline.digest == network.digest


@pytest.mark.parametrize("name", ["alexnet_places365", "vgg16_places365", "alexnet_egomotion"])
def test_where_nothing_can_be_had_the_line_says_what_to_fetch(name, monkeypatch, tmp_path):
    def refuse(*_args, **_keywords):
        raise OSError("unreachable")

    monkeypatch.setattr("pooch.retrieve", refuse)
    with pytest.raises(NetworkError, match=r"unreachable; fetch http.*networks/" + name):
        load_network(name)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("alexnet_places365", [(256, 13, 13)]),
        ("vgg16_places365", [(512, 14, 14)]),
        ("googlenet_places365", [(832, 14, 14), (1024, 7, 7)]),
        *(
            (f"alexnet_{task}", [(256, 13, 13)])
            for task in ("tracking", "audio", "objectcentric", "moving", "egomotion")
        ),
    ],
)
def test_the_papers_other_networks_have_their_layers(name, shapes):
    network = load_network(name, weights="random")
    layers = {info.path: info for info in list_layers(network)}
    assert [layers[path].shape for path in network.layers] == shapes
    assert all(layers[path].activation for path in network.layers)
    for alias, path in network.aliases.items():
        assert alias in layers[path].aliases


def test_every_network_of_the_table_says_what_it_is():
    for entry in available_networks().values():
        assert entry.task
        assert entry.training_set
        assert entry.layers
        assert entry.licence
        assert entry.source
