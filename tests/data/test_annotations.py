"""Annotations compiled once: against masks made one by one, and from interruption to the end."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from net2vec.core import locks
from net2vec.data import annotations as module
from net2vec.data.annotations import Annotations, annotations_digest, compile_annotations
from net2vec.data.protocol import Annotation, Plane
from net2vec.errors import DataError

import oracle
from builders_cached import DAMAGES, remove
from builders_data import ArrayDataset, splits_of

CATEGORIES = ["object", "part", "color"]
LABELS = ["", "dog", "leg", "red", "null", "sky"]


def plane(category: str, *rows: str) -> Plane:
    return Plane(category, np.array([[int(digit) for digit in row] for row in rows], np.int32))


def dataset_of(annotations: list[Annotation], is_train: list[bool] | None = None) -> ArrayDataset:
    is_train = is_train or [True] * len(annotations)
    return ArrayDataset(LABELS, CATEGORIES, splits_of(is_train), annotations)


def random_dataset(seed: int, images: int) -> ArrayDataset:
    """Planes of several sizes, labels in several planes and categories, labels of whole images."""
    generator = np.random.default_rng(seed)
    annotations = []
    for _ in range(images):
        planes = []
        for _ in range(generator.integers(0, 4)):
            shape = tuple(generator.integers(1, 9, 2))
            labels = generator.integers(0, len(LABELS), shape) * (generator.random(shape) < 0.4)
            planes.append(Plane(str(generator.choice(CATEGORIES)), labels.astype(np.int32)))
        everywhere = [(CATEGORIES[1], 4)] if generator.random() < 0.2 else []
        annotations.append(Annotation(tuple(planes), tuple(everywhere)))
    return dataset_of(annotations, list(generator.random(images) < 0.6))


def everything(found: Annotations) -> dict[str, np.ndarray]:
    """All that was compiled, the masks unpacked."""
    arrays = {key: np.asarray(value) for key, value in vars(found).items() if key != "masks"}
    return arrays | {"masks": found.masks_of(np.arange(len(found.image)))}


def assert_equal(some: Annotations, other: Annotations) -> None:
    expected = everything(other)
    for key, value in everything(some).items():
        np.testing.assert_array_equal(value, expected[key], err_msg=key)


def test_by_hand(tmp_path):
    found = compile_annotations(
        dataset_of(
            [
                Annotation(
                    (
                        plane("object", "11", "00"),  # dog in two categories and three planes
                        plane("part", "00", "12"),
                        plane("part", "00", "12"),
                        plane("color", "30", "00"),
                    ),
                    (("color", 5),),
                ),
                Annotation(),
                Annotation((plane("part", "02", "02"),)),
            ],
            [True, True, False],
        ),
        (2, 2),
        tmp_path,
    )
    assert found.size == (2, 2)
    assert found.is_train.tolist() == [True, True, False]
    assert np.diff(found.starts).tolist() == [0, 1, 2, 1, 0, 1]
    dog, leg, red, sky = (found.pairs(LABELS.index(name)) for name in ("dog", "leg", "red", "sky"))
    assert found.masks_of(dog).tolist() == [[[True, True], [True, False]]]
    assert found.image[leg].tolist() == [0, 2]
    assert found.masks_of(leg).tolist() == [
        [[False, False], [False, True]],
        [[False, True], [False, True]],
    ]
    # In the order asked for, and mixed with a mask of a whole image.
    mixed = found.masks_of(np.concatenate([leg[::-1], sky, red]))
    assert mixed.sum(axis=(1, 2)).tolist() == [2, 1, 4, 1]
    assert found.area.tolist() == [3, 1, 2, 1, 4]
    assert found.has_pixels.tolist() == [False, True, True, True, False, False]
    assert found.pairs(2, train=True).tolist() == leg[:1].tolist()
    assert found.pairs(2, train=False).tolist() == leg[1:].tolist()
    # Shares over the training images that contain the label; 0 where there is none.
    assert [found.concept_size(label) for label in range(1, 6)] == [0.75, 0.25, 0.25, 0, 1]
    assert found.names == LABELS


@settings(deadline=None, max_examples=25)
@given(
    st.integers(0, 2**32),
    st.integers(0, 9),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.integers(1, 4),
)
def test_masks_areas_and_categories_are_those_of_the_oracle(
    tmp_path_factory, seed, images, size, shard
):
    dataset = random_dataset(seed, images)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_SHARD", shard)
        found = compile_annotations(dataset, size, tmp_path_factory.mktemp("store"))
    parts = [
        ([(part.category, part.labels) for part in annotation.planes], annotation.image_labels)
        for annotation in dataset.annotations
    ]
    for label in range(1, len(LABELS)):
        masks = np.array(
            [oracle.concept_mask(*part, label, *size) for part in parts], dtype=bool
        ).reshape(-1, *size)
        there = np.flatnonzero(masks.any(axis=(1, 2)))
        pairs = found.pairs(label)
        assert found.image[pairs].tolist() == there.tolist()
        np.testing.assert_array_equal(found.masks_of(pairs), masks[there])
        assert found.area[pairs].tolist() == masks[there].sum(axis=(1, 2)).tolist()
        train = masks[[index for index in there if found.is_train[index]]]
        assert found.concept_size(label) == pytest.approx(train.mean() if len(train) else 0)
        if len(there):
            category = oracle.concept_category(parts, label, CATEGORIES, *size)
            assert found.category[label] == category
    assert not len(found.pairs(0))


def test_the_category_is_where_a_label_covers_most_and_the_later_on_a_tie(tmp_path):
    three = Annotation((plane("object", "11", "10"),))
    twice = Annotation((plane("part", "01", "00"), plane("part", "01", "00")))  # 1, not 2

    def category(name: str, *annotations: Annotation) -> str:
        found = compile_annotations(dataset_of(list(annotations)), (2, 2), tmp_path / name)
        return found.category[1]

    assert category("most", three, twice, twice) == "object"
    assert category("tie", three, twice, twice, twice) == "part"
    # A label of a whole image counts all of its 4 pixels.
    whole = (("color", 1),)
    assert category("whole", three, Annotation((), whole)) == "color"
    # And no more than these, also where planes of the same category name it too.
    five = (three, Annotation((plane("object", "11", "00"),)))
    assert category("more", *five, Annotation((plane("color", "10", "00"),), whole)) == "object"


def test_pixels_count_also_where_the_label_holds_for_the_whole_image(tmp_path):
    both = Annotation((plane("object", "10", "00"),), (("color", 1), ("color", 5)))
    found = compile_annotations(dataset_of([both]), (2, 2), tmp_path)
    assert found.has_pixels.tolist() == [False, True, False, False, False, False]
    assert found.masks_of(found.pairs(1)).all()


def test_what_does_not_survive_the_masks_size_is_not_there(tmp_path):
    speck = np.zeros((6, 6), np.int32)
    speck[0, 0] = 1  # squashing 6 to 2 reads rows and columns 1 and 4
    seen = np.zeros((6, 6), np.int32)
    seen[1, 4] = 1
    dataset = dataset_of([Annotation((Plane("object", labels),)) for labels in (speck, seen)])
    found = compile_annotations(dataset, (2, 2), tmp_path)
    assert found.image[found.pairs(1)].tolist() == [1]
    assert found.masks_of(found.pairs(1)).tolist() == [[[False, True], [False, False]]]
    # At its own size it is there: another size is another store.
    full = compile_annotations(dataset, (6, 6), tmp_path)
    assert full.image[full.pairs(1)].tolist() == [0, 1]
    np.testing.assert_array_equal(full.masks_of(full.pairs(1)), np.stack([speck, seen]) == 1)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int64])
def test_labels_of_any_kind_of_integer(tmp_path, kind):
    labels = np.array([[0, 5], [5, 5]], kind)
    for size in ((2, 2), (4, 4)):
        found = compile_annotations(
            dataset_of([Annotation((Plane("object", labels),))]), size, tmp_path
        )
        assert found.area.tolist() == [3 * size[0] * size[1] // 4]


def test_it_is_compiled_once(tmp_path):
    dataset = random_dataset(1, 8)
    told: list[int] = []
    first = compile_annotations(dataset, (5, 6), tmp_path, progress=told.append)
    assert sorted(dataset.annotations_read) == list(range(8))
    assert sum(told) == 8
    dataset.annotations_read.clear()
    assert_equal(compile_annotations(dataset, (5, 6), tmp_path), first)
    assert dataset.annotations_read == []
    # Another dataset is compiled for itself.
    dataset.digest = "other"
    compile_annotations(dataset, (5, 6), tmp_path)
    assert len(dataset.annotations_read) == 8
    keys = {
        annotations_digest(ArrayDataset([], [], [], [], digest=digest), size)
        for digest in ("a", "b")
        for size in ((2, 3), (2, 4), (3, 3))
    }
    assert len(keys) == 6


def test_an_interrupted_compilation_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SHARD", 3)
    dataset = random_dataset(2, 11)
    whole = compile_annotations(dataset, (4, 4), tmp_path / "whole")

    class Broken(ArrayDataset):
        def annotation(self, index: int) -> Annotation:
            if index == 7:
                raise DataError("0007.png: not a mask")
            return super().annotation(index)

    broken = Broken(**{key: value for key, value in vars(dataset).items() if "read" not in key})
    with pytest.raises(DataError, match=r"0007\.png: not a mask"):
        compile_annotations(broken, (4, 4), tmp_path / "broken", workers=1)
    assert broken.annotations_read[:6] == list(range(6))
    dataset.annotations_read.clear()
    told: list[int] = []
    found = compile_annotations(
        dataset, (4, 4), tmp_path / "broken", workers=1, progress=told.append
    )
    # The shards of images 0 to 2 and 3 to 5 were there; the others are read again.
    assert not set(dataset.annotations_read) & set(range(6))
    assert set(range(6, 9)) <= set(dataset.annotations_read)
    assert sum(told) == 11
    assert_equal(found, whole)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", ["pairs.npz", "masks.npy", "shard-00000003.npz"])
def test_what_is_damaged_is_compiled_again(tmp_path, monkeypatch, name, damage):
    monkeypatch.setattr(module, "_SHARD", 3)
    dataset = random_dataset(2, 8)
    whole = compile_annotations(dataset, (4, 4), tmp_path / "whole")
    store = tmp_path / "store"
    if name.startswith("shard"):
        with monkeypatch.context() as patch:
            patch.setattr(module, "_merge", interrupt)
            with pytest.raises(KeyboardInterrupt):
                compile_annotations(dataset, (4, 4), store)
    else:
        compile_annotations(dataset, (4, 4), store)
    (path,) = store.glob(f"*/{name}")
    damage(path)
    dataset.annotations_read.clear()
    said: list[str] = []
    assert_equal(compile_annotations(dataset, (4, 4), store, say=said.append), whole)
    # Of the shards of an interrupted pass, the others are not read again.
    again = range(3, 6) if name.startswith("shard") else range(8)
    assert sorted(dataset.annotations_read) == list(again)
    assert len(said) == (damage is not remove)
    assert {path.name for path in store.rglob("*.*")} == {"pairs.npz", "masks.npy"}
    assert all(str(path) in line for line in said)


def interrupt(*arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize("lockable", [True, False])
def test_several_at_once_compile_the_same(tmp_path, monkeypatch, lockable):
    monkeypatch.setattr(module, "_SHARD", 2)
    if not lockable:
        monkeypatch.setattr(locks, "fcntl", None)
    datasets = [random_dataset(4, 9) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(
            pool.map(lambda d: compile_annotations(d, (4, 4), tmp_path / "store"), datasets)
        )
    alone = compile_annotations(random_dataset(4, 9), (4, 4), tmp_path / "alone")
    for one in found:
        assert_equal(one, alone)
    if lockable:  # one does the work, the others wait for it
        assert sorted(len(dataset.annotations_read) for dataset in datasets) == [0, 0, 0, 9]
    names = {path.name for path in (tmp_path / "store").rglob("*") if path.is_file()}
    assert names == {"pairs.npz", "masks.npy"}


def test_any_number_of_workers_writes_the_same_files(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SHARD", 2)

    def files(workers: int) -> dict[str, bytes]:
        store = tmp_path / str(workers)
        compile_annotations(random_dataset(3, 13), (6, 5), store, workers=workers)
        return {
            str(path.relative_to(store)): contents(path)
            for path in store.rglob("*")
            if path.is_file()
        }

    one = files(1)
    assert {Path(name).name for name in one} == {"pairs.npz", "masks.npy"}
    assert files(2) == one
    assert files(5) == one


def contents(path: Path) -> bytes:
    """The arrays of a file; the archive itself holds the time."""
    if path.suffix != ".npz":
        return path.read_bytes()
    with np.load(path) as file:
        return b"".join(key.encode() + file[key].tobytes() for key in sorted(file.files))
