from __future__ import annotations

import io
import os
import random
import re
import struct
import tarfile
import zipfile

import pytest

from net2vec.data.tools.unpacking import BadArchiveError, unpack
from net2vec.errors import DataError


@pytest.fixture
def into(tmp_path):
    folder = tmp_path / "deep" / "into"
    folder.mkdir(parents=True)
    return folder


def make_zip(path, *members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file:
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


def rewrite_header(archive, kind, offset, value):
    """Writes a number into the first file's own header and into the directory at the end."""
    content = bytearray(archive.read_bytes())
    for marker, shift in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
        struct.pack_into(kind, content, content.index(marker) + offset + shift, value)
    archive.write_bytes(content)


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
    rewrite_header(archive, "<I", 22, 10)
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


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_every_compression_names_its_damage(tmp_path, into, compression):
    archive = make_zip(tmp_path / "a.zip", ("x", b"some text" * 9), compression=compression)
    content = bytearray(archive.read_bytes())
    start = content.index(b"x") + 1
    content[start + 4 : start + 14] = b"\xff" * 10  # LZMA's own header and what follows
    archive.write_bytes(content)
    with pytest.raises(BadArchiveError, match=r"a\.zip: cannot be unpacked \(\w.*\)$"):
        unpack(archive, into)


@pytest.mark.parametrize(
    ("offset", "value", "reason"),
    [
        (6, 1, "'x' is encrypted; not unpacked"),
        (8, 99, "cannot be unpacked (That compression"),
    ],
    ids=["encrypted", "unknown compression"],
)
def test_what_cannot_be_decoded_is_named(tmp_path, into, offset, value, reason):
    archive = make_zip(tmp_path / "a.zip", ("x", b"some text"))
    rewrite_header(archive, "<H", offset, value)
    with pytest.raises(BadArchiveError, match=re.escape(f"a.zip: {reason}")):
        unpack(archive, into)


@pytest.mark.parametrize(
    ("make", "options"),
    [
        (make_zip, {"compression": zipfile.ZIP_DEFLATED}),
        (make_zip, {"compression": zipfile.ZIP_BZIP2}),
        (make_zip, {"compression": zipfile.ZIP_LZMA}),
        (make_tar, {"mode": "w"}),
        (make_tar, {"mode": "w:gz"}),
        (make_tar, {"mode": "w:bz2"}),
        (make_tar, {"mode": "w:xz"}),
    ],
    ids=lambda given: "-".join(map(str, given.values())) if isinstance(given, dict) else "",
)
def test_any_damage_is_one_line_or_none(tmp_path, into, make, options):
    draw = random.Random(0)
    text = bytes(draw.choices(b"abcdef", k=300))
    whole = make(tmp_path / "a", ("s/x", text), ("s/y", text), **options).read_bytes()
    for attempt in range(80):
        content = bytearray(whole)
        for place in draw.choices(range(len(whole)), k=attempt % 3 + 1):
            content[place] = draw.randrange(256)
        (tmp_path / "a").write_bytes(
            content[: draw.choice((None, None, draw.randrange(len(whole))))]
        )
        folder = into / str(attempt)
        folder.mkdir()
        try:
            unpack(tmp_path / "a", folder)
        except BadArchiveError as fault:
            assert "\n" not in str(fault)  # noqa: PT017


def test_a_file_without_a_name_is_damage(tmp_path, into):
    archive = make_zip(tmp_path / "a.zip", ("x", b""))
    archive.write_bytes(archive.read_bytes().replace(b"x", b"\0"))
    with pytest.raises(BadArchiveError, match=r"a\.zip: cannot be unpacked"):
        unpack(archive, into)


def test_an_archive_without_files_is_refused(tmp_path, into):
    with pytest.raises(BadArchiveError, match=r"a\.zip: holds no files"):
        unpack(make_zip(tmp_path / "a.zip"), into)


def test_what_is_not_the_archives_fault_is_told_apart(tmp_path, into):
    with pytest.raises(DataError, match="cannot be read") as caught:
        unpack(tmp_path, into)
    assert not isinstance(caught.value, BadArchiveError)


@pytest.mark.parametrize("second", ["set/a", "set/a/b"])
def test_a_name_that_comes_twice_is_refused(tmp_path, into, second):
    twice = make_tar(tmp_path / "a.tar", ("set/a", b"1"), (second, b"2"))
    with pytest.raises(BadArchiveError, match=rf"holds '{second}' twice"):
        unpack(twice, into)


def test_a_full_disk_is_said_before(tmp_path, into, monkeypatch):
    import shutil

    usage = shutil.disk_usage(into)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DataError, match=r"70001 bytes unpacked, but .* has room for 1000"):
        unpack(make_zip(tmp_path / "a.zip", *MEMBERS), into)


def test_a_pipe_is_no_archive(tmp_path):
    """Whoever reads it would wait for ever."""
    os.mkfifo(tmp_path / "archive.zip")
    (tmp_path / "out").mkdir()
    with pytest.raises(DataError, match=r"archive\.zip: not a regular file; wanted an archive"):
        unpack(tmp_path / "archive.zip", tmp_path / "out")
