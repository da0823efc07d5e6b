"""Datasets whose masks a function makes, and what is refused."""

import re

import numpy as np
import pytest
from PIL import Image

from net2vec.annotators import Request, annotate_images, open_annotator
from net2vec.cli import main
from net2vec.data import open_dataset, open_datasets
from net2vec.data.annotator_record import ANNOTATOR_FILE
from net2vec.data.optional import annotators_of
from net2vec.data.tools import check_dataset, convert_dataset
from net2vec.errors import ConfigError, DataError, NetworkError

# Red pixels are a poppy, green ones grass, blue ones the class without a name.
CODE = """
import numpy as np

NAMES = ["background", "poppy", "grass"]
count = 0

def classes(image):
    pixels = np.asarray(image).astype(int)
    found = np.where(pixels.max(2) < 128, 0, 1 + pixels.argmax(2))
    return np.where(found == 3, 0, found), NAMES

def sure(image):
    return *classes(image), np.asarray(image).max(2) / 255

def masks(image):
    found, _ = classes(image)
    return {"poppy": found == 1, "plant": found > 0, "void": found == 0}

def likely(image):
    return {"plant": np.asarray(image).max(2) / 255}

def interrupted(image):
    global count
    count += 1
    if count == 4:
        raise KeyboardInterrupt
    return classes(image)

def wrong_type(image):
    return np.zeros(3)

def wrong_number(image):
    return np.full((16, 24), 7), NAMES

def wrong_shape(image):
    return np.zeros((24, 16), int), NAMES

def nameless(image):
    return np.zeros((16, 24), int), []

def failing(image):
    raise ValueError("of its own\\naccord")

def nothing(image):
    return np.zeros((16, 24), int), NAMES

classes.licence = "CC0"
classes.files = [__file__]
"""


@pytest.fixture
def code(tmp_path):
    (tmp_path / "mine.py").write_text(CODE)
    return tmp_path / "mine.py"


@pytest.fixture
def photographs(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(8):
        colors = np.array([[250, 0, 0], [0, 160, 0], [0, 0, 250], [20, 20, 20]], np.uint8)
        pixels = colors[rng.integers(0, 4, (4, 6))].repeat(4, 0).repeat(4, 1)
        place = tmp_path / "photographs" / ("val" if number > 5 else "train") / f"{number}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(place)
    return tmp_path / "photographs"


def _annotate(photographs, code, function, request=None, name="made", **options):
    annotator = open_annotator(f"{code}:{function}", request or Request())
    out = photographs.parent / name
    return annotate_images(photographs, annotator, out, size=24, mask_size=12, **options)


def test_a_dataset_holds_the_masks_of_a_function_and_what_made_them(photographs, code):
    made = _annotate(photographs, code, "classes", category="plant")
    assert (made.concepts, made.empty) == (2, 0)
    dataset = open_dataset(made.folder)
    assert dataset.labels == ("", "poppy", "grass")
    assert dataset.categories == ("plant",)
    assert dataset.splits == ("train",) * 6 + ("val",) * 2
    assert not check_dataset(made.folder).faults
    image = np.asarray(Image.open(photographs / dataset.images[0]).resize((12, 12), 0)).astype(int)
    (plane,) = dataset.annotation(0).planes
    np.testing.assert_array_equal(plane.labels == 1, image[..., 0] == 250)
    np.testing.assert_array_equal(plane.labels == 2, image[..., 1] == 160)
    (record,) = annotators_of(dataset)
    assert record == made.record
    assert (record.model, record.licence, record.confidence) == ("mine.py:classes", "CC0", None)
    assert str(code.parent) not in (made.folder / ANNOTATOR_FILE).read_text()
    assert ("masks made by", record.sentence) in dataset.taken


def test_pixels_of_little_confidence_are_void(photographs, code):
    sure = _annotate(photographs, code, "sure", Request(confidence=0.9))
    assert open_dataset(sure.folder).labels == ("", "poppy")  # grass is .63
    assert sure.record.confidence == 0.9
    likely = _annotate(photographs, code, "likely", Request(confidence=0.9), "likely")
    assert likely.record.confidence == 0.9
    lower = _annotate(photographs, code, "likely", Request(confidence=0.5), "lower")
    assert lower.void < likely.void


def test_masks_by_name_may_overlap(photographs, code):
    made = open_dataset(_annotate(photographs, code, "masks").folder)
    assert made.labels == ("", "poppy", "plant")  # void is none
    poppy, plant = (plane.labels for plane in made.annotation(0).planes)
    assert ((poppy == 1) <= (plant == 2)).all()
    chosen = _annotate(photographs, code, "masks", Request(("poppy",)), "chosen")
    assert open_dataset(chosen.folder).labels == ("", "poppy")


def test_an_interrupted_one_goes_on_where_it_was(photographs, code, monkeypatch):
    annotator = open_annotator(f"{code}:interrupted", Request())
    done = []

    def stage(title, images):
        return lambda count: done.append(title)

    arguments = {"size": 24, "mask_size": 12, "stage": stage}
    out = photographs.parent / "made"
    with pytest.raises(KeyboardInterrupt):
        annotate_images(photographs, annotator, out, **arguments)
    assert not out.exists()
    assert len(done) == 3
    calls = []
    monkeypatch.setattr(annotator, "annotate", _counted(annotator.annotate, calls))
    made = annotate_images(photographs, annotator, out, **arguments)
    assert len(calls) == 5
    whole = _annotate(photographs, code, "classes", name="whole")
    assert open_dataset(made.folder).labels == open_dataset(whole.folder).labels
    for file in whole.folder.rglob("*.png"):
        again = made.folder / file.relative_to(whole.folder)
        assert again.read_bytes() == file.read_bytes()
    assert not list(photographs.parent.glob("*.unfinished"))


def _counted(function, calls):
    return lambda image: (calls.append(1), function(image))[1]


def test_kept_masks_are_not_used_for_another_request(photographs, code):
    with pytest.raises(KeyboardInterrupt):
        _annotate(photographs, code, "interrupted")
    code.write_text(CODE.replace('"grass"]', '"lawn"]').replace("count == 4", "False"))
    made = _annotate(photographs, code, "interrupted")
    assert open_dataset(made.folder).labels == ("", "poppy", "lawn")


def test_the_record_follows_the_masks(photographs, code):
    made = _annotate(photographs, code, "classes").folder
    other = _annotate(photographs, code, "masks", name="other").folder
    dataset = open_dataset(made)
    converted = convert_dataset(dataset, made.parent / "c", size=24, min_frequency=1).folder
    assert annotators_of(open_dataset(converted)) == annotators_of(dataset)
    joined = open_datasets([made, other], ignore=["grass"], colors=True)
    assert [record.model for record in annotators_of(joined)] == [
        "mine.py:classes",
        "mine.py:masks",
    ]
    before = dataset.digest
    (made / ANNOTATOR_FILE).write_text((made / ANNOTATOR_FILE).read_text().replace("CC0", "CC1"))
    assert open_dataset(made).digest != before
    (made / ANNOTATOR_FILE).write_text('{"annotators": [{"model": 1}]}')
    with pytest.raises(DataError, match="cannot be read as what made the masks"):
        open_dataset(made)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("wrong_type", r"returned a ndarray; wanted \(class numbers"),
        ("wrong_number", "returned the class number 7 with 3 names"),
        ("wrong_shape", r"returned class numbers of shape \(24, 16\) for an image of \(16, 24\)"),
        ("nameless", "returned no names of classes"),
        ("failing", r"mine.py:failing failed: ValueError\('of its own"),
        ("nothing", "finds nothing in 8 images .* a lower --confidence"),
    ],
)
def test_what_a_function_does_wrong_is_told_in_one_line(photographs, code, function, message):
    with pytest.raises(DataError, match=message) as told:
        _annotate(photographs, code, function)
    assert "\n" not in str(told.value)
    assert not (photographs.parent / "made").exists()


def test_what_cannot_be_annotated_is_refused(photographs, code):
    made = _annotate(photographs, code, "classes").folder
    with pytest.raises(DataError, match="something is here already"):
        _annotate(photographs, code, "classes")
    with pytest.raises(DataError, match=r"dataset with masks \(layout Broden\) already"):
        annotate_images(made, open_annotator(f"{code}:classes", Request()), made.parent / "again")
    with pytest.raises(DataError, match="no class 'tree'"):
        _annotate(photographs, code, "classes", Request(("tree",)), "trees")
    with pytest.raises(NetworkError, match="has no function 'other'"):
        open_annotator(f"{code}:other", Request())
    with pytest.raises(ConfigError, match=r"names no annotator; wanted .* or hf:ORG/NAME or"):
        open_annotator("segformer", Request())


def test_the_command_writes_a_dataset_and_says_what_made_it(photographs, code, capsys):
    out = photographs.parent / "made"
    arguments = [str(photographs), "--with", f"{code}:sure", "--out", str(out)]
    options = ["--concepts", "poppy", "--size", "24", "--confidence", "0.8", "--split", "draw=.5"]
    assert _exit_code(["data", "annotate", *arguments, *options]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(out)
    assert "masks by mine.py:sure" in told.err
    assert "pixels surer than 0.8" in told.err
    assert re.search(r"1 concepts; \d+% of all pixels void", told.err)
    dataset = open_dataset(out)
    assert set(dataset.splits) == {"train", "val"}  # images in val are left out of the draw
    assert not any(name.startswith("val/") for name in dataset.images)
    assert _exit_code(["data", "annotate", *arguments]) == 2
    assert "something is here already" in capsys.readouterr().err


def _exit_code(arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code
