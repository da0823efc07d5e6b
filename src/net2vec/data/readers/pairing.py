"""Pairs images with their masks, in folders of known names or by patterns that the user states."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from net2vec.data.description import DATASET_FILE, Description
from net2vec.data.files import composed, list_files
from net2vec.data.images import IMAGE_SUFFIXES, UNREAD_SUFFIXES
from net2vec.data.readers.mask_folders import MASK_SUFFIXES, folder_pairs
from net2vec.errors import DataError

_MASK_ENDINGS = (
    *("_mask", "-mask", ".mask", "_masks", "_label", "_labels", "_seg", "_segmentation"),
    *("_gt", "_annotation", "_lab", "_L"),  # the last one is CamVid's
)
_ENDINGS = (
    ("", ""),
    ("_leftImg8bit", "_gtFine_labelIds"),  # Cityscapes, which has masks of other kinds besides
    *(("", ending) for ending in _MASK_ENDINGS),
)
"""Endings of the stems of an image and its mask that are not in common."""

_ADE20K = re.compile(r"(?:.*/)?(?:training|validation)/[^/]+/[^/]+/[^/]+_(?:seg|parts_\d+)\.png")
_SAME_FAMILY = "segmentationclass"  # copies of PASCAL VOC have several, of which one is complete
_PARTS_OF_PATTERN = re.compile(r"\*\*/|\*\*|\*|\?|\[[^]]+\]|[^*?[]+|\[")
_WILDCARDS = {"**/": r"(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@dataclass
class Pairing:
    """Images and their masks, all relative to the dataset's folder.

    Attributes:
        masks: mask by image.
        lone_images, lone_masks: files without partner.
        unread: images of formats that are not read.
        folders: folders or patterns of images and masks that were paired.
        endings: endings of their stems that are not in common, where folders were found.
        unread_mask_folders: folders of masks that are not read, by the one that is.
        against: signs that the pairs are not meant so.
    """

    masks: dict[str, str] = field(default_factory=dict)
    lone_images: list[str] = field(default_factory=list)
    lone_masks: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    folders: list[tuple[str, str]] = field(default_factory=list)
    endings: list[tuple[str, str]] = field(default_factory=list)
    unread_mask_folders: dict[str, list[str]] = field(default_factory=dict)
    against: list[str] = field(default_factory=list)

    def add(self, images: dict[str, list[str]], masks: dict[str, list[str]]) -> None:
        """Adds images and masks, each by what they have in common with their partner."""
        for key, (image, *others) in images.items():
            mask, *other_masks = masks.get(key, [""])
            if mask:
                self.masks[image] = mask
            self.lone_images += others if mask else [image, *others]
            self.lone_masks += other_masks
        self.lone_masks += [f for key, files in masks.items() if key not in images for f in files]


def pair_found(folder: Path) -> Pairing:
    """Pairs in folders of known names; if there are none, masks beside their images (`0_mask.png`).

    Raises:
        DataError: if a link leaves the dataset, or a name is not UTF-8.
    """
    pairing = Pairing()
    for pair in folder_pairs(folder):
        masks = [_Files.in_folder(folder, path, MASK_SUFFIXES) for path in pair.masks]
        if filled := [files for files in masks if files.stems]:
            images = [_Files.in_folder(folder, path, IMAGE_SUFFIXES) for path in pair.images]
            _pair_folders(pairing, images, filled)
    if not pairing.folders:
        _pair_beside(pairing, folder)
    if pairing.folders and not pairing.masks:
        pairing.against.append(why_no_pair(pairing))
    for place, _ in pairing.folders:
        unread = list_files(folder / place, UNREAD_SUFFIXES, within=folder)
        pairing.unread += [(PurePosixPath(place) / file).as_posix() for file in unread]
    return pairing


def pair_described(folder: Path, description: Description) -> Pairing:
    """Pairs of the folders or patterns that the user states.

    The first of the images belong to the first of the masks and so on, if there are as many.

    Raises:
        DataError: if one matches no file, two files have the same in common with their partners, or
            a link leaves the dataset.
    """
    files = list_files(folder, IMAGE_SUFFIXES, within=folder)
    pairing = Pairing()
    image_patterns, mask_patterns = [description.images], [description.masks]
    if len(description.images) == len(description.masks):
        image_patterns = [(pattern,) for pattern in description.images]
        mask_patterns = [(pattern,) for pattern in description.masks]
    matched = [_match(files, one, description.mask_suffix, "masks") for one in mask_patterns]
    taken = {file for masks in matched for (file,) in masks.values()}
    rest = [file for file in files if file not in taken]
    for patterns, masks, named in zip(image_patterns, matched, mask_patterns, strict=True):
        images = _match(rest, patterns, description.image_suffix, "images")
        for key, (image,) in images.items():
            if image in pairing.masks and key in masks:
                one, other = pairing.masks[image], masks[key][0]
                raise DataError(f"{DATASET_FILE}: {image} has two masks, {one} and {other}")
        pairing.add(images, masks)
        pairing.folders.append((", ".join(patterns), ", ".join(named)))
    return pairing


def why_no_pair(pairing: Pairing) -> str:
    """A sentence that no image has a mask, with an example of each."""
    lone = [*pairing.lone_images[:1], *pairing.lone_masks[:1]]
    return f"no image has a mask of the same name; there are {' and '.join(lone)}"


def normal_stem(file: str) -> str:
    """A path without its extensions (`1.jpg.png` is a mask of `1.jpg`), in composed Unicode."""
    stem = composed(file)
    end = stem.rfind(".")
    while end > stem.rfind("/") + 1:
        stem = stem[:end]
        end = stem.rfind(".")
        if stem[end:].lower() not in IMAGE_SUFFIXES:
            break
    return stem


@dataclass(frozen=True)
class _Files:
    """Files of a folder: its path relative to the dataset, and each file's stem and path."""

    path: PurePosixPath
    stems: list[tuple[str, str]]

    @classmethod
    def in_folder(cls, folder: Path, path: Path, suffixes: frozenset[str]) -> _Files:
        relative = PurePosixPath(path.relative_to(folder).as_posix())
        files = list_files(path, suffixes, within=folder)
        return cls(relative, [(normal_stem(file), f"{relative}/{file}") for file in files])

    def keyed(self, ending: str, *, required: bool = False) -> dict[str, list[str]]:
        """Files by their stem without an ending; with `required` without files that lack it."""
        keyed: dict[str, list[str]] = defaultdict(list)
        for stem, file in self.stems:
            if not required or stem.endswith(ending):
                keyed[stem.removesuffix(ending)].append(file)
        return keyed


def _pair_folders(pairing: Pairing, images: list[_Files], masks: list[_Files]) -> None:
    """Pairs the first folders whose files match; others that match as well are ambiguous."""
    matches = [(i, m, *_best_endings(i, m)) for m in masks for i in images]
    fitting = [match for match in matches if match[2]]
    nonempty = [match for match in matches if match[0].stems]
    chosen, read, _, endings = (fitting or nonempty or matches)[0]
    around = {read.path, *read.path.parents}
    others = [f.path for f in masks if f.path not in around and read.path not in f.path.parents]
    for one, other, *_ in fitting:
        if other is read and one is not chosen:
            pairing.against.append(f"{chosen.path} and {one.path} both hold images of the masks")
        elif one is chosen and other.path in others and not _one_family(other.path, read.path):
            pairing.against.append(f"{read.path} and {other.path} both hold masks of the images")
    pairing.folders.append((str(chosen.path), str(read.path)))
    pairing.endings.append(endings)
    pairing.unread_mask_folders.setdefault(str(read.path), []).extend(map(str, others))
    pairing.add(chosen.keyed(endings[0]), read.keyed(endings[1], required=True))


def _one_family(*paths: PurePosixPath) -> bool:
    return all(path.name.lower().startswith(_SAME_FAMILY) for path in paths)


def _pair_beside(pairing: Pairing, folder: Path) -> None:
    """Pairs masks with the images in the same folder, by an ending of their names."""
    if (folder / "index.csv").exists() and (folder / "label.csv").exists():
        return  # Broden's tables say which image has which mask
    files = list_files(folder, IMAGE_SUFFIXES, within=folder)
    stems = [(normal_stem(file), file) for file in files if not _ADE20K.fullmatch(file)]
    flat = [one for one in stems if PurePosixPath(one[1]).suffix.lower() in MASK_SUFFIXES]
    count, best = 0, ""
    for ending in _MASK_ENDINGS:
        keys = {stem.removesuffix(ending) for stem, _ in flat if stem.endswith(ending)}
        if keys and (found := len(keys.intersection(stem for stem, _ in stems))) > count:
            count, best = found, ending
    if not count:
        return
    masks = _Files(PurePosixPath(), [one for one in flat if one[0].endswith(best)])
    taken = set(masks.stems)
    images = _Files(PurePosixPath(), [one for one in stems if one not in taken])
    pairing.add(images.keyed(""), masks.keyed(best))
    pairing.folders.append((".", f"*{best}.*"))
    pairing.endings.append(("", best))
    if 2 * count < len(images.stems):
        few = f"only {count} of {len(images.stems)} images have a mask *{best} beside them"
        pairing.against.append(few)


def _best_endings(images: _Files, masks: _Files) -> tuple[int, tuple[str, str]]:
    """The number of pairs by the endings that give most, and these endings."""
    best = 0, _ENDINGS[0]
    for endings in _ENDINGS:
        if keys := masks.keyed(endings[1], required=True).keys():
            count = len(keys & images.keyed(endings[0]).keys())
            best = max(best, (count, endings), key=lambda one: one[0])
    return best


def _match(
    files: list[str], patterns: Iterable[str], ending: str, kind: str
) -> dict[str, list[str]]:
    """Files that match a pattern, one each by what its wildcards match."""
    keyed: dict[str, list[str]] = {}
    for pattern in patterns:
        try:
            expression = re.compile(_expression(pattern))
        except re.error:
            raise DataError(
                f"{DATASET_FILE}: {kind} = {pattern!r} is no pattern of names"
            ) from None
        matches_any = False
        for file in files:
            match = expression.fullmatch(composed(file))
            key = "/".join(filter(None, (g.strip("/") for g in match.groups()))) if match else ""
            if match is None or not key.endswith(ending):
                continue
            matches_any = True
            known = keyed.setdefault(key.removesuffix(ending), [file])
            if known != [file]:
                raise DataError(
                    f"{DATASET_FILE}: {kind} {known[0]} and {file} have the same in common with "
                    f"their partner, {key.removesuffix(ending)!r}; wanted one of each"
                )
        if not matches_any:
            raise DataError(
                f"{DATASET_FILE}: {kind} = {pattern!r} matches no image file in the dataset"
            )
    return keyed


def _expression(pattern: str) -> str:
    """A regular expression with a group for each wildcard; the extension is in none."""
    pattern = composed(pattern)
    if not set(pattern) & set("*?["):  # a folder
        return rf"{'' if pattern == '.' else f'{re.escape(pattern)}/'}(.*)\.[^./]+"
    folder, slash, name = pattern.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    if not dot:
        stem, extension = name, "*"
    ends = "".join(_part(part) for part in _PARTS_OF_PATTERN.findall(extension))
    parts = _PARTS_OF_PATTERN.findall(folder + slash + stem)
    groups = "".join(f"({_part(p)})" if p[0] in "*?[" else re.escape(p) for p in parts)
    return rf"{groups}\.{ends}"


def _part(part: str) -> str:
    if part[0] == "[" and len(part) > 2:
        return f"[^{part[2:]}" if part[1] == "!" else part
    return _WILDCARDS.get(part) or re.escape(part)
