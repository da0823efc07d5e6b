"""What must hold of the demo's numbers; runs on a finished demo named by NET2VEC_DEMO."""

import os
from pathlib import Path

import numpy as np
import pytest

import net2vec
from net2vec.pipeline import demo_questions
from net2vec.tasks.chance import start_vector
from net2vec.vocabulary import LDA

pytestmark = pytest.mark.demo


@pytest.fixture(scope="module")
def demo() -> Path:
    folder = os.environ.get("NET2VEC_DEMO")
    if not folder:
        pytest.skip("NET2VEC_DEMO names no finished demo")
    return Path(folder)


@pytest.fixture(scope="module")
def trained(demo):
    return net2vec.open_run(demo / "trained")


@pytest.fixture(scope="module")
def random(demo):
    return net2vec.open_run(demo / "random")


def median_cosine_with_start(run, layer, task, least_images, least_size):
    arrays = run.arrays(layer, task=task)
    chosen = (arrays["n_train"] >= least_images) & (arrays["concept_size"] >= least_size)
    weight = arrays["weight"][chosen.to_numpy()]
    cosines = []
    for name, w in zip(weight["concept"].values, weight.to_numpy(), strict=True):
        start = start_vector(0, task, layer, str(name), len(w), len(w)).numpy()
        cosines.append(w @ start / np.linalg.norm(w) / np.linalg.norm(start))
    assert len(cosines) >= 12
    return np.median(cosines)


def test_classification_leaves_its_start_on_every_layer(trained):
    for layer in trained.layers:
        assert median_cosine_with_start(trained, layer, "classify", 50, 0) < 0.5


def test_segmentation_of_frequent_concepts_leaves_its_start_on_the_deepest_layer(trained):
    assert median_cosine_with_start(trained, trained.layers[-1], "segment", 120, 0.02) < 0.5


@pytest.mark.parametrize("task", ["segment", "classify"])
def test_training_shows_in_every_category_of_the_two_deepest_layers(trained, random, task):
    for layer in trained.layers[-2:]:
        means = []
        for run in (trained, random):
            rows = run.at(fit=LDA).scores
            rows = rows[(rows["layer"] == layer) & (rows["task"] == task)]
            combined = rows[rows["method"] == "combined"]
            means.append(combined.groupby("category")["val"].mean())
        assert (means[0] > means[1]).all(), f"{layer}: {means[0] - means[1]}"


def test_combinations_beat_single_filters_where_training_has_enough_to_go_by(trained):
    rows = trained.scores
    rows = rows[(rows["task"] == "segment") & rows["layer"].isin(trained.layers[-2:])]
    enough = rows[(rows["n_train"] >= 120) & (rows["concept_size"] >= 0.02)]
    both = enough[enough["method"].isin(["single", "combined"])]
    table = both.pivot_table(index=["layer", "concept"], columns="method", values="val")
    assert (table["combined"] >= table["single"]).mean() > 0.7


def test_the_demo_fits_a_small_machine(trained, random):
    for run in (trained, random):
        assert max(run.provenance["peak_memory_bytes"].values()) < 2.5 * 2**30


def test_scenes_textures_and_all_other_categories_are_there(trained):
    categories = set(trained.scores["category"])
    assert categories == {"color", "object", "part", "material", "scene", "texture"}


def test_the_converged_fit_segments_better_on_every_layer(trained):
    for layer in trained.layers:
        paper, converged = (trained.arrays(layer, fit=fit) for fit in ("paper", "converged"))
        first, second = (arrays["score"].sel(split="val") for arrays in (paper, converged))
        assert float(second.mean()) >= 1.3 * float(first.mean())
        frequent = paper["n_train"] >= 50
        assert int(frequent.sum()) >= 40
        worse = (second < first - 0.01) & frequent
        assert int(worse.sum()) <= 0.1 * int(frequent.sum())


def test_the_discriminant_segments_best_on_every_layer(trained, random):
    for layer in trained.layers:
        scores = [
            trained.arrays(layer, fit=fit)["score"].sel(split="val") for fit in ("converged", "lda")
        ]
        assert float(scores[1].mean()) >= 1.3 * float(scores[0].mean())
    last = [run.arrays(fit="lda")["score"].sel(split="val").mean() for run in (trained, random)]
    assert last[0] > last[1]


def test_activations_are_not_left_behind(demo):
    assert not [*demo.rglob("*.activations"), *demo.rglob("*.part")]


def test_the_questions_that_it_ends_with_have_good_answers(demo, trained):
    near, solved, asked = demo_questions(demo)
    layer = near.arguments[-1]
    space = trained.space(layer)
    assert "horse" in set(space.nearest(near.arguments[2], 2)["concept"])
    assert space.solve(solved.arguments[2], 1)["concept"].tolist() == ["sky"]
    found = trained.filter(int(asked.arguments[2]))
    assert found["best"][0]
    assert found["iou"][0] > 0.2
