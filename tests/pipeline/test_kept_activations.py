"""Activations that fits read: as many layers at a time as fit the disk space allowed."""

from __future__ import annotations

import numpy as np
import pytest

from net2vec.pipeline.stages import probing
from net2vec.tasks.fits import lda

from builders_runs import small_dataset
from builders_whole import Interrupting, make

pytestmark = pytest.mark.usefixtures("unreported")

SETTINGS = {"fit": "paper,lda", "segment": {"epochs": 1, "subsets": (2,)}, "tasks": "segment"}


class Listening(Interrupting):
    """Notes the stages and what is said."""

    def __init__(self, stage: str = "nothing") -> None:
        super().__init__(stage)
        self.told: list[str] = []

    def stage(self, name, total):
        self.told.append(name)
        return super().stage(name, total)

    def say(self, text):
        self.told.append(text)


@pytest.fixture(scope="module")
def run(tmp_path_factory, without_paint):
    with without_paint():
        return make(tmp_path_factory.mktemp("run") / "run", **SETTINGS)


def sizes(run) -> list[float]:
    """Gigabytes of the activations of every layer."""
    images = len(small_dataset().images)
    trees = (run.layer(name) for name in ("1", "3"))
    return [2e-9 * images * tree.sizes["filter"] * tree.attrs["grid"][0] ** 2 for tree in trees]


def same(one, other) -> bool:
    return (one.path / "scores.csv").read_bytes() == (other.path / "scores.csv").read_bytes()


def kept(folder) -> list[str]:
    return [path.name for path in folder.rglob("*.activations")]


def test_the_network_runs_again_where_they_do_not_fit(run, tmp_path, monkeypatch):
    most: list[int] = []
    record = probing.record

    def watched(*args, **options):
        found = record(*args, **options)
        most.append(len(kept(tmp_path)))
        return found

    monkeypatch.setattr(probing, "record", watched)
    progress = Listening()
    limit = max(sizes(run))
    again = make(tmp_path / "run", keep_activations=limit, progress=progress, **SETTINGS)
    assert same(again, run)
    assert most == [1, 1]
    assert any("the network runs 2 times" in line for line in progress.told)
    assert "probing the network again for 3" in progress.told
    assert kept(tmp_path) == []


def test_an_interrupted_second_pass_goes_on(run, tmp_path):
    options = {"keep_activations": max(sizes(run)), **SETTINGS}
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path / "run", progress=Interrupting("again for 3"), **options)
    assert same(make(tmp_path / "run", **options), run)


@pytest.mark.slow
@pytest.mark.parametrize("share", [1, 0.5, 0])
def test_a_layer_that_does_not_fit_alone_goes_through_the_network_again(
    run, tmp_path, monkeypatch, share
):
    """One layer or both, with room for copies of a concept's images and without."""
    monkeypatch.setattr("net2vec.tasks.fits.lda_images._LOADED_VALUES", 0)
    progress, limit = Listening(), share * min(sizes(run))
    again = make(tmp_path / "run", keep_activations=limit, progress=progress, **SETTINGS)
    for layer in run.layers:
        for name, values in run.arrays(layer, fit="lda").items():
            np.testing.assert_array_equal(again.arrays(layer, fit="lda")[name], values)
    told = [line for line in progress.told if "again for the images of every concept" in line]
    assert len(told) == sum(size > limit for size in sizes(run))
    assert kept(tmp_path) == []


def test_the_covariance_of_a_wide_layer_is_of_some_directions(run, tmp_path, monkeypatch):
    monkeypatch.setattr(lda, "_MAX_PAIRED_FILTERS", 3)
    progress = Listening()
    wide = make(tmp_path / "run", progress=progress, **SETTINGS)
    told = [line for line in progress.told if "along 512 directions" in line]
    assert [line.partition(":")[0] for line in told] == list(run.layers)
    for layer in run.layers:  # there are fewer filters than directions: nothing is left out
        found, exact = (one.arrays(layer, fit="lda") for one in (wide, run))
        for name in ("weight", "pattern", "whitened"):
            np.testing.assert_allclose(found[name], exact[name], atol=2e-3 * abs(exact[name]).max())
        np.testing.assert_allclose(found["score"], exact["score"], atol=0.01)
