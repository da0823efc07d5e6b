"""Tables of images in Parquet shards, as the Hugging Face hub has them."""

from net2vec.data.readers.parquet.dataset import ParquetDataset

__all__ = ["ParquetDataset"]
