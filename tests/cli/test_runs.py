"""`net2vec runs`, and what a shell completes of the runs that are there."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from net2vec.cli import completion, main
from net2vec.cli.completion import complete_in_bash
from net2vec.config import Settings
from net2vec.core.storage import writing_into
from net2vec.vocabulary import TASKS

from builders import CONCEPTS, SCENES, build_run


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("place")
    finished = build_run(folder / "deep" / "finished", fits=("paper", "converged"))
    (finished / "cache").mkdir()
    (finished / "cache" / "run.toml").write_text("")  # nothing within a run is a run
    settings = Settings("timm:resnet18", ("/data/street",), layers=("layer4",), fit="lda")
    for name in ("begun", ".hidden", "a/b/c/d/too_deep"):
        (folder / name).mkdir(parents=True)
        (folder / name / "run.toml").write_text(settings.to_toml())
    (folder / "broken").mkdir()
    (folder / "broken" / "run.toml").write_text("network =")
    return folder


def listed(folder, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["runs", str(folder), "--json"])
    assert exit_.value.code == 0
    return {row.pop("run"): row for row in json.loads(capsys.readouterr().out)}


def test_runs_are_listed_whatever_their_state(folder, capsys):
    rows = listed(folder, capsys)
    assert list(rows) == ["begun", "broken", str(Path("deep", "finished"))]
    begun, broken, finished = rows.values()
    assert begun["date"]
    assert begun | {"date": ""} == {
        "network": "timm:resnet18", "weights": None, "data": "street", "layers": "layer4",
        "tasks": "segment, classify", "fits": "lda", "concepts": "", "date": "",
        "state": "unfinished",
    }  # fmt: skip
    assert broken["state"] == "cannot be read: run.toml"
    assert finished["layers"] == "stem/relu, blocks.6"
    assert finished["fits"] == "paper, converged"
    assert finished["concepts"] == f"{len(CONCEPTS)}, {len(CONCEPTS) + len(SCENES)}"
    assert (finished["weights"], finished["state"]) == ("planted", "finished")


def test_a_run_that_a_process_is_making_is_told_apart(folder, capsys):
    with writing_into(folder / "begun"):
        assert listed(folder, capsys)["begun"]["state"] == "being made"


def test_results_without_metadata_are_named(tmp_path, capsys):
    run = build_run(tmp_path / "run")
    (run / "results.zarr" / ".zmetadata").write_text("{}")
    assert listed(run, capsys)["."]["state"] == "cannot be read: results.zarr"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("provenance.json", "3"),
        ("provenance.json", '{"network": 3}'),
        ("run.toml", "data = 3"),
        ("run.toml", "layers = [3]"),
        ("run.toml", "layers = "),
    ],
)
def test_files_of_another_shape_are_named(tmp_path, capsys, name, text):
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / name).write_text(text)
    state = listed(tmp_path, capsys)["odd"]["state"]
    assert state in {f"cannot be read: {name}", "cannot be read: results.zarr"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.parametrize("name", ["run.toml", "provenance.json"])
def test_a_pipe_is_not_waited_for(tmp_path, capsys, name):
    os.mkfifo(tmp_path / name)
    assert listed(tmp_path, capsys)["."]["state"] == f"cannot be read: {name}"


def test_names_that_are_no_text_are_marked(tmp_path, capsys):
    try:
        (tmp_path / "r\udcff").mkdir()
    except OSError:
        pytest.skip("this file system takes only Unicode names")
    (tmp_path / "r\udcff" / "provenance.json").write_text(r'{"network": {"name": "\ud800"}}')
    assert list(listed(tmp_path, capsys)) == ["r?"]


def test_a_folder_without_runs_is_one_line(tmp_path, capsys):
    for path, message in ((tmp_path, "holds no run"), (tmp_path / "x", "is no folder")):
        with pytest.raises(SystemExit) as exit_:
            main(["runs", str(path)])
        assert exit_.value.code == 2
        assert message in capsys.readouterr().err


def completed(*words, monkeypatch, capsys):
    """The answers for the last word, as a bash that splits at colons asks for them."""
    split = [part for word in words for part in _split_at_colons(word)]
    monkeypatch.setenv("COMP_WORDS", "\n".join(["net2vec", *split]))
    monkeypatch.setenv("COMP_CWORD", str(len(split)))
    monkeypatch.setenv("_NET2VEC_COMPLETE", "complete_bash")
    with pytest.raises(SystemExit):
        main([])
    return capsys.readouterr().out.split("\n")[:-1]


def _split_at_colons(word):
    head, colon, tail = word.partition(":")
    return [head, *([":"] if colon else []), *([tail] if tail else [])]


def test_runs_layers_fits_and_concepts_are_completed(folder, monkeypatch, capsys):
    run = str(folder / "deep" / "finished")
    for words, answers in (
        (("scores", f"{folder}/d"), [run]),
        (("scores", run, "--layer", ""), ["stem/relu", "blocks.6"]),
        (("scores", run, "--fit", "c"), ["converged"]),
        (("scores", run, "--task", ""), [*TASKS]),
        (("nearest", run, "traf"), [r"traffic\ light", "traffic"]),
        (("nearest", run, '"traffic l'), ["traffic light"]),
        (("nearest", run, "stre"), []),  # a scene has no vector that segments
        (("nearest", run, "--task", "classify", "stre"), ["street-s"]),
        (("apply", run, "--concept", "<"), [r"\<b\>boat\</b\>"]),
        (("report", run, "--concept", "wi"), ["window"]),
        (("run", "--fit", "nothing"), []),
    ):
        got = completed(*words, monkeypatch=monkeypatch, capsys=capsys)
        assert got == answers, words


def test_networks_are_completed_from_a_list_that_is_made_once(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("NET2VEC_CACHE", str(tmp_path))
    made = []
    names = ["alexnet", "timm:resnet18", "timm:vgg16"]
    monkeypatch.setattr(completion, "_network_names", lambda: made.append(1) or names)
    for words, answers in (
        (("run", "--network", "al"), ["alexnet"]),
        (("run", "--network", "ti"), ["timm:"]),
        (("layers", "timm:res"), ["resnet18"]),  # bash keeps what stands before a colon
        (("run", "--network", "timm:"), ["resnet18", "vgg16"]),
    ):
        assert completed(*words, monkeypatch=monkeypatch, capsys=capsys) == answers
    assert made == [1]


def test_the_list_of_networks_holds_those_of_the_libraries():
    names = completion._network_names()
    assert {"efficientnet_lite0", "torchvision:resnet18", "timm:resnet18"} <= set(names)


def test_completion_of_a_run_loads_nothing_heavy(folder):
    run = folder / "deep" / "finished"
    code = (
        "import sys; sys.argv = ['net2vec']; from net2vec.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({'torch', 'pandas', 'xarray', 'numpy'} & set(sys.modules)))"
    )
    asked = {
        "_NET2VEC_COMPLETE": "complete_bash", "COMP_CWORD": "3",
        "COMP_WORDS": f"net2vec\nnearest\n{run}\ndo",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | asked
    )
    assert done.stdout.split() == ["dog", "[]"]


def test_a_cut_environment_completes_nothing(monkeypatch):
    for name in ("COMP_WORDS", "COMP_CWORD"):
        monkeypatch.delenv(name, raising=False)
    complete_in_bash(lambda: None)
