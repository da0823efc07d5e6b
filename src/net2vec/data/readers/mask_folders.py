"""Where images and their masks lie: the names of folders that give them away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from net2vec.data.files import inner_folders, list_files, split_in_path
from net2vec.data.images import IMAGE_SUFFIXES
from net2vec.data.protocol import SPLITS, TRAIN, VAL

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
"""Folders of images, in lower case, the first that is there first."""

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
"""Folders of masks, in lower case, the first that holds some first."""

MASK_SUFFIXES = frozenset({".png", ".bmp", ".gif", ".tif", ".tiff"})

_MASK_ENDINGS = ("annot", "_annot", "_masks", "_labels")

# Cityscapes ends the stem of an image and of its mask differently, and other kinds of masks lie
# beside the one of class numbers.
CITYSCAPES_IMAGE = "_leftImg8bit"
_CITYSCAPES_MASK = "_gtFine_labelIds"


@dataclass(frozen=True)
class FolderPair:
    """A folder of images and the folder of their masks.

    Attributes:
        images: the folder of images.
        masks: the folder of masks that is read.
        other_masks: folders of masks beside it that are not.
    """

    images: Path
    masks: Path
    other_masks: tuple[Path, ...] = ()


def has_mask_folders(folder: Path) -> bool:
    """Whether the folder has images and masks under names that give them away."""
    return bool(folder_pairs(folder))


def folder_pairs(folder: Path) -> list[FolderPair]:
    """Images and masks of a folder: in it, in the folders of its splits, or as these."""
    pairs = _named_pair(folder)
    inner = inner_folders(folder)
    for name, place in inner.items():
        if split_in_path(name) in (TRAIN, VAL):
            pairs += _named_pair(place)
            beside = (inner.get(name + ending) for ending in _MASK_ENDINGS)
            pairs += [FolderPair(place, masks) for masks in beside if masks is not None]
    return pairs


def mask_files(masks: Path) -> dict[str, str]:
    """Masks by the stem they share with their image, both relative to the folder of masks."""
    files = {str(Path(file).with_suffix("")): file for file in list_files(masks, MASK_SUFFIXES)}
    numbered = {
        stem.removesuffix(_CITYSCAPES_MASK): file
        for stem, file in files.items()
        if stem.endswith(_CITYSCAPES_MASK)
    }
    return numbered or files


def unread_masks(folder: Path, *, pictures: bool = False) -> str | None:
    """Why a folder of masks beside its images is not read as such, where there is one.

    Args:
        folder: what holds both.
        pictures: whether it only counts if it holds pictures.
    """
    splits = [path for name, path in inner_folders(folder).items() if split_in_path(name) in SPLITS]
    for place in (folder, *splits):
        inner = inner_folders(place)
        if not _called(inner, IMAGE_FOLDERS) or _named_pair(place):
            continue
        for masks in _called(inner, MASK_FOLDERS):
            kinds = sorted({path.suffix.lower() for path in masks.rglob("*") if path.suffix})
            if not pictures or not IMAGE_SUFFIXES.isdisjoint(kinds):
                held = f"{' and '.join(kinds)} files" if kinds else "no pictures"
                return f"{masks}: holds {held}; masks are read from PNG"
    return None


def _named_pair(folder: Path) -> list[FolderPair]:
    inner = inner_folders(folder)
    images = _called(inner, IMAGE_FOLDERS)
    if not images:
        return []
    masks = [path for path in _called(inner, MASK_FOLDERS) if mask_files(path)]
    if not masks:
        return []
    filled = (path for path in images if len(images) == 1 or list_files(path, IMAGE_SUFFIXES))
    chosen, *others = masks
    apart = (path for path in others if path not in chosen.parents and chosen not in path.parents)
    return [FolderPair(next(filled, images[0]), chosen, tuple(apart))]


def _called(inner: Mapping[str, Path], names: Iterable[str]) -> list[Path]:
    """The folders that are called so, in any case and in the order of the names.

    Args:
        inner: the folders that may be, as `inner_folders` gives them.
        names: in lower case; those of two parts name a folder within one of `inner`.
    """
    found = []
    for name in names:
        outer, _, within = name.partition("/")
        place = inner.get(outer)
        if place is not None and within:
            place = inner_folders(place).get(within)
        if place is not None:
            found.append(place)
    return found
