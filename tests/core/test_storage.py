"""What is written is there whole or not at all, and what was there before stays until then."""

from pathlib import Path

import numpy as np
import pytest
import torch

from net2vec.core import locks, storage
from net2vec.core.storage import (
    cache_folder,
    load_arrays,
    load_tensors,
    refuse_url,
    replacing,
    save_arrays,
    save_tensors,
    writing_into,
)
from net2vec.errors import ConfigError

from builders_cached import DAMAGES, remove


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


def test_what_is_written_reaches_the_disk_before_it_takes_its_place(tmp_path, monkeypatch):
    steps: list[tuple[str, str]] = []
    names = {}
    open_file, fsync, rename = storage.os.open, storage.os.fsync, Path.replace

    def noted_open(path, *arguments):
        descriptor = open_file(path, *arguments)
        names[descriptor] = Path(path).relative_to(tmp_path)
        return descriptor

    def noted_fsync(descriptor):
        steps.append(("disk", names[descriptor].parts[-1]))
        fsync(descriptor)

    def noted_rename(self, target):
        steps.append(("rename", target.name))
        return rename(self, target)

    monkeypatch.setattr(storage.os, "open", noted_open)
    monkeypatch.setattr(storage.os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_rename)
    with replacing(tmp_path / "place" / "it") as temporary:
        (temporary / "inner").mkdir(parents=True)
        for name in ("a", "inner/b"):
            (temporary / name).write_text(name)
    hidden = temporary.name
    before, last = steps[: steps.index(("rename", "it"))], steps[-1]
    assert sorted(before) == sorted(("disk", name) for name in ("a", "b", "inner", hidden))
    assert last == ("disk", "place")
    steps.clear()
    with replacing(tmp_path / "place" / "file") as temporary:
        temporary.write_text("text")
    assert steps == [("disk", temporary.name), ("rename", "file"), ("disk", "place")]
    steps.clear()
    save_arrays(tmp_path / "place" / "cached.npz", a=np.ones(3))
    assert steps == [("rename", "cached.npz")]


def test_a_full_disk_is_told_with_the_files_name(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage.os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*it") as error:
        write(tmp_path / "it", "new", folder=False)
    assert error.value.filename
    assert list(tmp_path.iterdir()) == []


ARRAYS = {"a": np.arange(30.0), "b": np.array("text"), "c": np.array([[True, False]])}


@pytest.mark.parametrize("damage", [*DAMAGES, None])
@pytest.mark.parametrize("kind", ["arrays", "tensors"])
def test_a_damaged_cached_file_is_as_good_as_none(tmp_path, kind, damage):
    path = tmp_path / "it"
    tensors = {"t": torch.arange(40.0).bfloat16(), "n": 3, "deep": {"grid": (3, 4)}}
    save, load, wanted = {
        "arrays": (lambda values: save_arrays(path, **values), load_arrays, ARRAYS),
        "tensors": (lambda values: save_tensors(path, values), load_tensors, tensors),
    }[kind]
    save(wanted)
    if damage is not None:
        damage(path)
    said: list[str] = []
    found = load(path, lambda values: values, said.append)
    assert (found is None) == (damage is not None)
    assert len(said) == (damage not in (None, remove))
    save(wanted)
    found = load(path, lambda values: values, said.append)
    assert found is not None
    assert list(found) == list(wanted)
    for key, value in wanted.items():
        same = torch.equal if isinstance(value, torch.Tensor) else np.array_equal
        assert same(found[key], value)


def test_every_byte_of_a_cached_file_counts(tmp_path):
    path = tmp_path / "it"
    save_arrays(path, a=np.arange(3))
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :])
        assert load_arrays(path, dict) is None
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert load_arrays(path, dict) is None


def test_others_read_cached_arrays_as_they_are(tmp_path):
    save_arrays(tmp_path / "it.npz", **ARRAYS)
    with np.load(tmp_path / "it.npz") as found:
        assert all(np.array_equal(found[key], value) for key, value in ARRAYS.items())


def test_what_another_version_has_kept_is_told_and_not_used(tmp_path):
    save_arrays(tmp_path / "it", a=np.arange(3))
    said: list[str] = []
    assert load_arrays(tmp_path / "it", lambda arrays: arrays["b"], said.append) is None
    assert len(said) == 1


needs_locks = pytest.mark.skipif(locks.fcntl is None, reason="folders cannot be locked here")


@needs_locks
@pytest.mark.parametrize("folder", [False, True])
def test_what_a_killed_process_has_left_of_a_name_is_removed_with_the_next_write(tmp_path, folder):
    for name in (".it.123-456.tmp", ".it.123-456.old", ".other.123-456.tmp", ".it.txt"):
        write(tmp_path / name, "left", folder)
    write(tmp_path / "it", "new", folder=False)
    there = {path.name for path in tmp_path.iterdir()}
    assert there == {"it", ".other.123-456.tmp", ".it.txt"}


@needs_locks
def test_unfinished_files_of_a_living_process_are_left_alone(tmp_path):
    left = tmp_path / ".it.123-456.tmp"
    left.touch()
    with replacing(tmp_path / "other") as temporary:  # somebody writes in the folder
        write(tmp_path / "it", "new", folder=False)
        with writing_into(tmp_path):
            assert left.exists()
        temporary.touch()
    write(tmp_path / "it", "new", folder=False)
    assert not left.exists()


@needs_locks
def test_a_folder_whose_exchange_was_cut_short_is_found_again(tmp_path):
    write(tmp_path / ".it.123-456.old", "old", folder=True)

    def break_off():
        with replacing(tmp_path / "it"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert content(tmp_path / "it") == "old"


@needs_locks
def test_leftovers_are_removed_from_a_folder_and_those_in_it(tmp_path):
    for name in ("a/.b.npz.1-2.tmp", ".c.1-2.tmp", "a/b.npz", "a/.hidden"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    with writing_into(tmp_path):
        there = {path.name for path in tmp_path.rglob("*")}
        assert there == {"a", "b.npz", ".hidden"}


@pytest.mark.parametrize("url", ["memory://run", "s3://bucket/run", "file:///tmp/run", "gs://b"])
def test_a_url_is_refused_and_no_folder_of_its_name_is_made(tmp_path, monkeypatch, url):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NET2VEC_CACHE", url)
    for write in (
        lambda: replacing(Path(url) / "scores.csv").__enter__(),
        lambda: writing_into(Path(url)).__enter__(),
        cache_folder,
    ):
        with pytest.raises(ConfigError, match="mount the store"):
            write()
    assert not list(tmp_path.iterdir())


def test_a_folder_whose_name_has_a_colon_is_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("12:30", "net:"):
        (tmp_path / name).mkdir()
    for folder in ("12:30", "net:/run", str(tmp_path / "s3:" / "run"), "C:/run"):
        assert refuse_url(Path(folder)) == Path(folder)
