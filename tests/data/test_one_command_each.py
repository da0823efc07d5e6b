"""The same pictures and masks in eight layouts: one command each gives the same scores."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import constants

from builders_folders import Folder
from net2vec.cli import main

from builders_coco import box, region
from builders_runs import write_network_file
from builders_tables import encoded, images, write_dataset_cache, write_shard, write_table

# pycocotools' arrays are older than NumPy 2.
pytestmark = [
    pytest.mark.docs,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

SIDE = 32
CLASSES = ("void", "sky", "car")
SPLITS = {"train": range(10), "val": range(10, 16)}


def street(number):
    """A picture and its mask: sky, and below it a car in all but every third."""
    rng = np.random.default_rng(number)
    top, left = rng.integers(12, 22, 2).tolist()
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[:10] = 1
    if number % 3:
        mask[top : top + 10, left : left + 10] = 2
    picture = rng.integers(0, 80, (SIDE, SIDE, 3))
    picture[mask == 1] += np.array([60, 90, 170])
    picture[mask == 2] += np.array([150, 20, 20])
    return picture.astype(np.uint8), mask, (left, top)


def streets():
    for split, numbers in SPLITS.items():
        for number in numbers:
            yield split, f"{number:02}", *street(number)


def photo(f, name, picture):
    f.picture(f"{name}.jpg", picture, format="PNG")  # by content, not by name


def voc(f):
    for _, name, picture, mask, _ in streets():
        photo(f, f"JPEGImages/{name}", picture)
        f.picture(f"SegmentationClass/{name}.png", mask)
    for split, numbers in SPLITS.items():
        f.text(f"ImageSets/Segmentation/{split}.txt", "\n".join(f"{n:02}" for n in numbers))
    f.text("class_names.txt", "\n".join(CLASSES))


def ade20k(f):
    things = [{"name": f"{name}, thing", "name_ndx": n} for n, name in enumerate(CLASSES) if n]
    for split, name, picture, mask, _ in streets():
        stem = f"{'training' if split == 'train' else 'validation'}/urban/street/{name}"
        photo(f, stem, picture)
        f.picture(f"{stem}_seg.png", np.stack([mask * 0, mask, mask], axis=-1))
        f.text(f"{stem}.json", json.dumps({"annotation": {"object": things}}))


def coco(f, **more):
    categories = [{"id": n, "name": name} for n, name in enumerate(CLASSES) if n]
    listed = {split: {"images": [], "annotations": []} for split in SPLITS}
    for split, name, picture, _, (left, top) in streets():
        photo(f, f"{split}2017/{name}", picture)
        number = int(name)
        image = {"id": number, "file_name": f"{name}.jpg", "height": SIDE, "width": SIDE}
        listed[split]["images"].append(image | more)
        regions = [region(1, box(0, 0, SIDE, 10), number)]
        if number % 3:
            regions.append(region(2, box(left, top, left + 10, top + 10), number))
        listed[split]["annotations"] += regions
    for split, content in listed.items():
        f.text(f"instances_{split}2017.json", json.dumps(content | {"categories": categories}))


def lvis(f):
    coco(f, neg_category_ids=[], not_exhaustive_category_ids=[])


def hub(f):
    for split in SPLITS:
        rows = [row for row in streets() if row[0] == split]
        columns = {"image": images([r[2] for r in rows]), "mask": images([r[3] for r in rows])}
        write_table(f.path / f"data/{split}-00000-of-00001.parquet", columns)
    f.text("id2label.json", json.dumps(dict(enumerate(CLASSES))))


def label_studio(f):
    tasks = []
    for split, name, picture, mask, _ in streets():
        photo(f, f"images/{split}/{name}", picture)
        number, result = int(name), []
        for value, label in enumerate(CLASSES[1:], start=1):
            if (mask == value).any():
                brush = np.where(mask == value, 255, 0).astype(np.uint8)
                task = f"task-{number}-annotation-{number}-by-1-tag-{label}-0.png"
                f.picture(f"masks/{task}", brush)
                result.append({"from_name": "tag", "value": {"brushlabels": [label]}})
        done = [{"id": number, "result": result}]
        tasks.append({"id": number, "data": {"image": f"/x/{name}.jpg"}, "annotations": done})
    f.text("project-1.json", json.dumps(tasks))


def webdataset(f):
    for split in SPLITS:
        members = {}
        for _, name, picture, mask, _ in (row for row in streets() if row[0] == split):
            members |= {f"{name}.jpg": encoded(picture), f"{name}.seg.png": encoded(mask)}
        write_shard(f.path / f"streets-{split}-000000.tar", members)
    f.text("classes.txt", "\n".join(CLASSES))


def fiftyone(f):
    for split, name, picture, mask, _ in streets():
        photo(f, f"data/{split}/{name}", picture)
        f.picture(f"labels/{split}/{name}.png", mask)
    f.text("classes.txt", "\n".join(f"{n} {name}" for n, name in enumerate(CLASSES)))


@pytest.fixture(scope="module")
def first():
    """Scores by layout and concept of the layout that was probed first."""
    return {}


@pytest.mark.usefixtures("unreported")
@pytest.mark.parametrize(
    "layout", [voc, ade20k, coco, lvis, hub, label_studio, webdataset, fiftyone]
)
def test_a_layout_is_probed_by_one_command(layout, first, tmp_path, monkeypatch):
    data = tmp_path / "streets"
    data.mkdir()
    layout(Folder(data))
    if layout is hub:
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        write_dataset_cache(tmp_path / "cache", data, "ORG/NAME")
        data = "hf:ORG/NAME"
    network = f"{write_network_file(tmp_path)}:small"
    options = ["--input", "32", "--fit", "paper", "--subsets", "none"]
    options += ["--tasks", "segment", "--segment-epochs", "1"]
    out = tmp_path / "run"
    with pytest.raises(SystemExit) as ended:
        main(["run", "--network", network, "--data", str(data), "--out", str(out), *options])
    assert not ended.value.code
    scores = pd.read_csv(out / "scores.csv").drop(columns="category")
    scores = scores.sort_values(list(scores.columns)).reset_index(drop=True)
    assert {"sky", "car"} <= set(scores.concept)
    found = scores[scores.concept.isin(["sky", "car"])]
    pd.testing.assert_frame_equal(found, first.setdefault("scores", found), check_exact=True)
