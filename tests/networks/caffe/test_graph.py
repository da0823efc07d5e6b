"""The networks that we build from Caffe's files compute what OpenCV's own reader computes."""

import cv2
import numpy as np
import pytest
import torch

from net2vec.errors import NetworkError
from net2vec.networks import capture_outputs
from net2vec.networks.caffe.graph import CaffeNetwork
from net2vec.networks.caffe.messages import read_definition
from networks.caffe.writing import conv, data, draw_weights, inplace, layer, pool, write_network

_LRN = "lrn_param { local_size: 5 alpha: 0.01 beta: 0.75 }"

ALEXNET = (
    data(67)
    + conv("conv1", "data", 12, 11, stride=4)
    + pool("pool1", "conv1", 3, 2)
    + layer("LRN", "norm1", "pool1", _LRN)
    + conv("conv2", "norm1", 16, 5, pad=2, group=2)
    + pool("pool2", "conv2", 3, 2)
    + conv("conv3", "pool2", 8, 3, pad=2, dilation=2)
    + layer("InnerProduct", "fc6", "conv3", "inner_product_param { num_output: 10 }")
    + inplace("ReLU", "relu6", "fc6")
    + inplace("Dropout", "drop6", "fc6", "dropout_param { dropout_ratio: 0.5 }")
    + layer("InnerProduct", "fc8", "fc6", "inner_product_param { num_output: 7 }")
    + layer("Softmax", "prob", "fc8")
)
VGG = (
    data(30)
    + conv("conv1_1", "data", 6, 3, pad=1)
    + conv("conv1_2", "conv1_1", 6, 3, pad=1)
    + pool("pool1", "conv1_2", 2, 2)
    + conv("conv2_1", "pool1", 8, 3, pad=1)
    + pool("pool2", "conv2_1", 2, 2)
    + layer("InnerProduct", "fc8", "pool2", "inner_product_param { num_output: 5 }")
)
INCEPTION = (
    data(33)
    + conv("stem/3x3", "data", 8, 3, stride=2)
    + conv("in/1x1", "stem/3x3", 4, 1)
    + conv("in/3x3_reduce", "stem/3x3", 3, 1)
    + conv("in/3x3", "in/3x3_reduce", 5, 3, pad=1)
    + pool("in/pool", "stem/3x3", 3, 1, pad=1)
    + conv("in/pool_proj", "in/pool", 2, 1)
    + layer("Concat", "in/output", "in/1x1 in/3x3 in/pool_proj")
    + pool("average", "in/output", 3, 2, pad=1, method="AVE")
    + layer("Pooling", "global", "average", "pooling_param { pool: AVE global_pooling: true }")
    + layer("InnerProduct", "fc", "global", "inner_product_param { num_output: 4 }")
)
RESIDUAL = (
    data(20)
    + conv("conv1", "data", 6, 3, relu=False, pad=1, bias_term="false")
    + inplace("BatchNorm", "bn1", "conv1", "batch_norm_param { use_global_stats: true }")
    + inplace("Scale", "scale1", "conv1", "scale_param { bias_term: true }")
    + inplace("ReLU", "relu1", "conv1")
    + conv("conv2", "conv1", 6, 3, relu=False, pad=1)
    + layer("Eltwise", "sum", "conv1 conv2", "eltwise_param { coeff: 1 coeff: -0.5 }")
    + inplace("ReLU", "sum_relu", "sum", "relu_param { negative_slope: 0.1 }")
    + layer("Eltwise", "larger", "sum conv2", "eltwise_param { operation: MAX }")
    + layer("Eltwise", "product", "larger conv2", "eltwise_param { operation: PROD }")
    + layer("PReLU", "prelu", "product")
    + layer("TanH", "tanh", "prelu")
    + layer("Sigmoid", "sigmoid", "tanh")
    + layer("Power", "power", "sigmoid", "power_param { power: 2 scale: 0.5 shift: 1 }")
    + layer("ELU", "elu", "conv2", "elu_param { alpha: 0.5 }")
    + layer("Concat", "both", "power elu", "concat_param { axis: 2 }")
    + layer("Flatten", "flat", "both")
)
WITHIN = (
    data(15)
    + conv("conv1", "data", 4, 3)
    + layer(
        "LRN", "norm", "conv1", "lrn_param { local_size: 3 alpha: 2 norm_region: WITHIN_CHANNEL }"
    )
)
OLD = (
    data(20)
    + """
layers { name: "conv1" type: CONVOLUTION bottom: "data" top: "conv1" blobs_lr: 1 blobs_lr: 2
  weight_decay: 1 convolution_param { num_output: 6 kernel_size: 3 stride: 2 group: 3 } }
layers { name: "relu1" type: RELU bottom: "conv1" top: "conv1" }
layers { name: "norm1" type: LRN bottom: "conv1" top: "norm1" lrn_param { alpha: 0.1 } }
layers { name: "pool1" type: POOLING bottom: "norm1" top: "pool1"
  pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layers { name: "fc2" type: INNER_PRODUCT bottom: "pool1" top: "fc2"
  inner_product_param { num_output: 5 weight_filler { type: "gaussian" std: 0.1 } } }
layers { name: "prob" type: SOFTMAX bottom: "fc2" top: "prob" }
"""
)


def _image(size):
    return np.random.default_rng(7).normal(0, 1, (2, 3, size, size)).astype(np.float32)


def _build(folder, text, old=False):
    definition, model = write_network(folder, text, {}, old=old)
    weights = draw_weights(CaffeNetwork(read_definition(definition)))
    definition, model = write_network(folder, text, weights, old=old)
    network = CaffeNetwork(read_definition(definition)).eval()
    network.load_caffemodel(model)
    return network, definition, model


# Our names on the left; on the right OpenCV's, which shows every layer by itself.
@pytest.mark.parametrize(
    ("text", "names", "old"),
    [
        (
            ALEXNET,
            "conv1.conv1=conv1 conv1=relu_conv1 pool1 norm1 conv2=relu_conv2 pool2 "
            "conv3=relu_conv3 fc6=drop6 fc8 prob",
            False,
        ),
        (VGG, "conv1_2=relu_conv1_2 pool2 fc8", False),
        (
            INCEPTION,
            "in/3x3=relu_in/3x3 in/pool in/pool_proj.in/pool_proj=in/pool_proj in/output average "
            "global fc",
            False,
        ),
        (
            RESIDUAL,
            "conv1=relu1 conv1.bn1=bn1 conv2 sum=sum_relu larger product prelu tanh power elu flat",
            False,
        ),
        (WITHIN, "norm", False),
        (OLD, "conv1=relu1 norm1 pool1 fc2 prob", True),
    ],
    ids=["alexnet", "vgg", "inception", "residual", "within", "old"],
)
def test_opencv_computes_the_same(tmp_path, text, names, old):
    network, definition, model = _build(tmp_path, text, old)
    pairs = [name.partition("=")[::2] for name in names.split()]
    image = _image(network.input_shape[1])
    witness = cv2.dnn.readNetFromCaffe(str(definition), str(model))
    witness.enableFusion(False)
    with torch.no_grad(), capture_outputs(network, [name for name, _ in pairs]) as ours:
        network(torch.from_numpy(image))
    for name, theirs in pairs:
        witness.setInput(image)
        expected = witness.forward(theirs or name)
        assert ours[name].shape == expected.shape
        assert expected.std() > 1e-3
        np.testing.assert_allclose(ours[name].numpy(), expected, atol=1e-4, err_msg=name)


def test_a_name_stands_for_the_blob_after_the_layers_that_work_in_place(tmp_path):
    network, *_ = _build(tmp_path, ALEXNET)
    layers = ("conv1", "conv1.conv1", "conv1.relu_conv1")
    with torch.no_grad(), capture_outputs(network, layers) as outputs:
        network(torch.from_numpy(_image(67)))
    assert (outputs["conv1.conv1"] < 0).any()
    assert torch.equal(outputs["conv1"], outputs["conv1.conv1"].relu())
    assert torch.equal(outputs["conv1"], outputs["conv1.relu_conv1"])
    assert network.aliases["relu_conv1"] == "conv1.relu_conv1"


def test_a_blob_that_is_read_before_it_is_overwritten_keeps_its_first_value():
    text = (
        data(8)
        + conv("a", "data", 2, 1, relu=False)
        + layer("Power", "before", "a")
        + inplace("ReLU", "late", "a")
        + layer("Eltwise", "end", "before a")
    )
    torch.manual_seed(0)
    network = _parsed(text)
    with capture_outputs(network, ["a", "before", "late", "end"]) as outputs:
        network(torch.from_numpy(_image(8)))
    assert torch.equal(outputs["before"], outputs["a"])
    assert (outputs["before"] < 0).any()
    assert torch.equal(outputs["late"], outputs["a"].relu())
    assert torch.equal(outputs["end"], outputs["before"] + outputs["late"])


def test_layers_of_the_training_are_left_out():
    text = (
        data(8)
        + 'layer { name: "train" type: "Data" top: "data" top: "label" include { phase: TRAIN } }'
        + conv("a", "data", 2, 1)
        + layer("SoftmaxWithLoss", "loss", "a label")
        + layer("Accuracy", "accuracy", "a label")
        + 'layer { name: "out" type: "ReLU" bottom: "a" top: "out" exclude { phase: TEST } }'
    )
    assert [name for name, _ in _parsed(text).named_children()] == ["a"]


def test_slices_copies_and_odd_names():
    text = (
        data(6)
        + conv("fc.1", "data", 4, 1, relu=False)
        + 'layer { name: "train" type: "Slice" bottom: "fc.1" top: "x" top: "y" '
        "slice_param { slice_point: 1 } }"
        + 'layer { name: "split" type: "Split" bottom: "y" top: "y1" top: "y2" }'
        + layer("Concat", "end", "y1 x y2")
        + layer("Reshape", "flat", "end", "reshape_param { shape { dim: 0 dim: -1 } }")
    )
    network = _parsed(text)
    with capture_outputs(network, ["fc_1", "flat"]) as outputs:
        network(torch.from_numpy(_image(6)))
    first, rest = outputs["fc_1"][:, :1], outputs["fc_1"][:, 1:]
    assert torch.equal(outputs["flat"], torch.cat([rest, first, rest], 1).flatten(1))
    assert network.aliases["fc.1"] == "fc_1"
    assert "train_" in dict(network.named_children())


def _parsed(text):
    from google.protobuf import text_format

    from net2vec.networks.caffe.messages import net_parameter

    return CaffeNetwork(text_format.Parse(text, net_parameter()(), allow_unknown_field=True))


def test_weights_may_be_stored_as_inputs_by_outputs(tmp_path):
    """Which OpenCV does not know."""
    text = data(1) + layer(
        "InnerProduct", "fc", "data", "inner_product_param { num_output: 2 transpose: true }"
    )
    weight, bias = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([0.5, -0.5])
    definition, model = write_network(tmp_path, text, {"fc": [weight, bias]}, old=True)
    network = CaffeNetwork(read_definition(definition))
    network.load_caffemodel(model)
    batch = torch.tensor([1.0, 10.0, 100.0]).reshape(1, 3, 1, 1)
    assert network(batch).tolist() == [[531.5, 641.5]]


def test_the_digest_knows_who_reads_what():
    from net2vec.networks.digest import module_digest

    def digest(bottom):
        torch.manual_seed(0)
        layers = conv("a", "data", 3, 1) + conv("b", "data", 3, 1)
        return module_digest(_parsed(data(4) + layers + layer("TanH", "c", bottom)))

    assert digest("a") == digest("a") != digest("b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (conv("a", "data", 2, 1), "does not say the four sizes of its input"),
        (data(8) + layer("Deconvolution", "up", "data"), "up is of type Deconvolution"),
        (data(8) + layer("ReLU", "a", "nothing"), "reads nothing, which no layer writes"),
        (data(8) + conv("a", "data", 2, 1) * 2, "several layers are called a"),
        (data(8) + conv("a", "data", 4, 1, group=3), "layer a does not fit"),
        (data(8) + conv("a", "data", 4, 99), "layer a does not fit"),
        (data(8) + pool("p", "data", 2, 2, method="STOCHASTIC"), "pools at random"),
        (data(8) + 'layers { layer { name: "x" } }', "Caffe's first format"),
    ],
)
def test_what_cannot_be_built_is_told_in_one_line(text, message):
    with pytest.raises(NetworkError, match=message) as caught:
        _parsed(text)
    assert "\n" not in str(caught.value)


def test_weights_that_do_not_fit_are_listed(tmp_path):
    network, _, model = _build(tmp_path, VGG)
    smaller = _parsed(VGG.replace("num_output: 8", "num_output: 9"))
    with pytest.raises(NetworkError, match=r"conv2_1\.conv2_1\.weight \(8, 6, 3, 3\) for \(9, 6"):
        smaller.load_caffemodel(model)
    renamed = _parsed(VGG.replace('"fc8"', '"fc8a"'))
    with pytest.raises(NetworkError, match=r"2 missing \(fc8a\.bias, fc8a\.weight\)"):
        renamed.load_caffemodel(model)
    without_bias = _parsed(VGG.replace("num_output: 6 ", "num_output: 6 bias_term: false ", 1))
    with pytest.raises(NetworkError, match=r"1 unexpected \(conv1_1\.conv1_1\.blob 1\)"):
        without_bias.load_caffemodel(model)
    more = VGG + conv("extra", "fc8", 1, 1)  # a layer that the file has and the network has not
    _, model = write_network(tmp_path, more, draw_weights(network) | {"extra": [np.ones((1, 1))]})
    network.load_caffemodel(model)
