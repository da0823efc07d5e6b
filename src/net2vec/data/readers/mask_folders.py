"""Finds the folders of images and of their masks by known names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from net2vec.data.files import inner_folders
from net2vec.data.images import IMAGE_SUFFIXES
from net2vec.data.protocol import SPLITS
from net2vec.data.splits import split_in_path

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
"""Names of image folders, in lower case."""

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
"""Names of mask folders, in lower case."""

MASK_SUFFIXES = frozenset({".png", ".bmp", ".gif", ".tif", ".tiff"})

_FOLDER_ENDINGS = ("annot", "_annot", "_masks", "_labels")


@dataclass(frozen=True)
class FolderPair:
    """Folders of images and folders of their masks next to each other.

    Attributes:
        images: candidates for the folder of images, the most usual name first.
        masks: likewise for the folder of masks.
    """

    images: tuple[Path, ...]
    masks: tuple[Path, ...]


def folder_pairs(folder: Path) -> list[FolderPair]:
    """Pairs in a folder, in its split folders, or formed by these (`train`, `trainannot`)."""
    pairs = _named_pair(folder)
    inner = inner_folders(folder)
    for name, path in inner.items():
        if split_in_path(name) in SPLITS:
            pairs += _named_pair(path)
            beside = [inner[name + end] for end in _FOLDER_ENDINGS if name + end in inner]
            pairs += [FolderPair((path,), tuple(beside))] if beside else []
    # `val` may be a link to `train`, whose images must not count twice.
    distinct: dict[tuple[Path, ...], FolderPair] = {}
    for pair in pairs:
        distinct.setdefault(tuple(path.resolve() for path in pair.images), pair)
    return list(distinct.values())


def unread_masks(folder: Path, *, only_images: bool = True) -> str | None:
    """The reason why the mask folder of an image folder is not read; None if there is none.

    Args:
        folder: the parent of both, or of split folders that contain both.
        only_images: whether a mask folder without image files is disregarded.
    """
    splits = [path for name, path in inner_folders(folder).items() if split_in_path(name) in SPLITS]
    for parent in (folder, *splits):
        for pair in _named_pair(parent):
            held = [
                {p.suffix.lower() for p in masks.rglob("*") if p.suffix} for masks in pair.masks
            ]
            if any(kinds & MASK_SUFFIXES for kinds in held):
                continue
            for masks, kinds in zip(pair.masks, held, strict=True):
                if not only_images or kinds & IMAGE_SUFFIXES:
                    listed = " and ".join(sorted(kinds))
                    shown = f"{listed} files" if kinds else "no pictures"
                    return f"{masks}: holds {shown}; masks are read from PNG"
    return None


def _named_pair(folder: Path) -> list[FolderPair]:
    inner = inner_folders(folder)
    images, masks = _named(inner, IMAGE_FOLDERS), _named(inner, MASK_FOLDERS)
    return [FolderPair(tuple(images), tuple(masks))] if images and masks else []


def _named(inner: Mapping[str, Path], names: Iterable[str]) -> list[Path]:
    """The folders with one of the names, in the order of the names.

    Args:
        inner: candidates by lower-case name, from `inner_folders`.
        names: in lower case; a name of two parts means a folder within one of `inner`.
    """
    folders: list[Path] = []
    for name in names:
        outer, _, within = name.partition("/")
        path = inner.get(outer)
        if path is not None and within:
            path = inner_folders(path).get(within)
        # Links to a folder of another of the names are that folder.
        if path is not None and not any(path.samefile(other) for other in folders):
            folders.append(path)
    return folders
