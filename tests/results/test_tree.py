"""The groups of `results.zarr` and the rows of `scores.csv`."""

import shutil

import numpy as np
import pytest

from net2vec import results
from net2vec.errors import ResultsError
from net2vec.results import load_table, save_table, scores_table

from builders import build_run
from builders_cached import DAMAGES


@pytest.fixture(scope="module")
def folder(shared_run):
    return shared_run(fits=("paper", "converged"), gain=0.05).path


def test_the_other_fit_stands_in_a_group_of_its_own(folder):
    tree = results.load_tree(folder / "results.zarr")
    for layer in ("stem-relu", "blocks.6"):
        for task in ("segment", "classify"):
            group = tree[f"{layer}/{task}"]
            assert group.attrs["fit"] == "paper"
            assert group["converged"].attrs["fit"] == "converged"
            assert set(group.children) == {"converged"}
    assert results.fits_of(tree) == ("paper", "converged")


def test_a_run_that_has_the_other_fit_alone_has_it_first(tmp_path):
    tree = results.load_tree(
        build_run(tmp_path / "run", fits=("converged",), layers={"a": 6}) / "results.zarr"
    )
    assert results.fits_of(tree) == ("converged",)
    assert scores_table(tree)["fit"].eq("converged").all()


def test_filters_of_a_path_have_rows_of_their_own(folder):
    tree = results.load_tree(folder / "results.zarr").load()
    group = tree["blocks.6/segment/converged"]
    found = group.to_dataset()
    chosen = np.random.default_rng(0).random(found["subset_score"].shape)
    group.dataset = found.assign(path_score=(("split", "subset_size", "concept"), chosen))
    rows = scores_table(tree).query("method == 'path' and task == 'segment'")
    assert set(rows["fit"]) == {"converged"}
    assert set(rows["layer"]) == {"blocks.6"}
    assert rows["filters"].drop_duplicates().tolist() == [1, 2, 4]
    np.testing.assert_array_equal(rows["val"], chosen[1].ravel())


def test_scores_are_read_as_they_were_written(folder, tmp_path):
    table = scores_table(results.load_tree(folder / "results.zarr"))
    save_table(table, tmp_path / "scores.csv")
    again = load_table(tmp_path / "scores.csv")
    assert list(again)[-1] == "fit"
    for name in ("fit", "method", "concept", "val"):
        assert again[name].tolist() == table[name].tolist()


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", ["blocks.6/segment/weight/0.0", ".zmetadata", ".checksums"])
def test_damaged_results_are_refused(shared_run, tmp_path, name, damage):
    path = tmp_path / "results.zarr"
    shutil.copytree(shared_run(layers={"blocks.6": 6}, subsets=()).path / path.name, path)
    weight = results.load_tree(path)["blocks.6/segment"]["weight"].to_numpy()
    assert np.isfinite(weight).all()
    damage(path / name)
    if (path / ".checksums").exists():
        with pytest.raises(ResultsError, match=r"results\.zarr"):
            results.load_tree(path)
    else:  # as those of other programs
        assert np.array_equal(results.load_tree(path)["blocks.6/segment"]["weight"], weight)
