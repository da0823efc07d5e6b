"""Models that make the masks of images which have none.

An annotator turns an image into masks with names; a source opens the annotators of one origin
(`registry` lists the sources). `annotating` writes what they make as a dataset, `likeness` compares
them with a network that is to be probed.
"""

from net2vec.annotators.annotating import Annotated, annotate_images
from net2vec.annotators.base import Annotator, AnnotatorSource, Masks, Request
from net2vec.annotators.likeness import Likeness, likeness
from net2vec.annotators.registry import open_annotator

__all__ = [
    "Annotated",
    "Annotator",
    "AnnotatorSource",
    "Likeness",
    "Masks",
    "Request",
    "annotate_images",
    "likeness",
    "open_annotator",
]
