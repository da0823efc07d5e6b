"""Functions and results that travel as files."""

from __future__ import annotations

import pickle
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from net2vec.core import stored
from net2vec.core.stored import StoredResult, fault_of_process, own_versions, store_function
from net2vec.errors import ConfigError
from net2vec.networks.sources.python import _import_file


@pytest.fixture(autouse=True)
def _nothing_loaded(monkeypatch):
    monkeypatch.setattr(stored, "_loaded", stored._loaded.__class__())


def scale(values: np.ndarray, factor: float) -> np.ndarray:
    return values * factor


def total(values: np.ndarray, item: int) -> float:
    return float(values.sum()) + item


def test_a_message_is_small_and_arrays_are_mapped(tmp_path):
    values = np.random.default_rng(0).normal(size=(300, 1000))
    message = pickle.dumps(store_function(partial(total, values), tmp_path))
    assert len(message) < 2000
    assert pickle.loads(message)(3) == total(values, 3)
    (function,) = stored._loaded.values()
    assert isinstance(function.args[0].base.base, np.memmap)


def test_the_same_array_is_written_once(tmp_path):
    values = np.arange(100_000.0)
    store_function(partial(total, values), tmp_path)
    before = {path.name for path in tmp_path.iterdir()}
    store_function(partial(scale, values), tmp_path)
    assert len({path.name for path in tmp_path.iterdir()} - before) == 1  # the other function


def test_what_is_mapped_already_is_not_copied(tmp_path):
    mapped = np.memmap(tmp_path / "masks", np.uint8, "w+", shape=(1000, 1000))
    mapped[500] = 7
    folder = tmp_path / "sent"
    function = pickle.loads(pickle.dumps(store_function(partial(total, mapped), folder)))
    assert function(1) == 7001
    assert sum(path.stat().st_size for path in folder.iterdir()) < 10_000
    # A part does not know where it begins, and travels as an array.
    assert store_function(partial(total, mapped[499:501]), folder)(1) == 7001


def test_large_results_travel_as_files_and_are_read_once(tmp_path):
    function = store_function(partial(scale, np.ones(100_000)), tmp_path)
    before = set(tmp_path.iterdir())
    result = function(2.0)
    assert isinstance(result, StoredResult)
    np.testing.assert_array_equal(result.take(), np.full(100_000, 2.0))
    assert set(tmp_path.iterdir()) == before
    assert store_function(partial(total, np.ones(3)), tmp_path)(1) == 4.0


def test_a_module_from_a_file_travels_by_value(tmp_path):
    (tmp_path / "model.py").write_text(
        "import torch\n"
        "class Own(torch.nn.Linear):\n"
        "    def forward(self, x):\n"
        "        return super().forward(x) + 1\n"
    )
    module = _import_file(tmp_path / "model.py")
    network = module.Own(2, 2)
    x = torch.ones(1, 2)
    with torch.no_grad():
        expected = network(x)
    function = store_function(network, tmp_path / "sent")
    del sys.modules[module.__name__]  # as in a process that has not imported it
    with torch.no_grad():
        assert torch.equal(function(x), expected)


def test_a_main_module_of_two_names_is_no_obstacle(tmp_path, monkeypatch):
    main = ModuleType("__main__")
    main.__file__ = "script.py"
    for name in ("__main__", "__mp_main__"):  # as multiprocessing leaves them
        monkeypatch.setitem(sys.modules, name, main)
    assert store_function(partial(total, np.ones(3)), tmp_path)(1) == 4.0


def test_what_cannot_travel_is_refused_in_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"cannot be sent.*generator.*--scheduler") as refused:
        store_function(partial(total, (one for one in ())), tmp_path)
    assert "\n" not in str(refused.value)


def test_a_process_that_cannot_compute_says_why(tmp_path):
    (tmp_path / "seen").touch()
    assert fault_of_process(tmp_path / "seen", own_versions()) == ""
    assert "does not see" in fault_of_process(tmp_path / "hidden", own_versions())
    older = own_versions() | {"torch": "1.0"}
    assert "and here is 1.0" in fault_of_process(tmp_path / "seen", older)
    function = store_function(partial(total, np.ones(3)), tmp_path)
    function.path.unlink()
    with pytest.raises(ConfigError, match="does not see"):
        function(1)


def test_a_process_keeps_two_functions(tmp_path):
    functions = [store_function(partial(total, np.full(3, n)), tmp_path) for n in range(4)]
    assert [function(0) for function in functions] == [0, 3, 6, 9]
    assert list(stored._loaded) == [str(function.path) for function in functions[2:]]
    assert all(isinstance(path, str) and Path(path).is_file() for path in stored._loaded)
