"""`net2vec apply`: files for every image and concept, and one line where something is at fault."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import net2vec
from net2vec.cli import main
from net2vec.config import Settings
from net2vec.pipeline import probe

from builders_apply import SETTINGS, no_report, probe_small, save_pictures
from builders_runs import write_network_file, write_small_folder


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    write_network_file(folder)
    data = write_small_folder(folder / "data")
    network = f"{folder / 'networks_of_mine.py'}:small"
    settings = {**SETTINGS, "network": network, "data": (str(data),)}
    with no_report():
        probe(Settings.from_dict(settings), folder / "run")
    for name in ("one", "two"):
        save_pictures(folder / name)
        for path in sorted((folder / name).iterdir())[2:]:
            path.unlink()
    Image.new("LA", (31, 17), (200, 128)).save(folder / "odd.png")
    return folder


def call(*arguments):
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    return exit_.value.code


def test_every_image_and_concept_has_its_files(place, tmp_path, capsys):
    images = (place / "one", place / "two", place / "odd.png")
    concepts = ("--concept", "red", "--concept", "square")
    out = tmp_path / "out"
    assert call("apply", place / "run", "--trust", *concepts, "--out", out, "--json", *images) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["image"].rsplit("/", 2)[-2:], row["concept"]) for row in rows[:3]] == [
        (["one", "0000.png"], "red-c"), (["one", "0000.png"], "square"),
        (["one", "0001.png"], "red-c"),
    ]  # fmt: skip
    files = {row[kind] for row in rows for kind in ("probability", "mask", "overlay")}
    assert files == {str(path) for path in out.iterdir()}
    assert len(files) == 5 * 2 * 3
    found = net2vec.open_run(place / "run", trust=True).segment(place / "odd.png", "red")
    assert (found["height"].item(), found["width"].item()) == (17, 31)
    with Image.open(rows[-2]["mask"]) as picture:
        mask = np.asarray(picture)
    assert mask.shape == (17, 31)
    assert rows[-2]["share"] == pytest.approx(mask.mean())


def test_a_layer_is_chosen_and_a_table_printed(place, tmp_path, capsys):
    arguments = ("--concept", "red", "--layer", "1", "--out", tmp_path, "--device", "cpu")
    assert call("apply", place / "run", "--trust", *arguments, place / "odd.png") == 0
    out = capsys.readouterr().out
    assert "odd.red-c.*.png" in out
    assert "1, paper fit" in out
    assert f"files in {tmp_path}; " in out


BAD = {
    "unknown concept": (("--concept", "redd", "IMAGE"), "red-c"),
    "unknown layer": (("--concept", "red", "--layer", "9", "IMAGE"), "1, 3"),
    "unknown device": (("--concept", "red", "--device", "tpu", "IMAGE"), "cuda"),
    "missing image": (("--concept", "red", "IMAGE", "gone.png"), "gone.png"),
    "no image": (("--concept", "red", "IMAGE", "RUN/run.toml"), "not an image"),
    "no concept": (("IMAGE",), "--concept"),
    "nothing to look at": (("--concept", "red"), "IMAGE"),
    "a file as folder": (("--concept", "red", "--out", "RUN/run.toml", "IMAGE"), "is a file"),
    "folder without images": (("--concept", "red", "RUN/results.zarr"), "no image in this folder"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gives_one_line_and_exit_code_2(name, place, tmp_path, capsys):
    arguments, hint = BAD[name]
    replaced = {"IMAGE": str(place / "odd.png")}
    arguments = [replaced.get(part, part.replace("RUN", str(place / "run"))) for part in arguments]
    assert call("apply", place / "run", "--trust", "--out", tmp_path / "out", *arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert hint in err
    assert not (tmp_path / "out").exists()


def test_a_run_of_a_module_given_in_python_says_what_to_do(place, tmp_path, capsys):
    run = probe_small(tmp_path / "run")
    assert call("apply", run.path, "--concept", "red", place / "odd.png") == 2
    assert "pass the module as network=" in capsys.readouterr().err
