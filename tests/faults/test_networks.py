"""Networks and weights of every kind that cannot be used: each is refused in one line."""

from __future__ import annotations

import pickle
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from builders_faults import assert_refused

# Names of networks, and a part of the line that refuses them.
NAMES = {
    "resnet999": "there is no network 'resnet999'",
    "": "there is no network ''",
    "torchvision:nope": "nope",
    "timm:nope": "nope",
    "open_clip:nope": "nope",
    "../../etc/passwd": "there is no network",
    "x" * 5000: "there is no network",
    "missing.py:make": "there is no file missing.py",
    "missing_package.module:make": "cannot import missing_package.module",
    "os:path": "os has no function 'path'",
    "os:getcwd": "must return a torch module, not a str",
    "missing.pt2": "there is no file missing.pt2",
    "missing.prototxt": "missing.prototxt",
    "hf:./missing": "missing",
}

# What a file `net.py` holds, after imports; the network is `net.py:make`.
FILES = {
    "nothing": ("", "has no function 'make'"),
    "a syntax error": ("def make(:", "cannot import"),
    "zeros": ("\0", "cannot import"),
    "an import of what is not there": ("import not_there", "not_there"),
    "a number": ("make = 3", "has no function 'make'"),
    "a function that returns nothing": ("def make(): pass", "not a NoneType"),
    "a function that returns a number": ("def make(): return 3", "not a int"),
    "a function that wants arguments": ("def make(size): pass", "failed"),
    "a function that fails": ("def make(): raise KeyError('a\\nb')", "failed: KeyError"),
    "a function that exits": ("import sys\ndef make(): sys.exit(0)", "SystemExit(0)"),
    "a class of modules": ("class make(nn.Module): pass", "make"),
    "endless recursion": ("def make(): return make()", "RecursionError"),
    "no forward": ("def make(): return nn.Module()", "fails on an input"),
    "a forward that fails": (
        "class N(nn.Module):\n def forward(self, x): raise ValueError('a\\nb')\nmake = N",
        "fails on an input of shape",
    ),
    "a forward that exits": (
        "class N(nn.Module):\n def forward(self, x): raise SystemExit(0)\nmake = N",
        "fails on an input of shape",
    ),
    "endless recursion in forward": (
        "class N(nn.Module):\n def forward(self, x): return self.forward(x)\nmake = N",
        "fails on an input of shape",
    ),
    "weights of other sizes": (
        "def make(): return nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(5, 4, 3))",
        "fails on an input of shape",
    ),
    "four channels": ("def make(): return nn.Sequential(nn.Conv2d(4, 4, 3))", "fails on an input"),
    "the meta device": (
        "def make(): return nn.Conv2d(3, 4, 3, device='meta')",
        "parameters without values",
    ),
    "TorchScript": (
        "def make(): return torch.jit.trace(nn.Conv2d(3, 2, 3), torch.rand(1, 3, 8, 8))",
        "TorchScript cannot be recorded",
    ),
}

SOUND = "def make(): return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())"
STATE = {"0.weight": torch.zeros(4, 3, 3, 3), "0.bias": torch.zeros(4)}


def _save(path, value):
    torch.save(value, path)


def _cut(path, value):
    torch.save(value, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


class Evil:
    def __reduce__(self):
        return print, ("this code ran",)


def _evil(path):
    path.write_bytes(pickle.dumps(Evil()))


def _zip_of_text(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "text")


# What a file of weights is called and holds.
WEIGHTS = {
    "no file": ("w.pth", lambda path: None, "w.pth"),
    "a folder": ("w.pth", lambda path: path.mkdir(), "w.pth"),
    "an empty file": ("w.pth", lambda path: path.write_bytes(b""), "w.pth"),
    "zeros": ("w.pth", lambda path: path.write_bytes(bytes(1000)), "w.pth"),
    "text": ("w.pth", lambda path: path.write_text("weights"), "w.pth"),
    "a zip of text": ("w.pth", _zip_of_text, "w.pth"),
    "a cut file": ("w.pth", lambda path: _cut(path, STATE), "w.pth"),
    "code": ("w.pth", _evil, "w.pth"),
    "code in a list": ("w.pth", lambda path: _save(path, [Evil()]), "w.pth"),
    "a number": ("w.pth", lambda path: _save(path, 3), "w.pth"),
    "nothing": ("w.pth", lambda path: _save(path, None), "w.pth"),
    "an empty dictionary": ("w.pth", lambda path: _save(path, {}), "w.pth"),
    "a list of tensors": ("w.pth", lambda path: _save(path, list(STATE.values())), "w.pth"),
    "texts": ("w.pth", lambda path: _save(path, {"0.weight": "text"}), "w.pth"),
    "names that are numbers": ("w.pth", lambda path: _save(path, {0: torch.ones(3)}), "w.pth"),
    "another architecture": (
        "w.pth", lambda path: _save(path, {"fc.weight": torch.zeros(2, 2)}), "w.pth"
    ),
    "half of the weights": (
        "w.pth", lambda path: _save(path, {"0.bias": torch.zeros(4)}), "0.weight"
    ),
    "one weight more": (
        "w.pth", lambda path: _save(path, {**STATE, "1.weight": torch.zeros(3)}), "1.weight"
    ),
    "another size": (
        "w.pth", lambda path: _save(path, {**STATE, "0.bias": torch.zeros(5)}), "0.bias"
    ),
    "the meta device": (
        "w.pth", lambda path: _save(path, {**STATE, "0.bias": torch.zeros(4, device="meta")}), ""
    ),
    "several states": ("w.pth", lambda path: _save(path, {"a": STATE, "b": STATE}), "w.pth"),
    "safetensors: empty": ("w.safetensors", lambda path: path.write_bytes(b""), "w.safetensors"),
    "safetensors: zeros": (
        "w.safetensors", lambda path: path.write_bytes(bytes(64)), "w.safetensors"
    ),
    "safetensors: a huge header": (
        "w.safetensors", lambda path: path.write_bytes(b"\xff" * 8 + b"{}"), "w.safetensors"
    ),
    "safetensors: another architecture": (
        "w.safetensors", lambda path: save_file({"a": torch.zeros(2)}, path), "w.safetensors"
    ),
    "a caffemodel for a function": (
        "w.caffemodel", lambda path: path.write_bytes(b"\x0a\x02ab"), "w.caffemodel"
    ),
    "an unknown ending": ("w.weights", lambda path: path.write_bytes(b"abc"), "w.weights"),
}  # fmt: skip

# As a user sees them: Python shows warnings of libraries beside the line.
pytestmark = pytest.mark.filterwarnings("ignore")

INPUT = 'input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8 '
CONV = 'layer { name: "a" type: "Convolution" bottom: "%s" top: "a" convolution_param { %s } }'
PROTOTXTS = {
    "nothing": "",
    "noise": "\x01\x02 { } : ~",
    "an open brace": 'layer { name: "a"',
    "an unknown layer": INPUT + 'layer { name: "a" type: "Warp" bottom: "data" top: "a" }',
    "an unknown input": INPUT + CONV % ("nope", "num_output: 2 kernel_size: 1"),
    "no filters": INPUT + CONV % ("data", "num_output: 0 kernel_size: 1"),
    "a negative kernel": INPUT + CONV % ("data", "num_output: 2 kernel_size: -1"),
    "a kernel larger than the image": INPUT + CONV % ("data", "num_output: 2 kernel_size: 99"),
    "a number that is text": INPUT + CONV % ("data", "num_output: many kernel_size: 1"),
    "groups that do not divide": INPUT + CONV % ("data", "num_output: 4 kernel_size: 1 group: 2"),
    "a hundred thousand levels": "layer {" * 100_000,
}

PROGRAMS = {
    "nothing": lambda path: path.write_bytes(b""),
    "noise": lambda path: path.write_bytes(bytes(range(256))),
    "a folder": lambda path: path.mkdir(),
    "a zip of text": _zip_of_text,
    "a checkpoint": lambda path: _save(path, STATE),
    "a cut file": lambda path: _cut(path, STATE),
}


def write_network(folder, body):
    (folder / "net.py").write_text(f"import torch\nfrom torch import nn\n{body}\n")
    return f"{folder / 'net.py'}:make"


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", NAMES, ids=lambda name: name[:30] or "empty")
def test_a_name(name, capsys):
    assert_refused(["layers", name], NAMES[name], capsys)


@pytest.mark.parametrize("holds", FILES)
def test_a_file_with_a_function(holds, tmp_path, capsys):
    body, expected = FILES[holds]
    network = write_network(tmp_path, body)
    assert_refused(["layers", network], expected, capsys)


@pytest.mark.parametrize("holds", WEIGHTS)
def test_weights(holds, tmp_path, capsys):
    name, write, expected = WEIGHTS[holds]
    network = write_network(tmp_path, SOUND)
    write(tmp_path / name)
    assert_refused(["layers", network, "--weights", tmp_path / name], expected, capsys)


@pytest.mark.parametrize("holds", PROTOTXTS)
def test_a_prototxt(holds, tmp_path, capsys):
    path = tmp_path / "net.prototxt"
    path.write_text(PROTOTXTS[holds])
    assert_refused(["layers", path, "--weights", "random"], "", capsys)


@pytest.mark.parametrize("holds", PROGRAMS)
def test_a_program(holds, tmp_path, capsys):
    path = tmp_path / "net.pt2"
    PROGRAMS[holds](path)
    assert_refused(["layers", path], "net.pt2", capsys)


def test_the_network_of_these_tests_is_sound(tmp_path, capsys):
    network = write_network(tmp_path, SOUND)
    torch.save(nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).state_dict(), tmp_path / "w.pth")
    with pytest.raises(AssertionError):
        assert_refused(["layers", network, "--weights", tmp_path / "w.pth"], "", capsys)
