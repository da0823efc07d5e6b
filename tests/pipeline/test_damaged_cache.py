"""Whatever is damaged of what a run can make again, it ends with the same numbers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import net2vec
from net2vec.errors import Net2VecError
from net2vec.pipeline.progress import Ledger

from builders_cached import DAMAGES, cut, empty, flip, garble, remove, zero
from builders_runs import NETWORK_FILE, small_dataset
from builders_whole import Interrupting, squash

pytestmark = pytest.mark.usefixtures("unreported")

LEDGER = "run/cache/ledger.json"
# A file of every kind that an interrupted run leaves, by a pattern that finds it. Those of a group
# are damaged together: none of them is looked for only if another is sound.
GROUPS = (
    (LEDGER, "run/cache/recording/*/layer-000.npz", "run/cache/segment/*/1.npz", "*/*/*/masks.npy"),
    (
        "run/cache/batch_norm/*/batch_norm.pt",
        "run/cache/classify/*/1.npz",
        "*/*/*/pairs.npz",
        "run/cache/recording/*/layer-000.means.npy",
    ),
)


class Listening(Interrupting):
    """Keeps what a run says."""

    def __init__(self) -> None:
        super().__init__("nothing")
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def make(out: Path, **options) -> net2vec.Run:
    scope: dict = {}
    exec(NETWORK_FILE, scope)
    return net2vec.analyze(
        scope["with_batch_norm"](),
        small_dataset(24),
        out,
        layers=("2",),
        transform=squash,
        batch_norm="probe",
        concepts=("red-c", "blue-c"),
        segment={"epochs": 1, "subsets": (), "batch": 8},
        classify={"epochs": 1, "subsets": (), "batch": 8},
        workers=1,
        **{"fit": "paper", **options},
    )


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory) -> tuple[Path, bytes]:
    """A run that was interrupted at its last step, and the scores of one that was not."""
    folder = tmp_path_factory.mktemp("interrupted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("net2vec.pipeline.runner.write_report", lambda *_, **__: None)
        patch.setenv("NET2VEC_CACHE", str(folder / "shared"))
        with pytest.raises(KeyboardInterrupt):
            make(folder / "run", progress=Interrupting("classify"))
        patch.setenv("NET2VEC_CACHE", str(folder / "another"))
        scores = make(folder / "whole").path / "scores.csv"
    return folder, scores.read_bytes()


@pytest.fixture
def copy(interrupted, tmp_path, monkeypatch) -> Path:
    """The interrupted run and the cache that runs share, to do with as one likes."""
    for name in ("run", "shared"):
        shutil.copytree(interrupted[0] / name, tmp_path / name)
    monkeypatch.setenv("NET2VEC_CACHE", str(tmp_path / "shared"))
    return tmp_path


def test_every_kind_of_file_is_among_those_that_are_damaged(copy):
    def kind(path: Path) -> str:
        item = path.parent.parent.name in ("segment", "classify")
        if path.name.startswith("layer-") and path.suffix == ".npy":
            return "recorded array"
        return f"{path.parent.parent.name} item" if item else path.name

    places = (copy / "run" / "cache", copy / "shared")
    there = [path for place in places for path in place.rglob("*") if path.is_file()]
    damaged = [path for group in GROUPS for pattern in group for path in copy.glob(pattern)]
    assert len(damaged) == sum(map(len, GROUPS))
    assert set(map(kind, there)) == set(map(kind, damaged))


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("group", GROUPS)
def test_what_is_damaged_is_made_again(interrupted, copy, group, damage):
    paths = {pattern: path for pattern in group for path in copy.glob(pattern)}
    for path in paths.values():
        damage(path)
    progress = Listening()
    run = make(copy / "run", progress=progress)
    assert (run.path / "scores.csv").read_bytes() == interrupted[1]
    if damage is flip:  # of a digit: it is still a ledger
        paths.pop(LEDGER, None)
    for path in paths.values():
        assert path.is_file()
        told = [line for line in progress.said if str(path) in line]
        assert len(told) == (damage is not remove)


def test_what_was_made_again_is_found(copy, interrupted):
    for group in GROUPS:
        for pattern in group:
            for path in copy.glob(pattern):
                cut(path)
    (make(copy / "run").path / "provenance.json").unlink()
    progress = Listening()
    run = make(copy / "run", progress=progress)
    assert (run.path / "scores.csv").read_bytes() == interrupted[1]
    assert not progress.said


@pytest.mark.parametrize("text", ["[]", "{}", '{"seconds": [], "peak_memory": {}}', "3", "null"])
def test_a_ledger_of_another_shape_is_begun_again(tmp_path, text):
    path = tmp_path / "ledger.json"
    path.write_text(text)
    said: list[str] = []
    with Ledger(path, say=said.append).stage("a"):
        pass
    assert len(said) == 1
    assert list(json.loads(path.read_text())["seconds"]) == ["a"]


@pytest.mark.parametrize("damage", [empty, zero, garble], ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("name", ["run.toml", "provenance.json"])
def test_a_finished_run_that_is_damaged_is_refused_and_left_alone(
    interrupted, tmp_path, name, damage
):
    out = tmp_path / "run"
    shutil.copytree(interrupted[0] / "whole", out)
    damage(out / name)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    with pytest.raises(Net2VecError, match=name):
        make(out)
    after = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert after == before
