from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from net2vec.errors import DataError
from net2vec.prediction import FullSize, MapWriter, gather_images
from net2vec.prediction.files import distinct, eroded, overlay


def test_names_that_collide_are_told_apart():
    names = ["dog", "Dog", "traffic light", "traffic_light", "a/b", "..", "", "dog-2", "dog"]
    found = distinct(names)
    assert found[:4] == ["dog", "Dog-2", "traffic_light", "traffic_light-2"]
    assert found[4:] == ["a_b", "_", "_-2", "dog-2-2", "dog-3"]


@given(st.lists(st.text(max_size=6), max_size=8))
def test_file_names_are_always_different_and_safe(names):
    found = distinct(names)
    assert len({name.casefold() for name in found}) == len(names)
    assert all(name and "/" not in name and not name.startswith(".") for name in found)


def test_long_names_are_cut_and_stay_different():
    found = distinct(["ä" * 300, "ä" * 300, "x" * 300])
    assert found[1] == found[0] + "-2"
    assert all(len(name.encode()) < 100 for name in found)


def test_files_hold_what_was_found(tmp_path):
    rng = np.random.default_rng(0)
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        Image.fromarray(rng.integers(0, 256, (5, 8, 3), dtype=np.uint8)).save(
            tmp_path / place / "x.png"
        )
    images = gather_images([tmp_path / "a", tmp_path / "b"])
    writer = MapWriter(tmp_path / "out", images, ["red-c"])
    probability = rng.random((5, 8)).astype(np.float32)
    probability[0, :2] = 0, 1
    written = [
        writer.write(FullSize(image, "red-c", probability, probability > 0.3)) for image in images
    ]
    assert [item.mask.name for item in written] == ["x.red-c.mask.png", "x-2.red-c.mask.png"]
    assert len(list((tmp_path / "out").iterdir())) == 6  # and none of a temporary name
    item = written[1]
    assert item.share == np.mean(probability > 0.3)
    with Image.open(item.probability) as picture:
        read = np.asarray(picture)
    assert read.dtype == np.uint16
    assert (read[0, 0], read[0, 1]) == (0, 65535)
    np.testing.assert_allclose(read / 65535, probability, atol=0.5001 / 65535)
    with Image.open(item.mask) as picture:
        assert picture.mode == "1"
        np.testing.assert_array_equal(np.asarray(picture), probability > 0.3)
    with Image.open(item.overlay) as picture:
        assert (picture.size, picture.mode) == ((8, 5), "RGB")


def test_nothing_is_left_of_a_picture_that_cannot_be_read(tmp_path):
    path = tmp_path / "x.png"
    Image.new("RGB", (4, 4)).save(path)
    (image,) = gather_images(path)
    path.unlink()
    nothing = FullSize(image, "dog", np.zeros((4, 4), np.float32), np.zeros((4, 4), bool))
    with pytest.raises(DataError, match="missing"):
        MapWriter(tmp_path / "out", [image], ["dog"]).write(nothing)
    assert not (tmp_path / "out").exists()


def test_the_overlay_leaves_the_rest_of_the_image_alone():
    picture = Image.fromarray(np.full((20, 20, 3), 90, np.uint8))
    mask = np.zeros((20, 20), bool)
    mask[5:15, :12] = True
    found = np.asarray(overlay(picture, mask))
    assert (found[~mask] == 90).all()
    assert (np.asarray(picture) == 90).all()
    assert (found[5, :12] == 255).all()  # a white line at the border of the mask
    assert (found[10, 0] != 255).any()  # but none at the border of the image
    assert (found[10, 5] != 90).any()


def test_a_rim_by_hand():
    mask = np.zeros((5, 6), bool)
    mask[1:4, 0:4] = True
    wanted = np.zeros_like(mask)
    wanted[2, 0:3] = True
    np.testing.assert_array_equal(eroded(mask, 1), wanted)
