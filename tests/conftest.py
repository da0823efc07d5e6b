"""Shapes in signatures are checked in every test; what is cached goes to a folder of its own."""

import importlib

import pytest
import torch
from jaxtyping import install_import_hook

# An int is welcome where a float is.
install_import_hook(
    "net2vec", "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)


# Tensors here are tiny: more threads would only wait for each other.
torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NET2VEC_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def unpainted(monkeypatch):
    """Figures and pictures of reports are not painted: half of the time of a small run."""
    page = importlib.import_module("net2vec.report.page")
    for kind in ("drawing", "picture"):
        monkeypatch.setattr(page, f"_save_{kind}", lambda shown, folder: (4, 3))


@pytest.fixture
def unreported(monkeypatch):
    """Runs write no report: most of the time of a small one, and many tests never look at it."""
    monkeypatch.setattr("net2vec.pipeline.runner.write_report", lambda *_, **__: None)
