from __future__ import annotations

import hashlib
import io
import shutil
import zipfile

import pytest

from net2vec.data import open_dataset
from net2vec.data.tools import PUBLICATIONS, Publication, fetch_dataset
from net2vec.errors import DataError

from builders_cached import garble, zero

PAGE = b"<!DOCTYPE html><title>The page is not here any more</title>"
NO_ARCHIVE = "neither a zip nor a tar archive, or cut short"


@pytest.fixture
def archive() -> bytes:
    """A Broden of one image that is not there, with ballast."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("small/index.csv", "image,split,object\nx.jpg,train,1\n")
        file.writestr("small/label.csv", "number,name\n1,car\n")
        file.writestr("small/category.csv", "name\nobject\n")
        file.writestr("small/ballast", bytes(2_000_000))
    return buffer.getvalue()


@pytest.fixture
def fetch(server, archive, tmp_path):
    server.files["/good/small.zip"] = archive
    server.etags["/good/small.zip"] = '"x"'
    server.files["/copy/small.zip"] = archive
    server.files["/other/small.zip"] = archive[::-1]
    server.files["/page/small.zip"] = PAGE
    server.files["/flipped/small.zip"] = archive.replace(b"x.jpg", b"y.jpg")

    def call(*places, archive=None, **about):
        urls = tuple(f"{server.url}/{place}/small.zip" for place in places)
        known = {"small": Publication("small.zip", "a test", urls, **about)}
        return fetch_dataset(
            "small", tmp_path / "data", archive=archive, publications=known, pause=0.0
        )

    return call


@pytest.fixture
def left(tmp_path):
    """The names that are in the folder now."""
    return lambda: sorted(path.name for path in (tmp_path / "data").iterdir())


def md5(content):
    return f"md5:{hashlib.md5(content).hexdigest()}"


def test_downloaded_unpacked_and_tidied(fetch, server, archive, left, tmp_path, caplog):
    fetched = fetch("good", reported_checksum=md5(archive))
    assert fetched.folder == tmp_path / "data" / "small"
    assert fetched.source == f"{server.url}/good/small.zip"
    assert fetched.warnings == ()
    assert open_dataset(fetched.folder).labels == ("", "car")
    assert left() == ["small"]
    assert caplog.text == ""


def test_an_interrupted_download_is_taken_up_again(fetch, server, archive, tmp_path):
    server.cuts = [1_500_000] + [0] * 4
    with pytest.raises(DataError, match=r"no source gives small\.zip \(127.0.0.1: the connection"):
        fetch("good")
    assert not (tmp_path / "data" / "small").exists()
    server.requests.clear()
    fetch("good")
    assert server.requests == [("/good/small.zip", "bytes=1500000-")]


@pytest.mark.parametrize("damage", [zero, garble])
def test_what_has_come_and_was_damaged_here_is_asked_for_again(
    fetch, server, left, tmp_path, damage
):
    server.cuts = [1_500_000] + [0] * 4
    with pytest.raises(DataError, match=r"no source gives small\.zip"):
        fetch("good")
    (part,) = (tmp_path / "data").glob(".*.part")
    damage(part)
    assert fetch("good").source.endswith("/good/small.zip")
    assert left() == ["small"]


def test_sources_are_tried_in_turn(fetch, server):
    server.answers["/good/small.zip"] = [404]
    assert fetch("gone", "good", "good").source.endswith("/good/small.zip")
    assert [path for path, _ in server.requests] == [
        "/gone/small.zip",
        "/good/small.zip",
        "/good/small.zip",
    ]


@pytest.mark.parametrize(
    ("places", "known"), [(("page", "flipped"), False), (("other",), True), (("gone",), True)]
)
def test_a_source_without_the_archive_is_passed_over(fetch, server, archive, left, places, known):
    fetched = fetch(*places, "good", checksum=md5(archive) if known else None)
    assert open_dataset(fetched.folder).labels == ("", "car")
    assert fetched.source == f"{server.url}/good/small.zip"
    assert left() == ["small"]


def test_every_source_says_what_it_gave_and_leaves_nothing(fetch, server, left):
    told = (
        rf"^small: no source gives small\.zip \(127\.0\.0\.1: {NO_ARCHIVE}; "
        r"127\.0\.0\.1: cannot be unpacked \(Bad CRC-32 .*\); "
        r"127\.0\.0\.1: answered 404 Not Found\); get it otherwise, then run: .*$"
    )
    for _ in range(2):  # what came the first time is not taken for an archive the second time
        server.requests.clear()
        with pytest.raises(DataError, match=told):
            fetch("page", "flipped", "gone")
        assert left() == []
        assert len(server.requests) == 3


def test_what_an_earlier_source_began_is_tidied_too(fetch, server, left):
    server.cuts = [1_500_000] + [0] * 4
    assert fetch("copy", "good").source.endswith("/good/small.zip")
    assert left() == ["small"]


def test_a_download_that_had_no_room_is_not_asked_for_again(fetch, server, left, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=1000)
    with monkeypatch.context() as full:
        full.setattr(shutil, "disk_usage", lambda path: usage)
        with pytest.raises(DataError, match="has room for 1000"):
            fetch("good", "copy")
    server.requests.clear()
    assert fetch("good", "copy").source.endswith("/good/small.zip")
    assert server.requests == []
    assert left() == ["small"]


def test_no_source_says_why_and_what_to_do(fetch, archive):
    with pytest.raises(DataError) as caught:
        fetch("gone", "other", checksum=md5(archive))
    assert str(caught.value) == (
        "small: no source gives small.zip (127.0.0.1: answered 404 Not Found; 127.0.0.1: the file "
        "has another checksum); get it otherwise, then run: "
        "net2vec data fetch small --from small.zip"
    )


@pytest.mark.parametrize("trust", ["reported", "known"])
def test_another_checksum_than_reported_or_of_a_copy_only_warns(fetch, archive, put, trust):
    key, copy = ("reported_checksum", None) if trust == "reported" else ("checksum", "copy.zip")
    (warning,) = fetch(
        "good", archive=copy and put(copy, archive), **{key: "md5:" + "0" * 32}
    ).warnings
    assert f"its md5 is {hashlib.md5(archive).hexdigest()}, not the {trust} 000" in warning


def test_a_copy_of_ones_own_stays_and_nothing_is_asked(fetch, server, archive, put):
    copy = put("elsewhere/copy.zip", archive)
    fetched = fetch("good", archive=copy)
    assert open_dataset(fetched.folder).labels == ("", "car")
    assert fetched.source == str(copy)
    assert copy.exists()
    assert server.requests == []


def test_a_copy_that_is_here_already_is_used_and_stays(fetch, server, archive, left, put):
    copy = put("data/small.zip", archive)
    fetched = fetch("good", checksum=md5(archive))
    assert fetched.source == str(copy)
    assert fetched.warnings == ()
    assert server.requests == []
    assert copy.read_bytes() == archive
    assert left() == ["small", "small.zip"]


def test_a_copy_here_that_is_none_stays_and_is_told(fetch, server, left, put):
    copy = put("data/small.zip", PAGE)
    with pytest.raises(DataError) as caught:
        fetch("gone")
    assert f"({copy}: {NO_ARCHIVE}; 127.0.0.1: answered 404 Not Found)" in str(caught.value)
    fetched = fetch("good")
    assert fetched.source == f"{server.url}/good/small.zip"
    assert fetched.warnings == (f"{copy}: {NO_ARCHIVE}; left as it is, not used",)
    assert copy.read_bytes() == PAGE
    assert left() == ["small", "small.zip"]


def test_a_copy_here_needs_no_registration(fetch, archive, put):
    with pytest.raises(DataError, match=r"^small: its owners ask for a registration; get small"):
        fetch(terms="https://terms")
    copy = put("data/small.zip", PAGE)
    with pytest.raises(DataError) as caught:
        fetch(terms="https://terms")
    assert str(caught.value) == (
        f"small: {copy}: {NO_ARCHIVE}; its owners ask for a registration; get small.zip at "
        "https://terms, then run: net2vec data fetch small --from small.zip"
    )
    copy.write_bytes(archive)
    assert fetch(terms="https://terms").source == str(copy)


def test_a_bad_archive_leaves_no_folder(fetch, put, tmp_path):
    with pytest.raises(DataError, match=r"copy\.zip: neither a zip"):
        fetch(archive=put("copy.zip", b"PK no"))
    assert not (tmp_path / "data" / "small").exists()
    with pytest.raises(DataError, match=r"nowhere\.zip: the file is missing"):
        fetch(archive=tmp_path / "nowhere.zip")


def test_what_is_there_is_kept(fetch, put, tmp_path):
    put("data/small/thesis.txt", "mine")
    with pytest.raises(DataError, match="is here already; use it, or remove it"):
        fetch("good")
    assert (tmp_path / "data/small/thesis.txt").read_text() == "mine"


def test_unknown_names(tmp_path):
    with pytest.raises(DataError, match="did you mean broden1_227 or broden1_224"):
        fetch_dataset("broden_227", tmp_path)
    with pytest.raises(DataError, match=r"known are broden1_224, .*dtd"):
        fetch_dataset("x", tmp_path)


def test_published_names_have_sources_or_terms():
    assert {"broden1_224", "broden1_227", "broden1_384", "ade20k"} <= set(PUBLICATIONS)
    for name, publication in PUBLICATIONS.items():
        assert publication.urls or publication.terms, name
        for url in publication.urls:
            assert url.startswith(("http://", "https://"))
            assert url.endswith(f"/{publication.file}")
    assert len(PUBLICATIONS["broden1_227"].urls) == 3
