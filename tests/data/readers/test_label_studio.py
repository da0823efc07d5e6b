"""Brush masks of Label Studio as PNG and NumPy arrays, and its exports that have none."""

import json

import numpy as np
import pytest

from net2vec.data import open_dataset
from net2vec.data.readers.label_studio import LabelStudioDataset
from net2vec.data.tools import find_faults
from net2vec.errors import DataError

from builders_coco import CATEGORIES, maps

LEFT = np.repeat([[255, 255, 0, 0, 0, 0]], 4, 0).astype(np.uint8)
MIDDLE = np.repeat([[0, 128, 128, 0, 0, 0]], 4, 0).astype(np.uint8)


def brush(*labels, tag="tag"):
    value = {"format": "rle", "rle": [0], "brushlabels": list(labels)}
    return {"type": "brushlabels", "from_name": tag, "to_name": "image", "value": value}


def task(number, image, *annotations, **more):
    """A task with (annotation number, results) pairs."""
    done = [{"id": n, "completed_by": 1, "result": results} for n, results in annotations]
    return {"id": number, "data": {"image": image}, "annotations": done, **more}


@pytest.fixture
def project(put, gray, tmp_path):
    for name in ("1.png", "2.png", "photo 3.png", "4.png"):
        put(f"images/{name}", gray)
    uploaded = "/data/upload/1/0a1b2c3d-1.png"
    tasks = [
        task(11, uploaded, (21, [brush("Cat"), brush("wire-haired dog", "sofa")]),
             (29, [brush("Cat")]), file_upload="0a1b2c3d-1.png"),
        task(12, "/data/local-files/?d=photos/2.png", (22, [brush("Cat", tag="my-tag")])),
        task(13, "s3://bucket/photo%203.png", (23, [])),
        task(14, "http://x.org/4.png"),
    ]  # fmt: skip
    put("project-1.json", json.dumps(tasks))
    put("masks/task-11-annotation-21-by-1-tag-Cat-0.png", LEFT)
    put("masks/task-11-annotation-21-by-1-tag-wire-haired dog-sofa-0.png", MIDDLE)
    put("masks/task-11-annotation-29-by-2-tag-Cat-0.png", LEFT)
    np.save(tmp_path / "masks" / "task-12-annotation-22-by-me@x.org-my-tag-Cat-0.npy", LEFT)
    np.save(tmp_path / "masks" / "task-12-annotation-22-by-me@x.org-my-tag-Cat-1.npy", MIDDLE)
    return tmp_path


def test_masks_find_their_images_and_labels_in_the_export(project):
    dataset = open_dataset(project)
    assert dataset.layout == "Label Studio"
    assert dataset.labels == ("", "Cat", "sofa", "wire-haired dog")
    assert dataset.images == ("images/1.png", "images/2.png", "images/photo 3.png")
    row = ["Cat", "Cat", "wire-haired dog", "", "", ""]
    lower = ["", "wire-haired dog", "", "", "", ""]
    sofa = ["", "sofa", "sofa", "", "", ""]
    shown = [rows[0] for _, rows in maps(dataset, 0)]
    united = [{row[x] for row in shown} - {""} for x in range(6)]
    wanted = [{row[x], lower[x], sofa[x]} - {""} for x in range(6)]
    assert united == wanted
    assert maps(dataset, 1) == [("object", [["Cat", "Cat", "Cat", "", "", ""]] * 4)]
    assert maps(dataset, 2) == []
    told = {(item.what, item.reason): item.count for item in dataset.left_out}
    assert told == {
        ("images", "not annotated"): 1,
        ("masks", "of another annotation of the same image"): 1,
    }
    assert find_faults(project) == []


def test_the_short_form_of_the_export(project, put):
    short = {"format": "rle", "rle": [0], "brushlabels": ["Cat"]}
    entry = {"id": 12, "image": "/data/upload/0a1b2c3d-2.png", "annotation_id": 22}
    put("project-1.json", json.dumps([entry | {"my-tag": [short], "annotator": 1}]))
    for path in (project / "masks").glob("task-11-*"):
        path.unlink()
    dataset = open_dataset(project)
    assert (dataset.images, dataset.labels) == (("images/2.png",), ("", "Cat"))


@pytest.mark.parametrize(
    ("hurt", "told"),
    [
        (lambda p: (p / "project-1.json").unlink(), "put its JSON export of the project beside"),
        (lambda p: (p / "images/2.png").unlink(), r"the image of task 12, 2.png, is not in the"),
        (
            lambda p: (p / "masks/task-99-annotation-1-by-1-tag-Cat-0.png").write_bytes(b""),
            "the JSON export has no task 99",
        ),
        (
            lambda p: (p / "masks/task-12-annotation-22-by-1-tag-Cow-0.png").write_bytes(b""),
            "the JSON export has no label 'tag-Cow' for this task",
        ),
        (lambda p: (p / "project-1.json").write_text("[1]"), "not Label Studio's JSON export"),
        (
            lambda p: (p / "project-1.json").write_text("[" * 10**5),
            "not Label Studio's JSON export",
        ),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(project, hurt, told):
    hurt(project)
    with pytest.raises(DataError, match=told):
        open_dataset(project)


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.zeros((9, 6), np.uint8), "the mask is 6x9, its image 6x4"),
        (np.zeros((4, 6, 3), np.uint8), r"a mask of shape \(4, 6, 3\)"),
        (np.zeros((4, 6)), "it holds float64"),
        (np.array([{}], dtype=object), "cannot be read as an array of whole numbers"),
    ],
)
def test_arrays_of_other_things_are_faults(project, array, told):
    path = project / "masks" / "task-12-annotation-22-by-me@x.org-my-tag-Cat-0.npy"
    np.save(path, array, allow_pickle=True)
    with pytest.raises(DataError, match=told):
        LabelStudioDataset(project).annotation(1)


def test_a_coco_export_without_masks_is_told(put, gray, tmp_path):
    put("images/1.png", gray)
    content = {
        "info": {"contributor": "Label Studio", "version": "1.0"},
        "images": [{"id": 0, "file_name": "images/1.png", "width": 6, "height": 4}],
        "annotations": [],
        "categories": CATEGORIES,
    }
    put("result.json", json.dumps(content))
    with pytest.raises(DataError, match="COCO export, which leaves out brush masks: of 1 images"):
        open_dataset(tmp_path)
