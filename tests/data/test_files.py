from __future__ import annotations

from pathlib import Path

import pytest

from net2vec.data.files import (
    digest_files,
    folder_in_one_stroke,
    in_threads,
    inside,
    list_files,
)
from net2vec.data.splits import hashed_split, split_in_path
from net2vec.errors import DataError


def test_seven_in_ten_names_train():
    splits = [hashed_split(f"image_{number}.jpg") for number in range(10_000)]
    assert set(splits) == {"train", "val"}
    assert 6_850 < splits.count("train") < 7_150


def test_the_split_of_a_name_never_changes():
    # Their SHA-256 begin with 43a4, ff80 and 1afd; 70 % of the way is b333.
    assert [hashed_split(f"{name}.jpg") for name in "gfe"] == ["train", "val", "train"]


@pytest.mark.parametrize("name", ["../secret.png", "/etc/secret.png", "a/../../b.png", "a\\b", ""])
def test_names_that_leave_the_folder_are_refused(tmp_path, name):
    with pytest.raises(DataError, match="does not name a file inside"):
        inside(tmp_path, name)
    assert inside(tmp_path, "a/b.png") == tmp_path / "a" / "b.png"


@pytest.mark.parametrize(
    ("split", "names"),
    {
        "train": ("train", "Training", "train2017", "train_set", "trainingset", "train-images"),
        "val": ("val", "valid", "validation", "val2017", "val_set", "dev", "validation_set_2"),
        "test": ("test", "testing", "test2015", "test_set"),
        None: ("trains", "valley", "2017", "set", "trainannot", "devices", "tester", "contest"),
    }.items(),
)
def test_splits_are_read_off_folders(split, names):
    for name in names:
        assert split_in_path(f"images/{name}/a.jpg") == split, name


def test_files_are_listed_in_order_without_hidden_ones(put, tmp_path):
    for name in ("b.png", "a/z.PNG", "a/.y.png", ".git/x.png", "c.txt"):
        put(name, "")
    assert list_files(tmp_path, {".png"}) == ["a/z.PNG", "b.png"]


def test_digest_sees_contents_sizes_and_names_but_no_path(put, tmp_path):
    def digest(root: str, table: str = "t", image: str = "i", name: str = "i.png", extra: str = ""):
        folder = put(f"{root}/table.csv", table).parent
        put(f"{root}/{name}", image)
        return digest_files(folder, ["table.csv"], [name], extra)

    first = digest("one")
    assert digest("elsewhere/two") == first
    others = [
        digest("one", table="u"),
        digest("one", image="longer"),
        digest("one", name="j.png"),
        digest("one", extra="x"),
        digest("one", image="j"),
        digest_files(tmp_path / "one", ["table.csv"], ["gone.png"], ""),
    ]
    assert len({first, *others}) == 7


def test_large_datasets_are_told_apart_by_sizes(put, monkeypatch):
    def digest(table: str, image: str):
        folder = put("table.csv", table).parent
        put("i.png", image)
        return digest_files(folder, ["table.csv"], ["i.png"])

    monkeypatch.setattr("net2vec.data.files.READ_BYTES", 3)
    assert digest("t", "four") == digest("t", "five")
    assert len({digest("t", "four"), digest("t", "fives"), digest("u", "four")}) == 3
    monkeypatch.setattr("net2vec.data.files.READ_BYTES", 4)
    assert digest("t", "four") != digest("t", "five")


def test_a_folder_appears_complete_or_not_at_all(tmp_path):
    out = tmp_path / "deep" / "out"

    def break_off() -> None:
        with folder_in_one_stroke(out) as unfinished:
            (unfinished / "half.txt").write_text("half")
            assert not out.exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert list(out.parent.iterdir()) == []
    with folder_in_one_stroke(out) as unfinished:
        (unfinished / "whole.txt").write_text("whole")
    assert [path.name for path in out.iterdir()] == ["whole.txt"]
    assert [path.name for path in out.parent.iterdir()] == ["out"]
    with pytest.raises(DataError, match="something is here already"), folder_in_one_stroke(out):
        pass
    assert (out / "whole.txt").read_text() == "whole"


def test_an_empty_folder_may_be_filled(tmp_path):
    with folder_in_one_stroke(tmp_path / "out") as unfinished:
        (unfinished / "a").touch()
    (tmp_path / "empty").mkdir()
    with folder_in_one_stroke(tmp_path / "empty") as unfinished:
        (unfinished / "a").touch()
    assert (tmp_path / "empty" / "a").exists()
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(DataError, match="cannot be written"), folder_in_one_stroke(file / "out"):
        pass


def test_what_cannot_be_filled_is_said(tmp_path):
    def fill() -> None:
        with folder_in_one_stroke(tmp_path / "out"):
            raise OSError(28, "No space left on device")

    with pytest.raises(DataError, match=r"out: cannot be written \(No space left on device\)"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_files_that_may_not_be_read_are_said(put, tmp_path, monkeypatch):
    put("a.png", "content")

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"a\.png: cannot be read \(Permission denied\)$"):
        digest_files(tmp_path, (), ["a.png"])


def test_links_to_folders_are_followed(put, tmp_path):
    put("far/a/1.png", "")
    (tmp_path / "near").mkdir()
    (tmp_path / "near/b").symlink_to(tmp_path / "far/a")
    assert list_files(tmp_path / "near", {".png"}) == ["b/1.png"]


def test_folders_are_visited_once_by_a_path_without_links(put, tmp_path):
    put("set/b/1.png", "")
    (tmp_path / "set/a").symlink_to("b")
    (tmp_path / "set/b/up").symlink_to("..")
    repeated = []
    assert list_files(tmp_path / "set", {".png"}, repeated=repeated) == ["b/1.png"]
    assert sorted(repeated) == ["a", "b/up"]


def test_links_must_not_leave_a_dataset(put, tmp_path):
    put("far/1.png", "")
    (tmp_path / "near").mkdir()
    (tmp_path / "near/b").symlink_to(tmp_path / "far")
    assert list_files(tmp_path / "near", {".png"}, within=tmp_path) == ["b/1.png"]
    with pytest.raises(DataError, match=r"near/b: a link out of the dataset, to .*far; copy what"):
        list_files(tmp_path / "near", {".png"}, within=tmp_path / "near")
    with pytest.raises(DataError, match="a link out of the dataset"):
        inside(tmp_path / "near", "b/1.png")


def test_threads_keep_the_order_and_stop_at_an_error():
    assert list(in_threads(lambda number: number**2, range(50), 3)) == [n**2 for n in range(50)]
    seen = []

    def work(number: int) -> int:
        seen.append(number)
        return 1 // (number - 3)

    with pytest.raises(ZeroDivisionError):
        list(in_threads(work, range(5_000), 1))
    assert len(seen) < 5_000


@pytest.mark.parametrize("absolute", [False, True])
def test_a_digest_opens_nothing_outside_the_folder(tmp_path, absolute):
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"one")
    (tmp_path / "data").mkdir()
    name = str(secret) if absolute else "../secret.png"
    one = digest_files(tmp_path / "data", (), [name])
    secret.write_bytes(b"another")
    assert digest_files(tmp_path / "data", (), [name]) == one
