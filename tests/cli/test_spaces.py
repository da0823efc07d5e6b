"""Commands about spaces: compare and export."""

import json

import numpy as np
import pandas as pd
import pytest
import zarr

import net2vec
from net2vec.cli import main
from net2vec.runs import open_run

from builders import CONCEPTS, SCENES, build_run
from builders_runs import small_dataset, small_network
from builders_whole import squash

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(shared_run):
    other = shared_run(network="two", seed=1, layers={"blocks.6": 6, "top": 5})
    return [shared_run(network="one").path, other.path]


def call(*arguments):
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    return exit_.value.code


def test_two_runs_are_compared_on_their_last_layers(runs, tmp_path, capsys):
    out = tmp_path / "out"
    assert call("compare", *runs, "--out", out, "--permutations", 9, "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["space"], row["other"]) == ("one blocks.6 segment", "two top segment")
    assert row["n"] == len(CONCEPTS)
    names = {path.name for path in out.iterdir()}
    assert names == {
        "distances.csv", "distances_by_category.csv", "distances_by_concept.csv",
        "distances.svg", "distances_by_category.svg",
    }  # fmt: skip
    table = pd.read_csv(out / "distances_by_concept.csv", keep_default_na=False)
    assert table["distance"].sum() == pytest.approx(row["distance"])
    assert dict(zip(table["concept"], table["category"], strict=True)) == CONCEPTS


def test_layers_and_tasks_are_chosen(runs, tmp_path, capsys):
    arguments = ("--task", "segment", "--task", "classify", "--permutations", 0, "--json")
    call("compare", *runs, "--layer", "all", *arguments, "--out", tmp_path)
    assert len(json.loads(capsys.readouterr().out)) == 8 * 7 / 2
    call("compare", *runs, "--layer", "blocks.6", *arguments, "--out", tmp_path)
    spaces = {row["space"] for row in json.loads(capsys.readouterr().out)}
    assert spaces == {f"one blocks.6 {task}" for task in ("segment", "classify")} | {
        "two blocks.6 segment"
    }
    assert call("compare", *runs, "--layer", "stem/relu", "--out", tmp_path) == 2
    assert "none of the layers stem/relu; it has blocks.6, top" in capsys.readouterr().err


def test_categories_are_those_of_what_is_compared(runs, tmp_path):
    assert call("compare", *runs, "--task", "classify", "--permutations", 0, "--out", tmp_path) == 0
    table = pd.read_csv(tmp_path / "distances_by_concept.csv", keep_default_na=False)
    found = dict(zip(table["concept"], table["category"], strict=True))
    assert found == {**CONCEPTS, **SCENES}


@pytest.mark.usefixtures("unpainted")
def test_a_last_layer_that_holds_no_task_is_passed_over(tmp_path):
    data = small_dataset()
    for name in ("one", "two"):
        run = net2vec.analyze(
            small_network(), data, tmp_path / name, layers=("3", "6"), tasks=("segment",),
            transform=squash, seed=len(name), segment={"epochs": 1}, fit="paper",
        )  # fmt: skip
        assert run.tasks() == ()
    folders = (tmp_path / "one", tmp_path / "two")
    assert call("compare", *folders, "--layer", "3", "--out", tmp_path / "out") == 0


def test_what_is_exported_is_at_no_distance(runs, tmp_path, capsys):
    vectors = tmp_path / "vectors"
    assert call("export", runs[0], "--out", vectors, "--layer", "all") == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 * 2 * 4
    assert len(list(vectors.iterdir())) == 2 * 2 * 5
    for name in ("stem-relu-segment.csv", "stem-relu-segment.safetensors"):
        arguments = ("--layer", "stem/relu", "--with", vectors / name, "--out", tmp_path, "--json")
        assert call("compare", runs[0], *arguments) == 0
        (row,) = json.loads(capsys.readouterr().out)
        assert row["distance"] == pytest.approx(0, abs=1e-9)
        assert row["other"] == "stem-relu-segment"


def test_only_what_is_asked_for_is_exported(runs, tmp_path):
    arguments = ("--format", "csv", "--task", "classify", "--out", tmp_path)
    assert call("export", runs[0], *arguments) == 0
    (path,) = tmp_path.iterdir()
    table = pd.read_csv(path, keep_default_na=False)
    vectors = open_run(runs[0]).vectors(task="classify")
    assert table["concept"].tolist() == vectors["concept"].values.tolist()
    numbers = table.drop(columns=["concept", "category"]).to_numpy()
    np.testing.assert_allclose(numbers, vectors.values, rtol=1e-6)


def test_names_without_a_word_are_told(runs, tmp_path, capsys):
    pytest.importorskip("gensim")
    words = tmp_path / "words.txt"
    words.write_text("5 3\ndog 1 0 1\nwood 1 1 0\ngrass 0 1 1\nred 0 0 1\ncart 1 2 3\n")
    synonyms = tmp_path / "synonyms.txt"
    synonyms.write_text("traffic = cart\n")
    arguments = ("--with", words, "--out", tmp_path / "out", "--json")
    assert call("compare", runs[0], *arguments, "--synonyms", synonyms) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)[0]["n"] == 5
    assert "words lacks 7 of 12 concepts" in told.err
    assert "traffic light" in told.err


@pytest.mark.usefixtures("unpainted")
def test_spaces_from_elsewhere_reach_the_page_of_a_report(runs, tmp_path, capsys):
    pytest.importorskip("gensim")
    words = tmp_path / "words.txt"
    words.write_text("5 3\ndog 1 0 1\nwood 1 1 0\ngrass 0 1 1\nred 0 0 1\ncart 1 2 3\n")
    synonyms = tmp_path / "synonyms.txt"
    synonyms.write_text("traffic = cart\n")
    known = ("--with", words, "--synonyms", synonyms)
    for number, title in ((1, "How do spaces of concepts differ?"), (2, "How do networks differ?")):
        out = tmp_path / str(number)
        assert call("report", *runs[:number], *known, "--out", out) == 0
        assert "words lacks 7 of 12 concepts" in capsys.readouterr().err
        page = (out / "index.html").read_text("utf-8")
        assert title in page
        assert "words lacks 7 of 12 concepts." in page
        table = pd.read_csv(out / "tables" / "network_distances.csv")
        assert "words" in table["other"].tolist()
        assert set(table["n"]) == {5}
    # The distance is that of the two matrices of cosines, on the concepts that both have.
    shared = ["wood", "grass", "red-c", "traffic", "dog"]
    vectors = open_run(runs[0]).vectors().sel(concept=shared).values.astype(float)
    own = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 1], [1, 2, 3], [1, 0, 1]], float)
    (one, other) = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (vectors, own))
    row = pd.read_csv(tmp_path / "1" / "tables" / "network_distances.csv")
    row = row[(row["space"] == "one segment") & (row["other"] == "words")]
    wanted = ((one @ one.T - other @ other.T) ** 2).sum()
    assert row["distance"].item() == pytest.approx(wanted)
    assert call("report", runs[0], "--with", "nothing.csv", "--out", tmp_path / "no") == 2
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("compare", "RUN"), "a comparison needs two spaces or more, got 1"),
        (("compare", "RUN", "--with", "nothing.csv"), "nothing.csv: no such file"),
        (("compare", "RUN", "--task", "paint"), "task 'paint' is not in this run"),
        (("export", "RUN", "--format", "xls"), "unknown format 'xls'; wanted one of word2vec"),
        (("export", "RUN", "--layer", "conv9"), "layer 'conv9' is not in this run"),
    ],
)
def test_faults_are_one_line(runs, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert call(*(runs[0] if word == "RUN" else word for word in arguments)) == 2
    told = capsys.readouterr().err
    assert message in told
    assert len(told.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_number_is_not_exported(tmp_path, capsys):
    folder = build_run(tmp_path / "run", layers={"blocks.6": 6})
    weight = zarr.open(folder / "results.zarr" / "blocks.6" / "segment" / "weight")
    weight[1] = np.nan
    (folder / "results.zarr" / ".checksums").unlink()
    out = ("--out", tmp_path / "out", "--task", "segment", "--format", "csv")
    assert call("export", folder, *out) == 0
    lost = list(CONCEPTS)[1]
    assert f"left out, since learning has not ended at numbers: {lost}\n" in capsys.readouterr().err
    (path,) = (tmp_path / "out").iterdir()
    table = pd.read_csv(path, keep_default_na=False)
    assert set(table["concept"]) == set(CONCEPTS) - {lost}
