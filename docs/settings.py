"""Writes `docs/settings.md` from the declarations of the settings: `python docs/settings.py`."""

from pathlib import Path
from typing import get_args, get_origin

from net2vec.config import GROUPS, Settings
from net2vec.core.fields import Declaration, declarations

PAGE = Path(__file__).with_name("settings.md")
HEAD = """# Settings

A setting has one name everywhere: `--min-train 5` on the command line of `net2vec run`,
`min_train = 5` in `run.toml`, `min_train=5` as an argument of `net2vec.analyze`. Those of the two
tasks are `--segment-epochs 5`, `segment.epochs = 5` and `segment={"epochs": 5}`; `--subsets` sets
the subsets of both tasks. A list is separated by commas on the command line (`--network`, `--data`
and `--ignore` are repeated instead), and is a list in a file and in Python. Every default is the
paper's; `net2vec.analyze` computes on the CPU unless `device` is given.

This page is written by `docs/settings.py`.
"""


def page() -> str:
    """The page as Markdown: a table for every group of settings."""
    lines = [HEAD]
    for group in GROUPS:
        lines += [f"## {group}\n", "| setting | type | default | values | meaning |"]
        lines += ["| --- | --- | --- | --- | --- |"]
        lines += [_row(one) for one in declarations(Settings) if one.group == group]
        lines.append("")
    return "\n".join(lines)


def _row(declared: Declaration) -> str:
    name = f"`{'.'.join(declared.path)}`"
    cells = (name, _type(declared), _default(declared), _values(declared), declared.help)
    return f"| {' | '.join(cells)} |"


def _type(declared: Declaration) -> str:
    arguments = [one for one in get_args(declared.type) if one not in (type(None), ...)]
    names = " or ".join(one.__name__ for one in arguments or [declared.type])
    return f"list of {names}" if get_origin(declared.type) is tuple else names


def _default(declared: Declaration) -> str:
    value = declared.default
    if declared.unset or value is ...:
        return declared.unset or "needed"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)


def _values(declared: Declaration) -> str:
    if declared.limits is not None:
        return f"{declared.limits} {declared.unit}".strip()
    return ", ".join(declared.choices)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
