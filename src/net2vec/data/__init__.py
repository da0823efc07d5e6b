"""Probe datasets: annotated images behind one protocol."""

from net2vec.data.opening import open_dataset, open_datasets
from net2vec.data.protocol import Annotation, Plane, ProbeDataset

__all__ = ["Annotation", "Plane", "ProbeDataset", "open_dataset", "open_datasets"]
