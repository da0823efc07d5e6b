import numpy as np
import pytest

from net2vec.errors import NetworkError
from net2vec.networks.caffe.messages import layers_for_testing, read_definition, read_weights
from networks.caffe.writing import conv, data, write_network


def test_the_bytes_of_weights_are_read_as_caffe_writes_them(tmp_path):
    """Written out by hand: field numbers and the packed list are Caffe's, not ours."""

    def field(number, content):
        return bytes([number << 3 | 2, len(content)]) + content

    values = np.array([1.5, -2.0], dtype="<f4").tobytes()
    shape = field(1, bytes([2, 1]))
    blob = field(7, shape) + field(5, values)
    layer = field(1, b"ip") + field(2, b"InnerProduct") + field(7, blob)
    number = 100 << 3 | 2
    net = bytes([number & 0x7F | 0x80, number >> 7, len(layer)]) + layer
    (tmp_path / "net.caffemodel").write_bytes(net)
    weights = read_weights(tmp_path / "net.caffemodel")
    assert list(weights) == ["ip"]
    assert weights["ip"][0].tolist() == [[1.5], [-2.0]]


def test_double_precision_is_read(tmp_path):
    from net2vec.networks.caffe.messages import net_parameter

    net = net_parameter()()
    blob = net.layer.add(name="a").blobs.add(double_data=np.array([0.5, 2.0]).tobytes())
    blob.shape.dim.append(2)
    (tmp_path / "net.caffemodel").write_bytes(net.SerializeToString())
    array = read_weights(tmp_path / "net.caffemodel")["a"][0]
    assert array.dtype == np.float32
    assert array.tolist() == [0.5, 2.0]


def test_old_and_new_layers_come_out_alike(tmp_path):
    (tmp_path / "new.prototxt").write_text(
        'layer { name: "a" type: "InnerProduct" bottom: "x" top: "y" }'
        'layer { name: "b" type: "SoftmaxWithLoss" } layer { name: "c" type: "Convolution" }'
    )
    (tmp_path / "old.prototxt").write_text(
        'layers { name: "a" type: INNER_PRODUCT bottom: "x" top: "y" }'
        'layers { name: "b" type: SOFTMAX_LOSS } layers { name: "c" type: CONVOLUTION }'
    )
    new, old = (
        [
            (layer.name, layer.type, layer.bottoms, layer.tops)
            for layer in layers_for_testing(read_definition(tmp_path / f"{kind}.prototxt"))
        ]
        for kind in ("new", "old")
    )
    assert new == old
    assert new[0] == ("a", "InnerProduct", ("x",), ("y",))


def test_defaults_are_caffes(tmp_path):
    (tmp_path / "net.prototxt").write_text(
        "layer { convolution_param { } pooling_param { } lrn_param { } eltwise_param { } }"
    )
    layer = read_definition(tmp_path / "net.prototxt").layer[0]
    assert layer.convolution_param.bias_term
    assert layer.convolution_param.group == 1
    assert (layer.lrn_param.local_size, layer.lrn_param.beta) == (5, 0.75)
    assert layer.eltwise_param.operation == 1
    assert layer.batch_norm_param.eps == np.float32(1e-5)


def test_broken_files_are_told_in_one_line(tmp_path):
    bad = tmp_path / "bad.prototxt"
    nested = (b"layer { " * 100_000, b"a: [" * 100_000)
    for content in (b'layer { name: "a"', b"\xff\xfe", b"layer { bottom: 3 }", *nested):
        bad.write_bytes(content)
        with pytest.raises(NetworkError, match="no readable prototxt") as caught:
            read_definition(bad)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 500
    with pytest.raises(NetworkError, match="no readable prototxt"):
        read_definition(tmp_path / "absent.prototxt")

    text = data(4) + conv("a", "data", 2, 1)
    _, model = write_network(tmp_path, text, {"a": [np.ones((2, 3, 1, 1)), np.ones(2)]})
    whole = model.read_bytes()
    for content in (whole[:-3], b"<html>", b""):
        model.write_bytes(content)
        with pytest.raises(NetworkError, match="no readable caffemodel"):
            read_weights(model)
    with pytest.raises(NetworkError, match="no readable caffemodel"):
        read_weights(tmp_path / "absent.caffemodel")


def test_values_that_do_not_fill_their_shape_are_told(tmp_path):
    text = data(4) + conv("a", "data", 2, 1)
    _, model = write_network(tmp_path, text, {"a": [np.ones((2, 3))]})
    model.write_bytes(model.read_bytes().replace(b"\x08\x02\x08\x03", b"\x08\x02\x08\x04"))
    with pytest.raises(NetworkError, match=r"layer a of .* holds 6 values for the shape \(2, 4\)"):
        read_weights(model)
