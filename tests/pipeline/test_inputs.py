"""Datasets that settings name."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from net2vec.config import Settings
from net2vec.errors import ConfigError, DataError
from net2vec.pipeline.inputs import absolute, open_data


@pytest.fixture
def animals(tmp_path):
    """Class folders to train and to test, as many are published."""
    for name in ("train/cat", "train/dog", "test/cat", "test/dog"):
        for number in range(8):
            path = tmp_path / "animals" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((4, 4), number, np.uint8)).save(path)
    return tmp_path / "animals"


def settings(folder, **more):
    return Settings.from_dict({"network": "x", "data": [str(folder)], **more})


def test_without_validation_images_the_remedy_is_named(animals):
    with pytest.raises(DataError) as refusal:
        open_data(settings(animals))
    assert str(refusal.value) == (
        "animals: no image validates, all 16 train; 16 are left out, of a split for testing, such "
        "as test/cat/0.png; --split FOLDER names the folder whose images validate, --split draw "
        "draws them from those that train"
    )


def test_the_remedies_help(animals):
    tested = open_data(settings(animals, split="test"))
    assert [split for name, split in zip(tested.images, tested.splits, strict=True)
            if name.startswith("test")] == ["val"] * 16  # fmt: skip
    drawn = open_data(settings(animals, split="draw=0.5"))
    assert {name.split("/")[0] for name in drawn.images} == {"train"}
    assert set(drawn.splits) == {"train", "val"}
    assert (
        len({tested.digest, drawn.digest, open_data(settings(animals, split="draw")).digest}) == 3
    )
    with pytest.raises(DataError, match="no image trains, all 16 validate"):
        open_data(settings(animals / "train", split="draw=0.99999999"))


def test_drawing_is_for_any_dataset():
    drawn = open_data(settings("diorama", split="draw=0.5"))
    assert 0.3 < drawn.splits.count("val") / len(drawn.splits) < 0.7


def test_a_description_keeps_its_path(animals, tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text('[splits]\nval = "test"')
    monkeypatch.chdir(tmp_path)
    kept = absolute(settings("animals", dataset="mine.toml"))
    assert kept.dataset == str(tmp_path / "mine.toml")
    assert open_data(kept).splits.count("val") == 16
    assert Settings.from_dict({"network": "x", "data": "d"}).dataset is None
    with pytest.raises(ConfigError):
        settings("animals", dataset=3)
