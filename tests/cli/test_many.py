"""Several networks over one dataset: a folder each, one report; a failure stops no other."""

import pytest

from net2vec.cli import main
from net2vec.config import Settings
from net2vec.errors import ConfigError
from net2vec.pipeline import many
from net2vec.results import load_table

from builders_runs import write_network_file, write_small_folder

pytestmark = [pytest.mark.usefixtures("unpainted"), pytest.mark.slow]

FAST = (
    "--segment-epochs", "2", "--classify-epochs", "2", "--subsets", "none", "--layers", "last",
    "--fit", "paper", "--input", "64",
)  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("many")
    write_small_folder(folder / "data")
    write_network_file(folder)
    return folder


def call(*arguments):
    with pytest.raises(SystemExit) as exit_:
        main([str(argument) for argument in arguments])
    return exit_.value.code


def test_several_networks_share_a_report_and_a_failure_stops_no_other(place, tmp_path, capsys):
    file = place / "networks_of_mine.py"
    networks = ("--network", "nowhere", "--network", f"{file}:small")
    networks += ("--network", f"{file}:with_batch_norm")
    assert call("run", *networks, "--data", place / "data", "--out", tmp_path / "all", *FAST) == 2
    out, err = capsys.readouterr()
    assert out.strip().endswith("index.html")
    assert "1 of 3 runs failed: nowhere" in err
    folders = {path.name for path in (tmp_path / "all").iterdir()}
    assert folders == {"networks_of_mine.py-small", "networks_of_mine.py-with_batch_norm", "report"}
    page = (tmp_path / "all" / "report" / "index.html").read_text()
    assert "small" in page
    assert "with_batch_norm" in page


def test_a_file_of_runs(place, tmp_path, capsys):
    file = place / "networks_of_mine.py"
    runs = tmp_path / "runs.toml"
    runs.write_text(
        f"""
        network = '{file}:small'
        data = ['{place / "data"}']
        tasks = ["segment"]
        layers = ["last"]
        fit = "paper"
        input = "64"
        segment.epochs = 2
        segment.subsets = []
        [runs.one]
        [runs.other]
        seed = 5
        segment.learning_rate = 1e-3
        """
    )
    assert call("run", "--runs", runs, "--out", tmp_path / "both") == 0
    one, other = (load_table(tmp_path / "both" / name / "scores.csv") for name in ("one", "other"))
    assert len(one) == len(other)
    combined = one["method"] == "combined"
    assert (one["val"] != other["val"])[combined].any()
    assert (one["val"] == other["val"])[~combined].all()


def test_what_any_code_raises_stops_no_other_run(place, tmp_path, capsys, monkeypatch):
    file = place / "networks_of_mine.py"
    make = many.probe

    def failing(settings, *arguments, **options):
        if settings.network.endswith("small"):
            raise MemoryError("of the\nGPU")
        return make(settings, *arguments, **options)

    monkeypatch.setattr(many, "probe", failing)
    networks = ("--network", f"{file}:small", "--network", f"{file}:with_batch_norm")
    assert call("run", *networks, "--data", place / "data", "--out", tmp_path / "all", *FAST) == 2
    out, err = capsys.readouterr()
    assert "1 of 2 runs failed" in err
    assert "MemoryError('of the\\nGPU')" in err
    assert out.strip().endswith("index.html")


@pytest.mark.parametrize("option", ["--seed", "--subsets", "--segment-epochs", "--classify-batch"])
def test_a_file_of_runs_stands_alone(place, tmp_path, capsys, option):
    (tmp_path / "runs.toml").write_text("[runs.a]\nnetwork = 'alexnet'\ndata = ['diorama']")
    assert call("run", "--runs", tmp_path / "runs.toml", "--out", tmp_path / "out", option, 1) == 2
    assert "leave the other options out" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("network = 'alexnet'", "names no run"),
        ("[runs.a]\nnetwork = 'alexnet'", "data"),
        ("[runs.'a/b']\nnetwork = 'alexnet'", "cannot be a folder"),
        ("[runs.report]\nnetwork = 'alexnet'", "no run can be called 'report'"),
        ("[runs.'..']\nnetwork = 'alexnet'", "no run can be called '..'"),
        ("[runs.a]\ncolour = 3", "unknown colour"),
        ("segment = 3\n[runs.a]\ndata = ['diorama']\nsegment.epochs = 2", "network and data"),
        ("not toml", "TOML"),
        ("a = " + "[" * 10_000, "TOML: it is nested too deeply"),
    ],
)
def test_a_faulty_file_of_runs_is_refused(tmp_path, text, hint, capsys):
    (tmp_path / "runs.toml").write_text(text)
    assert call("run", "--runs", tmp_path / "runs.toml", "--out", tmp_path / "out") == 2
    assert hint in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_dataset_is_opened_once_for_all_runs_that_read_it_alike(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise ConfigError("not now")

    opened = []
    monkeypatch.setattr(many, "open_data", opened.append)
    monkeypatch.setattr(many, "probe", refuse)
    runs = {
        name: Settings.from_dict({"network": "alexnet", "data": "d", **more})
        for name, more in {"a": {}, "b": {"seed": 1}, "c": {"split": "draw"}}.items()
    }
    many.probe_many(runs, tmp_path)
    assert [settings.split for settings in opened] == [None, "draw"]
