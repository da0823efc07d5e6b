from __future__ import annotations

import multiprocessing
import time

import pytest

from net2vec.data import places
from net2vec.data.places import working_place


def test_what_is_left_there_is_found_again(tmp_path):
    def break_off():
        with working_place(tmp_path / "a" / "b") as place:
            (place / "half.txt").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    with working_place(tmp_path / "a" / "b") as place:
        assert (place / "half.txt").read_text() == "half"


def work(folder, inside):
    with working_place(folder):
        (folder / "log").open("a").write("in ")
        inside.set()
        time.sleep(0.2)
        (folder / "log").open("a").write("out ")


@pytest.mark.skipif(places.fcntl is None, reason="folders cannot be locked here")
def test_another_process_waits(tmp_path):
    spawn = multiprocessing.get_context("spawn")
    inside = spawn.Event()
    other = spawn.Process(target=work, args=(tmp_path, inside))
    other.start()
    assert inside.wait(30)
    with working_place(tmp_path):
        assert (tmp_path / "log").read_text() == "in out "
    other.join()


def test_without_locks_everyone_has_a_place_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "fcntl", None)
    with working_place(tmp_path) as one, working_place(tmp_path) as two:
        assert one != two
        assert {one.parent, two.parent} == {tmp_path}
    assert list(tmp_path.iterdir()) == []
