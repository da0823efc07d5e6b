"""Settings, run folders and files beside them that cannot be used: each is refused in one line."""

from __future__ import annotations

import json
import shutil

import pytest

from builders_faults import assert_refused, call

from builders_cached import cut, empty, flip, remove
from builders_runs import write_network_file, write_small_folder

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.slow]

FAST = [
    "--segment-epochs", "1", "--classify-epochs", "1", "--subsets", "none", "--layers", "1",
    "--concepts", "red-c,blue-c",
]  # fmt: skip

# Options of `net2vec run`, and a part of the line that refuses them.
SETTINGS = {
    "--quantile 0": "quantile",
    "--quantile 1": "quantile",
    "--quantile -1": "quantile",
    "--quantile nan": "quantile",
    "--quantile many": "quantile",
    "--nulls -1": "nulls",
    "--seeds 0": "seeds",
    "--seeds 3 --fit converged": "random starts",
    "--seed 99999999999999999999": "seed",
    "--mask-size 0": "mask_size",
    "--min-train 0": "min_train",
    "--probe-batch 0": "probe_batch",
    "--workers 0": "workers",
    "--fit nope": "nope",
    "--fit ,": "fit",
    "--device nope": "nope",
    "--tasks nope": "nope",
    "--batch-norm nope": "nope",
    "--subsets x": "subsets",
    "--subsets 0": "subsets",
    "--subsets -3": "subsets",
    "--layers nope": "nope",
    "--layers 1#9": "no call 9",
    "--concepts nope": "nope",
    "--segment-epochs 0": "epochs",
    "--segment-learning-rate inf": "learning_rate",
    "--segment-batch 0": "batch",
    "--nope 3": "nope",
    "--synonyms missing.txt": "missing.txt",
    "--config missing.toml": "missing.toml",
    "--weights missing.pth": "missing.pth",
    "--data missing": "missing",
}

# What a file of settings holds.
CONFIGS = {
    "nothing": "",
    "noise": "\x01[[",
    "an unknown key": 'network = "alexnet"\ndata = ["diorama"]\nquantiles = 3',
    "a table for a number": 'network = "alexnet"\ndata = ["diorama"]\n[quantile]\na = 1',
    "a text for a number": 'network = "alexnet"\ndata = ["diorama"]\nseed = "3"',
    "a number for a text": 'network = 3\ndata = ["diorama"]',
    "a text for a table": 'network = "alexnet"\ndata = ["diorama"]\nsegment = "fast"',
    "an empty list": 'network = "alexnet"\ndata = []',
    "a network given in Python": 'network = "python:Net@0"\ndata = ["diorama"]',
    "data given in Python": 'network = "alexnet"\ndata = ["python:squares@0"]',
    "ten thousand levels": "a = " + "[" * 10_000,
}

# Commands on the finished run, which `RUN` stands for.
QUESTIONS = {
    "scores RUN --layer nope": "nope",
    "scores RUN --task nope": "nope",
    "scores RUN --fit nope": "nope",
    "scores missing": "missing",
    "nearest RUN nope": "nope",
    "nearest RUN": "concept",
    "solve RUN red-+": "",
    "solve RUN nope+red-c": "nope",
    "filter RUN 999": "999",
    "filter RUN -1": "",
    "export RUN --format nope": "nope",
    "export RUN --layer nope": "nope",
    "report RUN RUN --out two": "twice",
    "report RUN --concept nope": "nope",
    "report RUN --filter 999": "999",
    "report RUN --layer nope": "nope",
    "report RUN --out RUN": "other than a report",
    "compare RUN": "",
    "apply RUN missing.png --concept red-c": "missing.png",
    "apply RUN RUN/run.toml --concept red-c": "run.toml",
    "apply RUN RUN --concept red-c": "",
}

# Files of word vectors for `net2vec compare --with`.
WORDS = {
    "nothing": b"",
    "noise": bytes(range(256)) * 4,
    "one word": b"1 3\nred 1 2 3\n",
    "rows of different lengths": b"red 1 2 3\nblue 1 2\nsquare 1 2 3\n",
    "no numbers": b"red a b c\nblue a b c\n",
    "numbers that are none": b"red nan nan\nblue inf 1\nsquare nan 2\n",
    "a header that promises a thousand million words": b"9999999999 300\nred 1 2 3\n",
    "a header that promises more": b"5 3\nred 1 2 3\nblue 1 2 3\n",
}

PROVENANCES = {
    "an empty object": "{}",
    "a list": "[]",
    "a network that is a number": '{"network": 3}',
    "a digest that is a number": '{"network": {"digest": 3}}',
    "stages that are a list": '{"seconds": []}',
    "data that are a text": '{"data": "diorama"}',
    "ten thousand levels": "[" * 10_000,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A dataset, a network and a finished run of both."""
    folder = tmp_path_factory.mktemp("made")
    write_small_folder(folder / "data")
    network = f"{write_network_file(folder)}:small"
    base = ["run", "--network", network, "--data", str(folder / "data")]
    from net2vec.cli import main

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("net2vec.pipeline.runner.write_report", lambda *_, **__: None)
        with pytest.raises(SystemExit) as ended:
            main([*base, *FAST, "--out", str(folder / "run")])
    assert not ended.value.code
    return folder, base


@pytest.fixture
def run(made, tmp_path, monkeypatch):
    """A copy of the run, in the working directory."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(made[0] / "run", tmp_path / "run", ignore=shutil.ignore_patterns("cache"))
    return tmp_path / "run"


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("options", SETTINGS)
def test_settings(made, options, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = [*made[1], "--out", "out", *options.split()]
    assert_refused(arguments, SETTINGS[options], capsys)
    assert not (tmp_path / "out" / "run.toml").exists()


@pytest.mark.parametrize("holds", CONFIGS)
def test_files_of_settings(holds, tmp_path, capsys):
    path = tmp_path / "mine.toml"
    path.write_text(CONFIGS[holds])
    assert_refused(["run", "--config", path, "--out", tmp_path / "out"], "", capsys)
    assert_refused(["run", "--runs", path, "--out", tmp_path / "out"], "", capsys)


@pytest.mark.parametrize("command", QUESTIONS)
def test_questions_to_a_run(run, command, capsys):
    before = content(run)
    assert_refused([run if word == "RUN" else word for word in command.split()],
                   QUESTIONS[command], capsys)  # fmt: skip
    assert content(run) == before


@pytest.mark.parametrize("holds", WORDS)
def test_word_vectors(run, holds, tmp_path, capsys):
    path = tmp_path / "words.txt"
    path.write_bytes(WORDS[holds])
    assert_refused(["compare", run, "--with", path], "", capsys)


@pytest.mark.parametrize("holds", PROVENANCES)
def test_provenance_of_another_shape(run, made, holds, capsys, tmp_path):
    (run / "provenance.json").write_text(PROVENANCES[holds])
    image = next((made[0] / "data" / "images").rglob("*.png"))
    assert_refused(
        ["apply", run, image, "--concept", "red-c", "--trust", "--out", tmp_path], "", capsys
    )


@pytest.mark.parametrize("kind", ["file", "other files", "other run", "file above"])
def test_folders_that_hold_something_else(made, run, kind, tmp_path, capsys):
    out = {
        "file": tmp_path / "file",
        "other files": tmp_path / "other",
        "other run": run,
        "file above": tmp_path / "file" / "run",
    }[kind]
    (tmp_path / "file").write_text("mine")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    before = content(tmp_path)
    assert_refused([*made[1], *FAST, "--seed", "5", "--out", out], "", capsys)
    assert content(tmp_path) == before


# A file of each kind in a run's folder.
DAMAGED = (
    "run.toml", "provenance.json", "skipped.csv", "scores.csv", "results.zarr/.checksums",
    "results.zarr/.zmetadata", "results.zarr/.zattrs", "results.zarr/1/.zgroup",
    "results.zarr/1/threshold/.zarray", "results.zarr/1/threshold/0",
    "results.zarr/1/segment/weight/0.0", "results.zarr/1/segment/concept/0",
)  # fmt: skip
ASKED = (["scores", "run", "--json"], ["nearest", "run", "red-c", "--json"])


@pytest.fixture(scope="module")
def answers(made):
    """What a sound run answers."""
    return {}


@pytest.mark.parametrize("damage", [cut, empty, flip, remove], ids=lambda each: each.__name__)
@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_run_gives_the_same_answers_or_one_line(run, answers, name, damage, capsys):
    for arguments in ASKED:
        if arguments[0] not in answers:
            answers[arguments[0]] = call(arguments, capsys)
    damage(run / name)
    for arguments in ASKED:
        code, out, err = found = call(arguments, capsys)
        assert "Traceback" not in err
        assert found == answers[arguments[0]] or (code, out) == (2, "")
        assert code == 0 or sum(line.startswith("net2vec: ") for line in err.splitlines()) == 1


@pytest.mark.parametrize("damage", [cut, empty, flip, remove], ids=lambda each: each.__name__)
@pytest.mark.parametrize("name", ["run.toml", "provenance.json", "skipped.csv"])
def test_a_report_or_a_prediction_reads_no_damaged_file(run, made, name, damage, capsys, tmp_path):
    if damage is flip:  # a digit, so that the file can still be read
        text = (run / name).read_text()
        place = max(text.rfind(digit) for digit in "0123456789") if name != "skipped.csv" else 5
        changed = "1" if text[place] == "0" else "0"
        (run / name).write_text(text[:place] + changed + text[place + 1 :])
    else:
        damage(run / name)
    assert_refused(["report", run, "--out", tmp_path / "page"], name, capsys)
    if name != "skipped.csv":  # which no prediction reads
        image = next((made[0] / "data" / "images").rglob("*.png"))
        assert_refused(
            ["apply", run, image, "--concept", "red-c", "--trust", "--out", tmp_path], "", capsys
        )


def test_the_run_of_these_tests_is_sound(run, capsys):
    code, out, _ = call(ASKED[0], capsys)
    assert code == 0
    assert len(json.loads(out)) == 2
