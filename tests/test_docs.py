"""Commands in the docs are understood by the program; those of tutorial and how-to pages are run.

A fenced block is run unless `<!-- parsed -->` stands before it. Other marks are
`<!-- quick: OPTIONS -->`: with these options and settings that take little time; and
`<!-- file: NAME -->`: the block is the content of that file.
"""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import jaxtyping
import matplotlib.pyplot as plt
import numpy as np
import pytest
import timm
import torch
import typer
from huggingface_hub import constants
from PIL import Image
from safetensors.torch import save_file

from builders_annotators import write_segmenter
from builders_hub import write_cache
from net2vec.cli import main
from net2vec.cli.app import app

from builders_tables import images, write_dataset_cache, write_table

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# In the order in which a reader goes through them: later pages use what earlier ones have made.
RUN = ("tutorial", "howto/own-data", "howto/publishing", "howto/figures", "howto/resources")
CLASSES = "road\nsky\ncar\n"
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


def blocks(page, section=""):
    """The blocks of a page, or of what follows one of its headings of the second level."""
    text = page.read_text(encoding="utf-8")
    if section:
        (text,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.S | re.M)
    return [
        Block(found["mark"] or "", found["kind"], found["text"]) for found in BLOCK.finditer(text)
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


@pytest.fixture
def unchecked(monkeypatch):
    """Shapes are not checked, which takes a third of the time and which other tests do."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


@pytest.mark.docs
@pytest.mark.usefixtures("unpainted", "unchecked")
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
        if path.suffix != ".py":
            return
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
    for kind in ("images/train", "masks/train", "images/val", "masks/val"):
        (folder / kind).mkdir(parents=True)
    for name, picture, mask in street():
        Image.fromarray(picture).save(folder / "images" / f"{name}.jpg")
        Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
    (folder / "classes.txt").write_text(CLASSES)


def street():
    """Names, pictures and masks: sky above a road with a car."""
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 8)):
        for index in range(count):
            mask = np.zeros((64, 64), np.uint8)
            mask[:20] = 1
            row, column = rng.integers(24, 40, 2)
            mask[row : row + 16, column : column + 16] = 2
            picture = rng.integers(0, 80, (64, 64, 3))
            picture[mask == 1] += np.array([60, 90, 170])
            picture[mask == 2] += np.array([150, 20, 20])
            yield f"{split}/{index:04}", picture.astype(np.uint8), mask


# Stand-ins for what the reader of `your-data.md` has, by section.


def photographs_and_a_segmenter(folder, cache):
    name = "nvidia/segformer-b0-finetuned-ade-512-512"
    write_cache(cache, write_segmenter(folder / "model", "Segformer"), name)
    for path in ("photos", "by_hand/images", "by_hand/masks"):
        (folder / path).mkdir(parents=True)
    for number, (_, picture, mask) in enumerate(street()):
        Image.fromarray(picture).save(folder / f"photos/{number}.png")
        if number % 2:
            Image.fromarray(picture).save(folder / f"by_hand/images/{number}.png")
            Image.fromarray(mask).save(folder / f"by_hand/masks/{number}.png")
    (folder / "by_hand/classes.txt").write_text("wall\ndog\nwheel\n")


def tables_of_the_hub(folder, cache):
    for name, image, mask in (("NAME", "image", "mask"), ("PLANTS", "pixel_values", "semantic")):
        table = folder / name
        for split in ("train", "val"):
            rows = [row for row in street() if row[0].startswith(split)]
            columns = {image: [r[1] for r in rows], mask: [r[2] for r in rows]}
            columns["depth"] = columns[mask]
            columns = {key: images(pictures) for key, pictures in columns.items()}
            write_table(table / f"{split}.parquet", columns)
        if name == "NAME":
            (table / "id2label.json").write_text(json.dumps(dict(enumerate(CLASSES.split()))))
        write_dataset_cache(cache, table, f"ORG/{name}")
    (folder / "names.txt").write_text(CLASSES)


def brushed_cats(folder, cache):
    tasks = []
    for kind in ("images", "masks"):
        (folder / "project" / kind).mkdir(parents=True)
    for number, (_, picture, mask) in enumerate(street()):
        Image.fromarray(picture).save(folder / f"project/images/{number}.jpg")
        name = f"task-{number}-annotation-{number}-by-1-tag-Cat-0.png"
        Image.fromarray(np.where(mask == 2, 255, 0).astype(np.uint8)).save(
            folder / "project/masks" / name
        )
        result = {"from_name": "tag", "value": {"brushlabels": ["Cat"]}}
        image = {"image": f"/data/upload/1/0a1b2c3d-{number}.jpg"}
        done = [{"id": number, "result": [result]}]
        tasks.append({"id": number, "data": image, "annotations": done})
    (folder / "project/project-1-at-2024.json").write_text(json.dumps(tasks))


def a_checkpoint(folder, cache):
    write_street(folder / "project")
    for name, seed in (("model.safetensors", 0), ("tuned.pth", 1)):
        torch.manual_seed(seed)
        state = timm.create_model("resnet18").state_dict()
        if name == "tuned.pth":
            torch.save(state, folder / name)
        else:
            (folder / "hub").mkdir()
            save_file(state, folder / "hub" / name)
    write_cache(cache, folder / "hub", "timm/resnet18.a1_in1k")


SECTIONS = {
    "A folder of photographs and nothing else": (photographs_and_a_segmenter, "runs/mine/report"),
    "A Hugging Face dataset": (tables_of_the_hub, "runs/mine/report"),
    "Masks from Label Studio": (brushed_cats, "runs/mine/report"),
    "A fine-tuned checkpoint": (a_checkpoint, "compared"),
}


@pytest.mark.docs
@pytest.mark.usefixtures("unpainted", "unchecked")
@pytest.mark.parametrize("section", SECTIONS)
def test_what_is_said_of_your_own_data_runs(section, tmp_path, monkeypatch):
    write, page = SECTIONS[section]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    write(tmp_path, tmp_path / "cache")
    for block in blocks(ROOT / "docs" / "your-data.md", section):
        follow(block, {})
    assert (tmp_path / page / "index.html").is_file()
