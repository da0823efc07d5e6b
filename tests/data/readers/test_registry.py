"""Readers of other packages, found by their entry points."""

from __future__ import annotations

import json
import re
import sys
from functools import partial
from types import ModuleType

import numpy as np
import pytest

from net2vec.cli import main
from net2vec.data import open_dataset, open_datasets
from net2vec.data.protocol import Annotation, Plane, ProbeDataset
from net2vec.data.readers import Evidence, Reader
from net2vec.data.readers.masks import MaskDataset
from net2vec.data.readers.registry import READERS, known_readers
from net2vec.data.tools import find_faults
from net2vec.errors import DataError


class QuadrantReader(Reader):
    """Images listed in a file, with one label in their upper half."""

    layout = "quadrants"
    marks = "quadrants.txt"
    labels = ("", "top")
    categories = ("part",)
    splits = ("train", "val")
    digest = "quadrants"

    def __init__(self, folder):
        super().__init__(folder)
        self.images = (self.folder / "quadrants.txt").read_text().split()

    @classmethod
    def examine(cls, folder):
        found = ["quadrants.txt"] if (folder / "quadrants.txt").is_file() else []
        return Evidence(tuple(found))

    def annotation(self, index):
        return Annotation((Plane("part", np.array([[1, 1], [0, 0]])),))


class UnfinishedReader(Reader):
    layout = "unfinished"


def call(*arguments):
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    return exit_.value.code


@pytest.fixture
def install(monkeypatch, install_plugin):
    """Installs an entry point with a target in a module that contains the readers above."""
    module = ModuleType("quadrants_package")
    module.QuadrantReader, module.UnfinishedReader = QuadrantReader, UnfinishedReader
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return partial(install_plugin, "net2vec.readers")


@pytest.fixture
def folder(put, gray, tmp_path):
    """A folder that the built-in reader of masks would read as well."""
    for name in ("a.png", "b.png"):
        put(f"set/images/{name}", gray)
        put(f"set/masks/{name}", np.zeros((4, 6), np.uint8))
    put("set/classes.txt", "sky")
    put("set/quadrants.txt", "images/a.png images/b.png")
    return tmp_path / "set"


def test_an_installed_reader_opens_its_folders(install, folder, capsys):
    assert type(open_dataset(folder)) is MaskDataset
    install("quadrants", "quadrants_package:QuadrantReader")
    dataset = open_dataset(folder)
    assert type(dataset) is QuadrantReader
    assert isinstance(dataset, ProbeDataset)
    assert (dataset.name, dataset.labels) == ("set", ("", "top"))
    assert dataset.image(1).size == (6, 4)
    assert find_faults(folder) == []
    assert open_datasets([folder], colors=True, ignore=["red-c"]).layout == "quadrants"
    with pytest.raises(DataError, match="has categories of its own"):
        open_dataset(folder, category="scene")
    assert call("data", "info", folder, "--json") == 0
    assert json.loads(capsys.readouterr().out)["layout"] == "quadrants"
    assert call("data", "info", folder) == 0
    assert "layout       quadrants" in capsys.readouterr().out


def test_its_marks_are_named_where_no_layout_is_recognised(install, tmp_path):
    install("quadrants", "quadrants_package:QuadrantReader")
    with pytest.raises(DataError, match=r"known are quadrants \(quadrants\.txt\); Broden"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        (
            "no_such_package:Reader",
            "cannot be loaded: ModuleNotFoundError: .*'no_such_package'",
        ),
        (
            "quadrants_package:Missing",
            "cannot be loaded: AttributeError: .* no attribute 'Missing'",
        ),
        ("json:dumps", "is no subclass of net2vec.data.readers.base.Reader"),
        (
            "quadrants_package:UnfinishedReader",
            "lacks marks, annotation, digest, examine",
        ),
    ],
)
def test_a_broken_entry_point_is_skipped_with_one_line(install, folder, caplog, target, reason):
    install("broken", target)
    assert type(open_dataset(folder)) is MaskDataset
    assert type(open_dataset(folder)) is MaskDataset
    (record,) = caplog.records  # once, however many folders are opened
    assert record.levelname == "WARNING"
    line = rf"the reader 'broken' of {target} {reason}; update or uninstall that package"
    assert re.fullmatch(line, record.getMessage())
    with pytest.raises(DataError, match=line):
        open_dataset(folder, reader="broken")


def test_the_built_in_readers_are_listed_by_the_names_of_their_layouts():
    assert [reader.layout for reader in known_readers()] == list(READERS.names)
