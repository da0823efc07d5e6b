"""The formats that annotated images come in, a reader each."""

from net2vec.data.readers.ade20k import Ade20kDataset
from net2vec.data.readers.broden import BrodenDataset
from net2vec.data.readers.coco import CocoDataset
from net2vec.data.readers.folders import FolderDataset
from net2vec.data.readers.masks import MaskDataset

__all__ = ["Ade20kDataset", "BrodenDataset", "CocoDataset", "FolderDataset", "MaskDataset"]
