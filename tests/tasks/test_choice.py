"""Which concepts are learned, and why the others are not."""

from __future__ import annotations

import numpy as np
import pytest

from net2vec.data.annotations import Annotations
from net2vec.tasks.choice import Skipped, choose_concepts, choose_subset_layers, split_sizes

from builders_data import annotate

IS_TRAIN = [True, True, True, False, False]


@pytest.fixture(scope="module")
def annotations(tmp_path_factory) -> Annotations:
    def there(*images: int) -> np.ndarray:
        mask = np.zeros((5, 2, 3), dtype=bool)
        mask[list(images), 0] = True
        return mask

    masks = {
        "common": there(0, 1, 3),
        "rare": there(2, 4),
        "everywhere": there(0, 1, 2, 3, 4),
        "all of train": there(0, 1, 2, 3),
        "all of val": there(0, 1, 3, 4),
        "train alone": there(0, 1),
        "val alone": there(3),
        "nowhere": there(),
    }
    scene = np.array([True, False, True, True, False])
    return annotate(tmp_path_factory.mktemp("store"), masks, IS_TRAIN, {"scene": scene})


def chosen(annotations: Annotations, task, **options) -> tuple[list[str], dict[str, str]]:
    choice = choose_concepts(annotations, task, **options)
    assert choice.labels == sorted(choice.labels)
    assert all(skipped.filters is None for skipped in choice.skipped)
    reasons = {skipped.concept: skipped.reason for skipped in choice.skipped}
    assert len(reasons) == len(choice.skipped)
    return [annotations.names[label] for label in choice.labels], reasons


def test_segmentation_needs_masks_and_an_image_of_either_split(annotations):
    assert chosen(annotations, "segment") == (
        ["common", "rare", "everywhere", "all of train", "all of val"],
        {
            "train alone": "no validation image",
            "val alone": "0 training images, fewer than 1",
            "nowhere": "in no image at the masks' size of 2 x 3",
            "scene": "annotated for whole images only: no masks",
        },
    )


def test_classification_needs_images_without_the_concept_too(annotations):
    assert chosen(annotations, "classify") == (
        ["common", "rare", "scene"],
        {
            "everywhere": "in every training image: nothing to tell it from",
            "all of train": "in every training image: nothing to tell it from",
            "all of val": "in every validation image: nothing to tell it from",
            "train alone": "no validation image",
            "val alone": "0 training images, fewer than 1",
            "nowhere": "in no image at the masks' size of 2 x 3",
        },
    )


def test_that_nothing_is_annotated_at_all_is_said(tmp_path):
    empty = annotate(tmp_path, {"cat": np.zeros((5, 2, 3), dtype=bool)}, IS_TRAIN)
    for task in ("segment", "classify"):
        told = {"cat": "no concept is in any image at the masks' size of 2 x 3"}
        assert chosen(empty, task) == ([], told)


def test_more_training_images_can_be_asked_for(annotations):
    names, reasons = chosen(annotations, "segment", min_train=2)
    assert names == ["common", "everywhere", "all of train", "all of val"]
    assert reasons["rare"] == "1 training image, fewer than 2"


@pytest.mark.parametrize(
    ("wanted", "count", "found"),
    [
        ((), 1, "c"),
        ((), 3, "a.1 b c"),
        ((), 9, "a.0 a.1 b c"),
        (("a.*", "last"), 1, "a.0 a.1 c"),
        (("c", "b"), 1, "b c"),
        (("all",), 1, "a.0 a.1 b c"),
    ],
)
def test_subsets_are_learned_on_the_last_layers_or_those_named(wanted, count, found):
    assert choose_subset_layers(["a.0", "a.1", "b", "c"], wanted, count) == found.split()


def test_only_what_is_wanted_is_chosen_or_skipped(annotations):
    wanted = {"scene", "common", "nowhere", "unheard of"}
    assert chosen(annotations, "classify", names=wanted) == (
        ["common", "scene"],
        {"nowhere": "in no image at the masks' size of 2 x 3"},
    )
    assert chosen(annotations, "segment", names=[]) == ([], {})


def test_subset_sizes_are_below_the_number_of_filters():
    fitting, skipped = split_sizes([8, 1, 4, 16, 2, 4, 16], 8)
    assert fitting == [1, 2, 4]
    reason = "the layer's filters are 8: all of them is the full fit"
    assert skipped == [Skipped("", 8, reason), Skipped("", 16, reason)]
    assert split_sizes([], 8) == ([], [])
