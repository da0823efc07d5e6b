"""Odd images go the same way as in the probe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from net2vec.data.images import read_image
from net2vec.errors import DataError
from net2vec.networks import Preprocessing, network_from_module
from net2vec.prediction import gather_images

NETWORK = network_from_module(
    torch.nn.Identity(), Preprocessing(8, (100.0, 100.0, 100.0), (50.0, 50.0, 50.0))
)


def odd_images(folder: Path) -> dict[str, Path]:
    """A file of every kind that needs care."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 9, 4), dtype=np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6
    pictures = {
        "grey.png": (Image.fromarray(pixels[:, :, 0]), {}),
        "alpha.png": (Image.fromarray(pixels), {}),
        "palette.png": (Image.fromarray(pixels[:, :, :3]).quantize(7), {"transparency": 2}),
        "deep.png": (Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257), {}),
        "turned.jpg": (Image.fromarray(pixels[:, :, :3]), {"exif": turned, "quality": 95}),
    }
    for name, (picture, options) in pictures.items():
        picture.save(folder / name, **options)
    return {name: folder / name for name in pictures}


def test_files_and_open_images_are_read_as_the_probe_reads_them(tmp_path):
    for name, path in odd_images(tmp_path).items():
        wanted = NETWORK.preprocessing(read_image(path))
        own_size = (9, 6) if name == "turned.jpg" else (6, 9)
        for image in (path, str(path), Image.open(path)):
            (found,) = gather_images(image)
            fed, size = found.network_input(NETWORK)
            assert torch.equal(fed, wanted), name
            assert size == own_size, name
            assert found.name == str(path)


def test_an_image_in_memory_is_left_as_it_was(tmp_path):
    picture = Image.open(odd_images(tmp_path)["turned.jpg"])
    before = picture.tobytes()
    gather_images(picture)[0].network_input(NETWORK)
    assert (picture.size, picture.tobytes()) == ((9, 6), before)


def test_a_folder_stands_for_its_images_and_a_batch_for_its_rows(tmp_path):
    paths = odd_images(tmp_path)
    (tmp_path / "notes.txt").write_text("no image")
    array = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    (found,) = gather_images(array)
    assert np.array_equal(found.picture(), array)
    with pytest.raises(DataError, match=r"uint8.*got \(4, 5, 3\) of float64"):
        gather_images([array / 255])
    found = gather_images([tmp_path, torch.zeros(2, 3, 8, 8), Image.new("L", (4, 4))])
    names = [str(path) for path in sorted(paths.values())]
    assert [image.name for image in found] == [*names, "image 5", "image 6", "image 7"]
    assert found[5].network_input(NETWORK)[1] == (8, 8)


def test_what_is_no_image_is_refused(tmp_path):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="not an image"):
        gather_images(tmp_path / "broken.png")[0].check()
    with pytest.raises(DataError, match="no image in this folder"):
        gather_images(tmp_path / "empty")
    with pytest.raises(DataError, match="not int"):
        gather_images(3)
    with pytest.raises(DataError, match="int64"):
        gather_images(torch.zeros(3, 8, 8, dtype=torch.int64))[0].network_input(NETWORK)
    with pytest.raises(DataError, match="no picture"):
        gather_images(torch.zeros(3, 8, 8))[0].picture()
