from __future__ import annotations

import io
import struct
import tarfile
import zipfile

import pytest

from net2vec.data.tools.unpacking import unpack
from net2vec.errors import DataError


@pytest.fixture
def into(tmp_path):
    folder = tmp_path / "deep" / "into"
    folder.mkdir(parents=True)
    return folder


def make_zip(path, *members, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def make_tar(path, *members, mode="w:gz"):
    with tarfile.open(path, mode) as file:
        for info, content in members:
            entry = tarfile.TarInfo(info) if isinstance(info, str) else info
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    return path


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


MEMBERS = (("set/index.csv", b"i"), ("set/images/a.jpg", b"a" * 70_000), ("set/empty", b""))


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_files_come_out_without_the_one_folder_around_them(tmp_path, into, make):
    seen = []
    archive = make(tmp_path / "a", *MEMBERS, ("__MACOSX/set/._x", b"x"), ("set/.DS_Store", b"x"))
    unpack(archive, into, progress=lambda files, total: seen.append((files, total)))
    assert contents(into) == {"index.csv": b"i", "images/a.jpg": b"a" * 70_000, "empty": b""}
    assert seen == [(1, 3)] * 3


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_several_folders_stay(tmp_path, into, make):
    unpack(make(tmp_path / "a", ("x/1", b"1"), ("y/2", b"2")), into)
    assert set(contents(into)) == {"x/1", "y/2"}


@pytest.mark.parametrize("make", [make_zip, make_tar])
@pytest.mark.parametrize("name", ["../evil", "set/../../evil", "/evil", "C:/evil", "set\\..\\evil"])
def test_nothing_leaves_the_folder(tmp_path, into, make, name):
    archive = make(tmp_path / "a", *MEMBERS, (name, b"evil"))
    with pytest.raises(DataError, match="would be written outside the folder"):
        unpack(archive, into)
    assert contents(into) == {}
    assert not list(tmp_path.rglob("*evil*"))


def test_links_and_devices_are_refused(tmp_path, into):
    link = tarfile.TarInfo("set/link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    with pytest.raises(DataError, match="'set/link' is no plain file"):
        unpack(make_tar(tmp_path / "a.tar", (link, b"")), into)
    pipe = tarfile.TarInfo("set/pipe")
    pipe.type = tarfile.FIFOTYPE
    with pytest.raises(DataError, match="'set/pipe' is no plain file"):
        unpack(make_tar(tmp_path / "b.tar", (pipe, b"")), into)
    info = zipfile.ZipInfo("set/link")
    info.external_attr = 0o120777 << 16
    with pytest.raises(DataError, match="'set/link' is a link"):
        unpack(make_zip(tmp_path / "c.zip", (info, b"/etc")), into)
    assert contents(into) == {}


@pytest.mark.parametrize("make", [make_zip, make_tar])
def test_number_and_size_are_bounded(tmp_path, into, make):
    archive = make(tmp_path / "a", *MEMBERS)
    with pytest.raises(DataError, match="3 files, more than the 2 allowed"):
        unpack(archive, into, max_files=2)
    with pytest.raises(DataError, match="70001 bytes unpacked, more than the 70000 allowed"):
        unpack(archive, into, max_bytes=70_000)
    assert contents(into) == {}
    unpack(archive, into, max_files=3, max_bytes=70_001)


def test_a_bomb_that_lies_about_its_size_is_stopped(tmp_path, into):
    archive = make_zip(tmp_path / "a.zip", ("bomb", bytes(5_000_000)))
    content = bytearray(archive.read_bytes())
    # The size stands in the file's own header and in the directory at the end.
    for marker, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(marker) + offset, 10)
    archive.write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"cannot be unpacked|larger than the archive declares"):
        unpack(archive, into, max_bytes=100)
    assert sum(len(found) for found in contents(into).values()) <= 100


def test_damaged_archives_are_named(tmp_path, into):
    whole = make_zip(tmp_path / "whole.zip", ("a/1.bin", bytes(range(256)) * 200), ("a/2", b"2"))
    content = bytearray(whole.read_bytes())
    content[60] ^= 255
    (tmp_path / "flipped.zip").write_bytes(content)
    with pytest.raises(DataError, match=r"flipped\.zip: cannot be unpacked"):
        unpack(tmp_path / "flipped.zip", into)
    (tmp_path / "cut.zip").write_bytes(whole.read_bytes()[:100])
    with pytest.raises(DataError, match=r"cut\.zip: neither a zip nor a tar archive"):
        unpack(tmp_path / "cut.zip", into)
    tar = make_tar(tmp_path / "whole.tar.gz", ("a/1.bin", bytes(range(256)) * 2000))
    (tmp_path / "cut.tar.gz").write_bytes(tar.read_bytes()[:-400])
    with pytest.raises(DataError, match=r"cut\.tar\.gz: "):
        unpack(tmp_path / "cut.tar.gz", into)
    with pytest.raises(DataError, match=r"gone\.zip: the file is missing"):
        unpack(tmp_path / "gone.zip", into)


def test_a_name_that_comes_twice_is_refused(tmp_path, into):
    twice = make_tar(tmp_path / "a.tar", ("set/a", b"1"), ("set/a", b"2"))
    with pytest.raises(DataError, match=r"holds .*a twice"):
        unpack(twice, into)


def test_a_full_disk_is_said_before(tmp_path, into, monkeypatch):
    import shutil

    usage = shutil.disk_usage(into)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DataError, match=r"70001 bytes unpacked, but .* has room for 1000"):
        unpack(make_zip(tmp_path / "a.zip", *MEMBERS), into)
