"""Models of transformers in repositories of the hub and in folders: their files, read safely.

Only classes of the installed library are used: code in a repository is never run. The library is
imported when a model is asked for; that takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from net2vec.core.messages import first_line
from net2vec.errors import NetworkError
from net2vec.networks.weights.hub import Repository, names_folder, open_folder, open_repository

PREFIX = "hf:"


def open_model(name: str) -> Repository:
    """The repository or folder that a name of the form `hf:...` stands for.

    Raises:
        NetworkError: if it cannot be had, or the name may mean a folder as well as a repository.
    """
    place = name.removeprefix(PREFIX)
    if names_folder(place):
        return open_folder(name, place)
    if Path(place).is_dir():
        raise NetworkError(
            f"{name} may be a repository of the hub or the folder {place} here: write "
            f"{PREFIX}./{place} for the folder, {name}@main for the repository"
        )
    return open_repository(name, place)


class ModelFiles:
    """The files of a model of a kind that the installed library knows.

    Attributes:
        repository: where they are.
        library: transformers.
        kind: `model_type` of its configuration.

    Raises:
        NetworkError: if the configuration is of no such model.
    """

    def __init__(self, repository: Repository) -> None:
        import transformers

        self.repository = repository
        self.library: Any = transformers
        config = repository.config()
        self.kind = str(config.get("model_type"))
        if config.get("model_type") not in transformers.CONFIG_MAPPING:
            raise NetworkError(
                f"{repository.label} {self._unusable(config.get('model_type'), config)}"
            )

    def read(self, kind: Any, **keywords: Any) -> Any:
        """The object that an automatic class makes of the folder; nothing is downloaded.

        Raises:
            NetworkError: if the files do not fit the class.
        """
        try:
            return kind.from_pretrained(
                str(self.repository.folder),
                trust_remote_code=False,
                local_files_only=True,
                **keywords,
            )
        except Exception as error:  # transformers has no family of errors for damaged files
            label = self.repository.label
            raise NetworkError(f"{label} cannot be loaded: {first_line(error)}") from error

    @contextmanager
    def quietly(self) -> Iterator[None]:
        """Without transformers' own messages and progress bars; what matters is an error here."""
        logging = self.library.utils.logging
        level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity(logging.CRITICAL)
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(level)
            if bars:
                logging.enable_progress_bar()

    def _unusable(self, kind: object, held: dict[str, Any]) -> str:
        if "auto_map" in held:
            return (
                f"has code of its own ({', '.join(map(str, held['auto_map'].values()))}), which is "
                f"not run; if you trust it, load it in a function of your own and name that, "
                f"file.py:function"
            )
        if "architecture" in held:
            where = "hf-hub" if self.repository.name else "local-dir"
            label = self.repository.label.removeprefix(PREFIX)
            return f"is one of timm's: name it timm:{where}:{label}"
        if kind is None:
            return "has a config.json without model_type, so it is none of transformers' networks"
        return (
            f"is a network of the kind {kind!r}, which transformers {self.library.__version__} "
            f"does not know; a newer version may"
        )


def refuse_missing(label: str, kind: str, missing: list[str]) -> None:
    """Refuse a model of which weights would be random.

    Raises:
        NetworkError: if any is missing.
    """
    if missing:
        raise NetworkError(
            f"{label} lacks {len(missing)} of the weights of {kind}, which would be random: "
            f"{', '.join(missing[:4])}{', ...' if len(missing) > 4 else ''}"
        )
