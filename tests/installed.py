"""What an installed net2vec does, in an environment of its own; `.ci/installed` runs this."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import net2vec

NETWORK = """
from torch import nn

def small():
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 12, 3, 2, 1), nn.ReLU())
"""
RUN = (
    *("run", "--network", "networks.py:small", "--data", "diorama:60", "--out", "run"),
    *("--input", "64", "--mask-size", "32", "--tasks", "segment", "--fit", "paper,lda"),
    *("--layers", "3", "--subsets", "none", "--segment-epochs", "1"),
)


def call(*arguments: str) -> str:
    program = Path(sys.executable).with_name("net2vec")
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"net2vec {' '.join(arguments)} ends with {done.returncode}:\n{done.stderr}")
    return done.stdout


def check() -> None:
    assert "site-packages" in net2vec.__file__
    assert call("--version") == f"net2vec {version('net2vec')}\n"
    assert "nearest" in call("--help")
    layers = json.loads(call("layers", "efficientnet_lite0", "--json"))
    assert "blocks.6.0.bn2" in {layer["layer"] for layer in layers}
    Path("networks.py").write_text(NETWORK, encoding="utf-8")
    page = Path(call(*RUN).strip())
    assert page.stat().st_size > 100_000
    assert len(json.loads(call("nearest", "run", "red", "--json"))) == 5
    run = net2vec.open_run("run")
    assert run.fits == ("paper", "lda")
    assert run.scores["val"].notna().any()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        check()
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("torch", "numpy", "pandas", "xarray")
    )
    print(f"net2vec {version('net2vec')} works where it is installed, with {versions}")
