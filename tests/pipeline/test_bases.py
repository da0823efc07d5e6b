"""Runs of layers in bases: from the probe to new images, and the files that they need."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import net2vec
from net2vec.errors import Net2VecError, NetworkError

from builders_runs import SIDE, small_dataset, small_network

LAYERS = ["1", "1@pca", "1@random", "1@{}/sae.safetensors"]


def as_tensor(image):
    return torch.from_numpy(np.array(image.resize((SIDE, SIDE)))).permute(2, 0, 1).float() / 255


def write_autoencoder(folder, seed=0):
    draw = torch.Generator().manual_seed(seed)
    weight = torch.randn(8, 13, generator=draw)
    save_file({"W_enc": weight, "b_enc": torch.zeros(13)}, folder / "sae.safetensors")
    config = {"architecture": "standard", "apply_b_dec_to_input": False}
    (folder / "cfg.json").write_text(json.dumps(config))


def analyze(folder, out, **options):
    return net2vec.analyze(
        small_network(), small_dataset(), out, transform=as_tensor,
        layers=[layer.format(folder) for layer in LAYERS], quantile=0.05,
        tasks=("segment",), concepts=("square",),
        segment={"epochs": 2, "subsets": ()}, **options,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory, without_paint):
    folder = tmp_path_factory.mktemp("bases")
    write_autoencoder(folder)
    with without_paint():
        return folder, analyze(folder, folder / "run", fit="paper,lda")


def test_a_layer_has_results_in_each_basis(made):
    _, run = made
    assert run.layers == ("1", "1@pca", "1@random", "1@sae.safetensors")
    assert [run.layer(layer).sizes["filter"] for layer in run.layers] == [8, 8, 8, 13]
    assert set(run.provenance["network"]["bases"]) == set(run.layers[1:])


def test_a_rotation_hardly_changes_what_all_filters_find(made):
    # All linear functions of the channels are the same; shrinkage alone sees the axes.
    _, run = made
    scores = {
        layer: run.arrays(layer, fit="lda")["score"].sel(split="val").to_numpy()
        for layer in ("1", "1@random")
    }
    np.testing.assert_allclose(scores["1"], scores["1@random"], atol=0.05)


def test_new_images_are_seen_in_the_basis_of_the_run(made, tmp_path):
    _, made_run = made
    moved = shutil.copytree(made_run.path, tmp_path / "moved")
    run = net2vec.open_run(moved, network=small_network(), transform=as_tensor)
    dataset = small_dataset()
    val = [index for index, split in enumerate(dataset.splits) if split == "val"]
    squares = [i for i in val if (dataset.annotation(i).planes[1].labels == 3).any()]
    truth = np.stack([dataset.annotation(i).planes[1].labels == 3 for i in squares])
    shown = torch.stack([as_tensor(dataset.image(i)) for i in squares])
    for layer in run.layers:
        for fit in run.fits:
            found = run.segment(shown, "square", layer, fit=fit)["mask"].to_numpy()
            iou = (found & truth).sum() / (found | truth).sum()
            score = run.arrays(layer, fit=fit)["score"].sel(concept="square", split="val")
            assert iou == pytest.approx(float(score), abs=0.01)
    (moved / "bases.safetensors").write_bytes(b"damaged")
    with pytest.raises(Net2VecError, match=r"bases\.safetensors"):
        net2vec.open_run(moved, network=small_network(), transform=as_tensor).segment(
            shown, "square", "1@pca"
        )


def test_a_run_that_failed_after_its_bases_were_fitted_gives_its_folder_up(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise NetworkError("not today")

    write_autoencoder(tmp_path)
    monkeypatch.setattr("net2vec.pipeline.stages.probing.record", fail)
    with pytest.raises(NetworkError, match="not today"):
        analyze(tmp_path, tmp_path / "run", fit="paper")
    assert not (tmp_path / "run" / "run.toml").exists()
    assert not (tmp_path / "run" / "cache").exists()


def test_a_run_goes_on_with_its_own_bases(made, tmp_path, unreported):
    folder, run = made
    copy = shutil.copytree(run.path, tmp_path / "run")
    before = run.arrays("1@pca", fit="paper")["weight"].to_numpy()
    more = analyze(folder, copy, fit="paper,lda", seeds=2)
    np.testing.assert_array_equal(more.arrays("1@pca", fit="paper")["weight"].to_numpy(), before)
    write_autoencoder(folder, seed=1)
    try:
        with pytest.raises(
            NetworkError, match=r"the basis of 1@sae\.safetensors is not what it was"
        ):
            analyze(folder, copy, fit="paper,lda", seeds=3)
    finally:
        write_autoencoder(folder)
