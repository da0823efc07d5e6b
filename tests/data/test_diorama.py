import hashlib
import pickle
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from net2vec.data.colors import name_colors
from net2vec.data.diorama import Diorama, dataset
from net2vec.data.diorama.dataset import GUESTS, SHARES, plan
from net2vec.data.diorama.labels import LABELS_BY_CATEGORY
from net2vec.data.protocol import Annotation
from net2vec.errors import ConfigError

pytestmark = pytest.mark.slow

OWNERS = {
    "wheel": {"car", "bus", "bicycle", "airplane"},
    "sail": {"boat"},
    "mast": {"boat"},
    "petal": {"flower"},
    "fin": {"fish"},
    "wing": {"bird", "airplane"},
    "chimney": {"house"},
    "trunk": {"tree", "palm", "cactus"},
    "screen": {"television"},
    "blade": {"windmill"},
    "horn": {"cow"},
    "drawer": {"cabinet"},
    "cushion": {"sofa"},
    "roof": {"building", "house", "lighthouse", "windmill"},
}


@pytest.fixture(scope="module")
def diorama():
    return Diorama()


@pytest.fixture(scope="module")
def sample(diorama):
    """Annotations of a few pictures of each kind, with and without guests, by split."""
    taken, wanted = Counter(), []
    for index, shot in enumerate(diorama.shots):
        key = shot.label, shot.guest, shot.split
        if taken[key] < (9 if shot.label.endswith("-s") and shot.guest is None else 1):
            taken[key] += 1
            wanted.append(index)
    # New processes: without the checks of types, which the other tests run with, it takes a fifth.
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        annotations = list(pool.map(diorama.annotation, wanted, chunksize=16))
        pictures = list(pool.map(diorama.image, wanted[:3]))
    found = {"train": [], "val": [], "pictures": list(zip(wanted, pictures, strict=False))}
    for index, annotation in zip(wanted, annotations, strict=True):
        found[diorama.splits[index]].append((index, annotation))
    return found


def fingerprint(diorama, index):
    digest = hashlib.sha256(diorama.image(index).tobytes())
    for plane in diorama.annotation(index).planes:
        digest.update(plane.category.encode() + plane.labels.tobytes())
    return digest.hexdigest()


def test_the_default_has_the_promised_vocabulary(diorama):
    assert len(diorama.images) == len(set(diorama.images)) == len(diorama.splits) >= 1200
    assert diorama.categories == ("color", "object", "part", "material", "scene", "texture")
    assert diorama.labels[0] == ""
    assert len(set(diorama.labels)) == len(diorama.labels)
    counts = {category: len(names) for category, names in LABELS_BY_CATEGORY.items()}
    assert counts["color"] == 11
    assert counts["material"] == 8
    assert counts["scene"] >= 8
    assert counts["object"] >= 18
    assert counts["part"] >= 18
    assert counts["texture"] >= 10


def test_pictures_do_not_depend_on_what_was_rendered_before():
    ahead, back = Diorama(size=40, seed=1), Diorama(size=40, seed=1)
    indices = range(0, 40, 7)
    forwards = {i: fingerprint(ahead, i) for i in indices}
    backwards = {i: fingerprint(back, i) for i in reversed(indices)}
    assert forwards == backwards
    assert len(set(forwards.values())) == len(forwards)


def test_a_fresh_process_renders_the_same_bits(sample, diorama):
    assert len(sample["pictures"]) == 3
    for index, there in sample["pictures"]:
        assert there.tobytes() == diorama.image(index).tobytes()


def test_sizes_are_told_without_rendering(monkeypatch):
    diorama = Diorama(size=2)
    height_and_width = diorama.image(0).size[::-1]
    monkeypatch.delattr(dataset, "render")
    assert diorama.image_size(1) == height_and_width


def test_the_seed_changes_the_pictures():
    assert fingerprint(Diorama(20, seed=0), 4) != fingerprint(Diorama(20, seed=1), 4)


def test_the_digest_names_size_and_seed():
    assert Diorama(30, seed=2).digest == Diorama(30, seed=2).digest
    assert len({Diorama(*key).digest for key in ((30, 2), (30, 3), (31, 2), (302, 0))}) == 4


def test_image_and_annotation_render_once(monkeypatch):
    rendered = []
    render = dataset.render
    monkeypatch.setattr(dataset, "render", lambda *key: rendered.append(key) or render(*key))
    diorama = Diorama(size=20)
    diorama.image(3), diorama.annotation(3), diorama.image(3)
    assert len(rendered) == 1


def test_only_the_latest_pictures_are_kept(monkeypatch):
    rendered = []
    sample = Image.new("RGB", (2, 2)), Annotation()
    monkeypatch.setattr(dataset, "_KEPT", 2)
    monkeypatch.setattr(dataset, "render", lambda *key: rendered.append(key[-1]) or sample)
    diorama = Diorama(size=20)
    for index in (1, 2, 1, 3, 1, 2):
        diorama.annotation(index)
    assert rendered == [1, 2, 3, 2]


def test_what_a_caller_draws_on_an_image_stays_with_the_caller():
    diorama = Diorama(size=20)
    diorama.image(3).putpixel((0, 0), (1, 2, 3))
    assert diorama.image(3).getpixel((0, 0)) != (1, 2, 3)
    with pytest.raises(ValueError, match="read-only"):
        diorama.annotation(3).planes[0].labels[0, 0] = 1


def test_threads_see_what_one_thread_sees():
    alone, shared = Diorama(size=30), Diorama(size=30)
    indices = [0, 5, 0, 9, 5, 0]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: fingerprint(shared, i), indices))
    assert together == [fingerprint(alone, i) for i in indices]


def test_it_travels_to_other_processes():
    diorama = Diorama(size=30, seed=5)
    copy = pickle.loads(pickle.dumps(diorama))
    assert copy.digest == diorama.digest
    assert copy.images == diorama.images


@pytest.mark.parametrize(("size", "seed"), [(0, 0), (-3, 0), (10, -1)])
def test_impossible_settings_are_refused(size, seed):
    with pytest.raises(ConfigError, match="diorama"):
        Diorama(size=size, seed=seed)


@given(size=st.integers(1, 3000), seed=st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_the_plan_deals_every_share(size, seed):
    shots = plan(size, seed)
    assert len(shots) == size
    counts = Counter(shot.label for shot in shots)
    for label, share in SHARES.items():
        assert abs(counts[label] - share * size / sum(SHARES.values())) < 1
    assert abs(sum(shot.split == "val" for shot in shots) - 0.3 * size) <= 1


def test_every_scene_texture_and_guest_is_split_70_to_30(diorama):
    groups = Counter((shot.label, shot.guest, shot.split) for shot in diorama.shots)
    for label in SHARES:
        for guest in (None, *GUESTS.get(label, {})):
            train, val = (groups[label, guest, split] for split in ("train", "val"))
            assert abs(val - 0.3 * (train + val)) <= 1
            assert min(train, val) >= 2


def test_the_tail_of_frequencies_is_long(diorama):
    scenes = Counter(shot.label for shot in diorama.shots)
    assert max(scenes.values()) > 5 * min(scenes.values())
    guests = Counter(shot.guest for shot in diorama.shots)
    rare = {"windmill": guests["windmill"], "lighthouse": guests["lighthouse"]}
    rare |= {"clock": guests["clock"], "airplane": scenes["airfield-s"]}
    assert all(10 <= count <= 30 for count in rare.values()), rare


def test_annotations_have_the_promised_form(sample, diorama):
    for index, annotation in sample["train"] + sample["val"]:
        shot = diorama.shots[index]
        category = "scene" if shot.label.endswith("-s") else "texture"
        assert annotation.image_labels == ((category, diorama.labels.index(shot.label)),)
        categories = [plane.category for plane in annotation.planes]
        assert categories[0] == "color"
        assert (category == "texture") == (categories == ["color"])
        for plane in annotation.planes:
            assert plane.labels.shape == (112, 112)
            names = {diorama.labels[i] for i in np.unique(plane.labels) if i}
            assert names <= set(LABELS_BY_CATEGORY[plane.category])


@pytest.mark.parametrize("split", ["train", "val"])
def test_every_label_occurs_in_both_splits(sample, diorama, split):
    found = set()
    for _, annotation in sample[split]:
        found |= {number for _, number in annotation.image_labels}
        found |= {number for plane in annotation.planes for number in np.unique(plane.labels)}
    assert set(diorama.labels) - {diorama.labels[i] for i in found} <= {""}


def test_a_guest_is_there(sample, diorama):
    shown = [
        (index, diorama.shots[index].guest, annotation)
        for index, annotation in sample["train"] + sample["val"]
    ]
    invited = [shot for shot in shown if shot[1]]
    assert invited
    for index, guest, annotation in invited:
        objects = next(p.labels for p in annotation.planes if p.category == "object")
        assert (objects == diorama.labels.index(guest)).any(), (diorama.images[index], guest)


def test_parts_lie_inside_objects_that_have_them(sample, diorama):
    seen = {part: set() for part in OWNERS}
    for _, annotation in sample["train"] + sample["val"]:
        by_category = {}
        for plane in annotation.planes:
            by_category.setdefault(plane.category, []).append(plane.labels)
        for parts in by_category.get("part", []):
            objects = by_category["object"][0]
            assert (objects[parts != 0] != 0).all()
            for part in OWNERS:
                owners = np.unique(objects[parts == diorama.labels.index(part)])
                seen[part] |= {diorama.labels[i] for i in owners}
    assert seen == OWNERS


def test_colours_are_those_of_the_picture(diorama):
    for index in range(6):
        pixels = np.asarray(diorama.image(index), dtype=np.float64)
        small = pixels.reshape(112, 2, 112, 2, 3).mean(axis=(1, 3))
        expected = name_colors(np.floor(small + 0.5).astype(np.uint8))
        colors = diorama.annotation(index).planes[0]
        assert (colors.labels == expected).mean() > 0.999


def test_no_object_has_one_colour_only(sample, diorama):
    """The most frequent colour of an object over many pictures leaves room for others."""
    names = ("car", "house", "person", "flower", "sky", "boat", "fish", "sofa", "cabinet")
    counts = {name: np.zeros(12) for name in names}
    for _, annotation in sample["train"]:
        colors, objects = annotation.planes[0].labels, None
        for plane in annotation.planes:
            if plane.category == "object":
                objects = plane.labels
        if objects is not None:
            for name in names:
                where = objects == diorama.labels.index(name)
                counts[name] += np.bincount(colors[where], minlength=12)
    for name, count in counts.items():
        assert count.max() < 0.75 * count.sum(), name
        assert (count > 0.02 * count.sum()).sum() >= 3, name
