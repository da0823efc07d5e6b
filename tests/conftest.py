"""Shapes in signatures are checked in every test; what is cached goes to a folder of its own."""

import importlib
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

# An int is welcome where a float is.
install_import_hook(
    "net2vec", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)


# A machine that others use as well is slow now and then.
settings.register_profile("here", deadline=None, max_examples=50)
settings.load_profile("here")

# Tensors here are tiny: more threads would only wait for each other.
torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NET2VEC_CACHE", str(tmp_path_factory.mktemp("cache")))
        # The machine is not switched off: waiting for the disk proves nothing.
        patch.setattr("os.fsync", lambda descriptor: None)
        yield


@pytest.fixture(scope="session")
def shared_run(tmp_path_factory):
    """Gives the opened run of `build_run` with some options; tests share it and do not change it.

    Tables that were made of it once are there for the next test.
    """
    from net2vec.runs import open_run

    from builders import build_run

    opened = {}

    def get(**options):
        key = repr(sorted(options.items()))
        if key not in opened:
            opened[key] = open_run(build_run(tmp_path_factory.mktemp("shared") / "run", **options))
        return opened[key]

    return get


@pytest.fixture
def install_plugin(monkeypatch):
    """Installs entry points as packages would: `install_plugin(group, name, target)`."""
    from importlib.metadata import EntryPoint

    from net2vec.core import plugins

    points = []
    monkeypatch.setattr(
        plugins,
        "entry_points_of",
        lambda group: [one for one in points if one.group == group],
    )
    plugins._warn.cache_clear()
    return lambda group, name, target: points.append(EntryPoint(name, target, group))


@pytest.fixture
def unpainted(monkeypatch):
    """Reports have no painted figures, pictures and maps: most of the time of a small run."""
    do_not_paint(monkeypatch)


@pytest.fixture
def undrawn(monkeypatch):
    """Reports have no painted figures; pictures and maps are there."""
    page = importlib.import_module("net2vec.report.page")
    monkeypatch.setattr(page, "_save_drawing", lambda shown, folder: (4, 3))


def do_not_paint(patch):
    page = importlib.import_module("net2vec.report.page")
    for kind in ("drawing", "picture"):
        patch.setattr(page, f"_save_{kind}", lambda shown, folder, **_: (4, 3))
    space = importlib.import_module("net2vec.spaces.space").Space
    patch.setattr(space, "map", lambda self, **_: np.zeros((len(self), 2)))


@pytest.fixture(scope="session")
def without_paint():
    """A context in which fixtures of a module make runs as `unpainted` does."""

    @contextmanager
    def context():
        with pytest.MonkeyPatch.context() as patch:
            do_not_paint(patch)
            yield

    return context


@pytest.fixture
def unreported(monkeypatch):
    """Runs write no report: most of the time of a small one, and many tests never look at it."""
    monkeypatch.setattr("net2vec.pipeline.runner.write_report", lambda *_, **__: None)
