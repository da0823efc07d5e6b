"""Repositories of the Hugging Face hub, and folders in the layout of one."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from net2vec.core.hub import HUB, refusal
from net2vec.core.messages import first_line
from net2vec.errors import NetworkError

_REPOSITORY = re.compile(r"(?P<name>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?")
_CONFIG = "config.json"
# In the order in which they are looked for; an index lists the files that weights are split into.
_WEIGHTS = (
    *("model.safetensors", "model.safetensors.index.json"),
    *("pytorch_model.bin", "pytorch_model.bin.index.json"),
)


@dataclass(frozen=True)
class Repository:
    """A repository at one revision, or a local folder.

    Attributes:
        label: how the user names it, with the prefix of its source.
        folder: where its files are, or are downloaded to.
        name: ORG/NAME on the hub; empty for a local folder.
        revision: digest of the commit; empty for a local folder.
    """

    label: str
    folder: Path
    name: str = ""
    revision: str = ""

    @property
    def source(self) -> str:
        """The origin in words, without the path of a folder on this machine."""
        if self.name:
            return f"{HUB}{self.name}@{self.revision}"
        return f"the folder {self.folder.resolve().name}"

    @property
    def published(self) -> str:
        """The name of its weights, for `Network.weights`."""
        return f"revision {self.revision}" if self.name else "as in the folder"

    def network_name(self, prefix: str) -> str:
        """The name of its network: the label, or the name of the folder behind a prefix."""
        return self.label if self.name else f"{prefix}{self.folder.resolve().name}"

    def find(self, file: str) -> Path | None:
        """A file of it, downloaded unless it is there; None if it has no such file.

        Raises:
            NetworkError: if the download fails.
        """
        if not self.name:
            path = self.folder / file
            return path if path.is_file() else None
        from huggingface_hub.errors import EntryNotFoundError

        try:
            return _download(self.label, self.name, file, self.revision)
        except EntryNotFoundError:  # on the hub, or in the cache of a machine that is offline
            return None

    def config(self) -> dict[str, Any]:
        """The contents of `config.json`.

        Raises:
            NetworkError: if there is none, or it is damaged.
        """
        path = self.find(_CONFIG)
        if path is None:
            raise NetworkError(f"{self.label}: {self.folder} has no {_CONFIG}, so it is no network")
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise NetworkError(f"{path} cannot be read as JSON: {first_line(error)}") from error
        if not isinstance(config, dict):
            raise NetworkError(f"{path} must be a JSON object, not a {type(config).__name__}")
        return config

    def fetch_weights(self) -> None:
        """Have its weights in the folder, and the model card, which names the licence.

        Raises:
            NetworkError: if it has none, or the download fails.
        """
        path = next(filter(None, (self.find(file) for file in _WEIGHTS)), None)
        if path is None:
            raise NetworkError(
                f"{self.label} has no weights under a usual name ({', '.join(_WEIGHTS)})"
                + ("; offline only what is in the cache is found" if self.name else "")
            )
        if path.suffix == ".json":
            parts = json.loads(path.read_text(encoding="utf-8")).get("weight_map", {})
            missing = [part for part in sorted(set(parts.values())) if self.find(part) is None]
            if missing:
                raise NetworkError(f"{self.label} lacks files of its weights: {', '.join(missing)}")

    @property
    def licence(self) -> str:
        """The terms that the model card states."""
        card = self.find("README.md")
        text = card.read_text(encoding="utf-8", errors="replace") if card else ""
        match = re.search(r"^license:[ \t]*(\S+)", text.partition("\n---")[0], re.MULTILINE)
        return match[1] if match else f"see {self.label}"


def open_repository(label: str, name: str) -> Repository:
    """A repository of the hub, of which only `config.json` is downloaded.

    Args:
        label: the network's whole name, for messages.
        name: ORG/NAME, or ORG/NAME@REVISION with a branch, tag or commit.

    Raises:
        NetworkError: if it cannot be had.
    """
    match = _REPOSITORY.fullmatch(name)
    if match is None:
        raise NetworkError(
            f"{label}: a repository of the hub is named ORG/NAME or ORG/NAME@REVISION"
        )
    from huggingface_hub.errors import EntryNotFoundError

    try:
        config = _download(label, match["name"], _CONFIG, match["revision"])
    except EntryNotFoundError as error:
        lacking = f"{_CONFIG}, so it is no network"
        raise NetworkError(refusal(label, match["name"], error, lacking=lacking)) from error
    # A file's folder in the cache is called as the commit that it is of.
    return Repository(label, config.parent, match["name"], config.parent.name)


def at_revision(name: str, source: str) -> str:
    """The name of a network at the revision that `Repository.source` states, if it is of the hub.

    Args:
        name: the network's; one that names a revision stays as it is.
        source: of the network as it was probed.
    """
    repository, _, revision = source.removeprefix(HUB).rpartition("@")
    is_same = source.startswith(HUB) and name.endswith(f":{repository}")
    return f"{name}@{revision}" if is_same else name


def open_folder(label: str, folder: str) -> Repository:
    """A local folder in a repository's layout.

    Raises:
        NetworkError: if there is no such folder.
    """
    path = Path(folder).expanduser()
    if not path.is_dir():
        raise NetworkError(f"{label}: there is no folder {path}")
    return Repository(label, path)


def names_folder(name: str) -> bool:
    """Whether a name is written as a path, not as ORG/NAME: `./x`, `../x`, `~/x`, `/x`, `a/b/c`."""
    return name.startswith((".", "~", "/")) or _REPOSITORY.fullmatch(name) is None


def _download(label: str, name: str, file: str, revision: str | None) -> Path:
    """A file in the hub's cache.

    Raises:
        EntryNotFoundError: the repository has no such file, or this machine is offline and has not.
        NetworkError: any other reason.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        return Path(hf_hub_download(name, file, revision=revision or None))
    except EntryNotFoundError:
        raise
    except Exception as error:  # every layer of a download has errors of its own
        raise NetworkError(refusal(label, name, error)) from error
