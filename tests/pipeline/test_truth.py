"""Masks by people beside made ones: which images belong together, and what is counted."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import net2vec
from net2vec.data import open_dataset
from net2vec.data.annotator_record import AnnotatorRecord, write_records
from net2vec.errors import ConfigError, DataError
from net2vec.pipeline.truth import open_truth

from builders_runs import write_small_folder
from builders_whole import squash

pytestmark = [pytest.mark.usefixtures("unpainted"), pytest.mark.slow]

RECORD = AnnotatorRecord("hf:org/maker", "Net", "a test", "CC0", "0123", 0.5)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A dataset by people, and the same with a part of its masks moved by a model."""
    place = tmp_path_factory.mktemp("data")
    truth = write_small_folder(place / "truth")
    made = shutil.copytree(truth, place / "made")
    for number, mask in enumerate(sorted((made / "images").glob("*_*.png"))):
        if number % 3 == 0:
            with Image.open(mask) as image:
                moved = np.roll(np.asarray(image), 2, axis=1)
            Image.fromarray(moved).save(mask)
    write_records([RECORD], made)
    return truth, made


def _run(data, out, **settings):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 6, 3, 2, 1), nn.ReLU(), nn.Conv2d(6, 8, 3, 2, 1), nn.ReLU())
    none = {"epochs": 2, "subsets": []}
    return net2vec.analyze(
        module,
        data,
        out,
        layers=["1", "3"],
        tasks=("segment",),
        segment=none,
        transform=squash,
        **settings,
    )


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    truth, made = data
    return _run(made, tmp_path_factory.mktemp("run") / "run", truth=str(truth))


def test_counts_on_the_same_masks_are_those_of_the_run(data, tmp_path):
    """By every fit and on every layer, from the network again as from what was recorded."""
    truth, _ = data
    run = _run(truth, tmp_path / "run", truth=str(truth))
    for layer in run.layers:
        for fit in run.fits:
            arrays = run.arrays(layer, fit=fit)
            for name in ("concept", "image", "split"):
                assert arrays[f"truth_{name}"].values.tolist() == (
                    arrays[f"pair_{name}"].values.tolist()
                )
            for name in ("intersection", "union"):
                np.testing.assert_array_equal(arrays[f"truth_{name}"], arrays[f"pair_{name}"])
            np.testing.assert_array_equal(
                arrays["annotator_union"], arrays["annotator_intersection"]
            )
    table = run.table("corrected")
    assert table["annotator_iou"].eq(1).all()
    np.testing.assert_allclose(table["corrected"], table["uncorrected"])


def test_the_page_shows_corrected_scores_beside_the_others(run, data):
    truth, _ = data
    table = run.table("corrected")
    assert table["annotator_iou"].between(0.1, 0.999).any()
    arrays = run.arrays()
    val = open_dataset(truth).splits.count("val")
    assert (arrays.attrs["validation_images"], arrays.attrs["truth_images"]) == (val, val)
    combined = table[table["method"].eq("combined") & table["fit"].eq(run.fit)]
    true = arrays.isel(truth=arrays["truth_split"].values == "val").sel({"method": "combined"})
    for row in combined[combined["layer"] == run.layers[-1]].itertuples():
        mine = true["truth_concept"].values == row.concept
        shared, joined = (true[f"truth_{n}"].values[mine].sum() for n in ("intersection", "union"))
        assert row.corrected == pytest.approx(shared / joined)  # people have seen all images
    page = (run.path / "report" / "index.html").read_text()
    assert "What do masks by people say?" in page
    assert (run.path / "report" / "figures" / "corrected-light.svg").exists()
    assert run.provenance["data"]["truth"]["val_images"] == val


def test_masks_by_people_may_be_added_to_a_finished_run(data, run, tmp_path):
    truth, made = data
    before = _run(made, tmp_path / "run")
    assert before.table("corrected").empty
    assert "What do masks by people say?" not in (before.path / "report/index.html").read_text()
    after = _run(made, tmp_path / "run", truth=str(truth))
    assert after.table("corrected").equals(run.table("corrected"))
    with pytest.raises(ConfigError, match="holds a run with other settings: truth"):
        _run(made, tmp_path / "run")


def _copied(truth, place):
    return Path(shutil.copytree(truth, place))


def test_images_belong_together_by_path_or_stem(data, tmp_path):
    truth, made = data
    probed = open_dataset(made)
    found = open_truth(str(truth), probed)
    assert found.probed.tolist() == found.indices.tolist() == list(range(len(probed.images)))
    assert found.sentence == (
        f"truth has masks by people: 40 of its 40 images are probed, {found.validating} of these "
        f"validate"
    )
    other = _copied(truth, tmp_path / "other")
    index = (other / "index.csv").read_text()
    (other / "images" / "deeper").mkdir()
    for name in probed.images[::2]:
        (other / "images" / name).rename(other / "images" / "deeper" / name)
        index = index.replace(f"\n{name},", f"\ndeeper/{name},")
    (other / "index.csv").write_text(index)
    again = open_truth(str(other), probed)
    assert again.probed.tolist() == found.probed.tolist()


def test_what_is_no_truth_is_refused_in_one_line(data, tmp_path):
    truth, made = data
    probed = open_dataset(made)

    def refused(folder, message):
        with pytest.raises(DataError, match=message) as told:
            open_truth(str(folder), probed)
        assert "\n" not in str(told.value)

    refused(made, "has masks by hf:org/maker: the truth must have masks by people")
    other = _copied(truth, tmp_path / "other")
    index = (other / "index.csv").read_text()
    (other / "index.csv").write_text(index.replace(",val,", ",train,"))
    # Its own splits do not count; what validates is decided by the probed dataset.
    assert open_truth(str(other), probed).probed.size
    rows = index.splitlines()
    train = [rows[0], *(row for row in rows[1:] if ",train," in row)]
    (other / "index.csv").write_text("\n".join(train) + "\n")
    refused(other, "none of which validates")
    (other / "index.csv").write_text(index)
    labels = (other / "label.csv").read_text()
    names = [line.split(",")[1] for line in labels.splitlines()[1:]]
    for name in names:
        labels = labels.replace(f",{name},", f",{name} of another,")
    (other / "label.csv").write_text(labels)
    refused(other, "has no concept of made")
    (other / "label.csv").write_text((truth / "label.csv").read_text())
    first = other / "images" / probed.images[0]
    with Image.open(first) as image:
        size = image.size
    other_picture = np.tile(np.linspace(0, 255, size[0], dtype=np.uint8), (size[1], 1))
    Image.fromarray(other_picture).convert("RGB").save(first)
    refused(other, "not the picture that made has as .*thumbnails differ")
    renamed = _copied(truth, tmp_path / "renamed")
    for name in probed.images:
        (renamed / "images" / name).rename(renamed / "images" / f"x{name}")
        index = index.replace(f"\n{name},", f"\nx{name},")
    (renamed / "index.csv").write_text(index)
    refused(renamed, "has no image of made: an image there is x")
