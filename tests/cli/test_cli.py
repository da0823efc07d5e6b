"""The program as people call it: one line and exit code 2 where the input is at fault."""

import json
import shlex
import tomllib

import pytest
import torch

from net2vec.cli import main
from net2vec.config import Settings
from net2vec.results import load_table

from builders_runs import write_network_file, write_small_folder

pytestmark = pytest.mark.slow

FAST = ["--fit", "paper", "--segment-epochs", "3", "--classify-epochs", "3", "--subsets", "2"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    write_small_folder(folder / "data")
    write_network_file(folder)
    return folder


@pytest.fixture(scope="module")
def network(place):
    return f"{place / 'networks_of_mine.py'}:small"


@pytest.fixture(scope="module")
def run(place, network, without_paint):
    out = place / "run"
    with without_paint():
        code = call("run", "--network", network, "--data", place / "data", "--out", out, *FAST)
    assert code == 0
    return out


def call(*arguments):
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    return exit_.value.code


def test_a_run_ends_with_the_path_of_its_report(run, network, place, capsys):
    arguments = ("--network", network, "--data", place / "data", "--out", run, *FAST)
    assert call("run", *arguments) == 0
    out, err = capsys.readouterr()
    assert out.strip().endswith("index.html")
    assert "finished already" in err


@pytest.mark.usefixtures("unpainted")
def test_a_config_repeats_a_run_to_the_last_bit(run, tmp_path):
    assert call("run", "--config", run / "run.toml", "--out", tmp_path / "again") == 0
    for name in ("scores.csv", "skipped.csv", "run.toml"):
        assert (tmp_path / "again" / name).read_bytes() == (run / name).read_bytes()


@pytest.mark.usefixtures("unpainted")
def test_options_override_a_config(run, tmp_path):
    arguments = ("--concepts", "red-c,null", "--tasks", "classify", "--seed", "4")
    assert call("run", "--config", run / "run.toml", "--out", tmp_path / "x", *arguments) == 0
    settings = tomllib.loads((tmp_path / "x" / "run.toml").read_text())
    assert settings["seed"] == 4
    assert settings["segment"]["epochs"] == 3
    scores = load_table(tmp_path / "x" / "scores.csv")
    assert set(scores["concept"]) == {"red-c", "null"}
    assert set(scores["task"]) == {"classify"}


def test_names_of_concepts_may_hold_commas(place, tmp_path, monkeypatch):
    asked = []

    def probe(settings, out, **options):
        asked.append(settings.concepts)
        return out

    monkeypatch.setattr("net2vec.pipeline.probe", probe)
    for text in ("cup, red-c", '"door, glass",cup', ' 5" pipe , "door, glass", ', "", "cup\nred-c"):
        assert (
            call(
                "run", "--network", "n", "--data", place, "--concepts", text, "--out", str(tmp_path)
            )
            == 0
        )
    assert asked == [
        ("cup", "red-c"),
        ("door, glass", "cup"),
        ('5" pipe', "door, glass"),
        (),
        ("cup", "red-c"),
    ]


def test_an_option_that_is_given_its_default_overrides_a_config(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "net2vec.pipeline.probe", lambda given, out, **_: asked.append(given) or out
    )
    config = tmp_path / "run.toml"
    config.write_text(
        Settings(
            "n", ("d",), seed=3, mask_size=9, colors=True, ignore=("sky",), fit="both"
        ).to_toml()
    )
    arguments = ("run", "--config", config, "--out", tmp_path / "out")
    assert call(*arguments) == 0
    assert call(*arguments, "--seed", 0, "--no-colors", "--fit", "paper", "--subsets", "none") == 0
    same, other = asked
    assert same == Settings.from_toml(config)
    assert (other.seed, other.colors, other.fits, other.mask_size) == (0, False, ("paper",), 9)
    assert (other.segment.subsets, other.classify.subsets, other.ignore) == ((), (), ("sky",))


@pytest.mark.usefixtures("unpainted")
def test_random_weights_get_their_batch_norm_from_the_images(place, tmp_path):
    network = f"{place / 'networks_of_mine.py'}:with_batch_norm"
    arguments = ("--data", place / "data", "--out", tmp_path / "run", "--tasks", "classify", *FAST)
    assert call("run", "--network", network, "--weights", "random", *arguments) == 0
    told = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert "batch norm from 32 images" in told["network"]["weights"]
    assert told["network"]["trained"] is False


def test_questions_to_a_run(run, capsys):
    assert call("scores", run, "--json", "-n", "2") == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 2
    assert rows[0]["combined"] >= rows[1]["combined"]
    assert call("nearest", run, "red", "-n", "2", "--json") == 0
    assert len(json.loads(capsys.readouterr().out)) == 2
    assert call("solve", run, "red + blue - square", "--task", "classify", "--json") == 0
    found = [row["concept"] for row in json.loads(capsys.readouterr().out)]
    assert not {"red-c", "blue-c", "square"} & set(found)
    assert call("filter", run, "3", "--json", "-n", "2") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["iou"] for row in rows] == sorted([row["iou"] for row in rows], reverse=True)
    assert call("filter", run, "99", "--task", "classify") == 2
    assert "has no filter 99" in capsys.readouterr().err
    assert call("nearest", run, "null") == 0
    assert "cosine" in capsys.readouterr().out


def test_vectors_near_their_start_are_marked(run, capsys, monkeypatch):
    stuck = frozenset({"square"})
    monkeypatch.setattr("net2vec.runs.Run.hardly_moved", lambda *_, **__: stuck)
    assert call("nearest", run, "square") == 0
    assert "square has hardly moved from its random start" in capsys.readouterr().err
    assert call("nearest", run, "red", "--json", "-n", "9") == 0
    out, err = capsys.readouterr()
    assert {row["concept"]: row["hardly_moved"] for row in json.loads(out)}["square"]
    assert not err
    assert call("scores", run) == 0
    marked = [line for line in capsys.readouterr().out.splitlines() if " yes " in line]
    assert len(marked) == 1
    assert "square" in marked[0]


def test_the_demo_ends_with_questions(run, tmp_path, capsys, monkeypatch):
    (tmp_path / "trained").symlink_to(run)
    monkeypatch.setattr("net2vec.pipeline.run_demo", lambda out, **_: out / "index.html")
    monkeypatch.setattr("sys.argv", ["bin/net2vec", "demo"])
    monkeypatch.setattr("shutil.which", lambda name: None)
    assert call("demo", "--out", tmp_path) == 0
    out, err = capsys.readouterr()
    assert out.strip() == str(tmp_path / "index.html")
    asked = [line.strip() for line in err.splitlines() if line.startswith("  bin/net2vec")]
    assert [line.split()[1] for line in asked] == ["nearest", "solve", "filter"]
    assert call(*shlex.split(asked[2])[1:]) == 0  # whatever the pictures, it has an answer


@pytest.mark.usefixtures("unpainted")
def test_a_report_can_be_made_again(run, tmp_path, capsys):
    assert call("report", run, "--trust", "--out", tmp_path / "page") == 0
    assert (tmp_path / "page" / "index.html").is_file()


def test_what_is_known_can_be_listed(network, capsys):
    assert call("networks", "--json") == 0
    names = [row["network"] for row in json.loads(capsys.readouterr().out)]
    assert {"alexnet", "vgg16", "googlenet", "efficientnet_lite0"} <= set(names)
    assert call("layers", network, "--json") == 0
    rows = {row["layer"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["1"]["shape"] == "8x112x112"
    assert rows["1"]["activation"] == "yes"
    assert rows["0"]["activation"] == "no"


def test_data_commands(place, tmp_path, capsys):
    data = place / "data"
    assert call("data", "info", data, "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert sum(told["images"].values()) == 40
    assert {row["concept"] for row in told["concepts"]} == {
        "red-c", "blue-c", "square", "null", "day-s",
    }  # fmt: skip
    assert call("data", "info", data) == 0
    assert "color" in capsys.readouterr().out
    assert call("data", "check", data) == 0
    assert call("data", "render", tmp_path / "pictures", "--images", "3") == 0
    assert (tmp_path / "pictures" / "index.csv").is_file()
    assert call("data", "convert", data, tmp_path / "copy", "--size", "32") == 0
    next((tmp_path / "copy" / "images").rglob("*.png")).unlink()
    capsys.readouterr()
    assert call("data", "check", tmp_path / "copy") == 1
    assert ".png" in capsys.readouterr().out


def broken(place):
    path = place / "broken.pth"
    path.write_bytes(b"no weights at all")
    return path


BAD = {
    "unknown network": (("--network", "alexnett"), "alexnet"),
    "unknown layer": (("--layers", "features.99"), "no layer"),
    "unknown dataset": (("--data", "nowhere"), "no such dataset"),
    "quantile": (("--quantile", "5"), "0.005"),
    "no number": (("--seed", "many"), "--seed"),
    "unknown task": (("--tasks", "sing"), "segment"),
    "unknown concept": (("--concepts", "redd"), "red-c"),
    "open quote": (("--concepts", '"door, glass'), "double quotes"),
    "unknown device": (("--device", "tpu"), "cuda"),
    "subsets": (("--subsets", "one"), "numbers"),
    "unknown option": (("--colour", "x"), "--colour"),
    "broken weights": (("--network", "alexnet", "--weights", "BROKEN"), "broken.pth"),
    "missing weights": (("--network", "alexnet", "--weights", "gone.pth"), "gone.pth"),
    "missing config": (("--config", "gone.toml"), "gone.toml"),
    "folder of something else": (("--out", "PLACE"), "choose an --out"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_gives_one_line_and_exit_code_2(name, place, network, tmp_path, capsys):
    options, hint = BAD[name]
    replaced = {"BROKEN": str(broken(place)), "PLACE": str(place)}
    options = [replaced.get(option, option) for option in options]
    before = sorted(place.rglob("*"))
    arguments = {"--network": network, "--data": place / "data", "--out": tmp_path / "run"}
    for option, value in zip(options[::2], options[1::2], strict=True):
        arguments[option] = value
    assert call("run", *(part for pair in arguments.items() for part in pair)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert err.startswith("net2vec: ")
    assert hint in err
    assert not (tmp_path / "run").exists()
    assert sorted(place.rglob("*")) == before


def test_a_gpu_that_is_full_is_told_in_one_line(place, network, tmp_path, monkeypatch, capsys):
    def full(*arguments, **options):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr("net2vec.pipeline.stages.probing.record", full)
    arguments = ("--network", network, "--data", place / "data", "--out", tmp_path / "run", *FAST)
    assert call("run", *arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("net2vec: the GPU's memory is full")
    assert "--probe-batch" in err
    assert len(err.strip().splitlines()) == 1


def test_an_interruption_is_told_in_one_line(place, network, tmp_path, monkeypatch, capsys):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("net2vec.pipeline.stages.probing.record", interrupted)
    arguments = ("--network", network, "--data", place / "data", "--out", tmp_path / "run", *FAST)
    assert call("run", *arguments) == 130
    told = "net2vec: interrupted; the same command again goes on where it was"
    assert capsys.readouterr().err.splitlines()[-1] == told


def test_without_a_command_there_is_help_alone(capsys):
    assert call() == 2
    out, err = capsys.readouterr()
    assert "Usage: " in out + err
    assert "net2vec: " not in err


def test_questions_to_no_run_are_refused(tmp_path, capsys):
    assert call("scores", tmp_path) == 2
    assert "not a finished run" in capsys.readouterr().err
