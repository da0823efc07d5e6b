"""Whole runs: the same numbers whatever the workers, the concepts asked for or an interruption."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from PIL import Image, ImageOps

import net2vec
from net2vec import results
from net2vec.core import executors
from net2vec.errors import ConfigError, DataError
from net2vec.pipeline import write_report
from net2vec.results import SCORE_COLUMNS, load_table
from net2vec.tasks.fits import paper

from builders_runs import small_dataset, small_network, write_small_folder
from builders_whole import FAST, LAYERS, Interrupting, make, squash

pytestmark = [pytest.mark.usefixtures("unreported"), pytest.mark.slow]


@pytest.fixture(scope="module")
def run(tmp_path_factory, without_paint) -> net2vec.Run:
    with without_paint():
        return make(tmp_path_factory.mktemp("run") / "run", workers=1)


def test_the_folder_of_a_run_holds_what_is_promised(run):
    names = {path.name for path in run.path.iterdir()}
    wanted = {"run.toml", "provenance.json", "results.zarr", "scores.csv", "skipped.csv"}
    assert wanted | {"report", "cache"} <= names
    assert (run.path / "report" / "index.html").stat().st_size > 1000
    assert not list(run.path.rglob("*.tmp"))
    assert tuple(run.scores.columns) == SCORE_COLUMNS


def test_scores_have_one_row_for_every_method_and_size(run):
    scores = run.scores.set_index(["layer", "task", "concept", "method", "filters"])
    assert scores.index.is_unique
    last = run.scores[(run.scores["layer"] == "3") & (run.scores["concept"] == "red-c")]
    found = {(row.task, row.method, row.filters) for row in last.itertuples()}
    segment = {("segment", "single", 1), ("segment", "combined", 12)}
    segment |= {("segment", "subset", 1), ("segment", "subset", 4)}
    classify = {("classify", "single", 1), ("classify", "combined", 12), ("classify", "subset", 3)}
    assert found == segment | classify
    first = run.scores[run.scores["layer"] == "1"].groupby("task")["method"].agg(set)
    assert first["segment"] == {"single", "combined"}  # subsets are learned on the last layer
    assert first["classify"] == {"single", "combined", "subset"}  # on the last three


def test_what_is_left_out_is_listed_with_its_reason(run):
    skipped = run.skipped.set_index(["task", "concept"])["reason"]
    assert "no masks" in skipped["segment", "day-s"]
    sizes = run.skipped[run.skipped["filters"].notna()]
    assert sizes["filters"].tolist() == [64]
    assert "filters are 12" in sizes["reason"].item()
    layers = run.skipped[run.skipped["reason"].str.startswith("subsets of filters")]
    assert layers[["layer", "task"]].to_numpy().tolist() == [["1", "segment"]]
    assert layers["reason"].item() == "subsets of filters are learned on 3 alone"


def test_layers_of_subsets_are_named(tmp_path):
    tasks = {
        "segment": {**FAST["segment"], "subset_layers": ("all",)},
        "classify": {**FAST["classify"], "subset_layers": ("1",)},
    }
    options = {"concepts": ("red-c",), **tasks}
    some = make(tmp_path / "run", **options)
    rows = some.scores[some.scores["method"] == "subset"]
    found = set(zip(rows["layer"], rows["task"], strict=True))
    assert found == {("1", "segment"), ("3", "segment"), ("1", "classify")}
    options["classify"] = {**FAST["classify"], "subset_layers": ("conv9",)}
    with pytest.raises(ConfigError, match=r"no layer 'conv9' to learn subsets on; .* of 1, 3"):
        make(tmp_path / "other", **options)
    assert not (tmp_path / "other" / "run.toml").exists()


def test_scores_stand_beside_what_they_are_read_against(run):
    """The balanced images behind an accuracy, and the set IoU of the whole image."""
    data = small_dataset()
    val = [index for index, split in enumerate(data.splits) if split == "val"]
    for row in run.scores.drop_duplicates(["task", "concept"]).itertuples():
        label = data.labels.index(row.concept)
        planes = [data.annotation(index).planes for index in val]
        inside = [any((p.labels == label).any() for p in every) for every in planes]
        if row.task == "segment":
            shares = [max((p.labels == label).mean() for p in every) for every in planes]
            assert row.baseline == pytest.approx(np.mean([share for share in shares if share]))
            assert pd.isna(row.n_balanced)
        else:
            if row.concept == "day-s":
                inside = [bool(data.annotation(index).image_labels) for index in val]
            assert row.n_balanced == 2 * min(sum(inside), len(val) - sum(inside))
            assert row.baseline == 0.5


def test_a_task_without_concepts_is_left_out(tmp_path):
    some = make(tmp_path / "run", concepts=("day-s",), fit="both")
    assert some.tasks() == ("classify",)
    assert set(some.scores["task"]) == {"classify"}
    assert some.skipped.set_index("task").loc["segment", "concept"] == "day-s"
    assert write_report([some.path], tmp_path / "report").is_file()


def test_a_run_that_could_not_begin_does_not_stand_in_the_way(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(DataError, match="no concept that can be learned"):
        make(out, concepts=("day-s",), tasks=("segment",))
    assert not (out / "run.toml").exists()
    some = make(out, concepts=("day-s",), tasks=("classify",))
    assert some.tasks() == ("classify",)


def test_a_concept_named_null_survives(run):
    assert "null" in run.scores["concept"].tolist()
    assert "null" in run.vectors()["concept"].values.tolist()


def test_results_open_with_xarray_alone(run):
    tree = xr.open_datatree(run.path / "results.zarr", engine="zarr")
    assert tree.attrs["layers"] == list(LAYERS)
    alone = xr.open_dataset(run.path / "results.zarr", group="3/segment", engine="zarr")
    assert alone["weight"].dims == ("concept", "filter")
    assert {"concept", "filter", "category", "n_train"} <= set(alone.coords)
    best = alone["single_iou"].sel(split="train").argmax("filter")
    np.testing.assert_array_equal(best, alone["best_filter"])


def test_scores_and_arrays_say_the_same(run):
    arrays = run.arrays("1", task="segment")
    table = run.scores.query("layer == '1' and task == 'segment' and method == 'combined'")
    np.testing.assert_array_equal(table["val"], arrays["score"].sel(split="val"))
    pairs = arrays["pair_iou"].sel({"method": "single"}).to_numpy()
    assert pairs.shape == arrays["pair_concept"].shape
    assert ((pairs >= 0) & (pairs <= 1)).all()


def test_more_workers_give_the_same_bytes(run, tmp_path):
    again = make(tmp_path / "run", workers=3)
    assert read(again) == read(run)


@pytest.mark.usefixtures("undrawn")
def test_a_caller_in_inference_mode_is_given_the_same_bytes(run, tmp_path):
    with torch.inference_mode():
        again = make(tmp_path / "run", workers=2)
        network, data = again.opened_network, small_dataset()
        page = write_report([again.path], tmp_path / "report", network=network, dataset=data)
    assert (page.parent / "pictures").is_dir()
    assert read(again) == read(run)


def test_processes_give_the_same_bytes_and_go_on_where_they_were(run, tmp_path, monkeypatch):
    monkeypatch.setattr(executors, "_MIN_FITS_FOR_PROCESSES", 1)
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        make(out, workers=3, progress=Interrupting("segment"))
    assert not (out / "provenance.json").exists()
    assert read(make(out, workers=3)) == read(run)


def test_some_concepts_in_another_order_give_the_same_bits(run, tmp_path):
    some = make(tmp_path / "run", concepts=("null", "red-c", "day-s"))
    assert set(some.scores["concept"]) == {"null", "red-c", "day-s"}
    whole = run.scores[run.scores["concept"].isin(["null", "red-c", "day-s"])]
    pd.testing.assert_frame_equal(
        some.scores, whole.reset_index(drop=True), check_exact=True, check_dtype=True
    )


@pytest.mark.parametrize("stage", ["compiling", "probing", "segment", "classify"])
def test_an_interrupted_run_goes_on(run, tmp_path, stage, monkeypatch):
    monkeypatch.setenv("NET2VEC_CACHE", str(tmp_path / "cache"))
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        make(out, progress=Interrupting(stage))
    assert not (out / "provenance.json").exists()
    progress = Interrupting("nothing")
    again = make(out, progress=progress)
    assert read(again) == read(run)


def test_a_finished_item_is_not_learned_again(tmp_path, monkeypatch):
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        make(out, workers=1, progress=Interrupting("3: learning to classify"))
    learned = []
    original = paper.segment_concepts
    monkeypatch.setattr(
        paper, "segment_concepts", lambda *a, **k: learned.append(a) or original(*a, **k)
    )
    make(out, workers=1)
    assert learned == []


def test_a_finished_run_is_found_finished(run):
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.is_file()}
    make(run.path)
    after = {path: path.stat().st_mtime_ns for path in run.path.rglob("*") if path.is_file()}
    assert after == before


def test_other_settings_are_refused_and_nothing_is_touched(run):
    before = read(run)
    with pytest.raises(ConfigError, match=r"seed \(0 and 1\)"):
        make(run.path, seed=1)
    assert read(run) == before


def test_a_folder_that_is_no_run_is_refused_and_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match="not empty and holds no run"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("left", [".run.toml.123-456.tmp", "cache"])
def test_a_folder_with_leftovers_of_a_killed_run_is_taken(run, tmp_path, left):
    out = tmp_path / "run"
    out.mkdir()
    (out / left).mkdir() if left == "cache" else (out / left).write_text("half")
    assert read(make(out)) == read(run)


def test_changed_images_are_computed_again_not_read_from_the_cache(tmp_path):
    folder = write_small_folder(tmp_path / "data")
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        make(out, data=folder, progress=Interrupting("3: learning to segment"))
    for path in sorted((folder / "images").glob("????.png"))[:20]:
        ImageOps.invert(Image.open(path)).save(path)
    went_on = make(out, data=folder)
    afresh = make(tmp_path / "afresh", data=folder)
    assert read(went_on) == read(afresh)


def test_another_probe_batch_moves_rounding_only(run, tmp_path):
    other = make(tmp_path / "run", probe_batch=7).scores
    for split, images in (("train", "n_train"), ("val", "n_val")):
        distance = (other[split] - run.scores[split]).abs()
        one_image = np.where(other["task"] == "classify", 0.5 / other[images], 0)
        assert (distance <= np.maximum(1e-4, one_image)).all()


def test_one_thread_instead_of_two_moves_rounding_only(run, tmp_path):
    threads = torch.get_num_threads()
    torch.set_num_threads(3 - min(threads, 2))
    try:
        other = make(tmp_path / "run").scores
    finally:
        torch.set_num_threads(threads)
    distance = (other[["train", "val"]] - run.scores[["train", "val"]]).abs().to_numpy()
    assert distance.max() <= 1e-4


def test_an_interrupted_run_counts_the_time_of_all_its_sessions(tmp_path):
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        make(out, progress=Interrupting("3: learning to segment"))
    before = json.loads((out / "cache" / "ledger.json").read_text())["seconds"]
    told = make(out).provenance["seconds"]
    assert all(told[stage] >= before[stage] for stage in before)


def test_the_model_is_left_as_it_was_found(tmp_path):
    model = small_network().train()
    model[3].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    out = tmp_path / "run"
    net2vec.analyze(model, small_dataset(), out, layers=["1"], transform=squash, **FAST)
    assert model.training
    assert not model[3].training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not any(part._forward_hooks for part in model.modules())


def test_a_layer_without_places_is_classified_with_but_not_segmented_with(tmp_path):
    run = make(tmp_path / "run", layers=("1", "6"))
    assert run.tasks("6") == ("classify",)
    reason = run.skipped[(run.skipped["layer"] == "6") & (run.skipped["task"] == "segment")]
    assert "grid" in reason["reason"].item()


def test_nothing_to_learn_is_said(tmp_path):
    data = small_dataset()
    data.splits = ["train"] * len(data.splits)
    with pytest.raises(DataError, match="no concept that can be learned"):
        make(tmp_path / "run", data=data)


def test_provenance_tells_what_was_used(run):
    told = json.loads((run.path / "provenance.json").read_text())
    assert told["data"]["train_images"] + told["data"]["val_images"] == 40
    assert len(told["network"]["digest"]) == 32
    assert set(told["seconds"]) == set(told["peak_memory_bytes"])
    assert told["versions"]["torch"] == torch.__version__.partition("+")[0]


def read(run: net2vec.Run) -> tuple[bytes, bytes]:
    assert len(load_table(run.path / "scores.csv")) > 0
    return (run.path / "scores.csv").read_bytes(), (run.path / "skipped.csv").read_bytes()


def test_results_report_and_tables_are_exchanged_together(tmp_path, monkeypatch):
    out = tmp_path / "run"
    make(out)
    (out / "report").mkdir()
    (out / "report" / "index.html").write_text("of fewer results")

    def killed(folders, page, **_):
        raise KeyboardInterrupt

    def written(folders, page, **_):
        page.mkdir()
        (page / "index.html").write_text(f"{net2vec.open_run(folders[0]).settings['nulls']} nulls")

    before = read(net2vec.open_run(out))
    monkeypatch.setattr("net2vec.pipeline.runner.write_report", killed)
    with pytest.raises(KeyboardInterrupt):
        make(out, nulls=1)
    assert read(net2vec.open_run(out)) == before
    assert net2vec.open_run(out).settings["nulls"] == 0
    assert (out / "report" / "index.html").read_text() == "of fewer results"
    monkeypatch.setattr("net2vec.pipeline.runner.write_report", written)
    run = make(out, nulls=1)
    assert run.settings["nulls"] == run.arrays().sizes["null"] == 1
    assert (out / "report" / "index.html").read_text() == "1 nulls"


def test_every_part_of_a_run_is_known_to_the_exchange(run):
    assert {path.name for path in run.path.iterdir()} <= {*results.PARTS, "cache"}


@pytest.mark.parametrize("finished", [True, False])
def test_what_killed_runs_have_left_is_removed_by_the_next(tmp_path, finished):
    out = tmp_path / "run"
    make(out)
    if not finished:
        (out / "provenance.json").unlink()
    left = [out / name for name in (".update.1-2.tmp", ".report.1-2.tmp", "cache/.a.npz.1-2.tmp")]
    for path in left:
        path.touch()
    make(out)
    assert not [path for path in left if path.exists()]
