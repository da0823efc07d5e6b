"""Runs on images that are not squares: everything is as on the same images lying on their side."""

import numpy as np
import pytest
from PIL import Image

import net2vec
from net2vec.data.protocol import Annotation, Plane
from net2vec.networks import Preprocessing

from builders_runs import small_dataset, small_network
from builders_whole import make

FED = Preprocessing(32, (0.0,) * 3, (255.0,) * 3)


def lying(dataset):
    """The dataset with rows and columns exchanged."""
    dataset.pictures = [picture.transpose(1, 0, 2) for picture in dataset.pictures]
    dataset.annotations = [
        Annotation(
            tuple(Plane(plane.category, plane.labels.T.copy()) for plane in annotation.planes),
            annotation.image_labels,
        )
        for annotation in dataset.annotations
    ]
    return dataset


def symmetric():
    """The small network with kernels that are the same with rows and columns exchanged."""
    module = small_network()
    for parameter in module.parameters():
        if parameter.ndim == 4:
            parameter.data = parameter.data + parameter.data.transpose(2, 3)
    return module


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run on images of 48 x 32, and one on the same images lying, of 32 x 48."""
    found = {}
    for size, data in (("48x32", small_dataset()), ("32x48", lying(small_dataset()))):
        folder = tmp_path_factory.mktemp("run") / "run"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("net2vec.pipeline.runner.write_report", lambda *_, **__: None)
            run = net2vec.analyze(
                symmetric(), data, folder, transform=FED,
                input=size, fit="paper", concepts=("red-c",), tasks=("segment",), workers=1,
                segment={"epochs": 4, "subsets": (1,), "batch": 8, "learning_rate": 1e-2},
            )  # fmt: skip
        found[folder] = run
    return found


def test_rows_and_columns_are_told_apart(runs):
    wide, high = runs.values()
    told = wide.provenance
    assert told["network"]["preprocessing"]["size"] == [48, 32]
    assert told["data"]["mask_size"] == [16, 24]
    assert high.provenance["data"]["mask_size"] == [24, 16]


def test_scores_are_those_of_the_images_lying(runs):
    wide, high = (run.scores.reset_index(drop=True) for run in runs.values())
    single = wide["method"].str.contains("single")
    assert single.any()
    numbers = wide.select_dtypes("number").columns
    for column in numbers:
        # Sums in another order; counts and overlaps of single filters are whole numbers.
        np.testing.assert_allclose(wide[column], high[column], rtol=1e-3, atol=5e-3, err_msg=column)


def test_a_run_is_opened_again_and_segments(runs):
    wide, high = (net2vec.open_run(folder, network=symmetric()) for folder in runs)
    assert wide.opened_network.input_shape == (3, 32, 48)
    picture = small_dataset().image(0)
    masks = wide.segment(picture, ["red-c"])
    assert (masks.sizes["y"], masks.sizes["x"]) == (16, 24)
    lain = high.segment(picture.transpose(Image.Transpose.TRANSPOSE), ["red-c"])
    shown, other = (np.asarray(found["mask"]).squeeze() for found in (masks, lain))
    assert (shown == np.swapaxes(other, -1, -2)).mean() > 0.995


def test_a_report_shows_them(tmp_path):
    make(tmp_path / "run", transform=FED, input="48x32", concepts=("red-c",), tasks=("segment",))
    report = tmp_path / "run" / "report"
    assert (report / "index.html").is_file()
    assert list((report / "pictures").glob("concept*.jpg"))
