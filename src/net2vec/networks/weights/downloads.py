"""Downloads, which nothing but a request for published weights brings about."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import torch

from net2vec.core.messages import first_line
from net2vec.core.storage import cache_folder, replacing
from net2vec.errors import NetworkError


def fetch_files(network: str, addresses: Sequence[str]) -> list[Path]:
    """The files of a network, downloaded unless they are there already.

    They are kept in the folder `networks/NAME` of the cache, which is `NET2VEC_CACHE` if that is
    set. A file that was obtained otherwise and put there is taken.

    Args:
        network: the network's name.
        addresses: where the files are published; each is kept under its own name.

    Raises:
        NetworkError: if a download fails; the message says what to put where.
    """
    folder = cache_folder() / "networks" / network
    try:
        return [_fetch(address, folder) for address in addresses]
    except Exception as error:  # every layer of a download has errors of its own
        raise NetworkError(
            f"cannot download the weights of {network}: {first_line(error)}; fetch "
            f"{', '.join(addresses)} by other means and put what you get into {folder}"
        ) from error


def fetch_to_hub(network: str, address: str) -> Path:
    """A file in the cache that torch and torchvision share, downloaded unless it is there.

    Raises:
        NetworkError: if the download fails; the message says what to put where.
    """
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    try:
        return _fetch(address, folder)
    except Exception as error:  # every layer of a download has errors of its own
        raise NetworkError(
            f"cannot download the weights of {network}: {first_line(error)}; fetch {address} by "
            f"other means and put it into {folder} or name it with --weights FILE"
        ) from error


def _fetch(address: str, folder: Path) -> Path:
    """Download a file, checked where its name holds digits of its digest (`resnet50-0676ba61.pth`).

    One that is there but empty, or has another digest, is downloaded again.
    """
    path = folder / address.rpartition("/")[2]
    digits = re.search(r"-([0-9a-f]{8,})\.", path.name)
    if path.is_file() and path.stat().st_size and _has_digest(path, digits):
        return path
    import pooch

    pooch.get_logger().setLevel("WARNING")
    with replacing(path) as temporary:
        pooch.retrieve(address, known_hash=None, fname=temporary.name, path=temporary.parent)
        if not _has_digest(temporary, digits):
            raise ValueError("the file that came is damaged: its digest is not the one in its name")
    return path


def _has_digest(path: Path, digits: re.Match[str] | None) -> bool:
    if digits is None:
        return True
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(digits[1])
