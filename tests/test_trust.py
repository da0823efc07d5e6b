"""Somebody else's run runs no code here unless the user says that it is trusted."""

import sys

import pytest

import net2vec
from net2vec.cli import app
from net2vec.errors import NetworkError
from net2vec.networks import load_network

from builders_runs import write_small_folder, write_traced_network


@pytest.fixture(scope="module")
def made(tmp_path_factory, without_paint):
    """A finished run of a network in a file, and what its code leaves behind."""
    folder = tmp_path_factory.mktemp("foreign")
    network, trace = write_traced_network(folder)
    data = write_small_folder(folder / "data")
    arguments = [
        "run", "--network", network, "--data", str(data), "--layers", "1",
        "--fit", "paper", "--tasks", "segment", "--subsets", "none", "--segment-epochs", "2",
        "--out", str(folder / "run"),
    ]  # fmt: skip
    with without_paint(), pytest.raises(SystemExit) as ended:
        app.main(arguments)
    assert ended.value.code in (0, None)
    assert trace.exists()  # the command named it: it is the user's own
    return folder / "run", trace


def test_reading_results_runs_nothing(made, capsys):
    run, trace = made
    trace.unlink(missing_ok=True)
    opened = net2vec.open_run(run)
    concept = str(opened.vectors()["concept"].values[0])
    for arguments in (["scores", str(run)], ["nearest", str(run), concept], ["export", str(run)]):
        with pytest.raises(SystemExit):
            app.main(arguments)
    assert not trace.exists()


def test_new_images_need_trust(made, tmp_path, capsys):
    run, trace = made
    trace.unlink(missing_ok=True)
    image = next((run.parent / "data" / "images").rglob("*.png"))
    concept = str(net2vec.open_run(run).vectors()["concept"].values[0])
    arguments = ["apply", str(run), str(image), "--concept", concept, "--out", str(tmp_path)]
    with pytest.raises(SystemExit) as ended:
        app.main(arguments)
    assert ended.value.code == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "whose code would run on this machine" in told
    assert "--trust" in told
    with pytest.raises(NetworkError, match="trust=True"):
        net2vec.open_run(run).segment(image, concept)
    assert not trace.exists()
    with pytest.raises(SystemExit) as ended:
        app.main([*arguments, "--trust"])
    assert ended.value.code in (0, None)
    assert trace.exists()
    assert net2vec.open_run(run, trust=True).segment(image, concept)["mask"].ndim == 3


@pytest.mark.usefixtures("unpainted")
def test_a_report_without_trust_has_no_pictures(made, tmp_path, capsys):
    run, trace = made
    trace.unlink(missing_ok=True)
    for options, ran in (([], False), (["--trust"], True)):
        with pytest.raises(SystemExit) as ended:
            app.main(["report", str(run), "--out", str(tmp_path / str(ran)), *options])
        assert ended.value.code in (0, None)
        assert trace.exists() == ran
        told = " ".join(capsys.readouterr().err.split())
        assert ("no pictures in the report" in told) == (not ran)


@pytest.mark.parametrize(
    "model",
    [
        "from blocks import BLOCK\ndef build():\n    return BLOCK\n",
        "def build():\n    from blocks import BLOCK\n    return BLOCK\n",
    ],
)
def test_a_file_imports_what_lies_beside_it_and_nothing_of_another_folder(tmp_path, model):
    path = list(sys.path)
    for channels in (2, 5):
        folder = tmp_path / str(channels)
        folder.mkdir()
        block = f"import torch\nBLOCK = torch.nn.Conv2d(3, {channels}, 3)\n"
        (folder / "blocks.py").write_text(block)
        (folder / "model.py").write_text(model)
        network = load_network(f"{folder / 'model.py'}:build")
        assert network.module.out_channels == channels
    assert sys.path == path


@pytest.mark.parametrize("where", ["", "    "])
def test_a_file_that_exits_is_an_error(tmp_path, where):
    body = "import sys\ndef build():\n    pass\n" + f"{where}sys.exit(0)\n"
    (tmp_path / "model.py").write_text(body)
    with pytest.raises(NetworkError, match=r"SystemExit\(0\)"):
        load_network(f"{tmp_path / 'model.py'}:build")
