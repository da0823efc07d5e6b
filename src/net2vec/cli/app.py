"""The program: all commands, and the one place where errors become a line and an exit code."""

from __future__ import annotations

import atexit
import errno
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NoReturn

import typer

from net2vec.cli import apply, ask, data, dissect, explore, networks, run, spaces
from net2vec.cli.completion import complete_in_bash
from net2vec.cli.interruption import end_process, interrupted_by_signals
from net2vec.core.memory import keep_freed_memory
from net2vec.errors import Net2VecError

# Newer typers carry click inside, older ones import it: these are its errors in either.
_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
_ClickError: type[Any] = typer.BadParameter.__mro__[2]
_INTERRUPTED = 130

app = typer.Typer(
    name="net2vec",
    help="How the filters of a convolutional network encode concepts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
_COMMANDS: dict[str, Callable[..., None]] = {
    "demo": run.demo,
    "run": run.run,
    "report": run.report,
    "explore": explore.explore,
    "runs": ask.runs,
    "scores": ask.scores,
    "nearest": ask.nearest,
    "solve": ask.solve,
    "filter": ask.filter_,
    "compare": spaces.compare,
    "export": spaces.export,
    "apply": apply.apply,
    "dissect": dissect.dissect,
    "networks": networks.networks,
    "layers": networks.layers,
}
for name, command in _COMMANDS.items():
    app.command(name)(command)
app.add_typer(data.data_app, name="data")


def _print_version(is_asked: bool | None) -> None:
    if is_asked:
        from importlib.metadata import version

        typer.echo(f"net2vec {version('net2vec')}")
        raise typer.Exit


@app.callback()
def _root(
    show_version: Annotated[
        bool | None,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = None,
) -> None:
    pass


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the program and exit: 0, or 2 with one line where the input is at fault."""
    keep_freed_memory()
    # Of a damaged image Pillow says more, in lines of its own, than the one that is printed of it.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    given = sys.argv[1:] if arguments is None else list(arguments)
    if os.environ.get("_NET2VEC_COMPLETE") == "complete_bash":
        complete_in_bash(lambda: app(given, prog_name="net2vec"))
    signals: list[int] = []
    interrupted: list[int] = []
    if arguments is None:  # Python code that calls this goes on
        atexit.register(end_process, interrupted)  # the first, which is called last
    try:
        with interrupted_by_signals(signals):
            code = app(given, standalone_mode=False)
        if code == _INTERRUPTED:  # newer versions of typer return it
            raise KeyboardInterrupt
    except Net2VecError as error:
        _fail(str(error), 2)
    except _ClickError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help, if any is left
            typer.echo(error.format_message(), nl=False)
            sys.exit(2)
        hint = f" (see `{_command(error)} --help`)" if isinstance(error, _UsageError) else ""
        _fail(f"{error.format_message()}{hint}", 2)
    except (KeyboardInterrupt, typer.Abort):
        interrupted.append(128 + signals[0] if signals else _INTERRUPTED)
        _fail("interrupted; the same command again goes on where it was", interrupted[0])
    except BrokenPipeError:  # the reader of the output has closed it
        sys.stderr.close()
        sys.exit(0)
    except RuntimeError as error:
        # By name: PyTorch takes seconds to load, and may not have been needed.
        if type(error).__name__ != "OutOfMemoryError":
            raise
        _fail(
            "the GPU's memory is full; none is needed with --device cpu, and a run needs less with "
            "a smaller --probe-batch or with --workers 1",
            2,
        )
    except OSError as error:  # a path that cannot be made or written, a full disk
        if error.filename is None and error.errno in (errno.ENOSPC, errno.EDQUOT):
            _fail(
                f"{error.strerror}: make room where the run or the cache (NET2VEC_CACHE) is; the "
                f"same command again goes on where it was",
                2,
            )
        if error.strerror is None or error.filename is None:
            raise
        _fail(f"{error.filename}: {error.strerror}; choose another place, or make room there", 2)
    sys.exit(code if isinstance(code, int) else 0)


def _command(error: BaseException) -> str:
    context = getattr(error, "ctx", None)
    return context.command_path if context else "net2vec"


def _fail(message: str, code: int) -> NoReturn:
    print(f"net2vec: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201
    sys.exit(code)
