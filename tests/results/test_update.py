"""Whenever an exchange is cut short, the old or the new parts of a run are there, never both."""

from pathlib import Path

import pytest

from net2vec.errors import ConfigError, ResultsError
from net2vec.results import PARTS, exchanging, settle
from net2vec.results import update as module

OLD = (PARTS[0], "tables", "report", "run.toml", "provenance.json")
NEW = (PARTS[0], "scores.csv", "tables", "run.toml", "provenance.json")


def write(folder: Path, names, text: str) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        if "." in name and name != PARTS[0]:
            (folder / name).write_text(text)
        else:
            (folder / name).mkdir()
            (folder / name / "inside").write_text(text)


def content(folder: Path) -> dict[str, str]:
    return {
        name: (path / "inside" if path.is_dir() else path).read_text()
        for name in PARTS
        if (path := folder / name).exists()
    }


def add(folder: Path, check=lambda: None) -> None:
    with exchanging(folder, check) as written:
        write(written, NEW, "new")


def test_parts_are_replaced_and_what_was_not_written_is_removed(tmp_path):
    write(tmp_path, OLD, "old")
    (tmp_path / "notes.txt").write_text("mine")
    add(tmp_path)
    assert content(tmp_path) == dict.fromkeys(NEW, "new")
    there = {path.name for path in tmp_path.iterdir()}
    assert there == {*NEW, "notes.txt", "cache"}


def test_cut_short_anywhere_it_is_finished_by_whoever_comes_next(tmp_path, monkeypatch):
    steps, rename, removal = [0], Path.replace, module.remove

    def interrupted(work):
        def step(path, *rest):
            steps[0] -= 1
            if steps[0] == 0:
                raise KeyboardInterrupt
            return work(path, *rest)

        return step

    monkeypatch.setattr(Path, "replace", interrupted(rename))
    monkeypatch.setattr(module, "remove", interrupted(removal))
    found = []
    for limit in range(1, 40):
        folder = tmp_path / str(limit)
        write(folder, OLD, "old")
        steps[0] = limit
        try:
            add(folder)
        except KeyboardInterrupt:
            for again in range(1, 40):  # settling is cut short as well
                steps[0] = again
                try:
                    settle(folder)
                except KeyboardInterrupt:
                    continue
                break
        else:
            break
        found.append(content(folder))
    assert len(found) > 10
    wanted = [dict.fromkeys(OLD, "old"), dict.fromkeys(NEW, "new")]
    assert found == wanted[:1] + wanted[1:] * (len(found) - 1)


def test_a_folder_that_has_become_another_runs_keeps_its_parts(tmp_path):
    write(tmp_path, OLD, "old")

    def refuse():
        raise ConfigError("another run")

    with pytest.raises(ConfigError, match="another run"):
        add(tmp_path, refuse)
    assert content(tmp_path) == dict.fromkeys(OLD, "old")
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_where_nothing_can_be_moved_it_is_told(tmp_path, monkeypatch):
    write(tmp_path, OLD, "old")
    write(tmp_path / ".update", NEW, "new")

    def refused(*_):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", refused)
        with pytest.raises(ResultsError, match=r"cannot be moved here \(Permission denied\)"):
            settle(tmp_path)
    settle(tmp_path)
    assert content(tmp_path) == dict.fromkeys(NEW, "new")
