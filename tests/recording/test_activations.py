"""Activations that are kept beside a recording."""

from __future__ import annotations

import errno
import os
import pickle

import numpy as np
import pytest
import torch

from net2vec.core.executors import ThreadExecutor
from net2vec.errors import DataError
from net2vec.recording import probing, record
from net2vec.recording.activations import HIGHEST, ActivationWriter, halved
from net2vec.recording.recomputed import RecomputedActivations

from recordings import IMAGES, TAU, small_dataset, small_network

LAYERS = ["early", "late"]


def probe(folder, keep=LAYERS, **options):
    return record(
        small_network(), small_dataset(), LAYERS, quantile=TAU, batch=2, folder=folder,
        keep_activations=keep, **options,
    )  # fmt: skip


def dense(recording):
    return recording.activations.of(np.arange(IMAGES)).numpy()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return probe(tmp_path_factory.mktemp("whole"))


def test_they_are_the_outputs_of_the_layers(whole):
    for name, recording in whole.items():
        values = dense(recording)
        assert values.shape == recording.shape
        # Whole numbers are exact in half precision.
        np.testing.assert_allclose(values.mean(1), recording.means, rtol=1e-6, err_msg=name)
        on = values.reshape(IMAGES, -1, recording.filters) > recording.threshold
        np.testing.assert_array_equal(on.sum((1, 2)), np.diff(recording.starts))
    assert (
        whole["early"].activations.of(np.array([4, 1])).numpy() == dense(whole["early"])[[4, 1]]
    ).all()


def test_shards_write_the_same(whole, tmp_path):
    found = probe(tmp_path, executor=ThreadExecutor(2), shard_images=2)
    for name in LAYERS:
        np.testing.assert_array_equal(dense(found[name]), dense(whole[name]))


def test_they_are_found_again_and_made_again_where_damaged(whole, tmp_path):
    probe(tmp_path)
    told: list[int] = []
    probe(tmp_path, progress=told.append)
    assert told == [IMAGES]  # found
    path = tmp_path / "layer-001.activations"
    content = bytearray(path.read_bytes())
    content[7] ^= 1
    path.write_bytes(content)
    lines: list[str] = []
    found = probe(tmp_path, say=lines.append)
    assert "damaged" in lines[0]
    np.testing.assert_array_equal(dense(found["late"]), dense(whole["late"]))


def test_a_recording_without_them_is_made_again_with_them(whole, tmp_path):
    without = probe(tmp_path, keep=())
    assert without["early"].activations is None
    found = probe(tmp_path)
    np.testing.assert_array_equal(dense(found["early"]), dense(whole["early"]))


def test_an_interrupted_pass_goes_on(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "_CHECKPOINT_SECONDS", -1.0)

    def stop(images, done=[0]):  # noqa: B006 - counts over calls
        done[0] += images
        if done[0] >= 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probe(tmp_path, progress=stop)
    assert list(tmp_path.glob("*.part"))
    found = probe(tmp_path)
    for name in LAYERS:
        np.testing.assert_array_equal(dense(found[name]), dense(whole[name]))


def test_a_pass_whose_activations_are_gone_begins_again(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(probing, "_CHECKPOINT_SECONDS", -1.0)

    def stop(images):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probe(tmp_path, progress=stop)
    for path in tmp_path.glob("*.part"):
        path.unlink()
    found = probe(tmp_path)
    np.testing.assert_array_equal(dense(found["late"]), dense(whole["late"]))


def test_two_passes_at_a_time_do_not_write_to_one_file(tmp_path):
    writers = [ActivationWriter(tmp_path / "kept", token, "layer") for token in ("a", "b")]
    output = torch.rand(2, 3, 2, 2)
    writers[0].write(output, 0)
    writers[1].write(output[1:], 1)  # is behind
    found = writers[0].finish((2, 4, 3))
    np.testing.assert_array_equal(found.of(np.arange(2)), halved(output).float())
    assert writers[0].open((3, 4, 3)) is None  # of another shape


def test_a_file_that_is_too_short_is_told(tmp_path):
    writer = ActivationWriter(tmp_path / "kept", "a", "layer")
    writer.write(torch.rand(2, 3, 2, 2), 0)
    with pytest.raises(DataError, match="is the disk sound"):
        writer.finish((3, 4, 3))


def test_what_half_precision_cannot_hold_is_told(tmp_path):
    writer = ActivationWriter(tmp_path / "kept", "a", "late")
    writer.write(torch.tensor([[1e6, -1e5, 1e-6, 0.0, 1.0]]).view(1, 5, 1, 1), 0)
    told: list[str] = []
    writer.finish((1, 1, 5), told.append)
    assert told[0].startswith("late: activations of 2 of 5 filters reach 65504 and are clamped")
    assert told[1].startswith("late: activations of 1 of 5 filters are below 6e-5")


def test_values_beyond_half_precision_are_clamped():
    values = halved(torch.tensor([1e6, -1e6, 0.5]).view(1, 3, 1, 1))
    assert values.flatten().tolist() == [HIGHEST, -HIGHEST, 0.5]


def test_a_full_disk_names_the_file(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match=r"kept\.a\.part"):
        ActivationWriter(tmp_path / "kept", "a", "layer").write(torch.rand(1, 1, 1, 1), 0)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("room", [0, 1 << 20])
def test_the_network_computes_the_same_again(whole, tmp_path, name, room):
    kept = whole[name].activations
    found = RecomputedActivations(
        shape=whole[name].shape, network=small_network(), dataset=small_dataset(), layer=name,
        batch=2, device=torch.device("cpu"), mixed_precision=False, workers=2, folder=tmp_path,
        room=room,
    )  # fmt: skip
    images = np.array([4, 1, IMAGES - 1, 1])
    for each in (found, found.close_by(images), pickle.loads(pickle.dumps(found))):
        np.testing.assert_array_equal(each.values(images), kept.values(images))
        some = slice(1, 2)
        np.testing.assert_array_equal(each.values(images, some), kept.values(images, some))
    assert (found.close_by(images) is found) == (room == 0)
    assert list(tmp_path.iterdir()) == []
    assert kept.close_by(images) is kept
