"""Readers of dataset layouts, one file or package each."""

from net2vec.data.readers.ade20k import Ade20kDataset
from net2vec.data.readers.base import Evidence, Reader
from net2vec.data.readers.broden import BrodenDataset
from net2vec.data.readers.coco import CocoDataset
from net2vec.data.readers.folders import FolderDataset
from net2vec.data.readers.label_studio import LabelStudioDataset
from net2vec.data.readers.masks import MaskDataset
from net2vec.data.readers.parquet import ParquetDataset
from net2vec.data.readers.webdataset import WebDataset

READERS: tuple[type[Reader], ...] = (
    BrodenDataset,
    Ade20kDataset,
    CocoDataset,
    MaskDataset,
    LabelStudioDataset,
    ParquetDataset,
    WebDataset,
    FolderDataset,
)
"""The built-in readers, class folders, a fallback, last."""

__all__ = [
    "READERS",
    "Ade20kDataset",
    "BrodenDataset",
    "CocoDataset",
    "Evidence",
    "FolderDataset",
    "LabelStudioDataset",
    "MaskDataset",
    "ParquetDataset",
    "Reader",
    "WebDataset",
]
