"""A run's small files are as they were written, or it is told in one line."""

import json

import pytest

from net2vec import results
from net2vec.errors import ResultsError

TOLD = {
    "network": {"name": "név", "digest": "0" * 32, "trained": True, "preprocessing": {"size": 8}},
    "data": {"images": 3, "mask_size": [4, 4], "sources": {"red": {"a": 2}}},
    "machine": {"device": "cpu", "gpu": None},
    "seconds": {"recording": 0.1},
}


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "run.toml").write_text("seed = 0\n")
    (tmp_path / "skipped.csv").write_text("network\n")
    results.save_provenance(TOLD, tmp_path)
    return tmp_path


def test_it_is_read_as_it_was_written(folder):
    told = results.load_provenance(folder)
    assert {name: told[name] for name in TOLD} == TOLD
    assert set(told["checksums"]) == {"run.toml", "skipped.csv"}
    for name in ("run.toml", "skipped.csv", "scores.csv"):
        results.check_file(folder, name)


def test_every_changed_bit_is_noticed(folder):
    path = folder / "provenance.json"
    whole, plain = path.read_bytes(), results.load_provenance(folder)
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            assert results.load_provenance(folder) == plain  # a changed blank, at most
        except ResultsError:
            continue


@pytest.mark.parametrize("name", ["run.toml", "skipped.csv"])
def test_changed_and_missing_files_are_noticed(folder, name):
    path = folder / name
    path.write_text(path.read_text().replace("e", "f"))
    with pytest.raises(ResultsError, match=f"{name} is missing or not as it was written"):
        results.check_file(folder, name)
    path.unlink()
    with pytest.raises(ResultsError, match=f"{name} is missing"):
        results.check_file(folder, name)


def test_runs_of_before_there_were_checksums_are_read(folder):
    (folder / "provenance.json").write_text(json.dumps(TOLD))
    assert results.load_provenance(folder) == TOLD
    (folder / "run.toml").write_text("seed = 1\n")
    results.check_file(folder, "run.toml")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"network": 3}, "network is 3"),
        ({"network": {"digest": 5}}, "network.digest is 5"),
        ({"network": {"preprocessing": "squash"}}, "network.preprocessing is 'squash'"),
        ({"data": {"images": True}}, "data.images is True"),
        ({"data": {"sources": {"red": 4}}}, "data.sources.red is 4"),
        ({"seconds": {"recording": "long"}}, "seconds.recording is 'long'"),
        ({"seconds": []}, r"seconds is \[\]"),
        ({"machine": {"device": {}}}, r"machine.device is \{\}"),
        ({"versions": None}, "versions is None"),
    ],
)
def test_another_shape_is_told_in_one_line(folder, changed, message):
    (folder / "provenance.json").write_text(json.dumps({**TOLD, **changed}))
    with pytest.raises(ResultsError, match=f"another version or program: {message}") as error:
        results.load_provenance(folder)
    assert "\n" not in str(error.value)
