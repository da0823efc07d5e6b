"""The schema: what is written, refused and documented by it."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from net2vec import open_run, results
from net2vec.cli import main
from net2vec.errors import ResultsError
from net2vec.results.document import document
from net2vec.results.schema import DIMENSIONS

from builders import build_run

GROUPS = ("layer", "segment", "classify")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_run(
        tmp_path_factory.mktemp("runs") / "run",
        fits=("paper", "converged"), layers={"blocks.6": 6}, seeds=2, nulls=2,
    )  # fmt: skip


def rewritten(folder: Path, out: Path, change) -> Path:
    """A copy of a run whose groups were changed by a function of path and dataset."""
    shutil.copytree(folder, out)
    tree = results.load_tree(out / "results.zarr").load()
    groups = {node.path: change(node.path, node.to_dataset()) for node in tree.subtree}
    results.save_tree(xr.DataTree.from_dict(groups), out / "results.zarr")
    return out


def test_every_name_is_declared_once_for_a_group():
    for task in GROUPS:
        own = [each.name for each in results.SCHEMA if task in each.tasks]
        assert len(set(own)) == len(own)
        assert not [name for name in own if name.startswith("seed_")]
        for array in results.declared(task).values():
            assert set(array.dims) <= set(DIMENSIONS)
            assert array.attributes(task)["long_name"]


def test_seeds_come_after_the_split_and_have_no_method():
    declared = {**results.declared("segment"), **results.declared("classify")}
    wanted = {
        "seed_weight": ("seed", "concept", "filter"),
        "seed_bias": ("seed", "concept"),
        "seed_start_distance": ("seed", "concept"),
        "seed_best_filter": ("seed", "concept"),
        "seed_score": ("split", "seed", "concept"),
        "seed_single_score": ("split", "seed", "concept"),
        "seed_subset_score": ("split", "seed", "subset_size", "concept"),
        "seed_pair_iou": ("seed", "pair"),
    }
    assert {name: declared[name].dims for name in wanted} == wanted


def test_the_definition_of_an_array_stands_with_it():
    arrays = {"threshold": [1.0, 2.0], "active_share": [0.5, 0.5]}
    top = {"top_image": [["a"], ["b"]], "top_activation": [[3.0], [4.0]]}
    made = results.make_dataset("layer", arrays | top, {"layer": "x"})
    assert made["filter"].values.tolist() == [0, 1]
    assert made["active_share"].attrs["units"] == "1"
    assert "T_k" in made["threshold"].attrs["long_name"]
    with pytest.raises(ValueError, match=r"unknown \['treshold'\], missing \['threshold'\]"):
        results.make_dataset("layer", {"treshold": [1.0], "active_share": [0.5], **top})


def test_the_page_of_the_format_is_up_to_date():
    page = Path(__file__).parents[2] / "docs" / "results.md"
    assert page.read_text(encoding="utf-8") == document(), (
        "python -m net2vec.results.document > docs/results.md"
    )


@pytest.mark.parametrize("task", ["segment", "classify", "layer"])
def test_results_without_a_required_array_are_refused_in_one_line(folder, tmp_path, task):
    path = "/blocks.6" if task == "layer" else f"/blocks.6/{task}"
    run = open_run(folder)
    whole = run.layer("blocks.6") if task == "layer" else run.arrays("blocks.6", task=task)
    declared = results.declared(task).values()
    required = [one.name for one in declared if task in one.required and not one.coordinate]
    for name in required:
        with pytest.raises(ResultsError, match="made by another version") as error:
            results.check_dataset(whole.drop_vars(name), task, path[1:])
        assert f"{path[1:]} lacks {name};" in str(error.value)
        assert "\n" not in str(error.value)

    def change(at, dataset):
        return dataset.drop_vars(required[0]) if at == path else dataset

    damaged = open_run(rewritten(folder, tmp_path / "run", change))
    with pytest.raises(ResultsError, match="made by another version"):
        damaged.layer("blocks.6") if task == "layer" else damaged.arrays("blocks.6", task=task)


def test_results_of_another_shape_are_refused_at_the_command_line(folder, tmp_path, capsys):
    def change(at, dataset):
        return dataset.assign(weight=dataset["weight"].T) if "weight" in dataset else dataset

    run = rewritten(folder, tmp_path / "run", change)
    with pytest.raises(SystemExit) as ended:
        main(["scores", str(run)])
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert "made by another version" in " ".join(told.split())
    assert "Traceback" not in told


@pytest.mark.parametrize("attribute", ["layers", "network"])
def test_results_without_their_layers_or_network_are_refused(folder, tmp_path, attribute):
    def change(at, dataset):
        kept = {name: value for name, value in dataset.attrs.items() if name != attribute}
        return dataset.assign_attrs() if at != "/" else xr.Dataset(attrs=kept)

    run = rewritten(folder, tmp_path / "run", change)
    with pytest.raises(ResultsError, match="made by another version"):
        open_run(run)


def test_results_without_a_group_are_refused(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "run")
    tree = results.load_tree(tmp_path / "run" / "results.zarr").load()
    results.save_tree(tree.drop_nodes("blocks.6"), tmp_path / "run" / "results.zarr")
    with pytest.raises(ResultsError, match=r"lacks the group blocks\.6;"):
        open_run(tmp_path / "run")


def test_runs_of_before_fits_had_titles_open_as_they_did(folder, tmp_path):
    def change(at, dataset):
        newer = ("fits", "fit_title", "has_start")
        kept = {name: value for name, value in dataset.attrs.items() if name not in newer}
        return dataset.drop_attrs(deep=False).assign_attrs(kept)

    run = open_run(rewritten(folder, tmp_path / "run", change))
    assert run.fits == ("paper", "converged")
    told = [run.arrays(task="segment", fit=fit).attrs for fit in run.fits]
    assert [each["fit_title"] for each in told] == ["paper’s training", "converged fit"]
    assert [each["has_start"] for each in told] == [1, 0]
    assert run.scores.equals(open_run(folder).scores)


def test_fits_have_any_name_and_an_order_and_arrays_that_others_lack(tmp_path):
    fits = ("ridge", "paper", "elastic net")
    tree = results.load_tree(
        build_run(tmp_path / "run", fits=fits, layers={"blocks.6": 6}) / "results.zarr"
    )
    assert results.fits_of(tree) == fits
    assert results.scores_table(tree)["fit"].drop_duplicates().tolist() == list(fits)
    for fit in fits:
        assert results.task_of(tree, "blocks.6", "segment", fit=fit).attrs["fit"] == fit
    tree = tree.copy().load()
    group = tree["blocks.6/segment/elastic net"]
    group.dataset = group.to_dataset().assign(l2=("concept", np.ones(group.sizes["concept"])))
    assert "l2" in results.task_of(tree, "blocks.6", "segment", fit="elastic net")
    assert "l2" not in results.task_of(tree, "blocks.6", "segment", fit="paper")
