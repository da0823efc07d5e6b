"""Commands in the docs are understood by the program; those of tutorial and how-to pages are run.

A fenced block is run unless `<!-- parsed -->` stands before it. Other marks are
`<!-- quick: OPTIONS -->`: with these options and settings that take little time; and
`<!-- file: NAME -->`: the block is the content of that file.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
import typer
from PIL import Image

from net2vec.cli import main
from net2vec.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# In the order in which a reader goes through them: later pages use what earlier ones have made.
RUN = ("tutorial", "howto/own-data", "howto/publishing", "howto/figures", "howto/resources")
QUICK = ("--subsets", "none", "--segment-epochs", "1", "--classify-epochs", "1")
BLOCK = re.compile(r"(?:<!-- (?P<mark>.+?) -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)^```", re.S | re.M)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    mark: str
    kind: str
    text: str

    def commands(self):
        """The arguments of every `net2vec` command."""
        for line in self.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["net2vec"]:
                yield [word for word in words[1:] if word != "..."]


def blocks(page):
    return [
        Block(found["mark"] or "", found["kind"], found["text"])
        for found in BLOCK.finditer(page.read_text(encoding="utf-8"))
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_are_understood_and_python_is_python(page):
    for block in blocks(page):
        if block.kind == "python":
            compile(block.text, page.name, "exec")
        if block.kind in ("", "sh"):
            for arguments in block.commands():
                parse(arguments)


def parse(arguments):
    """Parse as the program does; without an error where the docs leave an argument out."""
    command, rest = typer.main.get_command(app), list(arguments)
    while hasattr(command, "commands") and rest and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    try:
        command.make_context("net2vec", rest)
    except typer.BadParameter.__mro__[1] as error:
        if "Missing" not in str(error):
            raise AssertionError(f"net2vec {shlex.join(arguments)}: {error}") from error


def test_a_wrong_option_is_found():
    with pytest.raises(AssertionError, match="--fitt"):
        parse(["run", "--fitt", "paper"])


@pytest.mark.docs
@pytest.mark.usefixtures("unpainted")
def test_tutorial_and_how_to_pages_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plt.switch_backend("agg")
    write_street(tmp_path / "street")
    for name in RUN:
        names = {}
        for block in blocks(ROOT / "docs" / f"{name}.md"):
            follow(block, names)
    assert {path.name for path in (tmp_path / "runs").iterdir()} == {
        "first", "finetuned", "published",
    }  # fmt: skip
    assert list((tmp_path / "found").glob("*.mask.png"))
    assert (tmp_path / "figure.pdf").stat().st_size


def follow(block, names):
    if block.mark == "parsed":
        return
    if block.mark.startswith("file: "):
        path = Path(block.mark.removeprefix("file: "))
        path.write_text(block.text, encoding="utf-8")
        made = {}
        exec(block.text, made)
        torch.save(made["finetuned"]().state_dict(), "finetuned.pt")
    elif block.kind == "python":
        exec(block.text, names)
    elif block.kind == "sh":
        for arguments in block.commands():
            quick = block.mark.startswith("quick:") and arguments[0] == "run"
            more = [*QUICK, *block.mark.removeprefix("quick:").split()] if quick else []
            with pytest.raises(SystemExit) as exit_:
                main([*arguments, *more])
            assert exit_.value.code == 0, arguments


def write_street(folder):
    """Small pictures with masks of three classes, in the layout of the page."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 8)):
        for kind in ("images", "masks"):
            (folder / kind / split).mkdir(parents=True)
        for index in range(count):
            mask = np.zeros((64, 64), np.uint8)
            mask[:20] = 1
            row, column = rng.integers(24, 40, 2)
            mask[row : row + 16, column : column + 16] = 2
            picture = rng.integers(0, 80, (64, 64, 3))
            picture[mask == 1] += np.array([60, 90, 170])
            picture[mask == 2] += np.array([150, 20, 20])
            Image.fromarray(picture.astype(np.uint8)).save(
                folder / "images" / split / f"{index:04}.jpg"
            )
            Image.fromarray(mask).save(folder / "masks" / split / f"{index:04}.png")
    (folder / "classes.txt").write_text("road\nsky\ncar\n")
