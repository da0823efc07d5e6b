"""Datasets of the Hugging Face hub: `hf:ORG/NAME`, read from the Parquet files that they are of.

Nothing is fetched unless a user names such a dataset. Files go to the hub's own cache, once, and
are read there. Scripts in repositories are never run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from net2vec.core.hub import HUB, refusal
from net2vec.data.description import Description
from net2vec.data.readers.mask_classes import COLOR_FILES, NAME_FILES
from net2vec.data.readers.parquet.arrangement import CARD, arrange, choose, read_card
from net2vec.data.splits import TEST, SplitRule
from net2vec.errors import DataError

PREFIX = "hf:"
"""Prefix of the names of datasets on the hub."""

_NAME = re.compile(
    rf"{PREFIX}(?P<name>\w[\w.-]*/\w[\w.-]*)(@(?P<revision>[\w./-]+))?(:(?P<subset>[\w./ -]+))?"
)
_DESCRIBING = (CARD, *NAME_FILES, *COLOR_FILES)
_CONVERTED = "refs/convert/parquet"


@dataclass(frozen=True)
class Snapshot:
    """A dataset of the hub at one revision, in this machine's cache.

    Attributes:
        folder: where its files are.
        source: where it comes from, with the revision.
        licence: the terms that its card states.
        subset: the part that the user names, as `Description.subset`.
    """

    folder: Path
    source: str
    licence: str
    subset: str | None

    @property
    def reading(self) -> tuple[tuple[str, str], ...]:
        """The origin of the snapshot, as pairs for a run's provenance."""
        return (("source", self.source), ("licence", self.licence))


def is_on_hub(source: str | Path) -> bool:
    """Whether the name of a dataset means one of the hub."""
    return str(source).startswith(PREFIX)


def fetch(
    source: str, description: Description | None = None, *, cached_only: bool = False
) -> Snapshot:
    """Fetches the files of a dataset that are not in the cache yet, but for splits for testing.

    Args:
        source: `hf:ORG/NAME`, `hf:ORG/NAME@REVISION`, and behind a colon a configuration, a split
            or `CONFIGURATION/SPLIT`.
        description: statements of the user; splits that it states to be for testing are not
            fetched.
        cached_only: whether to take what is in the cache, and ask the hub for nothing.

    Raises:
        DataError: if it cannot be had, or holds no Parquet files.
    """
    match = _NAME.fullmatch(source)
    if match is None:
        raise DataError(
            f"{source}: a dataset of the hub is named hf:ORG/NAME, with @REVISION and "
            f":SPLIT or :CONFIGURATION/SPLIT behind it; a folder is named without {PREFIX}"
        )
    name, revision, subset = match["name"], match["revision"], match["subset"]
    label = f"{PREFIX}{name}"
    try:
        import datasets  # noqa: F401 - with huggingface_hub
    except ModuleNotFoundError:
        raise DataError(f"{source}: needs datasets; pip install 'net2vec[hf]'") from None
    rule = description.splits if description is not None else SplitRule()
    if cached_only and not _is_cached(name, revision):
        raise DataError(
            f"{source} is not in this machine's cache, and is downloaded only where you name it; "
            f"`net2vec data info {source}` does"
        )
    commit, files = (revision, None) if cached_only else _listed(label, name, revision)
    if files is None:  # the hub is not to be asked, or cannot be reached
        folder = _download(label, name, revision, (CARD,), offline=True)
    else:
        parquet = [file for file in files if file.endswith(".parquet")]
        if not parquet:
            raise DataError(_no_parquet(label, name, files))
        wanted = [file for file in files if file in _DESCRIBING]
        folder = _download(label, name, commit, wanted)
        card = read_card(folder / CARD) if CARD in files else {}
        splits = choose(arrange(parquet, card), subset or "", label)
        rows = [
            file
            for split, listed in splits.items()
            if rule.split_of(f"{split}/") != TEST or len(splits) == 1
            for file in listed
        ]
        folder = _download(label, name, commit, [*wanted, *rows])
    licence = read_card(folder / CARD).get("license") or f"see {label}"
    terms = ", ".join(map(str, licence)) if isinstance(licence, list) else str(licence)
    return Snapshot(folder, f"{HUB}datasets/{name}@{folder.name}", terms, subset)


def at_revision(source: str, sources: Iterable[str]) -> str:
    """The name of a dataset at the revision that it had before, if it is of the hub.

    Args:
        source: the dataset's name; one that names a revision stays as it is.
        sources: `Snapshot.source` of the datasets as they were.
    """
    match = _NAME.fullmatch(source)
    if match is None or match["revision"]:
        return source
    for known in sources:
        name, _, revision = known.removeprefix(f"{HUB}datasets/").partition("@")
        if name == match["name"] and revision:
            return f"{PREFIX}{name}@{revision}" + (f":{match['subset']}" * bool(match["subset"]))
    return source


def _is_cached(name: str, revision: str | None) -> bool:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        snapshot_download(name, repo_type="dataset", revision=revision, local_files_only=True)
    except LocalEntryNotFoundError:
        return False
    return True


def _listed(label: str, name: str, revision: str | None) -> tuple[str | None, list[str] | None]:
    """The commit of a revision and its files; no files if the hub cannot be reached."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        info = HfApi().dataset_info(name, revision=revision)
    except HfHubHTTPError as error:
        raise DataError(refusal(label, name, error, "dataset")) from None
    except Exception:  # each way of having no connection has an error of its own
        return None, None
    return info.sha, [item.rfilename for item in info.siblings or ()]


def _download(
    label: str, name: str, revision: str | None, files: Iterable[str], *, offline: bool = False
) -> Path:
    from huggingface_hub import snapshot_download

    patterns = [re.sub(r"([*?\[])", r"[\1]", file) for file in files]
    options: dict[str, Any] = {"local_files_only": True} if offline else {}
    try:
        snapshot = snapshot_download(
            name, repo_type="dataset", revision=revision, allow_patterns=patterns, **options
        )
    except Exception as error:  # every layer of a download has errors of its own
        raise DataError(refusal(label, name, error, "dataset")) from None
    return Path(snapshot)


def _no_parquet(label: str, name: str, files: Iterable[str]) -> str:
    """The error for a dataset without Parquet files, with the branch that has them, if any."""
    script = f"{name.rpartition('/')[2]}.py"
    what = f"is made by a script, {script}, which is not run" if script in files else (
        "holds no Parquet files"
    )  # fmt: skip
    if _has_converted(name):
        return f"{label} {what}; name the hub's own conversion, {label}@{_CONVERTED}"
    return (
        f"{label} {what}, and the hub has no conversion of it ({_CONVERTED}); download it (hf "
        f"download {name} --repo-type dataset --local-dir FOLDER) and name the folder if its "
        f"layout is one that is read"
    )


def _has_converted(name: str) -> bool:
    from huggingface_hub import HfApi

    try:
        branches = HfApi().list_repo_refs(name, repo_type="dataset").converts
    except Exception:  # then it cannot be named
        return False
    return any(branch.ref == _CONVERTED for branch in branches)
