"""Writes a probe dataset in Broden's folder layout (the inverse of `readers.broden`)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
from jaxtyping import Integer, UInt8
from PIL import Image

from net2vec.data.annotator_record import write_records
from net2vec.data.checked import annotation_of, check_index, image_of
from net2vec.data.files import folder_in_one_stroke, in_threads, inside, refuse_filled
from net2vec.data.images import resize_labels
from net2vec.data.optional import annotators_of
from net2vec.data.protocol import Annotation, ProbeDataset
from net2vec.data.readers.broden import MAX_NUMBER, RESERVED
from net2vec.errors import DataError

_JPEG_QUALITY = 95


def write_broden(
    dataset: ProbeDataset,
    out: Path | str,
    *,
    size: int,
    mask_size: int | None = None,
    workers: int = 2,
    progress: Callable[[int], object] = lambda images: None,
) -> Path:
    """Writes a dataset in Broden's folder layout.

    Images are resized to a square and masks to half of it (rounded down), as in Broden. Names of
    images are kept: PNG is stored without loss, other formats as JPEG. Labels keep their numbers.

    Args:
        dataset: the dataset.
        out: the folder to make; it is complete or does not exist, also after an error.
        size: side of the images in pixels; Broden's are 224, 227 and 384.
        mask_size: side of the masks in pixels, by default half of `size`.
        workers: number of threads.
        progress: called with the number of images written since the last call.

    Returns:
        The folder.

    Raises:
        DataError: as `check_writable`; also if the dataset has more labels than two channels can
            number, or one of its images or masks cannot be read.
    """
    out = Path(out)
    side = size // 2 if mask_size is None else mask_size
    check_writable(dataset, out, size, side)
    if len(dataset.labels) - 1 > MAX_NUMBER:
        raise DataError(f"{len(dataset.labels) - 1} labels; Broden's masks can number {MAX_NUMBER}")
    names = _image_names(dataset.images)
    parts = _file_parts(dataset.categories)
    stems = _mask_stems(names, parts)
    with folder_in_one_stroke(out) as folder:
        for parent in {(folder / "images" / name).parent for name in names}:
            parent.mkdir(parents=True, exist_ok=True)

        def write(index: int) -> _Row:
            picture = image_of(dataset, index).resize((size, size), Image.Resampling.BILINEAR)
            _save_image(picture, inside(folder / "images", names[index]))
            annotation = annotation_of(dataset, index)
            return _write_annotation(annotation, folder / "images", stems[index], side)

        rows: list[_Row] = []
        for row in in_threads(write, range(len(names)), workers):
            rows.append(row)
            progress(1)
        _save(_index_table(dataset, names, rows, size, side), folder / "index.csv")
        _write_label_tables(folder, dataset, rows, parts)
        if records := annotators_of(dataset):
            write_records(records, folder)
    return out


def check_writable(dataset: ProbeDataset, out: Path, size: int, side: int) -> None:
    """Checks, before anything is read, that a dataset can be written.

    Args:
        dataset: the dataset.
        out: the folder to make.
        size: side of the images in pixels.
        side: side of the masks in pixels.

    Raises:
        DataError: if `out` is not empty, a side is less than a pixel, a category has the name of
            another column of the index, two images would become one file, or the dataset breaks
            `ProbeDataset`.
    """
    refuse_filled(out)
    check_index(dataset)
    if size < 1 or side < 1:
        raise DataError(f"size {size} with masks of {side}: both must be at least one pixel")
    for category in dataset.categories:
        if category in RESERVED or not category:
            raise DataError(
                f"{dataset.name}: the category {category!r} cannot be a column of Broden's index; "
                "give it another name"
            )
    _image_names(dataset.images)


@dataclass(frozen=True)
class _Row:
    """A row of the index: cells by category, and each (category, label)'s share of the image."""

    cells: dict[str, str]
    shares: dict[tuple[str, int], float]


def _image_names(images: Iterable[str]) -> list[str]:
    """Names of output files: those that are neither JPEG nor PNG get `.jpg` appended."""
    names = []
    for name in images:
        keeps_format = PurePosixPath(name).suffix.lower() in (".jpg", ".jpeg", ".png")
        names.append(name if keeps_format else f"{name}.jpg")
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(f"two images would be written as {repeated[0]}; rename one of them")
    return names


def _save_image(image: Image.Image, path: Path) -> None:
    if path.suffix.lower() == ".png":
        image.save(path)
    else:
        image.save(path, "JPEG", quality=_JPEG_QUALITY, subsampling=0)


def _file_parts(categories: Iterable[str]) -> dict[str, str]:
    """A distinct part of file names for each category."""
    parts: dict[str, str] = {}
    for category in categories:
        part = "".join("-" if letter in '/\\:;*?"<>|' else letter for letter in category)
        while part in parts.values():
            part += "-"
        parts[category] = part
    return parts


def _mask_stems(names: list[str], parts: dict[str, str]) -> list[dict[str, str]]:
    """Beginnings of the names of each image's masks, by category; numbers and `.png` follow.

    They are chosen so that no mask has the name of another or of an image (for example `dog.jpg`
    with masks of the category `part`, and an image `dog_part_1.png`).
    """
    taken = {match[1] for name in names if (match := re.fullmatch(r"(.*)_[0-9]+\.png", name))}
    stems = []
    for name in names:
        # Semicolons separate the masks of a cell.
        image = name.removesuffix(".jpg").replace(";", "%3B")
        mine = {}
        for category, part in parts.items():
            stem = f"{image}_{part}"
            while stem in taken:
                stem += "-"
            taken.add(stem)
            mine[category] = stem
        stems.append(mine)
    return stems


def _write_annotation(annotation: Annotation, root: Path, stems: dict[str, str], side: int) -> _Row:
    cells: dict[str, list[str]] = {}
    present: dict[tuple[str, int], np.ndarray | bool] = {}
    for plane in annotation.planes:
        labels = resize_labels(plane.labels, (side, side))
        numbers = np.unique(labels)
        if not numbers.any():
            continue
        tokens = cells.setdefault(plane.category, [])
        tokens.append(f"{stems[plane.category]}_{len(tokens) + 1}.png")
        Image.fromarray(_two_channels(labels)).save(root / tokens[-1])
        for number in numbers[numbers > 0].tolist():
            key = (plane.category, number)
            present[key] = (labels == number) | present.get(key, False)
    for category, number in annotation.image_labels:
        cells.setdefault(category, []).append(str(number))
        present[category, number] = True
    shares = {key: float(np.mean(where)) for key, where in present.items()}
    return _Row({category: ";".join(tokens) for category, tokens in cells.items()}, shares)


def _two_channels(labels: Integer[np.ndarray, "y x"]) -> UInt8[np.ndarray, "y x 3"]:
    channels = (labels % 256, labels // 256, np.zeros_like(labels))
    return np.stack(channels, axis=-1).astype(np.uint8)


def _index_table(
    dataset: ProbeDataset, names: list[str], rows: list[_Row], size: int, side: int
) -> pd.DataFrame:
    columns: dict[str, object] = {"image": names, "split": list(dataset.splits)}
    columns |= {"ih": size, "iw": size, "sh": side, "sw": side}
    for category in dataset.categories:
        columns[category] = [row.cells.get(category, "") for row in rows]
    return pd.DataFrame(columns)


def _write_label_tables(
    folder: Path, dataset: ProbeDataset, rows: list[_Row], parts: dict[str, str]
) -> None:
    """Writes `label.csv`, `category.csv` and a table of labels by category, `c_*.csv`.

    Frequency is the number of images with the label, coverage the sum of its shares of them.
    """
    frequency: Counter[tuple[str, int]] = Counter()
    coverage: dict[tuple[str, int], float] = {}
    for row in rows:
        frequency.update(row.shares.keys())
        for key, share in row.shares.items():
            coverage[key] = coverage.get(key, 0.0) + share
    keys = sorted(frequency, key=lambda key: (-frequency[key], -coverage[key], key))

    label_rows = []
    for number, name in enumerate(dataset.labels[1:], start=1):
        of_category = [key for key in keys if key[1] == number]
        label_rows.append(
            {
                "number": number,
                "name": name,
                "category": ";".join(f"{key[0]}({frequency[key]})" for key in of_category),
                "frequency": sum(frequency[key] for key in of_category),
                "coverage": f"{sum(coverage[key] for key in of_category):.6f}",
                "syns": "",
            }
        )
    _save(pd.DataFrame(label_rows), folder / "label.csv")

    category_rows = []
    for category in dataset.categories:
        of_category = [key for key in keys if key[0] == category]
        numbers = [number for _, number in of_category]
        category_rows.append(
            {
                "name": category,
                "first": min(numbers, default=0),
                "last": max(numbers, default=0),
                "count": len(numbers),
                "frequency": sum(frequency[key] for key in of_category),
            }
        )
        coding = {
            "code": range(1, len(of_category) + 1),
            "number": numbers,
            "name": [dataset.labels[number] for number in numbers],
            "frequency": [frequency[key] for key in of_category],
            "coverage": [f"{coverage[key]:.6f}" for key in of_category],
        }
        _save(pd.DataFrame(coding), folder / f"c_{parts[category]}.csv")
    _save(pd.DataFrame(category_rows), folder / "category.csv")


def _save(table: pd.DataFrame, path: Path) -> None:
    # The digest includes the bytes, so line ends must be the same on every system.
    table.to_csv(path, index=False, lineterminator="\n")
