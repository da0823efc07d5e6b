"""Datasets given in Python that are not what they should be: one line with the image and why."""

from __future__ import annotations

import re

import numpy as np
import pytest
from PIL import Image
from torch import nn

from net2vec.data.annotations import compile_annotations
from net2vec.data.checked import annotation_of, check_index, image_of
from net2vec.data.protocol import Annotation, Plane
from net2vec.data.tools import write_broden
from net2vec.data.views import JoinedDataset, RelabelledDataset
from net2vec.errors import DataError, NetworkError
from net2vec.networks import Preprocessing, network_from_module
from net2vec.recording.feeding import image_batches

INDEXES = {
    "no digest": ("digest", None, "memory: digest is None; wanted a string that changes"),
    "an empty digest": ("digest", "", "memory: digest is ''; wanted a string"),
    "a digest of bytes": ("digest", b"ab", "memory: digest is b'ab'; wanted a string"),
    "no label of nothing": ("labels", ("car",), "memory: labels begin with 'car'; wanted \"\""),
    "no labels": ("labels", (), 'memory: labels are none; wanted "" first'),
    "a label twice": ("labels", ("", "car", "car"), "memory: labels hold 'car' twice"),
    "labels that are numbers": ("labels", ("", 7), "memory: labels hold 7; wanted strings"),
    "labels by number": ("labels", {0: ""}, "memory: labels are a dict; wanted a list of strings"),
    "one name for a list": ("categories", "object", "memory: categories are a str; wanted a list"),
    "no categories": ("categories", (), "memory: no categories; wanted one or more"),
    "a category twice": ("categories", ("part", "part"), "memory: categories hold 'part' twice"),
    "an image twice": ("images", ("a", "b", "a"), "memory: images hold 'a' twice"),
    "a path for a name": ("images", (b"a", "b", "c"), "memory: images hold b'a'; wanted strings"),
    "too few splits": ("splits", ("train", "val"), "memory: 2 splits for 3 images; wanted one"),
    "another split": (
        "splits",
        ("train", "training", "val"),
        "memory, two.png: split 'training'; wanted train or val",
    ),
}


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_at_fault_is_refused_before_anything_is_read(name, street, tmp_path):
    attribute, value, reason = INDEXES[name]
    setattr(street, attribute, value)
    street.annotation = street.image = lambda index: pytest.fail("asked for")
    for use in (
        lambda: check_index(street),
        lambda: compile_annotations(street, (4, 4), tmp_path / "store"),
        lambda: write_broden(street, tmp_path / "out", size=8),
    ):
        with pytest.raises(DataError, match=re.escape(reason)):
            use()
    assert not (tmp_path / "store").exists()
    assert not (tmp_path / "out").exists()


def test_names_may_be_arrays(street):
    for attribute in ("labels", "categories", "images", "splits"):
        setattr(street, attribute, np.array(getattr(street, attribute)))
    check_index(street)


def annotation(planes: object = (), image_labels: object = ()) -> Annotation:
    """One of any content; the tests check types where one is made, users do not."""
    made = Annotation()
    object.__setattr__(made, "planes", planes)
    object.__setattr__(made, "image_labels", image_labels)
    return made


def plane(labels: object, category: str = "object") -> Plane:
    made = Plane(category, np.zeros((1, 1), int))
    object.__setattr__(made, "labels", labels)
    return made


def one(labels: object, category: str = "object") -> Annotation:
    return annotation((plane(np.array(labels), category),))


ANNOTATIONS = {
    "an array": (np.zeros((2, 2)), "annotation() gave ndarray; wanted a net2vec.data.Annotation"),
    "nothing": (None, "annotation() gave NoneType; wanted a net2vec.data.Annotation"),
    "one plane for a tuple": (
        annotation(plane(np.zeros((2, 2), int))),
        "planes are given as Plane; wanted a tuple of them",
    ),
    "an array for a plane": (
        annotation((np.zeros((2, 2), int),)),
        "a plane is given as ndarray; wanted a net2vec.data.Plane",
    ),
    "a list for an array": (
        annotation((plane([[0, 1]]),)),
        "the labels of a plane are given as list; wanted a NumPy array",
    ),
    "three dimensions": (
        one([[[0, 1]]]),
        "the labels of a plane are int64 of shape (1, 1, 2); wanted integers of shape (height, wid",
    ),
    "no pixels": (one(np.zeros((0, 3), int)), "int64 of shape (0, 3); wanted integers"),
    "floats": (one([[0.0, 1.0]]), "the labels of a plane are float64 of shape (1, 2); wanted"),
    "a mask": (one([[True]]), "the labels of a plane are bool of shape (1, 1); wanted integers"),
    "a large number": (one([[0, 7]]), "a plane holds the label number 7; labels are 0 to 6"),
    "a negative one": (one([[0, -1]]), "a plane holds the label number -1; labels are 0 to 6"),
    "another category": (
        one([[0, 1]], "objects"),
        "the category 'objects' is none of object, part, material, scene",
    ),
    "another category of an image": (
        annotation((), (("place", 5),)),
        "the category 'place' is none of object, part, material, scene",
    ),
    "a large number of an image": (
        annotation((), (("scene", 7),)),
        "an image label is the number 7; labels are 0 to 6",
    ),
    "a negative number of an image": (
        annotation((), (("scene", -1),)),
        "an image label is the number -1; labels are 0 to 6",
    ),
    "a name of an image": (
        annotation((), (("scene", "street-s"),)),
        "an image label is ('scene', 'street-s'); wanted a category and the number of a label",
    ),
    "an array of numbers": (
        annotation((), (np.eye(3, dtype=int),)),
        "an image label is array([[1, 0, 0], [0, 1, 0], [0, 0, 1]]); wanted a category and",
    ),
    "a number alone": (
        annotation((), (5,)),
        "an image label is 5; wanted a category and the number of a label",
    ),
}


@pytest.mark.parametrize("name", ANNOTATIONS)
def test_an_annotation_at_fault_is_named_with_its_image(name, street, tmp_path):
    street.annotations[1], reason = ANNOTATIONS[name]
    for use in (
        lambda: annotation_of(street, 1),
        lambda: RelabelledDataset(street, {}).annotation(1),
        lambda: JoinedDataset([street]).annotation(1),
        lambda: compile_annotations(street, (4, 4), tmp_path / "store"),
        lambda: write_broden(street, tmp_path / "out", size=8),
    ):
        with pytest.raises(DataError, match=f"^memory, two.png: .*{re.escape(reason)}"):
            use()


@pytest.mark.parametrize("number", [6, np.uint8(6), np.int64(6)])
def test_the_last_label_is_one(street, number):
    street.annotations[0] = one([[number]])
    street.annotations[1] = annotation((), (("scene", number),))
    for index in (0, 1):
        assert annotation_of(street, index) is street.annotations[index]


def test_what_is_no_image_is_named(street):
    street.image = lambda index: np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(DataError, match=r"^memory, three\.tif: image\(\) gave ndarray; wanted"):
        image_of(street, 2)
    picture = Image.new("L", (2, 2))
    street.image = lambda index: picture
    assert image_of(street, 2) is picture


def test_errors_of_the_users_own_code_are_named_with_the_image(street, tmp_path):
    cause = KeyError("two\nlines")

    def raising(index):
        raise cause

    street.annotation, street.image = raising, lambda index: 1 // 0
    with pytest.raises(DataError) as caught:
        compile_annotations(street, (4, 4), tmp_path)
    assert (
        str(caught.value) == r"memory, a/one.jpg: annotation() failed with KeyError('two\nlines')"
    )
    assert caught.value.__cause__ is cause
    with pytest.raises(DataError, match=r"two\.png: image\(\) failed with ZeroDivisionError"):
        image_of(street, 1)


def test_errors_in_one_line_are_passed_on(street):
    said = NetworkError("of another kind")

    def raising(index):
        raise said

    street.annotation = raising
    with pytest.raises(NetworkError) as caught:
        annotation_of(street, 0)
    assert caught.value is said


def test_views_do_not_hide_that_there_is_no_digest(street):
    street.digest = None
    with pytest.raises(DataError, match="memory: digest is None"):
        assert RelabelledDataset(street, {}).digest
    with pytest.raises(DataError, match="memory: digest is None"):
        JoinedDataset([street])


def test_networks_are_fed_images_alone(street):
    street.image = lambda index: np.zeros((4, 4, 3), np.uint8)
    preprocessing = Preprocessing(4, (0.0,) * 3, (1.0,) * 3)
    network = network_from_module(nn.Conv2d(3, 1, 1), preprocessing)
    with pytest.raises(DataError, match=r"^memory, two\.png: image\(\) gave ndarray"):
        list(image_batches(network, street, [1], 1))
