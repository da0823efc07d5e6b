"""From somebody else's run no code runs without the user's word."""

import pytest

from net2vec.config import Settings
from net2vec.explorer.probe import Probe
from net2vec.pipeline import probe
from net2vec.runs import open_run

from builders_runs import write_small_folder

NETWORK = """
from pathlib import Path

import torch

def make():
    (Path(__file__).parent / "has run").write_text("x")
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3, 2), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(6),
    )
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("foreign")
    (folder / "net.py").write_text(NETWORK)
    data = write_small_folder(folder / "data")
    settings = Settings.from_dict(
        {
            "network": f"{folder / 'net.py'}:make",
            "data": [str(data)],
            "layers": ["1"],
            "fit": "paper",
            "tasks": ["segment"],
            "segment": {"epochs": 2, "subsets": []},
        }
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("net2vec.pipeline.runner.write_report", lambda *_, **__: None)
        run = probe(settings, folder / "run")
    return run, folder / "has run"


def test_without_trust_there_are_pictures_and_no_masks(made, client):
    run, trace = made
    trace.unlink(missing_ok=True)
    served = client([open_run(run)])
    status = served.ask("status")
    assert status["pictures"]
    assert not status["masks"]
    assert "--trust" in status["reason"]
    image = served.ask("dataset-images")["image"][0]
    picture = served.get("/a-token/api/picture", params={"name": f"image:{image}"})
    assert picture.status_code == 200
    assert "--trust" in served.ask("found", 400, name=f"image:{image}")["error"]
    assert not trace.exists()


def test_with_trust_there_are_masks(made, client):
    run, trace = made
    trace.unlink(missing_ok=True)
    assert client([open_run(run, trust=True)]).ask("status")["masks"]
    assert trace.exists()


def test_a_failing_network_is_a_reason(made, monkeypatch):
    run, _ = made
    opened = Probe(open_run(run, trust=True))

    def fail(*_, **__):
        raise RuntimeError("no")

    monkeypatch.setattr("net2vec.runs.apply.open_network", fail)
    with pytest.raises(Exception, match="RuntimeError"):
        opened.viewer()
