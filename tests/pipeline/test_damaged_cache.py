"""Whatever is damaged of what a run can make again, it ends with the same numbers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import net2vec

from builders_cached import DAMAGES, remove
from builders_runs import NETWORK_FILE, small_dataset
from builders_whole import Interrupting, squash

pytestmark = pytest.mark.usefixtures("unreported")

# A file of every kind that an interrupted run leaves, by a pattern that finds it.
KINDS = {
    "settings": "run/cache/ledger.json",
    "statistics": "run/cache/batch_norm/*/batch_norm.pt",
    "recording": "run/cache/recording/*/layer-000.npz",
    "item to segment": "run/cache/segment/*/1.npz",
    "item to classify": "run/cache/classify/*/1.npz",
    "pairs": "shared/annotations/*/pairs.npz",
    "masks": "shared/annotations/*/masks.npy",
}


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
        **options,
    )


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory) -> tuple[Path, bytes]:
    """A run that was interrupted at its last concept, and the scores of one that was not."""
    folder = tmp_path_factory.mktemp("interrupted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("net2vec.pipeline.runner.write_report", lambda *_, **__: None)
        patch.setenv("NET2VEC_CACHE", str(folder / "shared"))
        with pytest.raises(KeyboardInterrupt):
            make(folder / "run", progress=Interrupting("classify"))
        patch.setenv("NET2VEC_CACHE", str(folder / "another"))
        scores = make(folder / "whole").path / "scores.csv"
    return folder, scores.read_bytes()


def test_every_kind_of_file_is_damaged_below(interrupted):
    folder, _ = interrupted
    places = (folder / "run" / "cache", folder / "shared")
    there = {path for place in places for path in place.rglob("*") if path.is_file()}
    names = {
        "items" if path.parent.parent.name in ("segment", "classify") else path.name
        for path in there
    }
    found = [path for pattern in KINDS.values() for path in folder.glob(pattern)]
    assert len(found) == len(KINDS)
    assert names == {
        "items", "ledger.json", "batch_norm.pt", "layer-000.npz", "pairs.npz", "masks.npy",
    }  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_damaged_is_made_again(interrupted, tmp_path, monkeypatch, kind, damage):
    before, scores = interrupted
    for name in ("run", "shared"):
        shutil.copytree(before / name, tmp_path / name)
    monkeypatch.setenv("NET2VEC_CACHE", str(tmp_path / "shared"))
    (path,) = tmp_path.glob(KINDS[kind])
    damage(path)
    progress = Listening()
    run = make(tmp_path / "run", progress=progress)
    assert (run.path / "scores.csv").read_bytes() == scores
    told = [line for line in progress.said if str(path) in line]
    assert len(told) == (
        damage is not remove and not (kind, damage.__name__) == ("settings", "flip")
    )
    # What was made again is found the next time.
    progress = Listening()
    (run.path / "provenance.json").unlink()
    make(tmp_path / "run", progress=progress)
    assert not [line for line in progress.said if path.name in line]


@pytest.mark.parametrize("text", ["[]", "{}", '{"seconds": [], "peak_memory": {}}', "3", "null"])
def test_a_ledger_of_another_shape_is_begun_again(tmp_path, text):
    from net2vec.pipeline.progress import Ledger

    path = tmp_path / "ledger.json"
    path.write_text(text)
    said: list[str] = []
    with Ledger(path, say=said.append).stage("a"):
        pass
    assert len(said) == 1
    assert list(json.loads(path.read_text())["seconds"]) == ["a"]
