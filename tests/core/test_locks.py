from __future__ import annotations

import multiprocessing
import time

import pytest

from net2vec.core import locks
from net2vec.core.locks import locked_folder


def test_what_is_left_there_is_found_again(tmp_path):
    def break_off():
        with locked_folder(tmp_path / "a" / "b") as place:
            (place / "half.txt").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    with locked_folder(tmp_path / "a" / "b") as place:
        assert (place / "half.txt").read_text() == "half"


def work(folder, inside):
    with locked_folder(folder):
        (folder / "log").open("a").write("in ")
        inside.set()
        time.sleep(0.2)
        (folder / "log").open("a").write("out ")


@pytest.mark.skipif(locks.fcntl is None, reason="folders cannot be locked here")
def test_another_process_waits(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    inside = spawn.Event()
    other = spawn.Process(target=work, args=(tmp_path, inside))
    other.start()
    assert inside.wait(30)
    with locked_folder(tmp_path):
        assert (tmp_path / "log").read_text() == "in out "
    other.join()


def test_without_locks_everyone_has_a_place_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    with locked_folder(tmp_path) as one, locked_folder(tmp_path) as two:
        assert one != two
        assert {one.parent, two.parent} == {tmp_path}
    assert list(tmp_path.iterdir()) == []
