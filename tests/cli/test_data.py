"""Commands about datasets, and what runs make of damaged and of joined ones."""

import json
import re
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from net2vec.cli import main
from net2vec.results import load_table

from builders_damage import DAMAGES
from builders_runs import write_network_file, write_small_folder

pytestmark = pytest.mark.usefixtures("unpainted")

FAST = ["--fit", "paper", "--segment-epochs", "1", "--classify-epochs", "1", "--subsets", "none"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    write_small_folder(folder / "data")
    write_network_file(folder)
    return folder


@pytest.fixture
def data(place, tmp_path):
    """The small dataset, to be damaged."""
    return shutil.copytree(place / "data", tmp_path / "data")


@pytest.fixture
def run(place, tmp_path):
    network = f"{place / 'networks_of_mine.py'}:small"

    def call_run(*datasets, options=()):
        named = [part for dataset in datasets for part in ("--data", dataset)]
        options = (*FAST, *options, "--out", tmp_path / "run")
        return call("run", "--network", network, *named, *options)

    return call_run


@pytest.fixture
def meadow(put_masks):
    """Images beside masks, of which the red squares carry a name of their own."""
    return put_masks("meadow", "void\nscarlet\ngrass")


@pytest.fixture
def put_masks(tmp_path):
    def put(name, classes):
        rng = np.random.default_rng(1)
        for index in range(8):
            values = rng.integers(0, 3, (8, 8)).astype(np.uint8).repeat(4, 0).repeat(4, 1)
            picture = np.array([[90, 90, 90], [250, 0, 0], [0, 160, 0]], np.uint8)[values]
            split = "train" if index < 5 else "val"
            for folder, array in ((split, picture), (f"{split}annot", values)):
                path = tmp_path / name / folder / f"{index}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(path)
        (tmp_path / name / "classes.txt").write_text(classes)
        return tmp_path / name

    return put


def call(*arguments):
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    return exit_.value.code


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named_by_check_and_refused_by_run(name, data, run, tmp_path, capsys):
    damage = DAMAGES[name]
    damage.hurt(data)
    assert call("data", "check", data) == 1
    faults = capsys.readouterr().out.splitlines()
    assert [fault for fault in faults if re.search(damage.reason, fault)], faults
    assert run(data) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert err.startswith("net2vec: ")
    assert re.search(damage.reason, err)
    assert not (tmp_path / "run" / "scores.csv").exists()


def test_once_mended_a_run_goes_on_and_says_what_is_left_out(data, run, tmp_path, capsys):
    with (data / "label.csv").open("a") as table:
        table.write("6,nowhere,object(0),0,0.0,\n")
    options = ("--tasks", "segment", "--concepts", "red-c,nowhere")
    mask = data / "images" / "0000.png_object_1.png"
    sound = mask.read_bytes()
    mask.write_bytes(sound[:40])
    assert run(data, options=options) == 2
    mask.write_bytes(sound)
    assert run(data, options=options) == 0
    assert json.loads((tmp_path / "run" / "provenance.json").read_text())["data"]["sources"] == {}
    skipped = load_table(tmp_path / "run" / "skipped.csv").set_index("concept")
    assert "in no image" in skipped.loc["nowhere", "reason"]
    capsys.readouterr()
    assert call("data", "info", data, "--json") == 0
    left_out = json.loads(capsys.readouterr().out)["left_out"]
    assert [row["task"] for row in left_out if row["concept"] == "nowhere"] == [
        "segment", "classify",
    ]  # fmt: skip


def test_joined_datasets_tell_where_a_concept_comes_from(data, meadow, run, tmp_path, capsys):
    synonyms = tmp_path / "synonyms.txt"
    synonyms.write_text("red-c = scarlet  # what a painter says\n")
    options = (data, meadow, "--synonyms", synonyms, "--mask-size", "16")
    assert call("data", "info", *options, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sources"]["red-c"]["meadow"] == 8
    assert told["sources"]["square"].keys() == {"data"}
    assert call("data", "info", *options) == 0
    assert "in several  1 of 6 concepts" in capsys.readouterr().out
    assert run(data, meadow, options=("--tasks", "classify")) == 0
    sources = json.loads((tmp_path / "run" / "provenance.json").read_text())["data"]["sources"]
    assert sources["scarlet"] == sources["grass"] == {"meadow": 8}
    assert sources["null"] == {"data": 8}


def test_images_left_out_are_told(meadow, data, capsys):
    (meadow / "trainannot" / "0.png").unlink()
    assert call("data", "info", data, meadow, "--json") == 0
    assert json.loads(capsys.readouterr().out)["passed_over"] == [
        {
            "what": "images",
            "reason": "no mask of the same name",
            "count": 1,
            "example": "meadow/train/0.png",
        }
    ]
    assert call("data", "info", meadow, "--colors") == 0
    shown = capsys.readouterr().out
    assert "What would be left out" in shown
    assert "no mask of the same name" in shown
    assert call("data", "check", meadow) == 1
    told, said = capsys.readouterr()
    assert told == f"{meadow}/train/0.png: has no mask of the same name\n"
    assert said == "left out (images, no mask of the same name): 1, such as train/0.png\n"


def test_masks_of_black_and_white_are_a_fault_until_white_has_a_name(put_masks, capsys):
    folder = put_masks("cats", "void\ncat")
    for path in folder.glob("*annot/*.png"):
        Image.fromarray(np.where(np.asarray(Image.open(path)) == 1, 255, 0).astype("u1")).save(path)
    assert call("data", "check", folder) == 1
    (fault,) = capsys.readouterr().out.splitlines()
    assert "no concept has any annotated pixel or image; value 255 counts as void; name it" in fault
    (folder / "classes.txt").write_text("255 cat\n")
    assert call("data", "check", folder) == 0
    assert capsys.readouterr().out == "no faults\n"
    assert call("data", "info", folder, "--json") == 0
    (cat,) = json.loads(capsys.readouterr().out)["concepts"]
    assert (cat["concept"], cat["train"], cat["val"]) == ("cat", 5, 3)


def test_classes_of_one_name_are_told(put_masks, capsys):
    folder = put_masks("cats", "void\ncat\ncat")
    assert call("data", "check", folder) == 0
    told, said = capsys.readouterr()
    assert told == "no faults\n"
    assert said == "left out (classes, merged with another of the same name): 1, such as cat\n"
    assert call("data", "info", folder) == 0
    assert "merged with another of the same name" in capsys.readouterr().out


def test_ignored_labels_are_gone(meadow, capsys):
    assert call("data", "info", meadow, "--ignore", "grass", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["concept"] for row in told["concepts"]] == ["scarlet"]
    assert call("data", "info", meadow, "--ignore", "gras") == 2
    assert "did you mean grass" in capsys.readouterr().err


def test_converting_says_what_is_left_out(data, meadow, tmp_path, capsys):
    out = tmp_path / "out"
    options = ("--size", "32", "--min-frequency", "9", "--min-coverage", "0")
    assert call("data", "convert", data, meadow, out, *options) == 0
    told, said = capsys.readouterr()
    assert told.strip() == str(out)
    assert "4 labels; 3 left out, in fewer than 9 images" in said
    assert said.strip().endswith("in all: null, scarlet, grass")
    assert call("data", "check", out) == 0
    assert call("data", "convert", data, out) == 2
    assert "something is here already" in capsys.readouterr().err
    assert call("data", "convert", data) == 2


def test_a_copy_of_an_archive_is_unpacked(data, tmp_path, capsys):
    copy = tmp_path / "copy.zip"
    with zipfile.ZipFile(copy, "w") as archive:
        for path in data.rglob("*"):
            archive.write(path, path.relative_to(tmp_path))
    assert call("data", "fetch", "broden1_224", "--from", copy, "--out", tmp_path / "sets") == 0
    told, said = capsys.readouterr()
    assert told.strip() == str(tmp_path / "sets" / "broden1_224")
    first, second = said.strip().splitlines()
    assert first == f"from {copy}"
    assert "not the reported be13c292eaef3300da03f8d0e48eab1c" in second
    assert copy.is_file()
    assert call("data", "check", tmp_path / "sets" / "broden1_224") == 0
    assert call("data", "fetch", "broden1_225", "--out", tmp_path) == 2
    assert "did you mean broden1_2" in capsys.readouterr().err


def test_brackets_in_names_are_no_markup(put_masks, capsys):
    folder = put_masks("brackets", "void\n[red]scarlet\n[/b]")
    assert call("data", "info", folder) == 0
    out = capsys.readouterr().out
    assert "[red]scarlet" in out
    assert "[/b]" in out


def test_a_place_that_cannot_be_made_is_one_line(place, data, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    network = f"{place / 'networks_of_mine.py'}:small"
    out = tmp_path / "file" / "run"
    assert call("run", "--network", network, "--data", data, *FAST, "--out", out) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "Not a directory" in error
