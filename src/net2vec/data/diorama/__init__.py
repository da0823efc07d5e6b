"""The embedded probe dataset: scenes and textures rendered on demand, annotated by construction."""

from net2vec.data.diorama.dataset import Diorama

__all__ = ["Diorama"]
