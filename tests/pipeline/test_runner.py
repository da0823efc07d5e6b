"""Whole runs: the same numbers whatever the workers, the concepts asked for or an interruption."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from PIL import Image, ImageOps

import net2vec
from net2vec.config import Settings
from net2vec.data.tools import write_broden
from net2vec.errors import ConfigError, DataError, NetworkError
from net2vec.pipeline import probe
from net2vec.pipeline.learning import segment, workplace
from net2vec.pipeline.progress import SilentProgress
from net2vec.results import SCORE_COLUMNS, load_table

from builders_runs import small_dataset, small_network, write_network_file, write_small_folder

pytestmark = pytest.mark.usefixtures("unpainted")

LAYERS = ("1", "3")
FAST = {
    "segment": {"epochs": 4, "subsets": (1, 4, 64), "batch": 8, "learning_rate": 1e-2},
    "classify": {"epochs": 6, "subsets": (1, 3), "batch": 8},
}


def squash(image):
    pixels = torch.from_numpy(np.array(image.resize((32, 32)), dtype=np.float32))
    return pixels.permute(2, 0, 1) / 255


def make(out: Path, **options) -> net2vec.Run:
    data = options.pop("data", None) or small_dataset()
    settings = {"layers": LAYERS, "transform": squash, **FAST, **options}
    return net2vec.analyze(small_network(), data, out, **settings)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> net2vec.Run:
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
    first = run.scores[run.scores["layer"] == "1"]
    assert set(first["method"]) == {"single", "combined"}


def test_what_is_left_out_is_listed_with_its_reason(run):
    skipped = run.skipped.set_index(["task", "concept"])["reason"]
    assert "no masks" in skipped["segment", "day-s"]
    sizes = run.skipped[run.skipped["filters"].notna()]
    assert sizes["filters"].tolist() == [64]
    assert "12 filters" in sizes["reason"].item()


def test_a_task_without_concepts_is_left_out(tmp_path):
    some = make(tmp_path / "run", concepts=("day-s",), fit="both")
    assert some.tasks() == ("classify",)
    assert set(some.scores["task"]) == {"classify"}
    assert some.skipped.set_index("task").loc["segment", "concept"] == "day-s"
    assert (some.path / "report" / "index.html").is_file()


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


def test_processes_give_the_same_bytes_and_go_on_where_they_were(run, tmp_path, monkeypatch):
    monkeypatch.setattr(workplace, "_WORTH_PROCESSES", 1)
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
    original = segment.segment_concepts
    monkeypatch.setattr(
        segment, "segment_concepts", lambda *a, **k: learned.append(a) or original(*a, **k)
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


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ("red-d", "did you mean red-c?"),
        ("glass", 'did you mean "door, glass"?'),
        ("dor, glas", 'did you mean "door, glass"?'),
        ("zzz", "see `net2vec data info`"),
    ],
)
def test_a_concept_that_is_not_there_is_refused_with_those_like_it(tmp_path, asked, hint):
    data = small_dataset()
    data.labels = [*data.labels[:4], "door, glass", *data.labels[5:]]
    with pytest.raises(ConfigError) as error:
        make(tmp_path / "run", data=data, concepts=(asked,))
    assert str(error.value) == f"squares has no concept {asked!r}; {hint}"
    assert not (tmp_path / "run").exists()


def test_layers_without_places_alone_cannot_be_segmented_with(tmp_path):
    with pytest.raises(NetworkError, match="no layer of 6 has a grid to segment with"):
        make(tmp_path / "run", layers="6", tasks=("segment",))
    assert make(tmp_path / "run", layers="6", tasks=("classify",)).layers == ("6",)


def test_a_task_without_concepts_is_told(tmp_path):
    told = SilentProgress()
    told.say = (said := []).append
    make(tmp_path / "run", concepts=("day-s",), progress=told)
    assert "no concept can be learned to segment; skipped.csv says why" in said


WRONG = """
import net2vec, torch

class Mine:
    name, digest = "mine", "00"
    images = splits = labels = categories = ()

network = torch.nn.Conv2d(3, 4, 3)
for model, data in (
    ("resnet18", "diorama"), (len, "diorama"), (network, None), (network, [3, "x"]),
    (network, Mine()),
):
    try:
        net2vec.analyze(model, data, "run")
    except net2vec.Net2VecError as error:
        print(error)
"""


def test_what_is_no_network_or_dataset_is_refused_in_one_line(tmp_path):
    """In a process of its own: here types are checked before."""
    done = subprocess.run(
        [sys.executable, "-c", WRONG], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    module = "must be a torch.nn.Module, got"
    lacking = "data must be diorama, folders or a probe dataset;"
    every = "annotation, categories, digest, image, images, labels, name, splits"
    assert [line.partition(" at 0x")[0] for line in done.stdout.splitlines()] == [
        f"a network given in Python {module} 'resnet18'; {BY_NAME}",
        f"a network given in Python {module} {len!r}; {BY_NAME}",
        f"{lacking} None has no {every} (see net2vec.data.ProbeDataset)",
        f"{lacking} [3, 'x'] has no {every} (see net2vec.data.ProbeDataset)",
        f"{lacking} <__main__.Mine object",
    ]
    assert done.stdout.endswith(" has no annotation, image (see net2vec.data.ProbeDataset)\n")
    assert not (tmp_path / "run").exists()


BY_NAME = "networks by name are opened by net2vec.networks.load_network"


def test_several_folders_are_joined(tmp_path):
    folders = [
        write_broden(small_dataset(20, seed), tmp_path / str(seed), size=32) for seed in (0, 1)
    ]
    joined = make(tmp_path / "run", data=folders, tasks=("classify",))
    assert joined.provenance["data"]["images"] == 40
    assert joined.settings["data"] == [str(folder) for folder in folders]


def test_a_folder_that_is_no_run_is_refused_and_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(ConfigError, match="not empty and holds no run"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


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


def contents(folder):
    kept = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): path.read_bytes() for path in kept if "cache" not in path.parts}


def test_more_is_only_added_to_a_run_of_the_same_images(tmp_path):
    folder = write_small_folder(tmp_path / "data")
    out = tmp_path / "run"
    make(out, data=folder)
    before = contents(out)
    some = sorted((folder / "images").glob("????.png"))[0]
    kept = some.read_bytes()
    ImageOps.invert(Image.open(some)).save(some)
    with pytest.raises(ConfigError, match=r"the probe dataset is not what it was .* another --out"):
        make(out, data=folder, nulls=1)
    assert contents(out) == before
    some.write_bytes(kept)
    assert make(out, data=folder, nulls=1).settings["nulls"] == 1


def test_a_finished_run_is_not_that_of_another_preprocessing(run):
    before = contents(run.path)
    for more in ({}, {"nulls": 1}):
        with pytest.raises(ConfigError, match="the preprocessing of images is not what it was"):
            make(run.path, transform=lambda image: squash(image) / 2, **more)
    assert contents(run.path) == before


def test_batch_norm_is_estimated_once_whatever_the_threads_of_a_later_session(tmp_path):
    """Other threads may move its last bits: nothing is estimated again."""
    file = write_network_file(tmp_path)
    settings = Settings.from_dict(
        {
            "network": f"{file}:with_batch_norm",
            "data": [str(write_small_folder(tmp_path / "data"))],
            "tasks": ["classify"],
            "batch_norm": "probe",
            "device": "cpu",
            "classify": {"epochs": 1, "subsets": []},
        }
    )
    once = probe(settings, tmp_path / "once", report=False)
    with pytest.raises(KeyboardInterrupt):
        probe(settings, tmp_path / "run", report=False, progress=Interrupting("classify"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("net2vec.pipeline.runner.with_batch_norm", None)
        out = probe(settings, tmp_path / "run", report=False)
        told = [json.loads((folder / "provenance.json").read_text()) for folder in (once, out)]
        assert told[0]["network"] == told[1]["network"]
        assert "batch norm from" in told[1]["network"]["weights"]
        shutil.rmtree(out / "cache")
        more = probe(dataclasses.replace(settings, nulls=1), out, report=False)
    assert (more / "scores.csv").read_bytes() == (once / "scores.csv").read_bytes()


@pytest.mark.parametrize("batch_norm", ["stored", "probe"])
def test_more_is_only_added_to_a_run_of_the_same_network(tmp_path, batch_norm):
    file = write_network_file(tmp_path)
    data = write_small_folder(tmp_path / "data")
    settings = Settings.from_dict(
        {
            "network": f"{file}:with_batch_norm",
            "data": [str(data)],
            "tasks": ["classify"],
            "batch_norm": batch_norm,
            "device": "cpu",
            "classify": {"epochs": 1, "subsets": []},
        }
    )
    out = probe(settings, tmp_path / "run", report=False)
    before = contents(out)
    file.write_text(file.read_text().replace("manual_seed(3)", "manual_seed(4)"))
    with pytest.raises(ConfigError, match="the network is not what it was"):
        probe(dataclasses.replace(settings, nulls=1), out, report=False)
    assert contents(out) == before
    told = []
    silent = SilentProgress()
    silent.say = told.append
    assert probe(settings, out, report=False, progress=silent) == out
    assert "have changed since, choose another --out" in told[0]


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


class Interrupting:
    """Interrupts the user's run in the middle of a stage."""

    def __init__(self, stage: str) -> None:
        self.stage_name = stage

    def stage(self, name, total):
        def advance(steps):
            if self.stage_name in name and steps:
                raise KeyboardInterrupt

        return advance

    def say(self, text):
        pass


def read(run: net2vec.Run) -> tuple[bytes, bytes]:
    assert len(load_table(run.path / "scores.csv")) > 0
    return (run.path / "scores.csv").read_bytes(), (run.path / "skipped.csv").read_bytes()
