"""Masks and predictions: computed of the images by the run's own functions, and counted."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from net2vec.data.annotations import compile_annotations

from builders_apply import LAYERS, save_pictures
from builders_runs import small_dataset

CONCEPT = "square"


def bits(text, shape):
    packed = np.frombuffer(base64.b64decode(text), np.uint8)
    return np.unpackbits(packed, bitorder="little", count=shape[0] * shape[1]).reshape(shape)


def levels(text, shape):
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(shape)


def as_probed(probed, pictures, value):
    """Predictions of the run in batches of the probe's size, on which rounding depends."""
    filled = pictures + pictures[-1:] * (-len(pictures) % 16)
    return probed.segment(filled, CONCEPT)[value].values[: len(pictures)]


@pytest.fixture(scope="module")
def images(looking):
    return looking.ask("images", name=CONCEPT)


def masks_of(looking, pairs, **more):
    return looking.ask("masks", name=CONCEPT, pairs=",".join(map(str, pairs)), **more)


def test_at_its_own_cut_the_set_iou_is_the_score(looking, probed, images):
    pairs = [
        pair for pair, split in zip(images["pair"], images["split"], strict=True) if split == "val"
    ]
    found = masks_of(looking, pairs)
    own = found["own"]
    assert found["cuts"] == sorted(found["cuts"])
    assert found["cuts"][own] == 0  # the paper's
    shared = sum(image["shared"][own] for image in found["images"])
    union = sum(image["area"] + image["predicted"][own] for image in found["images"]) - shared
    score = float(probed.arrays()["score"].sel(split="val", concept=CONCEPT))
    assert shared / union == pytest.approx(score, abs=1e-7)


def test_levels_are_masks_at_every_cut(looking, probed, images):
    found = masks_of(looking, images["pair"][:3])
    shape = (found["rows"], found["columns"])
    dataset = small_dataset()
    for image in found["images"]:
        place = images["pair"].index(image["pair"])
        name = images["image"][place]
        picture = dataset.image(list(dataset.images).index(name))
        probability = as_probed(probed, [picture], "probability")[0]
        level, truth = levels(image["levels"], shape), bits(image["truth"], shape)
        for cut in (0, found["own"], 100, len(found["cuts"]) - 1):
            mask = level > cut
            assert mask.sum() == image["predicted"][cut]
            assert (mask & (truth > 0)).sum() == image["shared"][cut]
            threshold = 1 / (1 + np.exp(-found["cuts"][cut]))
            clear = np.abs(probability - threshold) > 1e-6
            np.testing.assert_array_equal(mask[clear], (probability > threshold)[clear])


def test_masks_without_maps_are_counts(looking, images):
    (full,) = masks_of(looking, images["pair"][:1])["images"]
    (counts,) = masks_of(looking, images["pair"][:1], maps="false")["images"]
    assert counts["truth"] == counts["levels"] == ""
    assert counts["predicted"] == full["predicted"]


def test_only_images_of_the_concept_have_masks(looking, images):
    beyond = max(images["pair"]) + 1
    assert "pairs of" in looking.ask("masks", 400, name=CONCEPT, pairs=str(beyond))["error"]
    many = ",".join(["1"] * 33)
    assert "at most 32" in looking.ask("masks", 400, name=CONCEPT, pairs=many)["error"]
    assert "numbers" in looking.ask("masks", 400, name=CONCEPT, pairs="../x")["error"]


def test_confusions_are_counted_in_pixels(looking, probed, tmp_path):
    dataset = small_dataset()
    size = tuple(int(side) for side in probed.layer().attrs["mask_size"])
    annotations = compile_annotations(dataset, size, tmp_path)
    names = list(annotations.names)
    val = [place for place, split in enumerate(dataset.splits) if split == "val"]
    covered, outside, wrong = dict.fromkeys(names, 0), dict.fromkeys(names, 0), 0
    masks = as_probed(probed, [dataset.image(place) for place in val], "mask")
    for place, mask in zip(val, masks, strict=True):
        truths = {}
        for label, name in enumerate(names):
            pairs = annotations.pairs(label)
            pair = pairs[annotations.image[pairs] == place]
            if len(pair) and annotations.row[pair[0]] >= 0:
                truths[name] = annotations.masks_of(pair)[0]
        free = ~truths.get(CONCEPT, np.zeros(size, bool))
        wrong += int((mask & free).sum())
        for name, truth in truths.items():
            covered[name] += int((mask & free & truth).sum())
            outside[name] += int((free & truth).sum())
    parts = [looking.ask("confusion", name=CONCEPT, first=at, count=5) for at in (0, 5, 10)]
    assert sum(part["count"] for part in parts) == len(val) == parts[0]["total"]
    assert sum(part["wrong"] for part in parts) == wrong > 0
    for name in ("red-c", "blue-c", "null"):
        for key, told in (("covered", covered), ("outside", outside)):
            counted = sum(
                part[key][part["concept"].index(name)] for part in parts if name in part["concept"]
            )
            assert counted == told[name]
    assert CONCEPT not in parts[0]["concept"]


def test_a_filter_is_on_in_its_most_active_image(looking, probed):
    detail = looking.ask("filter", index=2)
    found = looking.ask("filter-masks", index=2, count=2)["masks"]
    assert [mask["image"] for mask in found] == detail["image"][:2]
    assert bits(found[0]["mask"], (found[0]["rows"], found[0]["columns"])).any()
    counts = looking.ask("activation", index=2)
    grid = probed.layer().attrs["grid"]
    assert sum(counts["count"]) == counts["images"] * grid[0] * grid[1]


@pytest.mark.parametrize("layer", LAYERS)
def test_a_picture_gets_the_numbers_of_the_run_to_the_bit(looking, probed, layer, tmp_path):
    path = save_pictures(tmp_path / "pictures")[3]
    uploaded = looking.post("/a-token/api/upload", content=path.read_bytes()).json()
    found = looking.ask("found", name=uploaded["picture"], layer=layer)
    segmented = probed.segment(path, layer=layer)
    classified = probed.classify(path, layer=layer)
    told = dict(zip(classified["concept"].values, classified.values[0].tolist(), strict=True))
    assert dict(zip(found["concept"], found["probability"], strict=True)) == told
    for concept in segmented["concept"].values:
        name = {"name": uploaded["picture"], "layer": layer, "concept": concept}
        drawn = looking.ask("found-map", **name)
        mine = segmented.sel(concept=concept, image=str(path))
        shape = (drawn["rows"], drawn["columns"])
        probability = np.frombuffer(base64.b64decode(drawn["probability"]), "<f4").reshape(shape)
        np.testing.assert_array_equal(probability, mine["probability"])
        np.testing.assert_array_equal(bits(drawn["mask"], shape).astype(bool), mine["mask"])
        at = found["concept"].index(concept)
        assert found["area"][at] == float(mine["mask"].mean())


def test_an_image_of_the_dataset_is_tried_as_it_is(looking, probed):
    dataset = small_dataset()
    name = list(dataset.images)[5]
    found = looking.ask("found", name=f"image:{name}")
    told = probed.classify([dataset.image(5)])
    probability = dict(zip(found["concept"], found["probability"], strict=True))
    assert probability == dict(zip(told["concept"].values, told.values[0].tolist(), strict=True))


def test_pictures_are_turned_and_small(looking):
    buffer = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 200), "red").save(buffer, format="JPEG", exif=exif)
    uploaded = looking.post("/a-token/api/upload", content=buffer.getvalue()).json()
    assert (uploaded["width"], uploaded["height"]) == (200, 400)
    answer = looking.get("/a-token/api/picture", params={"name": uploaded["picture"], "side": 100})
    assert Image.open(io.BytesIO(answer.content)).size == (96, 192)


def test_where_nothing_can_be_opened_the_rest_works(served, client, probed):
    status = served.ask("status")
    assert not status["pictures"]
    assert status["reason"]
    error = served.ask(
        "masks", 400, name="dog", pairs=str(served.ask("images", name="dog")["pair"][0])
    )
    assert error["error"] == status["reason"]
    assert served.ask("concepts")["name"]
    other = client([probed], small_dataset(images=39))
    status = other.ask("status")
    assert not status["masks"]
    assert "the probe dataset" in status["reason"]
