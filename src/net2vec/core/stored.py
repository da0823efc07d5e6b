"""Functions and results that travel between processes as files in a folder that all can read.

A message between the processes of a cluster should be small, while a function of this package may
hold a network and the maps of a layer. It is written once, its large arrays as files of their own,
named by their contents; each process that runs it reads it once and maps the arrays. Arrays that
are mapped from a file already are referred to by its path.
"""

from __future__ import annotations

import io
import pickle
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from mmap import mmap
from pathlib import Path
from socket import gethostname
from typing import Any
from uuid import uuid4

import cloudpickle
import numpy as np

from net2vec.core.devices import repeatable
from net2vec.core.storage import remove, replacing
from net2vec.errors import ConfigError

# Which modules are pickled by value is a state of the whole process.
_STORING = threading.Lock()
# Smaller arrays are written with the objects that hold them.
_MIN_ARRAY_BYTES = 1 << 16
# Results up to this size are messages.
_MAX_MESSAGE_BYTES = 1 << 18
# A process keeps the functions of the stage that ends and of the one that begins.
_KEPT_FUNCTIONS = 2

_loaded: OrderedDict[str, Any] = OrderedDict()
_loading = threading.Lock()
_forever = ExitStack()


@dataclass(frozen=True)
class StoredFunction:
    """A function in a file, read by the first call in a process.

    Attributes:
        path: the file.
        buffers: files of the arrays that the function holds.
        versions: of the packages that decide results, where the function was stored.
    """

    path: Path
    buffers: tuple[Path, ...]
    versions: Mapping[str, str]

    def __call__(self, item: object) -> object:
        """The result of an item, or a `StoredResult` if it is large.

        Raises:
            ConfigError: if this process does not see the files or has other versions.
        """
        return _store_if_large(self._load()(item), self.path.parent)

    def _load(self) -> Callable[[object], object]:
        with _loading:  # other threads of the process wait, and find the function
            key = str(self.path)
            if key not in _loaded:
                if fault := fault_of_process(self.path, self.versions):
                    raise ConfigError(f"a worker on {gethostname()} {fault}")
                _loaded[key] = _read(self.path, self.buffers)
                if "torch" in sys.modules:  # the function needs it
                    _repeat_on_gpu()
                while len(_loaded) > _KEPT_FUNCTIONS:
                    _loaded.popitem(last=False)
            _loaded.move_to_end(key)
            function: Callable[[object], object] = _loaded[key]
            return function


@dataclass(frozen=True)
class StoredResult:
    """A result in a file, to be read once."""

    path: Path

    def take(self) -> object:
        """Read the result and remove the file.

        Raises:
            OSError: if this process does not see the file.
        """
        result = pickle.loads(self.path.read_bytes())  # noqa: S301 - written by our own process
        remove(self.path)
        return result


def store_function(function: Callable[..., object], folder: Path) -> StoredFunction:
    """Write a function with all that it holds into a folder, unless it is there.

    Args:
        function: a function, or an object that can be called.
        folder: an absolute path that all processes see.

    Raises:
        ConfigError: if it holds something that cannot be pickled.
    """
    buffers: list[pickle.PickleBuffer] = []
    file = io.BytesIO()

    def keep_apart(buffer: pickle.PickleBuffer) -> bool:
        if buffer.raw().nbytes < _MIN_ARRAY_BYTES:
            return True  # pickled with the object
        buffers.append(buffer)
        return False

    with _STORING, _files_by_value():
        try:
            _Pickler(file, protocol=5, buffer_callback=keep_apart).dump(function)
        except (pickle.PicklingError, TypeError, AttributeError) as error:
            what = " ".join(str(error).split())
            raise ConfigError(
                f"the network or dataset cannot be sent to other processes ({what}); give one "
                f"whose classes are defined in a module, or run without --scheduler"
            ) from error
    paths = tuple(_write(buffer.raw(), folder) for buffer in buffers)
    return StoredFunction(_write(file.getbuffer(), folder), paths, own_versions())


def own_versions() -> dict[str, str]:
    """Versions of the packages that decide the bits of results, in this process."""
    return {name: version(name) for name in ("net2vec", "torch", "numpy")}


def fault_of_process(seen: Path, versions: Mapping[str, str]) -> str:
    """The reason why this process cannot compute items; empty if it can.

    Args:
        seen: a file that it must see.
        versions: from `own_versions` of the process that stores functions.
    """
    if not seen.is_file():
        return (
            f"does not see {seen.parent}; the run, its data and NET2VEC_CACHE must lie on folders "
            f"that all workers see by the same path"
        )
    for name, own in own_versions().items():
        if own != versions[name]:
            return f"has {name} {own}, and here is {versions[name]}; install the same"
    return ""


class _Pickler(cloudpickle.CloudPickler):  # type: ignore[misc]
    """Refers to mapped arrays by the path of their file."""

    def reducer_override(self, obj: Any) -> Any:
        """The way in which an object is pickled."""
        # A part of a mapped array does not know where in the file it begins.
        if type(obj) is np.memmap and isinstance(obj.base, mmap) and obj.flags.c_contiguous:
            return _map, (str(obj.filename), obj.dtype, obj.offset, obj.shape)
        return super().reducer_override(obj)


def _map(path: str, dtype: np.dtype[Any], offset: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.memmap(path, dtype, "r", offset, shape)


def _read(path: Path, buffers: tuple[Path, ...]) -> Any:
    arrays = [np.memmap(buffer, np.uint8, "r") for buffer in buffers]
    return pickle.loads(path.read_bytes(), buffers=arrays)  # noqa: S301 - written by our own process


def _write(contents: memoryview, folder: Path) -> Path:
    path = folder / blake2b(contents, digest_size=16).hexdigest()
    if not path.exists():
        with replacing(path, lasting=False) as temporary:
            temporary.write_bytes(contents)
    return path


def _store_if_large(result: object, folder: Path) -> object:
    pickled = cloudpickle.dumps(result, protocol=5)
    if len(pickled) <= _MAX_MESSAGE_BYTES:
        return result
    path = folder / f"result-{uuid4().hex}"
    with replacing(path, lasting=False) as temporary:
        temporary.write_bytes(pickled)
    return StoredResult(path)


@cache
def _repeat_on_gpu() -> None:
    """Take sums on a GPU in a fixed order, for as long as this process lives."""
    import torch

    _forever.enter_context(repeatable(torch.device("cuda" if torch.cuda.is_available() else "cpu")))


@contextmanager
def _files_by_value() -> Iterator[None]:
    """Pickle what was imported from a file of the user's by value: others cannot import it by name.

    Such a module has another name than its file.
    """
    files = [
        module
        for name, module in list(sys.modules.items())
        if "." not in name
        and name == module.__name__  # multiprocessing lists __main__ twice
        and (path := getattr(module, "__file__", None))
        and Path(path).name.partition(".")[0] not in (name, "__init__")
        and name not in sys.stdlib_module_names
    ]
    for module in files:
        cloudpickle.register_pickle_by_value(module)
    try:
        yield
    finally:
        for module in files:
            cloudpickle.unregister_pickle_by_value(module)
