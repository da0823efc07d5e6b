"""What a run is given: refused in one line where it cannot be used, or is not what it was."""

import dataclasses
import json
import shutil
import subprocess
import sys

import pytest
from PIL import Image, ImageOps
from torch import nn

import net2vec
from net2vec.config import Settings
from net2vec.data.tools import write_broden
from net2vec.errors import ConfigError, NetworkError
from net2vec.networks import Preprocessing
from net2vec.pipeline import probe, write_report
from net2vec.pipeline.inputs import absolute
from net2vec.pipeline.progress import SilentProgress

from builders_runs import small_dataset, small_network, write_network_file, write_small_folder
from builders_whole import FAST, Interrupting, make, squash

pytestmark = pytest.mark.usefixtures("unreported")


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> net2vec.Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("net2vec.pipeline.runner.write_report", lambda *_, **__: None)
        return make(tmp_path_factory.mktemp("run") / "run", workers=1)


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


def test_a_network_that_looks_at_the_whole_batch_is_refused_before_a_run_begins(tmp_path):
    convolution, norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)
    module = nn.Sequential(convolution, norm, nn.ReLU())
    with pytest.raises(NetworkError, match="gives other values for an image alone"):
        net2vec.analyze(module, small_dataset(), tmp_path / "run", transform=squash)
    assert not (tmp_path / "run").exists()


def test_a_run_of_another_size_is_found_finished_and_opened_again(tmp_path):
    fed = Preprocessing(32, (0.0,) * 3, (255.0,) * 3)
    options = {"transform": fed, "input": 48, "concepts": ("red-c",), "tasks": "segment"}
    run = make(tmp_path / "run", **options)
    assert run.provenance["network"]["preprocessing"]["size"] == 48
    assert run.provenance["data"]["mask_size"] == [24, 24]
    told = SilentProgress()
    told.say = (said := []).append
    again = make(tmp_path / "run", progress=told, **options)
    assert "finished already" in said[0]
    picture = small_dataset().image(0)
    bare = net2vec.open_run(tmp_path / "run", network=small_network())
    for opened in (again, bare):
        assert opened.opened_network.input_shape == (3, 48, 48)
        assert opened.segment(picture, ["red-c"]).sizes["y"] == 24


def test_layers_without_places_alone_cannot_be_segmented_with(tmp_path):
    with pytest.raises(NetworkError, match="no layer of 6 has a grid to segment with"):
        make(tmp_path / "run", layers="6", tasks=("segment",))
    assert make(tmp_path / "run", layers="6", tasks=("classify",)).layers == ("6",)


def test_too_few_nulls_to_tell_anything_are_told_before_they_are_drawn(tmp_path):
    told = SilentProgress()
    told.say = (said := []).append
    make(tmp_path / "run", concepts=("red-c",), tasks="segment", nulls=3, progress=told)
    assert "with 3 nulls no concept can be told from chance: ask for at least 19" in said[0]


@pytest.mark.usefixtures("unpainted")
def test_learning_that_ends_nowhere_is_told(tmp_path):
    told = SilentProgress()
    told.say = (said := []).append
    steep = {**FAST["segment"], "learning_rate": 3e38}
    options = {"concepts": ("red-c", "blue-c"), "tasks": "segment", "layers": "1"}
    run = make(tmp_path / "run", progress=told, **options, segment=steep)
    network, data = run.opened_network, small_dataset()
    assert write_report([run.path], tmp_path / "report", network=network, dataset=data).is_file()
    wanted = "1, segment: 2 of 2 vectors are not finite; a smaller segment.learning_rate may help"
    assert wanted in said


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


def test_files_are_named_so_that_they_are_found_from_anywhere(tmp_path, monkeypatch):
    for name in ("deploy.prototxt", "net.pt2", "mine.py"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    for name in ("deploy.prototxt", "net.pt2", "mine.py:make"):
        settings = absolute(Settings(network=name, data=("diorama",)))
        assert settings.network == str(tmp_path / name)
    assert absolute(Settings(network="gone.pt2", data=("diorama",))).network == "gone.pt2"


def test_several_folders_are_joined(tmp_path):
    folders = [
        write_broden(small_dataset(20, seed), tmp_path / str(seed), size=32) for seed in (0, 1)
    ]
    joined = make(tmp_path / "run", data=folders, tasks=("classify",))
    assert joined.provenance["data"]["images"] == 40
    assert joined.settings["data"] == [str(folder) for folder in folders]


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


def settings_of(file, batch_norm):
    """A network of a file, and a folder beside it."""
    return Settings.from_dict(
        {
            "network": f"{file}:with_batch_norm",
            "data": [str(write_small_folder(file.parent / "data"))],
            "tasks": ["classify"],
            "batch_norm": batch_norm,
            "device": "cpu",
            "classify": {"epochs": 1, "subsets": []},
        }
    )


def test_batch_norm_is_estimated_once_whatever_the_threads_of_a_later_session(tmp_path):
    """Other threads may move its last bits: nothing is estimated again."""
    file = write_network_file(tmp_path)
    settings = settings_of(file, "probe")
    once = probe(settings, tmp_path / "once", report=False)
    with pytest.raises(KeyboardInterrupt):
        probe(settings, tmp_path / "run", report=False, progress=Interrupting("classify"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("net2vec.pipeline.stages.statistics.with_batch_norm", None)
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
    settings = settings_of(file, batch_norm)
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
