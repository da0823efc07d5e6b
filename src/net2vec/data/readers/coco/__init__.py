"""COCO's annotations: JSON files, the regions in them, and the images that they name."""

from net2vec.data.readers.coco.dataset import CocoDataset, is_coco, stack_masks

__all__ = ["CocoDataset", "is_coco", "stack_masks"]
