"""Images are opened as the formats of one list, from regular files, in one place."""

from __future__ import annotations

import io
import os
import re
import socket
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import net2vec
from net2vec.data.checked import image_of
from net2vec.data.image_files import IMAGE_FORMATS
from net2vec.data.images import (
    read_color_mask,
    read_image,
    read_image_size,
    read_mask,
    upright_rgb,
)
from net2vec.errors import DataError

from builders_images import EPS, NOT_AN_IMAGE, ProgramStartedError, programs_forbidden

READERS = (read_image, read_image_size, partial(read_mask, palettes=False), read_color_mask)
PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8))


def encoded(form: str) -> bytes:
    written = io.BytesIO()
    PICTURE.save(written, form)
    return written.getvalue()


def test_left_to_itself_pillow_starts_a_program(put):
    path = put("x.jpg", EPS)
    with Image.open(path) as image, programs_forbidden(), pytest.raises(ProgramStartedError):
        image.load()


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.eps", "x"])
def test_eps_is_no_image_whatever_its_name(put, read, name):
    path = put(name, EPS)
    with programs_forbidden(), pytest.raises(DataError) as refusal:
        read(path)
    assert str(refusal.value) == f"{path}: {NOT_AN_IMAGE}"


@pytest.mark.parametrize("form", ["JPEG2000", "TGA", "ICO", "PCX", "SGI"])
def test_other_formats_are_refused(put, form):
    with pytest.raises(DataError, match="not an image that can be decoded"):
        read_image(put("x.png", encoded(form)))


@pytest.mark.parametrize("form", IMAGE_FORMATS)
def test_every_format_is_read_under_any_name(put, form):
    path = put("x.jpg", encoded(form))
    assert read_image(path).size == (7, 9)
    assert read_image_size(path) == (9, 7)


def test_a_camera_s_file_of_several_jpegs_is_read(put):
    file = io.BytesIO()
    PICTURE.save(file, "MPO", save_all=True, append_images=[PICTURE])
    path = put("x.jpg", file.getvalue())
    with Image.open(path) as image:
        assert image.format == "MPO"
        assert upright_rgb(image, path) == read_image(path)
    assert read_image_size(path) == (9, 7)


@pytest.mark.parametrize("form", IMAGE_FORMATS)
def test_whatever_a_decoder_meets_is_one_line(put, form):
    whole, rng = encoded(form), np.random.default_rng(1)
    cases = [whole[:length] for length in range(0, len(whole), len(whole) // 40 + 1)]
    for _ in range(120):
        changed = bytearray(whole)
        changed[int(rng.integers(len(whole)))] = int(rng.integers(256))
        cases.append(bytes(changed))
    refusals = []
    for case in cases:
        path = put("x.png", case)
        for read in READERS:
            try:
                read(path)
            except DataError as refusal:
                refusals.append(str(refusal))
    assert len(refusals) > len(cases) // 4
    assert not [refusal for refusal in refusals if "\n" in refusal]


@pytest.mark.parametrize("read", READERS)
def test_an_image_that_is_too_large_is_one_line(put, monkeypatch, read):
    path = put("x.png", PICTURE)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 31)  # 63 are more than twice as many
    with pytest.raises(
        DataError, match=r"^\S+x\.png: cannot be decoded \(Image size \(63 pixels\)"
    ):
        read(path)


@pytest.mark.parametrize("read", READERS)
def test_only_regular_files_are_opened(tmp_path, monkeypatch, read):
    monkeypatch.chdir(tmp_path)  # the path of a socket must be short
    os.mkfifo("pipe.jpg")
    Path("link.jpg").symlink_to("pipe.jpg")
    Path("folder.jpg").mkdir()
    Path("device.jpg").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket.jpg")
        for name, kind in {
            "pipe": "a named pipe",
            "link": "a named pipe",
            "folder": "a folder",
            "device": "a device",
            "socket": "a socket",
        }.items():
            wanted = (
                f"{name}.jpg: {kind}, not an image file; wanted a regular file or a link to one"
            )
            with pytest.raises(DataError) as refusal:
                read(Path(f"{name}.jpg"))
            assert str(refusal.value) == wanted


def test_links_to_regular_files_are_followed(put, tmp_path):
    (tmp_path / "link.jpg").symlink_to(put("image.png", PICTURE))
    assert read_image(tmp_path / "link.jpg") == PICTURE
    (tmp_path / "dangling.jpg").symlink_to("gone.png")
    with pytest.raises(DataError, match=r"dangling\.jpg: the file is missing"):
        read_image(tmp_path / "dangling.jpg")
    (tmp_path / "round.jpg").symlink_to("round.jpg")
    with pytest.raises(DataError, match=r"round\.jpg: cannot be decoded"):
        read_image(tmp_path / "round.jpg")


def test_a_dataset_s_open_images_are_of_these_formats_or_loaded(put, street):
    path = put("x.jp2", encoded("JPEG2000"))
    # What Pillow knows by its beginning only, and leaves to code that others register.
    for opened in (put("x.jpg", EPS), put("x.png", b"BUFR".ljust(40, b"\0")), path):
        with Image.open(opened) as image:
            street.image = lambda index, image=image: image
            refusal = rf"^memory, two\.png: an image opened as {image.format}, .* load\(\) first$"
            with programs_forbidden(), pytest.raises(DataError, match=refusal):
                image_of(street, 1)
    with Image.open(path) as trusted:
        trusted.load()
    street.image = lambda index: trusted
    assert image_of(street, 1) is trusted
    assert upright_rgb(trusted, "x").size == (7, 9)


OPENS_IMAGES = re.compile(
    r"\bImage\.open|from PIL\.Image import|imread|imageio|\bcv2\b|matplotlib\.image|skimage\.io"
    r"|torchvision[. ](import )?(io|datasets)"
)
"""Code that opens an image file, by Pillow or by another library."""


def test_nothing_opens_images_but_the_one_function():
    root = Path(net2vec.__file__).parent
    found = [
        (path.relative_to(root).as_posix(), line.strip())
        for path in sorted(root.rglob("*.py"))
        for line in path.read_text("utf-8").splitlines()
        if OPENS_IMAGES.search(line)
    ]
    opening = "with Image.open(content, formats=IMAGE_FORMATS) as image:"
    assert found == [("data/image_files.py", opening)]
