from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from net2vec.errors import ResultsError
from net2vec.networks import run_layers
from net2vec.runs.apply import concept_names

from builders_apply import LAYERS, probe_small, save_pictures, squash
from builders_runs import small_dataset, small_network

GIVEN = {"network": small_network(), "transform": squash}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return probe_small(tmp_path_factory.mktemp("runs") / "run", tasks=("classify",))


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return save_pictures(tmp_path_factory.mktemp("pictures"))


def test_probabilities_are_those_of_the_means(run, paths):
    found = run.classify(paths, **GIVEN)
    assert found.dims == ("image", "concept")
    assert found["category"].sel(concept="day-s").item() == "scene"
    fed = torch.stack([squash(Image.open(path)) for path in paths])
    means = run_layers(small_network(), fed, ["3"])["3"].numpy().mean((2, 3), dtype=np.float64)
    arrays = run.arrays(task="classify")
    z = means @ arrays["weight"].to_numpy().T + arrays["bias"].to_numpy()
    np.testing.assert_allclose(found, 1 / (1 + np.exp(-z)), atol=1e-5)


def test_bright_images_are_told_from_dark_ones(run, paths):
    bright = [bool(annotation.image_labels) for annotation in small_dataset().annotations]
    probability = run.classify(paths, "day", **GIVEN)
    assert probability.dims == ("image",)
    assert ((probability.values > 0.5) == bright).mean() > 0.9


def test_layers_and_concepts_are_chosen(run, paths):
    found = run.classify(paths[:3], ["square", "red"], layer=list(LAYERS), batch=2, **GIVEN)
    assert found.dims == ("layer", "image", "concept")
    assert found["concept"].values.tolist() == ["square", "red-c"]
    everything = run.classify(paths[:3], layer="1", **GIVEN)
    np.testing.assert_allclose(
        found.sel(layer="1"), everything.sel(concept=["square", "red-c"]), atol=1e-6
    )


def test_a_task_without_concepts_is_refused():
    with pytest.raises(ResultsError, match="no concept was learned in net 3 classify"):
        concept_names([], None, "net 3 classify")
