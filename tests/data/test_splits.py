"""Which images train and which validate."""

from __future__ import annotations

import pytest

from net2vec.data.splits import SplitRule, hashed_split
from net2vec.errors import DataError


def test_the_usual_names_decide_where_nothing_is_stated():
    rule = SplitRule()
    assert not rule
    assert [rule.split_of(f"{name}/1.jpg") for name in ("train2017", "val_set", "test", "far")] == [
        "train", "val", "test", None,
    ]  # fmt: skip
    assert rule.draw("far/1.jpg") == hashed_split("far/1.jpg")


def test_a_stated_folder_validates_and_other_splits_are_left_out():
    rule = SplitRule.parse("test")
    assert [rule.split_of(f"{name}/1.jpg") for name in ("train", "val", "Test")] == [
        "train", "test", "val",
    ]  # fmt: skip
    assert (rule.split_of("far/1.jpg"), rule.draw("far/1.jpg")) == (None, "train")
    deep = SplitRule.parse("site/b/")
    assert (deep.split_of("x/site/b/1.jpg"), deep.split_of("x/site/c/1.jpg")) == ("val", None)


def test_two_stated_folders_leave_out_the_rest():
    rule = SplitRule(train=("one",), val=("two",))
    assert [rule.split_of(f"{name}/1.jpg") for name in ("one", "two", "train")] == [
        "train", "val", "test",
    ]  # fmt: skip


def test_lists_may_give_paths_names_or_stems():
    rule = SplitRule(listed={"a/1.jpg": "train", "2.jpg": "val", "3": "val", "b/4": "train"})
    assert [rule.split_of(f"{name}.jpg") for name in ("a/1", "a/2", "b/3", "b/4", "b/1")] == [
        "train", "val", "val", "train", "test",
    ]  # fmt: skip
    assert SplitRule(listed={"2": "val"}).split_of("1.jpg") == "train"


def test_drawing_takes_from_those_that_train_by_share_and_seed():
    names = [f"{number}.jpg" for number in range(2000)]
    rule = SplitRule.parse("draw=0.1")
    assert rule.split_of("train/1.jpg") is None
    assert rule.split_of("val/1.jpg") == "test"
    drawn = [rule.draw(name) for name in names]
    assert 0.07 < drawn.count("val") / len(names) < 0.13
    assert [SplitRule.parse("draw=0.1,4").draw(name) for name in names] != drawn
    assert [SplitRule.parse("draw").draw(name) for name in names] == list(map(hashed_split, names))


@pytest.mark.parametrize("text", ["", "/", "draw=0", "draw=1", "draw=1.2.3"])
def test_what_is_no_split_is_refused(text):
    with pytest.raises(DataError, match=r"--split is empty|the share of validation images"):
        SplitRule.parse(text)


def test_a_folder_that_is_nowhere_is_refused_with_those_that_are():
    SplitRule(val=("b",)).check_used(["a/1.jpg", "b/1.jpg"], "set")
    with pytest.raises(DataError, match="set: no image is in a folder 'c'; folders are a, b"):
        SplitRule(val=("c",)).check_used(["a/1.jpg", "b/1.jpg"], "set")
    with pytest.raises(DataError, match=r"they hold '9', an image is a/1\.jpg"):
        SplitRule(listed={"9": "val"}).check_used(["a/1.jpg"], "set")
