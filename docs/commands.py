"""Writes `docs/commands.md` from the commands of the program: `python docs/commands.py`."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from net2vec.cli.app import app
from net2vec.config import Settings
from net2vec.core.fields import declarations

PAGE = Path(__file__).with_name("commands.md")
HEAD = """# Command line

`net2vec --install-completion` sets up completion of commands, options, networks, runs, layers, fits
and concepts for bash, zsh, fish and PowerShell. Results go to the standard output, progress and
messages to the standard error; `--json` prints JSON. Exit codes: 0; 1 where `data check` found
faults; 2 where the input is at fault, with one line; 130 after Ctrl-C.

This page is written by `docs/commands.py`.
"""
_SETTINGS = {"_".join(declared.path) for declared in declarations(Settings)}


def page() -> str:
    """The page as Markdown: a section a command, with a table of its arguments and options."""
    lines = [HEAD]
    for name, command in _commands(typer.main.get_command(app)):
        lines += [f"## net2vec {name}\n", inspect.cleandoc(command.help or "").split("\n\n")[0]]
        rows = [_row(one) for one in command.params if one.name not in ("help", *_own(name))]
        if rows:
            lines += ["", "| argument | default | meaning |", "| --- | --- | --- |", *rows]
        if name == "run":
            lines += ["", "and every setting, as in [Settings](settings.md)."]
        lines.append("")
    return "\n".join(lines)


def _own(name: str) -> set[str]:
    """The parameters that stand on the page of settings."""
    return _SETTINGS if name == "run" else set()


def _commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    if path and not hasattr(command, "commands"):
        yield " ".join(path), command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*path, name))


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = parameter.metavar or parameter.name.upper()
    else:
        name = ", ".join((*parameter.opts, *parameter.secondary_opts))
    shown = parameter.show_default if isinstance(parameter.show_default, str) else None
    default = "" if parameter.default in (None, False, ...) else str(parameter.default)
    text = re.sub(r"\s+", " ", parameter.help or "").replace("|", "\\|")
    return f"| `{name}` | {'needed' if parameter.required else shown or default} | {text} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
