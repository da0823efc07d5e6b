"""Finds the folders of images and of their masks by known names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from net2vec.data.files import inner_folders, list_files, split_in_path
from net2vec.data.images import IMAGE_SUFFIXES
from net2vec.data.protocol import SPLITS

IMAGE_FOLDERS = (
    "images",
    "image",
    "imgs",
    "img",
    "jpegimages",  # PASCAL VOC
    "leftimg8bit",  # Cityscapes
    "img_dir",  # mmsegmentation
    "photos",
    "photo",
    "pictures",
    "rgb",
    "data",
)
"""Names of image folders, in lower case; the first that exists is used."""

MASK_FOLDERS = (
    "masks",
    "mask",
    "segmentationclass",  # PASCAL VOC
    "segmentationclassaug",  # PASCAL VOC with the masks of SBD
    "segmentationclass_aug",
    "segmentationclassraw",
    "segmentationclasspng",  # labelme, whose `SegmentationClass` holds arrays
    "annotations/pixel-level",
    "annotations/trimaps",  # Oxford-IIIT Pet
    "annotations",
    "annotation",
    "labels",
    "label",
    "gtfine",  # Cityscapes
    "segmentations",
    "segmentation",
    "ground_truth",
    "groundtruth",
    "gt",
    "ann_dir",  # mmsegmentation
)
"""Names of mask folders, in lower case; the first that contains masks is used."""

MASK_SUFFIXES = frozenset({".png", ".bmp", ".gif", ".tif", ".tiff"})

_MASK_ENDINGS = ("annot", "_annot", "_masks", "_labels")

# Cityscapes: stems of an image and its mask end differently, and each image has masks of other
# kinds than class numbers too.
CITYSCAPES_IMAGE = "_leftImg8bit"
_CITYSCAPES_MASK = "_gtFine_labelIds"


@dataclass(frozen=True)
class FolderPair:
    """A folder of images and the folder of their masks.

    Attributes:
        images: the folder of images.
        masks: the folder of masks that is read.
        other_masks: other folders of masks of the same images, which are not read.
    """

    images: Path
    masks: Path
    other_masks: tuple[Path, ...] = ()


def folder_pairs(folder: Path) -> list[FolderPair]:
    """Pairs in a folder, in its split folders, or formed by these (`train`, `trainannot`)."""
    pairs = _named_pair(folder)
    inner = inner_folders(folder)
    for name, path in inner.items():
        if split_in_path(name) in SPLITS:
            pairs += _named_pair(path)
            beside = (inner.get(name + ending) for ending in _MASK_ENDINGS)
            pairs += [FolderPair(path, masks) for masks in beside if masks is not None]
    return pairs


def mask_files(masks: Path) -> dict[str, str]:
    """Masks by the stem that they share with their image, relative to the folder of masks."""
    files = {str(Path(file).with_suffix("")): file for file in list_files(masks, MASK_SUFFIXES)}
    numbered = {
        stem.removesuffix(_CITYSCAPES_MASK): file
        for stem, file in files.items()
        if stem.endswith(_CITYSCAPES_MASK)
    }
    return numbered or files


def unread_masks(folder: Path, *, only_images: bool) -> str | None:
    """Why the mask folder of an image folder is not read as such; None if there is none.

    Args:
        folder: the parent of both, or of split folders that contain both.
        only_images: whether a mask folder without image files is disregarded.
    """
    splits = [path for name, path in inner_folders(folder).items() if split_in_path(name) in SPLITS]
    for parent in (folder, *splits):
        inner = inner_folders(parent)
        if not _named(inner, IMAGE_FOLDERS) or _named_pair(parent):
            continue
        for masks in _named(inner, MASK_FOLDERS):
            kinds = sorted({path.suffix.lower() for path in masks.rglob("*") if path.suffix})
            if not only_images or not IMAGE_SUFFIXES.isdisjoint(kinds):
                held = f"{' and '.join(kinds)} files" if kinds else "no pictures"
                return f"{masks}: holds {held}; masks are read from PNG"
    return None


def _named_pair(folder: Path) -> list[FolderPair]:
    inner = inner_folders(folder)
    images = _named(inner, IMAGE_FOLDERS)
    masks = [path for path in _named(inner, MASK_FOLDERS) if mask_files(path)] if images else []
    if not masks:
        return []
    filled = (path for path in images if len(images) == 1 or list_files(path, IMAGE_SUFFIXES))
    chosen, *others = masks
    apart = (path for path in others if path not in chosen.parents and chosen not in path.parents)
    return [FolderPair(next(filled, images[0]), chosen, tuple(apart))]


def _named(inner: Mapping[str, Path], names: Iterable[str]) -> list[Path]:
    """The folders with one of the names, in the order of the names.

    Args:
        inner: candidates by lower-case name, from `inner_folders`.
        names: in lower case; a name of two parts means a folder within one of `inner`.
    """
    found = []
    for name in names:
        outer, _, within = name.partition("/")
        path = inner.get(outer)
        if path is not None and within:
            path = inner_folders(path).get(within)
        if path is not None:
            found.append(path)
    return found
