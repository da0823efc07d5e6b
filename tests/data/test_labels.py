from __future__ import annotations

import pytest

from net2vec.data.labels import (
    concept_name,
    first_synonym,
    number_names,
    read_class_names,
    read_synonyms,
)
from net2vec.errors import DataError


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        ("unlabelled|Unlabeled| void |background|_background_|ignore|-|", ""),
        (" TV/monitor ", "TV/monitor"),
        (" bl\tue\x1b[31m\x00 sky ", "bl ue [31m sky"),
        ("Caf\u00e9 \u5bb6", "Caf\u00e9 \u5bb6"),
    ],
)
def test_names_are_shown_without_control_characters_and_void_ones_not(names, shown):
    assert {concept_name(name) for name in names.split("|")} == {shown}


def test_numbers_follow_first_appearance():
    assert first_synonym("building, edifice") == "building"
    labels, numbers = number_names(["b", "", "a", "b"])
    assert labels == ("", "b", "a")
    assert numbers == {"": 0, "b": 1, "a": 2}


def test_names_by_line_count_from_zero(put):
    assert read_class_names(put("classes.txt", "sky\nroad\nvoid\ncar\n\n")) == {
        0: "sky",
        1: "road",
        2: "void",
        3: "car",
    }


@pytest.mark.parametrize("line", ["{} {}", "{}: {}", "{},{}", "{}\t{}", "{} = {}"])
def test_numbered_names(put, line):
    text = "\n".join(line.format(value, name) for value, name in ((7, "road"), (24, "two doors")))
    assert read_class_names(put("labels.txt", text)) == {7: "road", 24: "two doors"}


def test_a_name_that_begins_with_a_number_is_a_name(put):
    assert read_class_names(put("classes.txt", "2 wheels\nroad")) == {0: "2 wheels", 1: "road"}


def test_labelme_counts_from_minus_one(put):
    path = put("labels.txt", "__ignore__\n_background_\ncat\ndog\n")
    assert read_class_names(path) == {0: "_background_", 1: "cat", 2: "dog"}


def test_comments_are_no_classes(put):
    path = put("classes.txt", "# the classes\nsky\n  # more\nroad\n")
    assert read_class_names(path) == {0: "sky", 1: "road"}


def test_the_table_of_scene_parsing(put):
    rows = ["Idx Ratio Train Val Stuff Name", "1 0.1 11 2 1 wall", "2 0.1 9 1 1 building,edifice"]
    text = "\n".join(row.replace(" ", "\t") for row in rows)
    assert read_class_names(put("objectInfo150.txt", text)) == {1: "wall", 2: "building"}


def test_lists_without_sense_are_refused(put, tmp_path):
    with pytest.raises(DataError, match=r"classes\.txt: the value 3 is named twice"):
        read_class_names(put("classes.txt", "3 cat\n3 dog"))
    for text, line in (
        ("1 red\n2 blue\n4\n", "line 3"),
        ("# classes\n1 red\n2 blue\nno", "line 4"),
    ):
        with pytest.raises(DataError, match=f"{line}: wanted a number and a name"):
            read_class_names(put("classes.txt", text))
    with pytest.raises(DataError, match="empty"):
        read_class_names(put("classes.txt", "\n"))
    with pytest.raises(DataError, match="cannot be read as text"):
        read_class_names(put("classes.txt", b"\xff\xfe\x00"))
    with pytest.raises(DataError, match="cannot be read as text"):
        read_synonyms(tmp_path / "gone.txt")


def test_synonyms(put):
    text = "# kept = others\ncar = auto, motor car  # four wheels\n\ntelevision = tv/monitor\n"
    assert read_synonyms(put("synonyms.txt", text)) == {
        "auto": "car",
        "motor car": "car",
        "tv/monitor": "television",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("car auto", "line 1: wanted"),
        ("car =", "line 1: wanted"),
        ("car = auto\nvan = auto", "line 2: 'auto' already stands for 'car'"),
        ("car = auto\nvehicle = car", "'car' is both"),
    ],
)
def test_synonyms_that_contradict_are_refused(put, text, reason):
    with pytest.raises(DataError, match=reason):
        read_synonyms(put("synonyms.txt", text))
