"""What is written is there whole or not at all, and what was there before stays until then."""

from pathlib import Path

import pytest

from net2vec.core.storage import cache_folder, replacing


def write(path: Path, content: str, folder: bool) -> None:
    with replacing(path) as temporary:
        if folder:
            temporary.mkdir()
            (temporary / content).touch()
        else:
            temporary.write_text(content)


def content(path: Path) -> str:
    return next(path.iterdir()).name if path.is_dir() else path.read_text()


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("after", [False, True])
def test_files_and_folders_take_the_place_of_what_was_there(tmp_path, before, after):
    path = tmp_path / "new" / "it"
    write(path, "old", before)
    write(path, "new", after)
    assert content(path) == "new"
    assert [each.name for each in path.parent.iterdir()] == ["it"]


@pytest.mark.parametrize("folder", [False, True])
def test_an_error_in_between_leaves_what_was_there(tmp_path, folder):
    path = tmp_path / "it"
    write(path, "old", folder)

    def break_off() -> None:
        with replacing(path) as temporary:
            temporary.mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert content(path) == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_a_link(tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    write(real, "old", folder=True)
    link.symlink_to(real)
    write(link, "new", folder=True)
    assert link.is_symlink()
    assert content(real) == "new"
    assert sorted(tmp_path.iterdir()) == [link, real]


def test_the_folder_that_one_is_in_has_a_name(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write(Path(), "new", folder=True)
    assert content(tmp_path / "here") == "new"


@pytest.mark.parametrize("step", [0, 1])
def test_an_interruption_at_the_end_leaves_the_folder_that_was_there(tmp_path, monkeypatch, step):
    path = tmp_path / "it"
    write(path, "old", folder=True)
    steps = []
    rename = Path.replace

    def interrupted(self: Path, target: Path) -> Path:
        steps.append(target)
        if len(steps) == step + 1:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write(path, "new", folder=True)
    assert content(path) == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_cache_may_lie_in_a_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NET2VEC_CACHE", "~/mine")
    assert cache_folder() == tmp_path / "mine"
