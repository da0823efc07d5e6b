"""Writes what Caffe would: text of networks, and weights for them."""

import numpy as np
from google.protobuf import text_format

from net2vec.networks.caffe.messages import net_parameter


def conv(name, bottom, outputs, kernel, relu=True, **settings):
    text = " ".join(f"{key}: {value}" for key, value in settings.items())
    layer = (
        f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" '
        f"param {{ lr_mult: 1 }} convolution_param {{ num_output: {outputs} "
        f'kernel_size: {kernel} {text} weight_filler {{ type: "xavier" }} }} }}\n'
    )
    return layer + (inplace("ReLU", f"relu_{name}", name) if relu else "")


def layer(kind, name, bottoms, settings="", top=None):
    read = " ".join(f'bottom: "{bottom}"' for bottom in bottoms.split())
    return f'layer {{ name: "{name}" type: "{kind}" {read} top: "{top or name}" {settings} }}\n'


def inplace(kind, name, blob, settings=""):
    return layer(kind, name, blob, settings, top=blob)


def pool(name, bottom, kernel, stride, pad=0, method="MAX"):
    return layer(
        "Pooling",
        name,
        bottom,
        f"pooling_param {{ pool: {method} kernel_size: {kernel} stride: {stride} pad: {pad} }}",
    )


def data(size):
    return 'name: "test"\ninput: "data"\ninput_dim: 1 input_dim: 3\n' + (
        f"input_dim: {size} input_dim: {size}\n"
    )


def write_network(folder, text, weights, *, old=False, stem="net"):
    """A prototxt and a caffemodel.

    Args:
        folder: where to write.
        text: the prototxt.
        weights: arrays of each layer, by its name.
        old: whether the caffemodel is of the older kind of messages, whose shapes have four
            numbers.
        stem: name of both files.

    Returns:
        Their paths.
    """
    definition, model = folder / f"{stem}.prototxt", folder / f"{stem}.caffemodel"
    definition.write_text(text)
    net = text_format.Parse(text, net_parameter()(), allow_unknown_field=True)
    for message in (*net.layer, *net.layers):
        for array in weights.get(message.name, ()):
            blob = message.blobs.add(data=np.asarray(array, dtype="<f4").tobytes())
            if old:
                sizes = (1,) * (4 - array.ndim) + array.shape
                blob.num, blob.channels, blob.height, blob.width = sizes
            else:
                blob.shape.dim.extend(array.shape)
    model.write_bytes(net.SerializeToString())
    return definition, model


def draw(shape, seed):
    return np.random.default_rng(seed).normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape)


def draw_weights(module):
    """Random Caffe weights for every layer of a `CaffeNetwork`, by the layer's name."""
    weights = {}
    for path, part in module.named_modules():
        own = dict(part.named_parameters(recurse=False))
        name = path.rpartition(".")[2]
        if hasattr(part, "running_mean"):
            size, seed = len(part.running_mean), len(weights)
            mean, variance = draw((size, 1), seed)[:, 0], draw((size, 1), seed + 50)[:, 0] ** 2
            weights[name] = [mean * 3, (variance + 0.1) * 3, np.array([3.0])]
        elif own:
            weights[name] = [
                draw(
                    tuple(tensor.shape) if tensor.ndim > 1 else (len(tensor), 1), i + len(weights)
                ).reshape(tensor.shape)
                for i, tensor in enumerate(own.values())
            ]
    return weights
