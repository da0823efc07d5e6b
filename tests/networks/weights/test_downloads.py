import hashlib

import pytest
import torch

from net2vec.errors import NetworkError
from net2vec.networks.weights.downloads import fetch_files, fetch_to_hub
from networks.serving import serving


@pytest.fixture(autouse=True)
def caches(monkeypatch, tmp_path):
    monkeypatch.setenv("NET2VEC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))


@pytest.fixture
def published(tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    return folder


def test_files_are_downloaded_once_and_kept_under_their_names(tmp_path, published):
    (published / "net.prototxt").write_text("text")
    (published / "net.caffemodel").write_bytes(b"weights")
    with serving(published) as (address, asked):
        wanted = [f"{address}/net.prototxt", f"{address}/net.caffemodel"]
        paths = fetch_files("mine", wanted)
        again = fetch_files("mine", wanted)
    folder = tmp_path / "cache" / "networks" / "mine"
    assert paths == again == [folder / "net.prototxt", folder / "net.caffemodel"]
    assert paths[1].read_bytes() == b"weights"
    assert sorted(asked) == ["/net.caffemodel", "/net.prototxt"]
    assert sorted(path.name for path in folder.iterdir()) == ["net.caffemodel", "net.prototxt"]


def test_a_file_obtained_otherwise_is_taken(tmp_path):
    folder = tmp_path / "cache" / "networks" / "mine"
    folder.mkdir(parents=True)
    (folder / "net.pth").write_bytes(b"by hand")
    (path,) = fetch_files("mine", ["http://127.0.0.1:9/net.pth"])
    assert path.read_bytes() == b"by hand"


def test_where_nothing_can_be_had_the_line_says_what_to_put_where(tmp_path, published):
    with serving(published) as (address, _):
        pass  # the server is gone
    with pytest.raises(NetworkError) as caught:
        fetch_files("mine", [f"{address}/gone.pth"])
    message = str(caught.value)
    assert message.startswith("cannot download the weights of mine: ")
    assert f"fetch {address}/gone.pth by other means" in message
    assert str(tmp_path / "cache" / "networks" / "mine") in message
    assert "\n" not in message


def test_files_of_torchs_own_cache_are_checked(tmp_path, published):
    digest = hashlib.sha256(b"weights").hexdigest()[:8]
    (published / f"good-{digest}.pth").write_bytes(b"weights")
    (published / "bad-00000000.pth").write_bytes(b"weights")
    (published / "plain.pth").write_bytes(b"weights")
    checkpoints = tmp_path / "hub" / "checkpoints"
    with serving(published) as (address, asked):
        for name in (f"good-{digest}.pth", "plain.pth"):
            assert fetch_to_hub("net", f"{address}/{name}") == checkpoints / name
            assert fetch_to_hub("net", f"{address}/{name}").read_bytes() == b"weights"
        with pytest.raises(NetworkError, match=r"is damaged.*put it into .*checkpoints"):
            fetch_to_hub("net", f"{address}/bad-00000000.pth")
        assert len(asked) == 3
        # What is there but damaged is fetched again.
        for name, damaged in ((f"good-{digest}.pth", b"weighty"), ("plain.pth", b"")):
            (checkpoints / name).write_bytes(damaged)
            assert fetch_to_hub("net", f"{address}/{name}").read_bytes() == b"weights"
    assert len(asked) == 5
    assert sorted(path.name for path in checkpoints.iterdir()) == [
        f"good-{digest}.pth",
        "plain.pth",
    ]
