"""A file that is no image, named as one, on every way by which images come into the program."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import net2vec
from net2vec.cli import main
from net2vec.config import Settings
from net2vec.data import open_dataset
from net2vec.errors import DataError
from net2vec.pipeline import probe

from builders_apply import SETTINGS, no_report
from builders_coco import box, document, region
from builders_images import EPS, NOT_AN_IMAGE, programs_forbidden, write_eps
from builders_runs import write_network_file, write_small_folder

# pycocotools on NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

GREY = Image.new("RGB", (6, 4), "grey")
MASK = Image.fromarray(np.full((4, 6), 1, np.uint8))


def call(*arguments: object) -> object:
    with programs_forbidden(), pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    return exit_.value.code


def write(folder: Path, **files: Image.Image | str) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content)
        else:
            content.save(path)
    return folder


def broden(folder: Path) -> Path:
    return write_small_folder(folder)


def classes(folder: Path) -> Path:
    names = [f"{split}/{name}/1.png" for split in ("train", "val") for name in ("cat", "dog")]
    return write(folder, **dict.fromkeys(names, GREY))


def masks(folder: Path) -> Path:
    files = {"images/a.png": GREY, "images/b.png": GREY, "masks/a.png": MASK, "masks/b.png": MASK}
    return write(folder, **files, **{"classes.txt": "nothing\nsky"})


def coco(folder: Path) -> Path:
    content = document([region(3, box(0, 0, 3, 4))], "a.png")
    return write(folder, **{"images/a.png": GREY, "annotations/instances.json": content})


def ade20k(folder: Path) -> Path:
    stem = "images/ADE/training/urban/street/A_1"
    thing = {"name": "car", "name_ndx": 1, "raw_name": "x"}
    about = json.dumps({"annotation": {"scene": ["outdoor"], "object": [thing]}})
    mask = Image.new("RGB", (6, 4), (0, 1, 1))
    return write(folder, **{f"{stem}.jpg": GREY, f"{stem}_seg.png": mask, f"{stem}.json": about})


PLACES = {
    "image of Broden": (broden, "images/0000.png"),
    "mask of Broden": (broden, "images/0000.png_object_1.png"),
    "image of classes": (classes, "train/cat/1.png"),
    "image of masks": (masks, "images/a.png"),
    "mask": (masks, "masks/a.png"),
    "image of COCO": (coco, "images/a.png"),
    "image of ADE20K": (ade20k, "images/ADE/training/urban/street/A_1.jpg"),
    "mask of ADE20K": (ade20k, "images/ADE/training/urban/street/A_1_seg.png"),
}


def read_first(folder: Path) -> None:
    dataset = open_dataset(folder)
    dataset.image(0)
    dataset.annotation(0)


@pytest.mark.parametrize("place", PLACES)
def test_a_dataset_with_eps_is_refused_and_its_check_says_so(place, tmp_path, capsys):
    build, name = PLACES[place]
    folder = build(tmp_path / "data")
    assert call("data", "check", folder) == 0
    capsys.readouterr()
    write_eps(folder / name)
    assert call("data", "check", folder) == 1
    out, err = capsys.readouterr()
    lines = [
        line for line in (out + err).splitlines() if "Ghostscript" in line or "decoded" in line
    ]
    assert lines == [f"{folder / name}: {NOT_AN_IMAGE}"]
    with programs_forbidden(), pytest.raises(DataError, match="not an image that can be decoded"):
        read_first(folder)


@pytest.mark.parametrize("place", PLACES)
def test_a_dataset_with_a_pipe_is_refused_and_its_check_ends(place, tmp_path, capsys):
    build, name = PLACES[place]
    folder = build(tmp_path / "data")
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert call("data", "check", folder) == 1
    out, err = capsys.readouterr()
    lines = [line for line in (out + err).splitlines() if "pipe" in line]
    assert [line.removeprefix(f"{folder / name}: ")[:12] for line in lines] == ["a named pipe"]
    with pytest.raises(DataError, match="a named pipe, not an image file"):
        read_first(folder)


def test_of_a_damaged_image_pillow_itself_says_nothing(tmp_path):
    folder = classes(tmp_path / "data")
    whole = io.BytesIO()
    GREY.save(whole, "TIFF")
    # Cut within its table of tags; and one whose tags say 2048 samples a pixel.
    cut, samples = whole.getvalue()[:30], struct.pack("<HHIHH", 277, 3, 1, 3, 0)
    assert whole.getvalue().count(samples) == 1
    wide = whole.getvalue().replace(samples, struct.pack("<HHIHH", 277, 3, 1, 2048, 0))
    for number, content in enumerate((cut, wide)):
        (folder / f"train/cat/{number}.tif").write_bytes(content)
    command = [sys.executable, "-m", "net2vec", "data", "check", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = (done.stdout + done.stderr).splitlines()
    lines = [line for line in lines if "in both splits" not in line]
    assert [line.split(":")[0] for line in lines] == [
        str(folder / f"train/cat/{number}.tif") for number in range(2)
    ]
    assert done.returncode == 1


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder of data and the run on it."""
    folder = tmp_path_factory.mktemp("place")
    write_network_file(folder)
    data = write_small_folder(folder / "data")
    network = f"{folder / 'networks_of_mine.py'}:small"
    settings = {**SETTINGS, "network": network, "data": (str(data),)}
    with no_report(), pytest.MonkeyPatch.context() as patch:
        # Images count by their sizes, as those of large datasets do.
        patch.setattr("net2vec.data.files.READ_BYTES", 0)
        probe(Settings.from_dict(settings), folder / "run")
    return folder


@pytest.mark.parametrize("name", ["x.jpg", "x.png"])
def test_apply_refuses_eps_and_pipes_in_one_line(place, tmp_path, capsys, name):
    write_eps(tmp_path / name)
    for faulty, reason in (
        (tmp_path / name, NOT_AN_IMAGE),
        (tmp_path / "pipe.jpg", "a named pipe"),
    ):
        if not faulty.exists():
            os.mkfifo(faulty)
        arguments = (
            place / "run",
            "--trust",
            "--concept",
            "red",
            "--out",
            tmp_path / "out",
            faulty,
        )
        assert call("apply", *arguments) == 2
        out, err = capsys.readouterr()
        assert (out, len(err.strip().splitlines())) == ("", 1)
        assert f"{faulty}: {reason}" in " ".join(err.split())
    assert not (tmp_path / "out").exists()


def test_an_eps_that_is_open_already_is_not_loaded(place, tmp_path):
    path = tmp_path / "x.jpg"
    path.write_bytes(EPS)
    run = net2vec.open_run(place / "run", trust=True)
    for ask in (run.segment, run.classify):
        with (
            Image.open(path) as image,
            programs_forbidden(),
            pytest.raises(DataError, match=r"x\.jpg: an image opened as EPS, which is not read"),
        ):
            ask(image, "red-c")


@pytest.mark.usefixtures("undrawn")
def test_a_report_draws_no_eps(place, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("net2vec.data.files.READ_BYTES", 0)
    for path in (place / "data" / "images").glob("????.png"):
        write_eps(path)
    assert (
        call("report", place / "run", "--trust", "--out", tmp_path / "page", "--concept", "red")
        == 0
    )
    told = " ".join(capsys.readouterr().err.split())
    assert "no pictures in the report: " in told
    assert "not an image that can be decoded" in told
    assert (tmp_path / "page" / "index.html").is_file()
