"""What a network's concept vectors say of new images, without the probe dataset.

Everything here takes plain values; `net2vec.runs` takes them out of a finished run.
"""

from net2vec.prediction.classification import classify_images
from net2vec.prediction.encodings import Encoding
from net2vec.prediction.files import MapWriter, Written
from net2vec.prediction.images import NewImage, gather_images
from net2vec.prediction.looking import Glance, Looking
from net2vec.prediction.network import (
    BATCH_NORM,
    GIVEN,
    open_network,
    restore_batch_norm,
    save_batch_norm,
)
from net2vec.prediction.segmentation import (
    FullSize,
    predict,
    segment_full_size,
    segment_images,
)

__all__ = [
    "BATCH_NORM",
    "GIVEN",
    "Encoding",
    "FullSize",
    "Glance",
    "Looking",
    "MapWriter",
    "NewImage",
    "Written",
    "classify_images",
    "gather_images",
    "open_network",
    "predict",
    "restore_batch_norm",
    "save_batch_norm",
    "segment_full_size",
    "segment_images",
]
