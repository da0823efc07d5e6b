"""The explorer on a run of the largest size: how long answers take, and how much memory.

    python benchmarks/explorer.py [FOLDER] [CONCEPTS FILTERS IMAGES]

Writes a run of random numbers (1,200 concepts, 2,000 filters, 60,000 images unless told otherwise)
into FOLDER, by default a temporary one, starts `net2vec explore` on it and asks what the pages ask.
Prints a table of seconds: of the first answer, which computes, with those of the processor, and of
the second; the last line has the size of the run on disk and the server's peak memory. The first
row is from the start of the program to its first answer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np

from net2vec import results

LABELS_PER_IMAGE = 8
CATEGORIES = ("object", "part", "material", "scene", "texture", "color")
PAGES = {
    "overview": ("runs", "concepts", "categories", "subsets"),
    "concepts": ("concepts",),
    "concept": ("concept?name={0}", "neighbours?name={0}&n=5", "images?name={0}"),
    "filters": ("matrix-index", "matrix"),
    "filter": ("filter?index=7",),
    "space, plane": ("space",),
    "space, t-SNE": ("space?method=tsne",),
    "arithmetic": ("solve?expression={0}",),
}


def write_run(folder: Path, concepts: int, filters: int, images: int) -> None:
    rng = np.random.default_rng(0)
    names = [f"concept {place:04}" for place in range(concepts)]
    picture = np.array([f"images/{place:06}.jpg" for place in range(images)], dtype=object)
    is_train = np.arange(images) % 4 > 0
    # Every image has some concepts, common ones more often.
    share = 1 / np.arange(1, concepts + 1) ** 0.7
    pairs = LABELS_PER_IMAGE * images
    concept = np.sort(rng.choice(concepts, pairs, p=share / share.sum()))
    image = rng.integers(0, images, pairs)
    union = rng.integers(100, 9000, (2, pairs))
    shared = (union * rng.uniform(0, 0.6, union.shape)).astype(np.int32)
    single_iou = rng.uniform(0, 0.2, (2, concepts, filters))
    best = single_iou[0].argmax(axis=1)
    recorded = results.make_dataset(
        "layer",
        {
            "threshold": rng.uniform(1, 2, filters).astype(np.float32),
            "active_share": np.full(filters, 0.005),
            "top_image": rng.choice(picture, (filters, 10)),
            "top_activation": np.sort(rng.uniform(2, 9, (filters, 10)).astype(np.float32))[:, ::-1],
        },
        {"layer": "layer", "grid": [7, 7], "mask_size": [112, 112], "images": images},
    )
    learned = results.make_dataset(
        "segment",
        {
            "concept": names,
            "category": [CATEGORIES[place % len(CATEGORIES)] for place in range(concepts)],
            "n_train": np.bincount(concept, is_train[image], concepts).astype(int),
            "n_val": np.bincount(concept, ~is_train[image], concepts).astype(int),
            "concept_size": rng.uniform(0, 0.3, concepts),
            "baseline": rng.uniform(0, 0.3, concepts),
            "single_iou": single_iou,
            "best_filter": best,
            "weight": rng.normal(size=(concepts, filters)).astype(np.float32),
            "start_distance": rng.uniform(0, 4, concepts),
            "score": rng.uniform(0, 1, (2, concepts)),
            "subset_size": [],
            "subset_weight": np.zeros((0, concepts, filters), np.float32),
            "subset_score": np.zeros((2, 0, concepts)),
            "pair_iou": shared / union,
            "pair_concept": np.array(names, dtype=object)[concept],
            "pair_image": picture[image],
            "pair_split": np.where(is_train[image], "train", "val").astype(object),
            "pair_intersection": shared,
            "pair_union": union.astype(np.int32),
        },
    ).assign_attrs(fit="paper")
    tree = results.results_tree(
        network="synthetic", layers={"layer": (recorded, {"segment": [learned]})}
    )
    results.save_tree(tree, folder / "results.zarr")
    results.save_json(
        {
            "data": {
                "name": "synthetic",
                "train_images": int(is_train.sum()),
                "val_images": int((~is_train).sum()),
            }
        },
        folder / "provenance.json",
    )


def ask(url: str) -> float:
    start = time.perf_counter()
    with urllib.request.urlopen(url, timeout=300) as answer:
        answer.read()
    return time.perf_counter() - start


def processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(folder: Path, concepts: int) -> None:
    command = [sys.executable, "-m", "net2vec", "explore", str(folder), "--no-browser"]
    start = time.perf_counter()
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        base = server.stdout.readline().strip()
        ask(base)
        started = time.perf_counter() - start
        used = processor_seconds(server.pid)
        print("| page | first | processor | again |\n| --- | --- | --- | --- |")
        print(f"| started | {started:.2f} | {used:.2f} | |", flush=True)
        name = urllib.parse.quote(f"concept {concepts // 30:04}")
        for page, questions in PAGES.items():
            urls = [f"{base}api/{question.format(name)}" for question in questions]
            before = processor_seconds(server.pid)
            first = sum(map(ask, urls))
            used = processor_seconds(server.pid) - before
            again = sum(map(ask, urls))
            print(f"| {page} | {first:.2f} | {used:.2f} | {again:.2f} |", flush=True)
        status = Path(f"/proc/{server.pid}/status").read_text().splitlines()
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        print(f"\n{size / 1e6:.0f} MB on disk, peak memory of the server {peak / 1024:.0f} MiB")
    finally:
        server.terminate()
        server.wait(20)


def main() -> None:
    given = [part for part in sys.argv[1:] if not part.isdecimal()]
    sizes = [int(part) for part in sys.argv[1:] if part.isdecimal()] or [1200, 2000, 60_000]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(given[0] if given else temporary) / "run"
        if not folder.exists():
            write_run(folder, *sizes)
        measure(folder, sizes[0])


if __name__ == "__main__":
    main()
