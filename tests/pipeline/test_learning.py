"""Runs with a second fit, several seeds and nulls: what each holds, and what is learned for it."""

import json
import shutil
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import net2vec
from net2vec.config import Settings
from net2vec.errors import ConfigError
from net2vec.pipeline import runner
from net2vec.pipeline.stages import single as single_stage
from net2vec.results import load_table
from net2vec.tasks.fits import converged, paper
from net2vec.tasks.fits.converged_classification import classify_converged
from net2vec.tasks.fits.converged_segmentation import segment_converged
from net2vec.tasks.fits.paper_classification import classify_concepts
from net2vec.tasks.fits.paper_segmentation import (
    segment_concept,
    segment_concepts,
    segmentation_scores,
)
from net2vec.tasks.fits.training import Training
from net2vec.tasks.nulls import shuffle_images, shuffle_masks
from net2vec.tasks.samples import draw_sample
from net2vec.tasks.single import count_single_filters

from builders_runs import NAMES, small_dataset, small_network
from builders_whole import Interrupting

pytestmark = pytest.mark.slow

TRAINING = {
    "segment": Training(1e-2, 0.9, 8, 4),
    "classify": Training(10.0, 0.9, 8, 6, 15),
}
FAST = {
    "segment": {"epochs": 4, "subsets": (1, 4), "batch": 8, "learning_rate": 1e-2},
    "classify": {"epochs": 6, "subsets": (1, 3), "batch": 8, "learning_rate": 10.0},
}
MORE = {"fit": "both", "nulls": 2, "seeds": 2}
LAYER = "1"


def squash(image: Image.Image) -> torch.Tensor:
    pixels = torch.from_numpy(np.array(image.resize((32, 32)), dtype=np.float32))
    return pixels.permute(2, 0, 1) / 255


def make(out: Path, **options) -> net2vec.Run:
    settings = {"layers": (LAYER,), "transform": squash, "workers": 1, "fit": "paper"}
    settings |= {**FAST, **options}
    return net2vec.analyze(small_network(), small_dataset(), out, **settings)


class Called:
    """Stands for a function and keeps what it was called with."""

    def __init__(self, function):
        self.function = function
        self.calls = []

    def __call__(self, *arguments, **named):
        self.calls.append((arguments, named))
        return self.function(*arguments, **named)


def quick_segment(recording, annotations, label, *, best_filter, subset_sizes, device="cpu"):
    """Takes the place of a fit that takes longer: one that only has its fields."""
    found = segment_concept(
        recording,
        annotations,
        label,
        best_filter=best_filter,
        subset_sizes=subset_sizes,
        training=replace(TRAINING["segment"], epochs=1),
        seed=99,
    )
    more = {"l2": 0.5, "cut": 0.25, "bias": 0.125, "start_distance": float("nan")}
    return replace(found, **more, **path_of(found))


def quick_classify(recording, annotations, labels, samples, *, subset_sizes, device, features):
    names = [annotations.names[label] for label in labels]
    training = replace(TRAINING["classify"], epochs=1)
    found = classify_concepts(
        recording, names, samples, subset_sizes=subset_sizes, training=training, seed=99
    )
    return [replace(one, l2=0.5, **path_of(one)) for one in found]


def path_of(found):
    """The subsets that were learned in the place of those of an L1 path."""
    names = [entry.name for entry in fields(found) if entry.name.startswith("path_")]
    return {name: getattr(found, name.replace("path", "subset")) for name in names}


@pytest.fixture(scope="module", autouse=True)
def calls():
    """What the tasks are called with; no report, and quick fits in the place of converged ones."""
    with pytest.MonkeyPatch.context() as patch:
        kept = SimpleNamespace(
            segment=Called(segment_concepts),
            scores=Called(segmentation_scores),
            classify=Called(classify_concepts),
            single=Called(count_single_filters),
        )
        patch.setattr(paper, "segment_concepts", kept.segment)
        patch.setattr(paper, "segmentation_scores", kept.scores)
        patch.setattr(single_stage, "count_single_filters", kept.single)
        patch.setattr(paper, "classify_concepts", kept.classify)
        patch.setattr(converged, "segment_converged", quick_segment)
        patch.setattr(converged, "classify_converged", quick_classify)
        patch.setattr(runner, "write_report", lambda *arguments, **named: None)
        yield kept


@pytest.fixture(autouse=True)
def forget(calls):
    for called in vars(calls).values():
        called.calls.clear()


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return make(tmp_path_factory.mktemp("plain") / "run")


@pytest.fixture(scope="module")
def run(plain, tmp_path_factory):
    """The plain run in a folder of its own, with more beside it."""
    folder = tmp_path_factory.mktemp("more") / "run"
    shutil.copytree(plain.path, folder)
    return make(folder, **MORE)


def test_what_was_there_stays_to_the_last_bit(plain, run):
    assert (plain.fits, plain.seeds) == (("paper",), ())
    assert (run.fits, run.seeds) == (("paper", "converged"), (0, 1))
    for task in ("segment", "classify"):
        before, after = plain.arrays(task=task), run.arrays(task=task)
        for name in before.variables:
            np.testing.assert_array_equal(after[name], before[name], err_msg=name)
        assert not [name for name in before.variables if "seed" in name or "null" in name]
    rows = load_table(run.path / "scores.csv")
    paper = rows[rows["fit"] == "paper"].reset_index(drop=True)
    pd.testing.assert_frame_equal(paper, load_table(plain.path / "scores.csv"), check_exact=True)
    assert set(rows.loc[rows["fit"] == "converged", "method"]) == {
        "single", "combined", "subset", "path",
    }  # fmt: skip
    assert Settings.from_toml(run.path / "run.toml").nulls == 2


def test_fits_are_not_made_again_for_nulls_and_seeds(plain, calls, tmp_path):
    shutil.copytree(plain.path, tmp_path / "run")
    make(tmp_path / "run", **MORE)
    concepts = plain.arrays().sizes["concept"]
    assert [one.seed for one in asked(calls.segment)] == [1] * concepts
    assert [one.seed for one in asked(calls.scores)] == [0] * concepts * 2
    assert len(calls.single.calls) == 1 + 2
    assert [set(named["seed"]) for _, named in calls.classify.calls].count(
        {0}
    ) == 2  # draws of a block
    # An equal run once more: all is on the shelf but the counts of single filters.
    (tmp_path / "run" / "provenance.json").unlink()
    for called in vars(calls).values():
        called.calls.clear()
    make(tmp_path / "run", **MORE)
    assert [len(called.calls) for called in vars(calls).values()] == [0, 0, 0, 1]


def test_what_a_seed_gives_is_what_a_run_with_it_gives(run, tmp_path):
    alone, view = make(tmp_path / "run", seed=1), run.at(seed=1)
    own_seed_only = ["precision", "recall", "average_precision"]  # counts by image are not kept
    assert view.scores[own_seed_only].isna().all(axis=None)
    pd.testing.assert_frame_equal(
        view.scores.drop(columns=own_seed_only),
        alone.scores.drop(columns=own_seed_only),
        check_exact=True,
    )
    for task in ("segment", "classify"):
        found, wanted = view.arrays(task=task), alone.arrays(task=task)
        assert {"weight", "score", "subset_score", "start_distance"} <= set(found.data_vars)
        assert "bias" in found
        for name in found.variables:
            np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)
        own = run.at(seed=0).arrays(task=task)
        np.testing.assert_array_equal(own["weight"], run.arrays(task=task)["weight"])


def recorded(calls):
    """The recording and the annotations that fits were called with."""
    recording, (one, *_) = calls.segment.calls[0][0]
    return recording, one.annotations


def asked(called):
    """All concepts that fits were asked for, in whatever company."""
    return [one for (_, some), _ in called.calls for one in some]


def test_nulls_are_the_whole_procedure_on_shuffled_annotations(run, calls, tmp_path):
    make(tmp_path / "run", fit="paper")
    recording, annotations = recorded(calls)
    dataset = small_dataset().digest
    for draw in range(2):
        found = run.arrays()["null_score"].isel(null=draw)
        labels = [NAMES.index(name) for name in found["concept"].values]
        shuffled = shuffle_masks(annotations, labels, seed=0, dataset=dataset, draw=draw)
        counts = count_single_filters(recording, shuffled, labels)
        for place, label in enumerate(labels):
            best = counts.set_iou[0, place].argmax()
            assert found.values[0, place] == counts.set_iou[1, place, best]
            learned = segment_concept(
                recording,
                shuffled,
                label,
                best_filter=0,
                subset_sizes=(),
                training=TRAINING["segment"],
                seed=0,
            )
            assert found.values[1, place] == learned.score[1]
        found = run.arrays(task="classify")["null_score"].isel(null=draw)
        labels = [NAMES.index(name) for name in found["concept"].values]
        shuffled = shuffle_images(annotations, labels, seed=0, dataset=dataset, draw=draw)
        samples = [
            draw_sample(shuffled, label, epochs=6, seed=0, dataset=dataset) for label in labels
        ]
        every = classify_concepts(
            recording,
            [NAMES[label] for label in labels],
            samples,
            subset_sizes=(),
            training=TRAINING["classify"],
            seed=0,
        )
        wanted = [(one.single_score[1], one.score[1]) for one in every]
        np.testing.assert_array_equal(found.values.T, wanted)


def test_each_fit_has_nulls_of_its_own(run):
    for task in ("segment", "classify"):
        paper, other = (run.arrays(task=task, fit=fit)["null_score"] for fit in run.fits)
        assert paper.dims == other.dims == ("null", "method", "concept")
        combined = {"method": "combined"}
        assert (paper.sel(combined).values != other.sel(combined).values).any()
    single = {"method": "single"}
    paper, other = (run.arrays(fit=fit)["null_score"] for fit in run.fits)
    np.testing.assert_array_equal(paper.sel(single), other.sel(single))


def test_the_other_fit_keeps_what_only_it_has(run):
    arrays = run.arrays(fit="converged")
    assert arrays["cut"].values.tolist() == [0.25] * arrays.sizes["concept"]
    assert arrays["l2"].values.tolist() == [0.5] * arrays.sizes["concept"]
    assert np.isnan(run.arrays()["l2"]).all()
    for task in ("segment", "classify"):
        arrays = run.arrays(task=task, fit="converged")
        np.testing.assert_array_equal(arrays["path_score"], arrays["subset_score"])
        np.testing.assert_array_equal(arrays["path_weight"], arrays["subset_weight"])
        assert not [name for name in run.arrays(task=task) if str(name).startswith("path")]
    assert run.hardly_moved(fit="converged") == frozenset()


def test_counts_of_pixels_and_images_say_what_the_scores_say(run):
    for fit in run.fits:
        arrays = run.arrays(fit=fit)
        union = arrays["pair_union"].values
        iou = arrays["pair_intersection"].values / np.maximum(union, 1)
        np.testing.assert_array_equal(arrays["pair_iou"], iou)
        arrays = run.arrays(task="classify", fit=fit)
        for name in arrays["concept"].values:
            mine = (arrays["trial_concept"] == name).values
            share = arrays["trial_correct"].values[:, mine].mean(axis=1)
            val = {"split": "val", "concept": name}
            wanted = [float(arrays[score].sel(val)) for score in ("single_score", "score")]
            assert share.tolist() == wanted
            positive = arrays["trial_positive"].values[mine]
            assert positive.sum() * 2 == len(positive)
    arrays = run.arrays()
    for name in arrays["concept"].values:
        mine = ((arrays["pair_concept"] == name) & (arrays["pair_split"] == "val")).values
        shared, joined = (
            arrays[f"pair_{what}"].sel({"method": "combined"}).values[mine].sum()
            for what in ("intersection", "union")
        )
        assert shared / joined == float(arrays["score"].sel(split="val", concept=name))


def test_more_nulls_go_on_where_there_are_some(run, calls, tmp_path):
    shutil.copytree(run.path, tmp_path / "run")
    again = make(tmp_path / "run", **{**MORE, "nulls": 3})
    concepts = run.arrays().sizes["concept"]
    assert asked(calls.segment) == []
    assert len(asked(calls.scores)) == concepts
    assert len(calls.single.calls) == 1 + 1
    for task in ("segment", "classify"):
        found = again.arrays(task=task)["null_score"]
        assert found.sizes["null"] == 3
        np.testing.assert_array_equal(found[:2], run.arrays(task=task)["null_score"])


def test_nulls_do_not_hang_on_other_concepts_or_on_workers(run, tmp_path):
    some = make(tmp_path / "some", concepts=("null", "red-c"), workers=2, **MORE)
    for task in ("segment", "classify"):
        for fit in run.fits:
            found = some.arrays(task=task, fit=fit)["null_score"]
            wanted = run.arrays(task=task, fit=fit)["null_score"].sel(concept=found["concept"])
            np.testing.assert_array_equal(found, wanted)


def test_a_finished_run_stays_one_until_more_of_it_is_finished(plain, run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(plain.path, folder)
    before = {name: (folder / name).read_bytes() for name in ("run.toml", "provenance.json")}
    stages = (
        "more seeds",
        "single filters (",
        "segment (paper’s training, 2 n",
        "classify (paper’s training, 2 n",
    )
    for stage in stages:
        with pytest.raises(KeyboardInterrupt):
            make(folder, progress=Interrupting(stage), **MORE)
        assert {name: (folder / name).read_bytes() for name in before} == before
        make(folder)  # it is still found finished
    went_on = make(folder, **MORE)
    for task in ("segment", "classify"):
        for name in ("null_score", "seed_score", "seed_weight"):
            wanted = run.arrays(task=task)[name]
            np.testing.assert_array_equal(went_on.arrays(task=task)[name], wanted)


def test_less_than_there_is_is_refused(run):
    before = (run.path / "run.toml").read_bytes()
    with pytest.raises(ConfigError, match=r"nulls \(2 and 0\)"):
        make(run.path, fit="both", seeds=2)
    with pytest.raises(ConfigError, match=r"fit \(both and paper\)"):
        make(run.path, nulls=2, seeds=2)
    assert (run.path / "run.toml").read_bytes() == before


def test_what_each_costs_is_kept(run):
    seconds = json.loads((run.path / "provenance.json").read_text())["seconds"]
    for task in ("segment", "classify"):
        wanted = {f"{task} paper", f"{task} converged", f"{task} paper seeds"}
        wanted |= {f"{task} paper nulls", f"{task} converged nulls"}
        assert wanted <= set(seconds)
    assert {"single filters", "single filters nulls"} <= set(seconds)


@pytest.mark.parametrize("added", ["path", "subset_pair", "subset_trial"])
def test_items_of_an_older_version_are_made_again(plain, calls, added, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(plain.path, folder)
    (folder / "provenance.json").unlink()
    task = "classify" if "trial" in added else "segment"
    for path in (folder / "cache" / task).rglob("*.npz"):
        with np.load(path) as file:
            kept = {name: file[name] for name in file.files if not name.startswith(added)}
        np.savez(path, **kept)
    again = make(folder)
    if task == "segment":
        assert len(asked(calls.segment)) == plain.arrays().sizes["concept"]
    else:
        assert len(calls.classify.calls) == 1
    assert (again.path / "scores.csv").read_bytes() == (plain.path / "scores.csv").read_bytes()
    assert again.arrays(task=task).identical(plain.arrays(task=task))


def test_converged_fits_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(converged, "segment_converged", segment_converged)
    monkeypatch.setattr(converged, "classify_converged", classify_converged)
    options = {"fit": "both", "nulls": 1, "concepts": ("red-c", "null")}
    one = make(tmp_path / "one", **options)
    other = make(tmp_path / "other", workers=2, seed=5, concepts=("null",), fit="converged")
    for task in ("segment", "classify"):
        arrays = one.arrays(task=task, fit="converged")
        assert np.isfinite(arrays["null_score"]).all()
        assert set(arrays["subset_size"].values) == ({1, 4} if task == "segment" else {3})
        path, subset = arrays["path_weight"], arrays["subset_weight"]
        assert (path.values != 0).sum(-1).max() <= arrays["subset_size"].max()
        assert path.dims == subset.dims
        assert np.isnan(arrays["start_distance"]).all()
        # It has no start: another seed gives the same vectors.
        vectors = other.vectors(task=task)
        np.testing.assert_allclose(vectors[0], arrays["weight"].sel(concept="null"), rtol=1e-4)
    assert one.space(fit="converged").names == ("red-c", "null")
    assert other.fits == ("converged",)


def test_concepts_are_segmented_on_as_many_images_as_asked_for(tmp_path):
    whole, limited = make(tmp_path / "all"), make(tmp_path / "some", max_images_per_concept=3)
    scores = [run.scores.query("task == 'segment'") for run in (whole, limited)]
    assert scores[1][["n_train", "n_val"]].max().max() == 3
    assert scores[0]["n_train"].max() > 3
    rest = [run.scores.query("task == 'classify'") for run in (whole, limited)]
    pd.testing.assert_frame_equal(*rest)
