"""Tensors in mapped files that have no name."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from net2vec.core import scratch
from net2vec.core.scratch import Scratch


@dataclass(frozen=True)
class Pair:
    one: Tensor
    other: Tensor
    inner: Pair | None = None
    name: str = "pair"


def test_tensors_of_all_types_keep_their_values_across_segments(monkeypatch):
    monkeypatch.setattr(scratch, "_SEGMENT_BYTES", 1 << 12)
    held = Scratch()
    values = [
        torch.arange(count, dtype=kind).view(shape)
        for count, shape in ((0, (0, 3)), (1, ()), (600, (20, 30)), (5000, (5000,)))
        for kind in (torch.uint8, torch.int64, torch.float32)
    ]
    values.append(torch.tensor([True, False]))
    kept = [held.put(each) for each in values]
    del held  # the tensors hold the files
    for each, own in zip(values, kept, strict=True):
        assert own.dtype == each.dtype
        assert torch.equal(own, each)
        assert own.data_ptr() != each.data_ptr() or not own.numel()
        assert own.data_ptr() % 64 == 0 or not own.numel()


def test_a_tensor_that_two_fields_share_is_written_once():
    shared = torch.arange(6.0)
    found = Scratch().put_fields(Pair(shared, shared.clone(), Pair(shared, shared)))
    assert found.inner is not None
    assert found.one.data_ptr() == found.inner.one.data_ptr() == found.inner.other.data_ptr()
    assert found.other.data_ptr() != found.one.data_ptr()
    assert torch.equal(found.other, shared)
    assert found.name == "pair"


def test_the_file_lies_in_the_temporary_folder_without_a_name(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    kept = Scratch().put(torch.ones(10))
    assert not list(tmp_path.iterdir())
    assert kept.sum() == 10


def test_a_full_disk_is_an_error_that_names_the_folder(monkeypatch, tmp_path):
    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left") as caught:
        Scratch().put(torch.ones(10))
    assert caught.value.filename == str(tmp_path)
