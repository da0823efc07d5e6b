from __future__ import annotations

import shutil

import numpy as np
import pytest
from PIL import Image

from net2vec.data.protocol import Plane, ProbeDataset
from net2vec.data.readers.broden import BrodenDataset
from net2vec.errors import DataError

INDEX = """image,split,ih,iw,sh,sw,color,object,part,scene,texture
dtd/g_0106.jpg,train,4,6,2,3,,,,,2;260
ade/one.jpg,val,4,6,2,3,,ade/one_object.png,ade/one_part_1.png;ade/one_part_2.png,3;0,
"""
LABEL = """number,name,category,frequency,coverage,syns
1,red-c,color(1),1,1.0,
2,null,texture(1);object(1),2,1.0,none;nil
3,NA,scene(1),1,1.0,
260,wheel,part(1),1,0.1,
"""
CATEGORY = """name,first,last,count,frequency
object,2,2,1,1
part,260,260,1,1
scene,3,3,1,1
texture,2,260,2,2
color,1,1,1,0
"""


def mask(*rows: list[int]) -> np.ndarray:
    """Label numbers in two channels, as Broden stores them."""
    channels = np.zeros((len(rows), len(rows[0]), 3), np.uint8)
    channels[..., 0] = np.array(rows) % 256
    channels[..., 1] = np.array(rows) // 256
    return channels


@pytest.fixture
def folder(put, gray, tmp_path):
    for name, text in {"index": INDEX, "label": LABEL, "category": CATEGORY}.items():
        put(f"broden/{name}.csv", text)
    put("broden/images/dtd/g_0106.jpg", gray)
    put("broden/images/ade/one.jpg", gray)
    put("broden/images/ade/one_object.png", mask([0, 2, 2], [0, 0, 0]))
    put("broden/images/ade/one_part_1.png", mask([260, 0, 0], [0, 0, 0]))
    put("broden/images/ade/one_part_2.png", mask([0, 0, 0], [0, 0, 260]))
    return tmp_path / "broden"


def refuse(folder, table, old, new):
    path = folder / f"{table}.csv"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(DataError) as caught:
        BrodenDataset(folder)
    return str(caught.value)


def test_index_and_names(folder):
    dataset = BrodenDataset(folder)
    assert isinstance(dataset, ProbeDataset)
    assert dataset.name == "broden"
    assert dataset.images == ("dtd/g_0106.jpg", "ade/one.jpg")
    assert dataset.splits == ("train", "val")
    assert dataset.labels == ("", "red-c", "null", "NA", "wheel")
    assert dataset.categories == ("object", "part", "scene", "texture", "color")


def test_image_labels_are_numbers_and_zero_is_none(folder):
    texture, scene = (BrodenDataset(folder).annotation(index) for index in (0, 1))
    assert texture.planes == ()
    assert texture.image_labels == (("texture", 2), ("texture", 4))
    assert scene.image_labels == (("scene", 3),)


def test_masks_are_red_and_256_green_in_planes(folder):
    planes = BrodenDataset(folder).annotation(1).planes
    assert [(plane.category, plane.labels.tolist()) for plane in planes] == [
        ("object", [[0, 2, 2], [0, 0, 0]]),
        ("part", [[4, 0, 0], [0, 0, 0]]),
        ("part", [[0, 0, 0], [0, 0, 4]]),
    ]
    assert all(isinstance(plane, Plane) for plane in planes)


def test_images_are_rgb_in_their_own_size(folder):
    dataset = BrodenDataset(folder)
    assert (dataset.image(0).mode, dataset.image(0).size) == ("RGB", (6, 4))
    assert dataset.image_size(0) == (4, 6)
    index = folder / "index.csv"
    index.write_text(index.read_text().replace(",ih,iw,", ",height,width,"))
    category = folder / "category.csv"
    category.write_text(category.read_text() + "height,0,0,0,0\nwidth,0,0,0,0\n")
    assert BrodenDataset(folder).image_size(0) == (4, 6)


def test_opening_reads_tables_alone(folder):
    shutil.rmtree(folder / "images")
    dataset = BrodenDataset(folder)
    assert len(dataset.images) == 2
    with pytest.raises(DataError, match=r"g_0106\.jpg: the file is missing"):
        dataset.image(0)


def test_digest_sees_tables_and_files_but_no_path(folder, tmp_path):
    digest = BrodenDataset(folder).digest
    moved = shutil.copytree(folder, tmp_path / "elsewhere")
    assert BrodenDataset(moved).digest == digest
    Image.new("RGB", (3, 2)).save(moved / "images/ade/one_object.png")
    assert BrodenDataset(moved).digest != digest
    index = folder / "index.csv"
    index.write_text(index.read_text().replace(",val,", ",train,"))
    assert BrodenDataset(folder).digest != digest


@pytest.mark.parametrize(
    ("table", "old", "new", "reason"),
    [
        ("index", "one.jpg,val", "one.jpg,test", r"index\.csv, line 3: .*unknown split 'test'"),
        ("index", "dtd/g_0106.jpg,", "ade/one.jpg,", "line 3: duplicate row of ade/one.jpg"),
        ("index", "val,4,6,2,3", "val,4,6,2,x", "line 3: .* no size in pixels as sw"),
        ("index", ",texture\n", ",tissue\n", r"column 'tissue' is no category of category\.csv"),
        ("index", "image,split", "picture,split", r"index\.csv: lacks the column 'image'"),
        ("index", INDEX[INDEX.index("\n") :], "\n", "no rows"),
        ("index", ",3;0,\n", "\n", r"index\.csv, line 3: 9 fields; the first line names 11"),
        ("index", ",3;0,\n", ",3;0,,\n", "line 3: 12 fields; the first line names 11"),
        ("index", "\nade", "\n\n\nade/two.jpg,tset,4,6,2,3,,,,,\nade", "line 5: .*'tset'"),
        ("index", "ade/one.jpg,val", "ade/one.jpg\u2028,tset", r"jpg\\u2028 has the unknown split"),
        ("index", "color,object", "color,color", "the column 'color' stands twice"),
        ("index", "val,4,6,2,3", f"val,{2**63},6,2,3", "line 3: .* no size in pixels as ih"),
        ("index", "3;0,\n", '3;0,"\n', r"index\.csv: not a table"),
        ("category", "color,1,1,1,0\n", "color,1,1,1,0\nsize,1,1,1,0\n", "no column for .*'size'"),
        ("category", "part,260", ",260", "line 3: a category without a name"),
        ("category", "part,260", "ih,260", "line 3: 'ih' is no category but another column"),
        ("category", "color,1,1,1,0", "color", "line 6: 1 field; the first line names 5"),
        ("label", ",scene(1),1,1.0,\n", "\n", "line 4: 2 fields; the first line names 6"),
        ("label", "3,NA", "2,NA", "line 4: the label number 2 stands twice"),
        ("label", "3,NA", "3,null", "line 4: the name 'null' stands twice"),
        ("label", "3,NA", "3,", "line 4: the label number 3 has no name"),
        ("label", "260,wheel", "-7,wheel", "line 5: '-7' is no label number"),
        ("label", "260,wheel", "65536,wheel", "line 5: '65536' is no label number"),
        ("category", "part,260", "object,260", "the category 'object' stands twice"),
    ],
)
def test_tables_that_contradict_the_layout_are_refused(folder, table, old, new, reason):
    message = refuse(folder, table, old, new)
    import re

    assert re.search(reason, message)
    assert "\n" not in message


def test_control_characters_reach_nobody(folder):
    label = folder / "label.csv"
    label.write_text(label.read_text().replace("3,NA", "3,traffic\x1b[31m\tlight"))
    assert "traffic [31m light" in BrodenDataset(folder).labels
    label.write_text(label.read_text().replace("traffic\x1b[31m\tlight", " null\x07"))
    with pytest.raises(DataError, match="line 4: the name ' null\\\\x07' stands"):
        BrodenDataset(folder)
    message = refuse(folder, "index", "ade/one.jpg,val", "ade/\x1b[31mone.jpg,tset")
    assert "\x1b" not in message


def test_several_faults_are_counted(folder):
    message = refuse(folder, "index", ",val,4,6", ",test,x,6")
    assert message.endswith("wanted train or val (1 more: see `net2vec data check`)")
    message = refuse(folder, "label", "null", "NA")
    assert message.endswith("(2 more: see `net2vec data check`)")


def test_missing_and_unreadable_tables_are_named(folder):
    (folder / "label.csv").write_bytes(b"number,name\n1,\xff\xfe\n")
    with pytest.raises(DataError, match=r"label\.csv: not a table"):
        BrodenDataset(folder)
    (folder / "label.csv").unlink()
    with pytest.raises(DataError, match=r"label\.csv: the file is missing"):
        BrodenDataset(folder)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        (mask([5, 5, 5], [0, 0, 0]), r"one_object\.png: the label number 5 is not in label\.csv"),
        (mask([0, 65535, 0], [0, 0, 0]), "label number 65535"),
        (mask([2, 2]), r"the mask is 2x1, index\.csv says 3x2"),
    ],
)
def test_masks_that_contradict_the_tables_are_refused(folder, labels, reason):
    Image.fromarray(labels).save(folder / "images/ade/one_object.png")
    with pytest.raises(DataError, match=reason):
        BrodenDataset(folder).annotation(1)


@pytest.mark.parametrize("number", [5, 261])
def test_unknown_image_labels_are_refused(folder, number):
    index = folder / "index.csv"
    index.write_text(index.read_text().replace("2;260", f"2;{number}"))
    with pytest.raises(DataError, match=f"label number {number} of dtd/g_0106.jpg"):
        BrodenDataset(folder).annotation(0)


def test_an_index_cannot_point_outside(folder, put, gray):
    put("secret.jpg", gray)
    index = folder / "index.csv"
    index.write_text(index.read_text().replace("dtd/g_0106.jpg", "../../secret.jpg"))
    with pytest.raises(DataError, match="does not name a file inside"):
        BrodenDataset(folder).image(0)


def test_numbers_of_any_length_are_refused_in_one_line(folder):
    index = folder / "index.csv"
    index.write_text(index.read_text().replace("2;260", "2;" + 5000 * "9"))
    with pytest.raises(DataError, match=r"label number 999999999\.\.\. of dtd/g_0106\.jpg is not"):
        BrodenDataset(folder).annotation(0)


def test_void_labels_are_no_concepts(folder):
    label = folder / "label.csv"
    label.write_text(label.read_text().replace("2,null", "2,Background").replace("3,NA", "3,void"))
    dataset = BrodenDataset(folder)
    assert dataset.labels == ("", "red-c", "wheel")
    assert dataset.annotation(0).image_labels == (("texture", 2),)
    things, part, _ = dataset.annotation(1).planes
    assert not things.labels.any()
    assert part.labels[0, 0] == 2
    assert dataset.annotation(1).image_labels == ()


def test_sizes_may_be_left_out(folder):
    index = folder / "index.csv"
    index.write_text(index.read_text().replace("ih,iw,sh,sw,", "").replace("4,6,2,3,", ""))
    assert len(BrodenDataset(folder).annotation(1).planes) == 3
