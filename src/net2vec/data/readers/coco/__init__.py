"""COCO annotations: JSON files, the regions in them, and the images that they name."""

from net2vec.data.readers.coco.dataset import CocoDataset, stack_masks

__all__ = ["CocoDataset", "stack_masks"]
