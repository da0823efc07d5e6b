import io
import pickle
import re
import struct
import zipfile
from argparse import Namespace
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from net2vec.errors import NetworkError
from net2vec.networks.weights.checkpoints import load_checkpoint, read_state_dict


def _module(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2))


def _equal(module, other):
    mine, theirs = module.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[k], theirs[k]) for k in mine)


def _prefixed(state):
    return {f"module.{key}": value for key, value in state.items()}


def _inside(state):
    return {key.replace("0.", "0.module.", 1): value for key, value in state.items()}


@pytest.mark.parametrize(
    "disguise",
    [
        dict,
        _prefixed,
        _inside,
        lambda state: {f"_orig_mod.{key}": value for key, value in state.items()},
        lambda state: {"state_dict": _prefixed(state), "epoch": 90, "arch": "alexnet"},
        lambda state: {"model": {"state_dict": dict(state)}},
        lambda state: {"model": state, "args": Namespace(lr=0.1)},
        lambda state: {"params": {"lr": 0.1}, "ema_state_dict": state},
        lambda state: {"params": state, "params_ema": {key: 0 * state[key] for key in state}},
        lambda state: {"teacher": state, "optimizer": {"state": {0: {"step": torch.ones(1)}}}},
        lambda state: {f"backbone.{key}": value for key, value in state.items()},
        lambda state: {
            "state_dict": {f"model.{key}": value for key, value in _prefixed(state).items()}
            | {"loss.weight": torch.ones(2)}
        },
    ],
)
def test_a_state_dict_is_found_under_every_disguise(tmp_path, disguise):
    source, target = _module(1), _module(2)
    assert not _equal(source, target)
    torch.save(disguise(source.state_dict()), tmp_path / "weights.pth")
    load_checkpoint(target, tmp_path / "weights.pth")
    assert _equal(source, target)


def test_the_old_format_and_safetensors_load(tmp_path):
    source = _module(1)
    old = tmp_path / "old.pth.tar"
    torch.save({"state_dict": source.state_dict()}, old, _use_new_zipfile_serialization=False)
    assert not zipfile.is_zipfile(old)
    safe = tmp_path / "new.safetensors"
    save_file(source.state_dict(), safe)
    for path in (old, safe):
        target = _module(2)
        load_checkpoint(target, path)
        assert _equal(source, target)


class Python2Pickler(pickle._Pickler):
    """Pickles as torch 0.2 did under Python 2: byte strings, storages on the GPU."""

    dispatch = pickle._Pickler.dispatch.copy()

    def __init__(self, file):
        super().__init__(file, protocol=2)
        self.storages = {}

    def save_str(self, text):
        data = text.encode("latin1")
        self.write(pickle.SHORT_BINSTRING + bytes([len(data)]) + data)
        self.memoize(text)

    dispatch[str] = save_str

    def persistent_id(self, thing):
        if not isinstance(thing, Storage):
            return None
        key = str(len(self.storages))
        self.storages[key] = thing.array
        return ("storage", torch.cuda.FloatStorage, key, "cuda:0", thing.array.size, None)


class Storage:
    def __init__(self, array):
        self.array = array


class Rebuilt:
    """A tensor as it was pickled before there were gradients in it."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __reduce__(self):
        array = self.tensor.contiguous().numpy()
        stride = tuple(self.tensor.contiguous().stride())
        return torch._utils._rebuild_tensor, (Storage(array), 0, array.shape, stride)


class Python2OrderedDict:
    def __init__(self, items):
        self.items = items

    def __reduce__(self):
        return OrderedDict, ([list(item) for item in self.items],)


def _python2_file(state):
    """The bytes of a checkpoint as Places365 published its own."""
    file = io.BytesIO()
    for header in (0x1950A86A20F9469CFC6C, 1001):
        pickle.dump(header, file, protocol=2)
    sizes = {"short": 2, "int": 4, "long": 8}
    Python2Pickler(file).dump(
        {"protocol_version": 1001, "little_endian": True, "type_sizes": sizes}
    )
    pickler = Python2Pickler(file)
    tensors = [(f"module.{key}", Rebuilt(tensor)) for key, tensor in state.items()]
    pickler.dump(
        {
            "epoch": 90,
            "arch": "alexnet",
            "best_prec1": 53.2,
            "state_dict": Python2OrderedDict(tensors),
        }
    )
    Python2Pickler(file).dump(sorted(pickler.storages))
    for key in sorted(pickler.storages):
        array = pickler.storages[key]
        file.write(struct.pack("<q", array.size) + array.astype("<f4").tobytes())
    return file.getvalue()


def test_checkpoints_of_python_2_load(tmp_path):
    source = _module(1)
    state = {key: value for key, value in source.state_dict().items() if value.is_floating_point()}
    content = _python2_file(state)
    assert b"U\x05epoch" in content
    assert b"torch.cuda\nFloatStorage" in content
    (tmp_path / "alexnet_places365.pth.tar").write_bytes(content)
    target = _module(2)
    load_checkpoint(target, tmp_path / "alexnet_places365.pth.tar")
    assert _equal(source, target)


def test_a_module_with_a_part_called_module_keeps_its_name(tmp_path):
    source = nn.ModuleDict({"module": nn.Linear(2, 2)})
    torch.save(source.state_dict(), tmp_path / "w.pth")
    target = nn.ModuleDict({"module": nn.Linear(2, 2)})
    load_checkpoint(target, tmp_path / "w.pth")
    assert _equal(source, target)


def test_files_older_than_the_batch_counter_load(tmp_path):
    state = _module(1).state_dict()
    del state["1.num_batches_tracked"]
    torch.save(dict(state), tmp_path / "w.pth")
    target = _module(2)
    load_checkpoint(target, tmp_path / "w.pth")
    assert torch.equal(target[0].weight, state["0.weight"])


def test_what_does_not_fit_is_listed_and_nothing_is_loaded(tmp_path):
    state = _module(1).state_dict()
    state["2.weight"] = state.pop("0.bias")
    state["1.bias"] = torch.zeros(5)
    torch.save(state, tmp_path / "w.pth")
    target = _module(2)
    with pytest.raises(NetworkError) as caught:
        load_checkpoint(target, tmp_path / "w.pth")
    message = str(caught.value)
    assert "1 missing (0.bias)" in message
    assert "1 unexpected (2.weight)" in message
    assert "1 of another shape (1.bias (5,) for (2,))" in message
    assert "\n" not in message
    assert _equal(target, _module(2))


def test_weights_without_values_are_told_and_nothing_is_loaded(tmp_path):
    state = _module(1).state_dict()
    state["1.weight"] = state["1.weight"].to("meta")
    torch.save(state, tmp_path / "w.pth")
    target = _module(2)
    with pytest.raises(NetworkError, match="without values") as caught:
        load_checkpoint(target, tmp_path / "w.pth")
    assert "\n" not in str(caught.value)
    assert _equal(target, _module(2))


def test_ignored_keys_may_be_there(tmp_path):
    state = dict(_module(1).state_dict()) | {"aux1.conv.weight": torch.zeros(1)}
    torch.save(state, tmp_path / "w.pth")
    load_checkpoint(_module(2), tmp_path / "w.pth", ignore=("aux1.",))
    with pytest.raises(NetworkError, match="unexpected"):
        load_checkpoint(_module(2), tmp_path / "w.pth")


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit('the file was executed')",)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("thing", [Evil(), nn.Linear(1, 1)])
def test_pickled_objects_are_refused_with_the_way_out(tmp_path, thing, zipped):
    path = tmp_path / "model.pth"
    torch.save({"model": thing}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(NetworkError, match=r"holds pickled objects.*convert it once") as caught:
        read_state_dict(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (lambda module: module, "c.state_dict()"),
        (
            lambda module: {"model": module.state_dict(), "args": {"out": Path("x")}},
            "c['model']",
        ),
        (lambda module: {"model": module}, "c['model'].state_dict()"),
    ],
)
def test_the_way_to_convert_pickled_objects_works(tmp_path, monkeypatch, content, state):
    monkeypatch.chdir(tmp_path)
    source, target = _module(1), _module(2)
    torch.save(content(source), tmp_path / "model.pth")
    with pytest.raises(NetworkError) as caught:
        read_state_dict(tmp_path / "model.pth")
    message = str(caught.value)
    assert state in message
    code = re.search(r"c = torch\.load.*'weights\.pth'\)", message)[0]
    exec(code.replace("STATE", state), {"torch": torch})
    load_checkpoint(target, tmp_path / "weights.pth")
    assert _equal(source, target)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        (("student", "teacher"), "2 networks, student and teacher"),
        (("encoder", "decoder"), "tensors in encoder, decoder"),
    ],
)
def test_where_the_weights_are_unclear_the_keys_are_listed(tmp_path, monkeypatch, keys, told):
    monkeypatch.chdir(tmp_path)
    states = [_module(seed).state_dict() for seed in (1, 2)]
    torch.save(dict(zip(keys, states, strict=True)) | {"epoch": 3}, tmp_path / "model.pth")
    with pytest.raises(NetworkError, match=told) as caught:
        read_state_dict(tmp_path / "model.pth")
    exec(re.search(r"torch\.save\(.*", str(caught.value))[0], {"torch": torch})
    assert torch.equal(read_state_dict(tmp_path / "weights.pth")["0.bias"], states[0]["0.bias"])


@pytest.mark.filterwarnings("ignore")
def test_programs_are_told_from_checkpoints(tmp_path):
    module, batch = nn.Linear(2, 2), torch.zeros(3, 2)
    torch.jit.trace(module, batch).save(tmp_path / "script.pt")
    torch.export.save(torch.export.export(module, (batch,)), tmp_path / "program.pt2")
    for name in ("script.pt", "program.pt2"):
        with pytest.raises(NetworkError, match=r"holds a program.*named with --network"):
            read_state_dict(tmp_path / name)
    torch.save(module.state_dict(), tmp_path / "weights.pt")
    assert read_state_dict(tmp_path / "weights.pt").keys() == {"weight", "bias"}


def test_a_file_of_two_networks_is_refused(tmp_path):
    state = _module(1).state_dict()
    both = {
        f"{name}.{key}": value for name in ("student", "teacher") for key, value in state.items()
    }
    torch.save(both, tmp_path / "both.pth")
    with pytest.raises(NetworkError, match=r"2 networks, under student\. and teacher\."):
        load_checkpoint(_module(2), tmp_path / "both.pth")


def test_broken_files_are_told_in_one_line(tmp_path):
    whole = io.BytesIO()
    torch.save(_module().state_dict(), whole)
    content = whole.getvalue()
    cases = {
        "cut.pth": content[: len(content) // 2],
        "empty.pth": b"",
        "text.pth": b"<html>404</html>",
        "noise.pth": bytes(range(256)) * 8,
        "bad.safetensors": b"\x08\0\0\0\0\0\0\0notjson!",
    }
    for name, data in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(NetworkError, match=r"damaged|no readable") as caught:
            read_state_dict(tmp_path / name)
        assert "\n" not in str(caught.value)
    with pytest.raises(NetworkError, match="there is no weights file"):
        read_state_dict(tmp_path / "absent.pth")


def test_files_without_weights_are_told(tmp_path):
    torch.save([1, 2], tmp_path / "list.pth")
    torch.save({"epoch": 3}, tmp_path / "none.pth")
    endless = {"epoch": 3}
    endless["model"] = endless
    torch.save(endless, tmp_path / "endless.pth")
    with pytest.raises(NetworkError, match="holds a list, not a state dict"):
        read_state_dict(tmp_path / "list.pth")
    for name in ("none.pth", "endless.pth"):
        with pytest.raises(NetworkError, match="holds no weights"):
            read_state_dict(tmp_path / name)
