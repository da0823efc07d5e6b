"""Small COCO documents."""

from __future__ import annotations

import json

import numpy as np

CATEGORIES = [
    {"id": 1, "name": "person", "supercategory": "person"},
    {"id": 3, "name": "car", "supercategory": "vehicle"},
    {"id": 6, "name": "bus", "supercategory": "vehicle"},
    {"id": 90, "name": "unlabeled", "supercategory": "other"},
]


def document(annotations, *images, categories=CATEGORIES):
    """Images are 6 wide and 4 high, numbered from 1."""
    listed = [
        {"id": number, "file_name": name, "height": 4, "width": 6}
        for number, name in enumerate(images, start=1)
    ]
    return json.dumps({"images": listed, "annotations": annotations, "categories": categories})


def region(category, segmentation, image=1, crowd=0):
    return {
        "image_id": image,
        "category_id": category,
        "segmentation": segmentation,
        "iscrowd": crowd,
    }


def box(left, top, right, bottom):
    return [[left, top, right, top, right, bottom, left, bottom]]


def columns(*values):
    """Uncompressed run lengths of a mask: columns of 4, first of pixels that are off."""
    flat = np.repeat(values, 4)
    changes = np.flatnonzero(np.diff(np.concatenate([[0], flat]))).tolist()
    return {"counts": np.diff([0, *changes, flat.size]).tolist(), "size": [4, flat.size // 4]}


def maps(dataset, index):
    return [
        (plane.category, [[dataset.labels[label] for label in row] for row in plane.labels])
        for plane in dataset.annotation(index).planes
    ]
