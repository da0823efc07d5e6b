"""The formats that annotated images come in, a reader each."""

from net2vec.data.readers.broden import BrodenDataset

__all__ = ["BrodenDataset"]
