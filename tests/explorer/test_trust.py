"""From somebody else's run no code runs without the user's word."""

import pytest

from net2vec.config import Settings
from net2vec.explorer.probe import Probe
from net2vec.pipeline import probe
from net2vec.runs import open_run

from builders_runs import write_small_folder, write_traced_network


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("foreign")
    network, trace = write_traced_network(folder)
    data = write_small_folder(folder / "data")
    settings = Settings.from_dict(
        {
            "network": network,
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
    return run, trace


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
