"""Broden's folder layout: its tables, and the dataset that they describe."""

from net2vec.data.readers.broden.dataset import BrodenDataset
from net2vec.data.readers.broden.tables import MAX_NUMBER, RESERVED, one_line

__all__ = ["MAX_NUMBER", "RESERVED", "BrodenDataset", "one_line"]
