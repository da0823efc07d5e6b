import io
import json
import zipfile

import pytest
import torch
from torch import nn
from torchvision.models import resnet18

from net2vec.errors import NetworkError
from net2vec.networks import list_layers, load_network, resolve_layers, run_layers


@pytest.fixture(scope="module")
def eager():
    torch.manual_seed(0)
    module = resnet18().eval()
    with torch.no_grad():  # fresh statistics would hide a wrong batch norm
        for part in module.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.running_mean.normal_(std=0.1)
                part.running_var.uniform_(0.5, 2)
    return module


def _save(module, path, images=2, dynamic=False):
    shapes = ({0: torch.export.Dim("images", min=1, max=64)},) if dynamic else None
    example = torch.zeros(images, 3, 64, 64)
    torch.export.save(torch.export.export(module, (example,), dynamic_shapes=shapes), path)


@pytest.fixture(scope="module", params=["fixed", "dynamic"])
def program(request, eager, tmp_path_factory):
    path = tmp_path_factory.mktemp("programs") / f"{request.param}.pt2"
    _save(eager, path, dynamic=request.param == "dynamic")
    return path


def test_nodes_of_the_graph_are_the_layers_of_the_eager_network(program, eager):
    network = load_network(str(program))
    assert network.preprocessing.size == 64
    assert network.module.fixed_batch == (2 if "fixed" in program.name else None)
    listed = {info.path: info for info in list_layers(network)}
    assert listed["conv2d"].kind == "aten.conv2d"
    assert listed["conv2d"].shape == (64, 32, 32)
    assert not listed["conv2d"].activation
    assert listed["relu_"].activation
    assert resolve_layers(network, ["relu__1?"])[-1] == "relu__16"

    batch = torch.randn(5, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    pairs = {
        "conv2d": "conv1",
        "batch_norm": "bn1",  # overwritten by the in-place ReLU
        "relu_": "relu",
        "batch_norm_2": "layer1.0.bn2",  # overwritten by the sum and the ReLU after it
        "relu__2": "layer1.0",
        "relu__16": "layer4",
        "linear": "fc",
    }
    ours = run_layers(network, batch, list(pairs))
    theirs = run_layers(eager, batch, list(pairs.values()))
    for node, path in pairs.items():
        torch.testing.assert_close(ours[node], theirs[path], atol=1e-5, rtol=1e-5)


def test_the_weights_are_in_the_program(tmp_path):
    torch.manual_seed(0)
    _save(Small().eval(), tmp_path / "small.pt2")
    first, second = (load_network(str(tmp_path / "small.pt2")) for _ in range(2))
    assert first.digest == second.digest
    assert first.weights == "file:small.pt2"
    assert first.trained
    with pytest.raises(NetworkError, match="holds its weights"):
        load_network(str(tmp_path / "small.pt2"), weights="random")
    _save(Small().eval(), tmp_path / "small.pt2")
    assert load_network(str(tmp_path / "small.pt2")).digest != first.digest


def test_the_digest_knows_the_graph(tmp_path):
    class Step(nn.Module):
        def __init__(self, sign):
            super().__init__()
            self.sign = sign

        def forward(self, batch):
            return (batch * self.sign).relu()

    digests = set()
    for sign in (1, -1):
        _save(Step(sign).eval(), tmp_path / "step.pt2")
        digests.add(load_network(str(tmp_path / "step.pt2")).digest)
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("module", "example"),
    [
        (nn.Linear(4, 2), torch.zeros(2, 4)),
        (nn.Conv2d(1, 2, 1), torch.zeros(2, 1, 8, 8)),
        (nn.Conv2d(3, 2, 1), torch.zeros(2, 3, 8, 9)),
    ],
)
def test_programs_that_take_something_else_are_told(tmp_path, module, example):
    path = tmp_path / "other.pt2"
    torch.export.save(torch.export.export(module.eval(), (example,)), path)
    with pytest.raises(NetworkError, match="must take one batch of square images"):
        load_network(str(path))


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 3)

    def forward(self, batch):
        return self.conv(batch).relu().flatten(1)


def _rewritten(path, target, change):
    """A copy of an archive, with `change(name, content)` for each file's content, or None."""
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            content = change(name, source.read(name))
            if content is not None:
                copy.writestr(name, content)
    return target


class Evil:
    def __reduce__(self):
        return exec, ("raise SystemExit('the file was executed')",)


def test_a_pickle_in_the_program_is_not_executed(tmp_path):
    _save(Small(), tmp_path / "good.pt2")
    buffer = io.BytesIO()
    torch.save((Evil(),), buffer)

    def put_pickle(name, content):
        return buffer.getvalue() if "sample_inputs" in name else content

    bad = _rewritten(tmp_path / "good.pt2", tmp_path / "bad.pt2", put_pickle)
    with pytest.raises(NetworkError, match="no readable exported program"):
        load_network(str(bad))


def test_objects_and_libraries_in_the_program_are_refused(tmp_path):
    _save(Small(), tmp_path / "good.pt2")
    for name in ("data/constants/custom_obj_0", "data/aotinductor/model/a.so"):
        bad = tmp_path / "bad.pt2"
        bad.write_bytes((tmp_path / "good.pt2").read_bytes())
        with zipfile.ZipFile(bad, "a") as archive:
            archive.writestr(f"good/{name}", b"code")
        with pytest.raises(NetworkError, match="could run any code"):
            load_network(str(bad))


@pytest.mark.parametrize(
    "size",
    [
        "__import__('os').system('true')",
        "Symbol('s0').__class__",
        "exec('1')",
        "Symbol('raise')",
        "[c for c in ()]",
        "lambda: 1",
    ],
)
def test_a_size_that_is_code_is_refused(tmp_path, size):
    _save(Small(), tmp_path / "good.pt2", dynamic=True)
    seen = []

    def put_code(name, content):
        if not name.endswith("models/model.json"):
            return content
        model = json.loads(content)

        def walk(part):
            if isinstance(part, dict):
                if "expr_str" in part:
                    seen.append(part["expr_str"])
                    part["expr_str"] = size
                part = list(part.values())
            for value in part if isinstance(part, list) else ():
                walk(value)

        walk(model)
        return json.dumps(model).encode()

    bad = _rewritten(tmp_path / "good.pt2", tmp_path / "bad.pt2", put_code)
    assert seen
    with pytest.raises(NetworkError, match="a size that is no number"):
        load_network(str(bad))


def test_broken_files_are_told_in_one_line(tmp_path):
    (tmp_path / "bad.pt2").write_bytes(b"PK\x03\x04 nothing")
    for name in ("bad.pt2", "absent.pt2"):
        with pytest.raises(NetworkError, match=r"no readable exported program|no file") as caught:
            load_network(str(tmp_path / name))
        assert "\n" not in str(caught.value)
