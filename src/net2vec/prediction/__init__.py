"""Predictions of concepts in new images by learned vectors, without the probe dataset.

Everything here takes plain values; `net2vec.runs` takes them out of a finished run.
"""

from net2vec.prediction.classification import classify_images
from net2vec.prediction.encodings import Encoding
from net2vec.prediction.files import MapWriter, Written
from net2vec.prediction.forward import ForwardPass, LayerOutputs
from net2vec.prediction.images import Images, NewImage, gather_images
from net2vec.prediction.network import (
    BASES,
    BATCH_NORM,
    GIVEN,
    Transform,
    open_network,
    restore_bases,
    restore_batch_norm,
    save_batch_norm,
)
from net2vec.prediction.segmentation import (
    FullSize,
    concept_grids,
    logits,
    predict,
    segment_full_size,
    segment_images,
)

__all__ = [
    "BASES",
    "BATCH_NORM",
    "GIVEN",
    "Encoding",
    "ForwardPass",
    "FullSize",
    "Images",
    "LayerOutputs",
    "MapWriter",
    "NewImage",
    "Transform",
    "Written",
    "classify_images",
    "concept_grids",
    "gather_images",
    "logits",
    "open_network",
    "predict",
    "restore_bases",
    "restore_batch_norm",
    "save_batch_norm",
    "segment_full_size",
    "segment_images",
]
