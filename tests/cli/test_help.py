"""Help, completion and the version: complete, and without loading what only commands need."""

import json
import os
import subprocess
import sys
from importlib.metadata import version

import pytest
import typer

import net2vec
from net2vec.cli import main
from net2vec.cli.app import app
from net2vec.config import Settings
from net2vec.core.fields import declarations

HEAVY = {
    "torch", "torchvision", "timm", "matplotlib", "sklearn", "scipy", "pandas", "xarray", "zarr",
}  # fmt: skip
COMMANDS = {
    "demo", "run", "report", "explore", "runs", "scores", "nearest", "solve", "filter", "compare",
    "dissect", "export", "apply", "networks", "layers", "data info", "data render", "data convert",
    "data fetch", "data check", "data describe", "data annotate",
}  # fmt: skip
EVERY_HELP = f"""
import contextlib, io, json, sys, typer
import net2vec
loaded = {{"import net2vec": sorted({HEAVY} & set(sys.modules))}}
from net2vec.cli import main
from net2vec.cli.app import app

def paths(command, path=()):
    yield path
    for name, inner in getattr(command, "commands", {{}}).items():
        yield from paths(inner, (*path, name))

for path in paths(typer.main.get_command(app)):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        main([*path, "--help"])
    loaded[" ".join(path)] = sorted({HEAVY} & set(sys.modules))
with contextlib.redirect_stdout(io.StringIO()) as told, contextlib.suppress(SystemExit):
    main(["--version"])
print(json.dumps([loaded, told.getvalue(), sorted({HEAVY} & set(sys.modules))]))
"""


def test_help_and_version_load_nothing_heavy():
    done = subprocess.run(
        [sys.executable, "-c", EVERY_HELP], capture_output=True, text=True, check=True
    )
    loaded, told, after = json.loads(done.stdout)
    assert set(loaded) == {"import net2vec", "", "data"} | COMMANDS
    assert {name: heavy for name, heavy in loaded.items() if heavy} == {}
    assert told.strip() == f"net2vec {version('net2vec')}"
    assert after == []


def test_commands_and_options_are_completed():
    asked = {
        "_NET2VEC_COMPLETE": "complete_bash", "COMP_WORDS": "net2vec run --se", "COMP_CWORD": "2",
    }  # fmt: skip
    code = "import sys; sys.argv = ['net2vec']; from net2vec.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | asked
    )
    assert {"--seed", "--seeds", "--segment-epochs"} <= set(done.stdout.split())
    assert all(option.startswith("--se") for option in done.stdout.split())


def test_public_names_are_found_when_they_are_asked_for():
    for name in net2vec.__all__:
        assert getattr(net2vec, name).__name__ == name
        assert name in dir(net2vec)
    with pytest.raises(AttributeError, match="no attribute 'probe'"):
        net2vec.probe  # noqa: B018


def test_every_setting_is_an_option_with_its_default():
    command = typer.main.get_command(app).commands["run"]
    options = {option.name: option for option in command.params}
    for declared in declarations(Settings):
        option = options.pop("_".join(declared.path))
        assert f"--{'-'.join(declared.path)}".replace("_", "-") in option.opts
        assert option.help == f"{declared.help}."
        if isinstance(declared.default, str | int | float):
            assert option.default == declared.default
    machine = {"workers", "keep_activations", "scheduler", "scheduler_file"}
    assert set(options) == {"out", "config", "runs", "subsets"} | machine


def test_help_fits_a_terminal_of_80_columns(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main(["run", "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert not [line for line in lines if "…" in line]  # nothing is cut off
    for heading in ("Probe", "Fits", "Statistics", "Machine"):
        assert [line for line in lines if line.startswith(f"╭─ {heading} ─")]
