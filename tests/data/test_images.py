from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from net2vec.data.images import (
    read_color_mask,
    read_image,
    read_image_size,
    read_mask,
    resize_labels,
)
from net2vec.errors import DataError


def test_greyscale_bits_palette_and_rgb_keep_their_colours(put):
    red = Image.new("RGB", (3, 2), (250, 10, 20))
    cases = {
        "rgb.png": (red, (250, 10, 20)),
        "palette.png": (red.quantize(4), (250, 10, 20)),
        "grey.png": (Image.new("L", (3, 2), 77), (77, 77, 77)),
        "bits.png": (Image.new("1", (3, 2), 1), (255, 255, 255)),
    }
    for name, (picture, color) in cases.items():
        image = read_image(put(name, picture))
        assert (image.mode, image.size) == ("RGB", (3, 2))
        assert set(image.get_flattened_data()) == {color}, name


def test_transparency_is_laid_over_white(put):
    half = read_image(put("half.png", Image.new("RGBA", (2, 2), (0, 0, 0, 128))))
    assert half.getpixel((0, 0)) == (127, 127, 127)
    grey = read_image(put("grey.png", Image.new("LA", (2, 2), (200, 0))))
    assert grey.getpixel((0, 0)) == (255, 255, 255)
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 200, 0, 0])
    palette.putdata([0, 1])
    clear = read_image(put("clear.png", palette, transparency=0))
    assert [clear.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (200, 0, 0)]


def test_sixteen_bits_keep_the_eight_high_ones(put):
    values = np.array([[0, 255, 256, 65535]], np.uint16)
    image = read_image(put("deep.png", Image.fromarray(values)))
    assert np.asarray(image)[0, :, 0].tolist() == [0, 0, 1, 255]


def test_cmyk_is_converted(put):
    image = read_image(put("ink.jpg", Image.new("CMYK", (8, 8), (0, 255, 255, 0)), quality=100))
    red, green, blue = image.getpixel((4, 4))
    assert red > 240
    assert max(green, blue) < 15


def test_exif_rotation_is_applied_and_told(put):
    picture = Image.new("RGB", (4, 2), "black")
    picture.putpixel((0, 0), (255, 255, 255))
    exif = picture.getexif()
    exif[0x0112] = 6  # the camera was turned: the first row is the right side
    path = put("turned.png", picture, exif=exif)
    image = read_image(path)
    assert image.size == (2, 4)
    assert image.getpixel((1, 0)) == (255, 255, 255)
    assert read_image_size(path) == (4, 2)
    assert read_image_size(put("straight.png", Image.new("L", (5, 3)))) == (3, 5)


@pytest.mark.parametrize(
    ("name", "picture", "reason"),
    [
        ("float.tif", Image.new("F", (2, 2)), "kind F"),
        ("lab.tif", Image.new("LAB", (2, 2)), "kind LAB"),
        ("wide.tif", Image.fromarray(np.array([[70000]], np.int32)), "32-bit"),
    ],
)
def test_what_has_no_agreed_colours_is_refused_by_name(put, name, picture, reason):
    path = put(name, picture)
    with pytest.raises(DataError, match=f"{name}.*{reason}"):
        read_image(path)


def test_damaged_files_are_refused_by_name(put, tmp_path):
    whole = put("whole.jpg", Image.effect_noise((64, 64), 90).convert("RGB")).read_bytes()
    with pytest.raises(DataError, match=r"cut\.jpg: cannot be decoded"):
        read_image(put("cut.jpg", whole[: len(whole) // 2]))
    with pytest.raises(DataError, match=r"text\.png: not an image"):
        read_image(put("text.png", "no picture"))
    with pytest.raises(DataError, match=r"empty\.png: not an image"):
        read_image_size(put("empty.png", b""))
    with pytest.raises(DataError, match=r"gone\.png: the file is missing"):
        read_image(tmp_path / "gone.png")
    with pytest.raises(DataError, match="a folder, not an image file"):
        read_image(tmp_path)


def test_indexed_masks_give_numbers_not_colours(put):
    values = np.array([[0, 1], [7, 255]], np.uint8)
    palette = Image.fromarray(values)
    palette = palette.convert("L")
    palette.putpalette([9] * 768)
    for name, picture in {"grey.png": Image.fromarray(values), "palette.png": palette}.items():
        mask = read_mask(put(name, picture), palettes=False)
        assert mask.tolist() == values.tolist()
        assert mask.dtype == np.int32
    deep = np.array([[300, 65535]], np.uint16)
    assert read_mask(put("deep.png", deep), palettes=False).tolist() == [[300, 65535]]
    colored = put("rgb.png", Image.new("RGB", (2, 2), (1, 2, 3)))
    assert read_mask(colored, palettes=False).tolist() == [[[1, 2, 3]] * 2] * 2
    equal = np.repeat(values[..., None], 3, axis=-1)
    assert read_mask(put("equal.png", equal), palettes=False).tolist() == values.tolist()


def grey_png(bits: int, rows: list[list[int]]) -> bytes:
    """A greyscale PNG of some bits a pixel, written from its specification."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    lines = b""
    for row in rows:
        digits = "".join(f"{value:0{bits}b}" for value in row)
        digits += "0" * (-len(digits) % 8)
        lines += b"\0" + int(digits, 2).to_bytes(len(digits) // 8, "big")
    header = struct.pack(">IIBBBBB", len(rows[0]), len(rows), bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*parts) for parts in chunks)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_grey_of_any_depth_gives_its_numbers(put, bits):
    rows = [[0, 1, 2**bits - 1], [1, 2 ** (bits - 1), 0]]
    assert read_mask(put("mask.png", grey_png(bits, rows)), palettes=False).tolist() == rows


def test_grey_that_is_turned_around_is_refused(put):
    white_is_zero = {262: 0}
    path = put("mask.tif", Image.new("L", (2, 2), 3), tiffinfo=white_is_zero)
    with pytest.raises(
        DataError, match=r"mask\.tif: grey stored as L;I is not read as the numbers"
    ):
        read_mask(path, palettes=False)


def test_color_masks_are_rgb(put):
    assert read_color_mask(put("a.png", Image.new("RGB", (2, 1), (1, 2, 3)))).tolist() == [
        [[1, 2, 3], [1, 2, 3]]
    ]
    with pytest.raises(DataError, match="kind L; this mask must be an RGB"):
        read_color_mask(put("b.png", Image.new("L", (2, 2))))


def test_nearest_neighbour_by_hand():
    labels = np.arange(16, dtype=np.uint16).reshape(4, 4) + 300
    # Pixel centres of a grid of 2 lie at rows and columns 1 and 3 of one of 4.
    assert resize_labels(labels, (2, 2)).tolist() == [[305, 307], [313, 315]]
    assert resize_labels(labels, (4, 4)).tolist() == labels.tolist()
    assert resize_labels(labels[:1, :2], (2, 4)).tolist() == [[300, 300, 301, 301]] * 2


@given(
    st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(0, 9)
)
def test_resizing_never_invents_labels(height, width, rows, columns, seed):
    labels = np.random.default_rng(seed).integers(0, 60000, (height, width), dtype=np.int32)
    resized = resize_labels(labels, (rows, columns))
    assert resized.shape == (rows, columns)
    assert np.isin(resized, labels).all()
