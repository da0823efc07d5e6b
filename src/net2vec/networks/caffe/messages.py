"""The part of Caffe's file format that a classifier needs, and files in it.

Caffe's files are protocol buffers: networks in their text form, weights in their binary form. The
fields below have the names and numbers of Caffe's own description; fields that are not here (how
weights were initialised, learning rates, data layers) are skipped in both forms. `layer` is the
message since 2014, `layers` the one before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format
from google.protobuf.message import DecodeError
from jaxtyping import Float

from net2vec.errors import NetworkError

# A line is `message: field=number:type`, with `*` after the name of a repeated field and `?value`
# after the type for a default that is not zero.
_FIELDS = """
BlobShape: dim*=1:int64
BlobProto: num=1:int32 channels=2:int32 height=3:int32 width=4:int32 data=5:bytes
    shape=7:BlobShape double_data=8:bytes
NetStateRule: phase=1:Phase stage*=4:string
NetParameter: name=1:string input*=3:string input_dim*=4:int32 input_shape*=8:BlobShape
    layer*=100:LayerParameter layers*=2:V1LayerParameter
LayerParameter: name=1:string type=2:string bottom*=3:string top*=4:string blobs*=7:BlobProto
    include*=8:NetStateRule exclude*=9:NetStateRule concat_param=104:ConcatParameter
    convolution_param=106:ConvolutionParameter eltwise_param=110:EltwiseParameter
    inner_product_param=117:InnerProductParameter lrn_param=118:LRNParameter
    pooling_param=121:PoolingParameter power_param=122:PowerParameter relu_param=123:ReLUParameter
    softmax_param=125:SoftmaxParameter slice_param=126:SliceParameter prelu_param=131:PReLUParameter
    reshape_param=133:ReshapeParameter flatten_param=135:FlattenParameter
    batch_norm_param=139:BatchNormParameter elu_param=140:ELUParameter
    scale_param=142:ScaleParameter input_param=143:InputParameter
V1LayerParameter: layer=1:V0LayerParameter bottom*=2:string top*=3:string name=4:string
    type=5:LayerType blobs*=6:BlobProto include*=32:NetStateRule exclude*=33:NetStateRule
    concat_param=9:ConcatParameter convolution_param=10:ConvolutionParameter
    inner_product_param=17:InnerProductParameter lrn_param=18:LRNParameter
    pooling_param=19:PoolingParameter power_param=21:PowerParameter
    eltwise_param=24:EltwiseParameter relu_param=30:ReLUParameter slice_param=31:SliceParameter
    softmax_param=39:SoftmaxParameter
V0LayerParameter: name=1:string
BatchNormParameter: eps=3:float?1e-5
ConcatParameter: concat_dim=1:uint32?1 axis=2:int32?1
ConvolutionParameter: num_output=1:uint32 bias_term=2:bool?true pad*=3:uint32 kernel_size*=4:uint32
    group=5:uint32?1 stride*=6:uint32 pad_h=9:uint32 pad_w=10:uint32 kernel_h=11:uint32
    kernel_w=12:uint32 stride_h=13:uint32 stride_w=14:uint32 dilation*=18:uint32
EltwiseParameter: operation=1:EltwiseOp?SUM coeff*=2:float
ELUParameter: alpha=1:float?1
FlattenParameter: axis=1:int32?1 end_axis=2:int32?-1
InnerProductParameter: num_output=1:uint32 bias_term=2:bool?true axis=5:int32?1 transpose=6:bool
InputParameter: shape*=1:BlobShape
LRNParameter: local_size=1:uint32?5 alpha=2:float?1 beta=3:float?0.75 norm_region=4:NormRegion
    k=5:float?1
PoolingParameter: pool=1:PoolMethod pad*=4:uint32 kernel_size*=2:uint32 stride*=3:uint32
    kernel_h=5:uint32 kernel_w=6:uint32 stride_h=7:uint32 stride_w=8:uint32 pad_h=9:uint32
    pad_w=10:uint32 global_pooling=12:bool
PowerParameter: power=1:float?1 scale=2:float?1 shift=3:float
PReLUParameter: channel_shared=2:bool
ReLUParameter: negative_slope=1:float
ReshapeParameter: shape=1:BlobShape axis=2:int32 num_axes=3:int32?-1
ScaleParameter: axis=1:int32?1 num_axes=2:int32?1 bias_term=4:bool
SliceParameter: slice_dim=1:uint32?1 slice_point*=2:uint32 axis=3:int32?1
SoftmaxParameter: axis=2:int32?1
"""
# `data` is a packed list of floats, which on the wire is the same as bytes; read as bytes, the
# hundred million weights of a layer need no Python object each.

_ENUMS = {
    "Phase": ("TRAIN", "TEST"),
    "EltwiseOp": ("PROD", "SUM", "MAX"),
    "NormRegion": ("ACROSS_CHANNELS", "WITHIN_CHANNEL"),
    "PoolMethod": ("MAX", "AVE", "STOCHASTIC"),
    "LayerType": (
        *("NONE", "ACCURACY", "BNLL", "CONCAT", "CONVOLUTION", "DATA", "DROPOUT"),
        *("EUCLIDEAN_LOSS", "FLATTEN", "HDF5_DATA", "HDF5_OUTPUT", "IM2COL", "IMAGE_DATA"),
        *("INFOGAIN_LOSS", "INNER_PRODUCT", "LRN", "MULTINOMIAL_LOGISTIC_LOSS", "POOLING", "RELU"),
        *("SIGMOID", "SOFTMAX", "SOFTMAX_LOSS", "SPLIT", "TANH", "WINDOW_DATA", "ELTWISE"),
        *("POWER", "SIGMOID_CROSS_ENTROPY_LOSS", "HINGE_LOSS", "MEMORY_DATA", "ARGMAX"),
        *("THRESHOLD", "DUMMY_DATA", "SLICE", "MVN", "ABSVAL", "SILENCE", "CONTRASTIVE_LOSS"),
        *("EXP", "DECONVOLUTION"),
    ),
}
_TEST = _ENUMS["Phase"].index("TEST")
_PACKAGE = "net2vec.caffe"
# Names of layer types since 2014, where they differ from the older ones by more than case.
_OLD_TYPES = {
    "ABSVAL": "AbsVal",
    "BNLL": "BNLL",
    "INNER_PRODUCT": "InnerProduct",
    "LRN": "LRN",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}


@dataclass(frozen=True)
class CaffeLayer:
    """A layer of a network, the same for both kinds of message.

    Attributes:
        name: its name.
        type: what it computes, in the newer spelling (`InnerProduct`).
        bottoms: names of the blobs that it reads.
        tops: names of the blobs that it writes.
        message: the message, which holds the settings (`convolution_param`) and weights (`blobs`).
    """

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    message: Any


_MAX_REASON = 200  # characters: it may quote a line of the file, of any length


@cache
def net_parameter() -> Any:
    """The message class of a whole network, built from the table above."""
    file = descriptor_pb2.FileDescriptorProto(name="net2vec/caffe.proto", package=_PACKAGE)
    for line in _FIELDS.replace("\n    ", " ").strip().splitlines():
        name, _, fields = line.partition(": ")
        message = file.message_type.add(name=name)
        for field in fields.split():
            _add_field(message, field)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.NetParameter"))


def read_definition(path: Path) -> Any:
    """The network that a `.prototxt` describes.

    Raises:
        NetworkError: if the file is missing or no text of that kind.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return text_format.Parse(text, net_parameter()(), allow_unknown_field=True)
    except RecursionError:
        raise NetworkError(f"{path} is no readable prototxt: nested too deeply") from None
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        reason = str(error).partition("\n")[0][:_MAX_REASON]
        raise NetworkError(f"{path} is no readable prototxt: {reason}") from error


def read_weights(path: Path) -> dict[str, list[Float[np.ndarray, "..."]]]:
    """The weights that a `.caffemodel` holds, by the name of the layer.

    Raises:
        NetworkError: if the file is missing or damaged, or a layer's values do not fill its shape.
    """
    try:
        net = net_parameter().FromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise NetworkError(f"{path} is no readable caffemodel: {error}") from error
    if not net.layer and not net.layers:
        raise NetworkError(f"{path} is no readable caffemodel: it has no layers")
    return {
        message.name: [_array(blob, f"layer {message.name} of {path}") for blob in message.blobs]
        for message in (*net.layers, *net.layer)
        if message.blobs
    }


def layers_for_testing(net: Any) -> list[CaffeLayer]:
    """The layers of a network that take part in testing, in order.

    Raises:
        NetworkError: if the network is written in Caffe's very first format.
    """
    if any(message.HasField("layer") for message in net.layers):
        raise NetworkError(
            f"{net.name or 'the network'} is written in Caffe's first format; convert it with "
            f"Caffe's upgrade_net_proto_text and upgrade_net_proto_binary"
        )
    layers = []
    for message in (*net.layer, *net.layers):
        if _takes_part(message):
            kind = message.type
            if isinstance(kind, int):
                old = _ENUMS["LayerType"][kind]
                kind = _OLD_TYPES.get(old, old.title().replace("_", ""))
            layers.append(
                CaffeLayer(message.name, kind, tuple(message.bottom), tuple(message.top), message)
            )
    return layers


def _add_field(message: Any, line: str) -> None:
    name, _, rest = line.partition("=")
    number, _, kind = rest.partition(":")
    kind, _, default = kind.partition("?")
    field = message.field.add(name=name.rstrip("*"), number=int(number))
    proto = descriptor_pb2.FieldDescriptorProto
    field.label = proto.LABEL_REPEATED if name.endswith("*") else proto.LABEL_OPTIONAL
    if default:
        field.default_value = default
    if kind in _ENUMS:
        # Inside the message, since MAX is a value of two of them.
        enum = message.enum_type.add(name=kind)
        for value, text in enumerate(_ENUMS[kind]):
            enum.value.add(name=text, number=value)
        field.type = proto.TYPE_ENUM
        field.type_name = f".{_PACKAGE}.{message.name}.{kind}"
    elif kind[0].isupper():
        field.type = proto.TYPE_MESSAGE
        field.type_name = f".{_PACKAGE}.{kind}"
    else:
        field.type = proto.Type.Value(f"TYPE_{kind.upper()}")


def _takes_part(message: Any) -> bool:
    def holds(rule: Any) -> bool:
        return not rule.stage and (not rule.HasField("phase") or rule.phase == _TEST)

    if message.include:
        return any(holds(rule) for rule in message.include)
    return not any(holds(rule) for rule in message.exclude)


def _array(blob: Any, where: str) -> Float[np.ndarray, "..."]:
    if blob.double_data:
        values = np.frombuffer(blob.double_data, dtype="<f8").astype(np.float32)
    else:
        values = np.frombuffer(blob.data, dtype="<f4")
    if blob.HasField("shape"):
        shape = tuple(blob.shape.dim)
    else:
        shape = (blob.num, blob.channels, blob.height, blob.width)
    if values.size != math.prod(shape):
        raise NetworkError(f"{where} holds {values.size} values for the shape {shape}")
    return values.reshape(shape)
