"""Counts of subsets by image: what a run keeps of them, of which fits and seeds."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import net2vec
from net2vec.pipeline import runner

from builders_runs import small_dataset, small_network

TASKS = ("segment", "classify")
FAST = {
    "segment": {"epochs": 4, "subsets": (1, 4), "batch": 8, "learning_rate": 1e-2},
    "classify": {"epochs": 6, "subsets": (1, 3), "batch": 8, "learning_rate": 10.0},
}


def squash(image: Image.Image) -> torch.Tensor:
    pixels = torch.from_numpy(np.array(image.resize((32, 32)), dtype=np.float32))
    return pixels.permute(2, 0, 1) / 255


def make(out: Path, **options) -> net2vec.Run:
    settings = {"layers": ("1",), "transform": squash, "workers": 1, "fit": "both"}
    return net2vec.analyze(small_network(), small_dataset(), out, **{**FAST, **settings, **options})


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "write_report", lambda *arguments, **named: None)
        return make(tmp_path_factory.mktemp("run") / "run", concepts=("red-c", "null"), seeds=2)


def test_subsets_have_counts_by_image(run):
    for fit in run.fits:
        segmented, classified = (run.arrays(task=task, fit=fit) for task in TASKS)
        for rule in ("subset",) if fit == "paper" else ("subset", "path"):
            shared, joined = (segmented[f"{rule}_pair_{x}"] for x in ("intersection", "union"))
            assert shared.dtype == joined.dtype == np.int32
            right = classified[f"{rule}_trial_correct"]
            assert shared.dims == ("subset_size", "pair")
            assert right.dims == ("subset_size", "trial")
            for name in segmented["concept"].values:
                mine = (segmented["pair_concept"] == name) & (segmented["pair_split"] == "val")
                score = shared.values[:, mine].sum(axis=1) / joined.values[:, mine].sum(axis=1)
                val = {"split": "val", "concept": name}
                assert score.tolist() == segmented[f"{rule}_score"].sel(val).values.tolist()
                share = right.values[:, classified["trial_concept"] == name].mean(axis=1)
                assert share.tolist() == classified[f"{rule}_score"].sel(val).values.tolist()
    assert not {"path_pair_union", "path_trial_correct"} & set(run.arrays().data_vars)


def test_other_seeds_keep_no_counts_of_subsets(run):
    kept = []
    for path in (run.path / "cache" / "segment").rglob("*.npz"):
        with np.load(path) as file:
            if "subset_pair_union" in file.files:
                kept.append(len(file["subset_pair_union"]))
    concepts = run.arrays().sizes["concept"]
    assert sorted(kept) == [0] * concepts + [2] * 2 * concepts  # the other start; both fits
    assert "subset_pair_union" in run.at(seed=0).arrays()
    assert "subset_pair_union" not in run.at(seed=1).arrays()


def test_without_subsets_nothing_is_kept_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "write_report", lambda *arguments, **named: None)
    none = {task: {**FAST[task], "subsets": ()} for task in FAST}
    alone = make(tmp_path / "run", concepts=("red-c",), **none)
    for fit in alone.fits:
        for task in TASKS:
            names = map(str, alone.arrays(task=task, fit=fit).data_vars)
            assert not [name for name in names if "subset_pair" in name or "_trial_" in name]
