"""Writes a first `dataset.toml` from what a folder shows, for the user to correct."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import numpy as np

from net2vec.core.storage import replacing
from net2vec.data.color_lists import Color, as_hex
from net2vec.data.description import DATASET_FILE
from net2vec.data.files import list_files
from net2vec.data.images import IMAGE_SUFFIXES, read_mask
from net2vec.data.labels import printable
from net2vec.data.opening import existing_folder, readable
from net2vec.data.readers import Reader
from net2vec.data.readers.mask_classes import VOID_VALUES, names_beside
from net2vec.data.readers.masks import MaskDataset, published_names
from net2vec.data.readers.pairing import Pairing, normal_stem, pair_found
from net2vec.data.readers.registry import reader_of
from net2vec.data.recognition import Finding, examine
from net2vec.data.splits import split_in_path
from net2vec.errors import DataError

_SAMPLE_MASKS, _MAX_CLASSES = 32, 256


def describe_folder(source: str | Path) -> tuple[Path, str]:
    """A description of a folder's dataset from what it shows.

    Args:
        source: the folder.

    Returns:
        The folder that the description is for, the named one or one in it, and its text in TOML. It
        opens as the folder does without it, or is a guess to correct where the folder is not clear.

    Raises:
        DataError: if there is no such folder, or it holds no images.
    """
    folder = existing_folder(source)
    with readable(folder):
        findings = [finding for finding in examine(folder) if finding.evidence.found]
        clear = [f for f in findings if f.evidence.is_whole and not f.reader.is_fallback]
        clear += [f for f in findings if f.evidence.is_whole and f.reader.is_fallback]
        place = clear[0].folder if clear else findings[0].folder if findings else folder
        images = list_files(place, IMAGE_SUFFIXES, within=folder)
        if not images and not clear:
            raise DataError(
                f"{folder}: holds no images that are read, so there is nothing to describe"
            )
        reader = clear[0].reader if clear else reader_of(MaskDataset.layout)
        return place, "\n".join(_lines(place, reader, findings, images, is_clear=len(clear) == 1))


def write_description(source: str | Path) -> Path:
    """Writes `describe_folder` into its folder.

    Returns:
        The file.

    Raises:
        DataError: as `describe_folder`; also if there is such a file.
    """
    folder, text = describe_folder(source)
    file = folder / DATASET_FILE
    if file.exists():
        raise DataError(f"{file}: is there already; move it away, or name - to see what is found")
    with replacing(file) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    return file


def _lines(
    folder: Path,
    reader: type[Reader],
    findings: Sequence[Finding],
    images: Sequence[str],
    *,
    is_clear: bool,
) -> list[str]:
    state = "what the folder shows" if is_clear else "a guess, for the folder is not clear"
    lines = [
        f"# Description of this dataset for net2vec: {state}. Please correct it.",
        "# Layouts of which something was found:",
        *(f"#   {printable(str(finding))}" for finding in findings),
        *(["#   none"] if not findings else []),
        "# Folders with images:",
        *(f"#   {line}" for line in _folders(images)),
        "",
        f"reader = {_quoted(reader.layout)}",
    ]
    tables: list[str] = []
    if "category" in reader.takes:
        commented = "" if reader is MaskDataset else "# "
        lines += ["", "# Category of the classes: object, part, scene, material, texture, ..."]
        lines += [f'{commented}category = "object"']
    if reader is MaskDataset:
        pairing = pair_found(folder)
        if not pairing.masks:
            pairing = _guess_pairs(images)
        lines += _mask_lines(pairing)
        named, tables = _class_lines(folder, pairing)
        lines += named
    if "splits" in reader.takes:
        tables += _split_lines(images)
    return [*lines, *tables, ""]


def _mask_lines(pairing: Pairing) -> list[str]:
    folders = [
        (images, "." if masks.startswith("*") else masks) for images, masks in pairing.folders
    ]
    endings = set(pairing.endings)
    first, second = next(iter(endings)) if len(endings) == 1 else ("", "")
    commented = "" if folders else "# "
    images, masks = zip(*folders, strict=True) if folders else (("photos",), ("masks",))
    return [
        "",
        "# Folders, or patterns such as photos/*/*.jpg: what the wildcards match is what an image",
        "# and its mask have in common. The first images belong to the first masks, and so on.",
        f"{commented}images = {_quoted(list(images))}",
        f"{commented}masks = {_quoted(list(masks))}",
        "# Endings of names, before the extension, that they do not have in common:",
        f"image_suffix = {_quoted(first)}" if first else '# image_suffix = "_rgb"',
        f"mask_suffix = {_quoted(second)}" if second else '# mask_suffix = "_mask"',
    ]


def _class_lines(folder: Path, pairing: Pairing) -> tuple[list[str], list[str]]:
    """Lines for names of classes that are in a file, and the table of others."""
    values, colors, masks = _values_and_colors(folder, sorted(pairing.masks.values()))
    seen = f"seen in {masks} masks" if masks else "none seen"
    void = [value for value in VOID_VALUES if value in values]
    lines = [
        "",
        "# Pixel values that mean nothing; by default 0, 255 and 65535 unless they have a name.",
        f"# void = {void or [255]}",
        "",
        "# Names by pixel value (0 and void values may be left out), and colours by name: each a",
        f"# file or a table. Values {seen}: {', '.join(map(str, values)) or 'none'}",
    ]
    names, color_file = names_beside(folder)
    for key, file in (("classes", names), ("colors", color_file)):
        if file is not None:
            lines.append(f"{key} = {_quoted(file.name)}")
    if names is None and color_file is None and published_names(pairing.folders):
        lines.append("# classes: the published names, since there is no file of names")
    if len(lines) > 6:
        return lines, []
    classes = [value for value in values if value not in (0, *VOID_VALUES)]
    if colors:
        rows = [f"{_quoted(f'class {n}')} = {_quoted(as_hex(c))}" for n, c in enumerate(colors, 1)]
        return lines, ["", "[colors]", *rows]
    if classes:
        return lines, ["", "[classes]", *(f'{value} = "class {value}"' for value in classes)]
    return lines, ["", "# [classes]", '# 1 = "road"', "# [colors]", '# road = "#804080"']


def _values_and_colors(folder: Path, masks: Sequence[str]) -> tuple[list[int], list[Color], int]:
    """Values and colours in some masks, and the number of masks that could be read."""
    values: Counter[int] = Counter()
    colors: Counter[Color] = Counter()
    read = 0
    for mask in masks[:: -(-len(masks) // _SAMPLE_MASKS) or 1]:
        try:
            pixels = read_mask(folder / mask, palettes=False)
        except DataError:
            continue  # `check` lists it
        read += 1
        if pixels.ndim == 2:
            values.update(np.unique(pixels).tolist())
        else:
            pixel_colors = np.unique(pixels.reshape(-1, 3), axis=0)[: _MAX_CLASSES + 1].tolist()
            colors.update((red, green, blue) for red, green, blue in pixel_colors)
    few = sorted(colors) if len(colors) <= _MAX_CLASSES else []
    return sorted(values)[:_MAX_CLASSES], [color for color in few if any(color)], read


def _split_lines(images: Sequence[str]) -> list[str]:
    parts = {part for image in images for part in PurePosixPath(image).parts[:-1]}
    splits = {name: split_in_path(name) for name in sorted(parts)}
    named = {s: [n for n, split in splits.items() if split == s] for s in ("train", "val", "test")}
    val = named["val"] or named["test"] or ["val"]
    shown = {name: split for name, split in splits.items() if split}
    listed = ", ".join(f"{name} ({split})" for name, split in shown.items()) or "none"
    return [
        "",
        "# Splits by folders or lists (.txt); or share = 0.3, seed = 0 to draw validation images",
        f"# from those that train. Folders by whose names images are split now: {listed}",
        "# [splits]",
        f"# train = {_quoted(named['train'] or ['train'])}",
        f"# val = {_quoted(val)}",
    ]


def _guess_pairs(images: Sequence[str]) -> Pairing:
    """The two folders that have most names in common, the one with fewer bytes a name for masks."""
    stems: dict[str, set[str]] = {}
    for image in images:
        top, slash, rest = image.partition("/")
        if slash:
            stems.setdefault(top, set()).add(normal_stem(rest))
    pairs = [
        (len(stems[one] & stems[other]), one, other)
        for one in stems
        for other in stems
        if one < other and stems[one] & stems[other]
    ]
    pairing = Pairing()
    if pairs:
        _, one, other = max(pairs, key=lambda pair: pair[0])
        jpegs = Counter(
            i.partition("/")[0] for i in images if i.lower().endswith((".jpg", ".jpeg"))
        )
        first, second = (other, one) if jpegs[other] > jpegs[one] else (one, other)
        pairing.folders.append((first, second))
        by_stem = {normal_stem(image): image for image in images}
        for stem in sorted(stems[one] & stems[other]):
            pairing.masks[by_stem[f"{first}/{stem}"]] = by_stem[f"{second}/{stem}"]
    return pairing


def _folders(images: Sequence[str]) -> list[str]:
    counts: Counter[tuple[str, str]] = Counter()
    for image in images:
        path = PurePosixPath(image)
        counts[str(path.parent), path.suffix.lower()] += 1
    lines = [printable(f"{place}: {n} {suffix}") for (place, suffix), n in counts.items()]
    return lines[:20] + ([f"and {len(lines) - 20} more"] if len(lines) > 20 else [])


def _quoted(value: str | list[str]) -> str:
    """A text or list of texts in TOML, whose basic strings are JSON's."""
    return json.dumps(value, ensure_ascii=False)
