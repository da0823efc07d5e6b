"""Examples in docstrings hold, on a small run of the name that they use."""

import doctest
import inspect

import matplotlib.pyplot as plt
import numpy as np
import pytest

import net2vec
from net2vec import figures
from net2vec.runs import Run, open_run
from net2vec.spaces import Space

from builders import build_run

EXAMPLES = {
    "net2vec.figures": figures,
    "open_run": open_run,
    "Run": Run,
    "Run.concepts": Run.concepts,
    "Run.filter": Run.filter,
    "Run.tables": Run.tables,
    "Space": Space,
}


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    build_run(tmp_path / "runs" / "resnet18", layers={"layer3": 6, "layer4": 8})
    plt.switch_backend("agg")
    yield
    plt.close("all")


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_hold(name):
    names = {"net2vec": net2vec, "np": np, "open_run": open_run, "Space": Space}
    found = doctest.DocTestParser().get_doctest(
        inspect.getdoc(EXAMPLES[name]), names, name, None, 0
    )
    assert found.examples
    printed = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found, out=printed.append)
    assert "".join(printed) == ""
