"""All parts of a run exchanged at once: whenever it is killed, the old or the new ones are there.

New parts are written into a hidden folder within the run's. Its rename is the exchange; moving the
parts to where they belong can be repeated, and is done before a run is read or added to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from net2vec.core.locks import locked_folder
from net2vec.core.storage import flush_folder, remove, replacing
from net2vec.errors import ResultsError

PARTS = (
    "results.zarr", "scores.csv", "skipped.csv", "batch_norm.safetensors", "bases.safetensors",
    "tables", "report", "run.toml", "provenance.json",
)  # fmt: skip
"""The files and folders of a run: the first is there as long as no part of an update is in its
place, the last says that the run is finished.
"""

_UPDATE, _BEFORE = ".update", "before"
_LOCK = Path("cache", "update")


@contextmanager
def exchanging(folder: Path, check: Callable[[], object]) -> Iterator[Path]:
    """Replace all parts of a run by those that are written inside; a part not written is removed.

    Args:
        folder: the run's.
        check: called when all is written and other processes wait; raises an error if the run is
            no longer the one to which the new parts belong.

    Yields:
        The folder to write into, which can be opened as a run.
    """
    with ExitStack() as stack:
        with replacing(folder / _UPDATE) as written:
            written.mkdir()
            yield written
            stack.enter_context(locked_folder(folder / _LOCK))
            _settle(folder)
            check()
        _settle(folder)


def settle(folder: Path) -> None:
    """Finish the exchange of a killed process: call this before a run's parts are looked at.

    Raises:
        ResultsError: if files cannot be moved here.
    """
    if not (folder / _UPDATE).is_dir():
        return
    try:
        with locked_folder(folder / _LOCK):
            _settle(folder)
    except OSError as error:
        raise ResultsError(
            f"{folder} holds results that a killed process has not put in their place, and they "
            f"cannot be moved here ({error.strerror}); open the run once where it can be written"
        ) from error


def _settle(folder: Path) -> None:
    """Move the parts of an update into place. Killed anywhere, the next call goes on."""
    update = folder / _UPDATE
    before = update / _BEFORE
    if not update.is_dir():
        return
    if (update / PARTS[0]).is_dir():
        before.mkdir(exist_ok=True)
        for name in PARTS:
            if (folder / name).exists():
                (folder / name).replace(before / name)
        flush_folder(before)
        flush_folder(folder)
    for name in PARTS:
        if (update / name).exists():
            remove(folder / name)
            (update / name).replace(folder / name)
    flush_folder(folder)
    remove(update)
