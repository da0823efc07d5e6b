"""Compiling the annotations of a Broden-like folder: `python benchmarks/annotations.py [IMAGES]`.

Makes the folder, 20,000 images without an argument, compiles it and prints seconds and bytes an
image, peak memory, and what they come to for Broden's 63,305 images. Only masks are made: nothing
here looks at the images.
"""

from __future__ import annotations

import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from measure import PeakMemory, timed
from net2vec.data.annotations import compile_annotations
from net2vec.data.readers.broden import BrodenDataset
from probes import Labels

BRODEN = 63_305
_SIDE = 113
_LABELS = Labels(pixel=682, whole=507, an_image=8)
_CATEGORIES = ("object", "part", "material", "color", "scene")


def make_folder(folder: Path, images: int) -> None:
    """Objects in one plane, parts in two, material and colour in one each, and a scene."""
    (folder / "images").mkdir(parents=True)
    rows = ["number,name,category", *(f"{i},concept {i},-" for i in range(1, 1190))]
    (folder / "label.csv").write_text("\n".join(rows) + "\n")
    (folder / "category.csv").write_text("\n".join(["name", *_CATEGORIES]) + "\n")
    with ThreadPoolExecutor(2) as pool:
        lines = list(pool.map(lambda index: _image(folder, index), range(images)))
    columns = ("image", "split", "ih", "iw", "sh", "sw", *_CATEGORIES)
    (folder / "index.csv").write_text("\n".join([",".join(columns), *lines]) + "\n")


def _image(folder: Path, index: int) -> str:
    rng = np.random.default_rng(index)
    planes = np.zeros((5, _SIDE, _SIDE), dtype=np.int32)
    y, x = np.arange(_SIDE)[:, None], np.arange(_SIDE)
    shares = _LABELS.shares(_LABELS.pixel)
    for plane, label in enumerate(rng.choice(_LABELS.pixel, _LABELS.an_image, p=shares) + 1):
        middle, radius = rng.uniform(0, _SIDE, 2), rng.uniform(8, 50, 2)
        inside = ((y - middle[0]) / radius[0]) ** 2 + ((x - middle[1]) / radius[1]) ** 2 < 1
        planes[plane % 5][inside] = label
    cells = []
    for number, plane in enumerate(planes):
        name = f"{index // 1000}/{index:06d}_{number}.png"
        path = folder / "images" / name
        path.parent.mkdir(exist_ok=True)
        pixels = np.stack([plane % 256, plane // 256, np.zeros_like(plane)], 2)
        Image.fromarray(pixels.astype(np.uint8)).save(path, compress_level=1)
        cells.append(name)
    whole = int(rng.integers(_LABELS.pixel + 1, _LABELS.pixel + _LABELS.whole + 1))
    split = "train" if index % 10 < 7 else "val"
    masks = (cells[0], f"{cells[1]};{cells[2]}", cells[3], cells[4], str(whole))
    sizes = (2 * _SIDE + 1, 2 * _SIDE + 1, _SIDE, _SIDE)
    return ",".join((f"{index:06d}.jpg", split, *map(str, sizes), *masks))


def main(images: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_folder(folder / "broden", images)
        dataset = BrodenDataset(folder / "broden")
        # The digest looks at every file, those of images too, which are not there.
        dataset.digest = "benchmark"
        with PeakMemory() as memory:
            seconds, annotations = timed(
                lambda: compile_annotations(dataset, (_SIDE, _SIDE), folder / "store")
            )
        size = sum(file.stat().st_size for file in (folder / "store").rglob("*.np*"))
    pairs = len(annotations.image) / images
    print(f"{images} images, 5 masks and {pairs:.1f} labels each, {_SIDE}x{_SIDE}")
    print(f"seconds an image: {seconds / images:.2g}; bytes an image: {size / images:.0f}")
    print(f"peak memory: {memory.bytes / 2**20:.0f} MiB")
    scale = BRODEN / images
    print(f"for {BRODEN} images: {seconds * scale:.0f} s, {size * scale / 1e9:.2f} GB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
