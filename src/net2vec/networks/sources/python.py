"""Networks that a function of the user's returns: `package.module:function`, `file.py:function`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from hashlib import blake2b
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

from torch import nn

from net2vec.errors import NetworkError
from net2vec.networks.network import AS_GIVEN, Network, network_from_module
from net2vec.networks.sources.base import (
    RANDOM,
    NetworkSource,
    absolute_path,
    describe_weights,
)
from net2vec.networks.weights.checkpoints import load_checkpoint


class PythonFunctions(NetworkSource):
    """Functions that return a module, or a `Network` with a preprocessing of its own."""

    usage = "package.module:function and file.py:function"
    has_random = False
    runs_code = True

    def recognises(self, name: str) -> bool:
        """Whether the name has a colon with something behind it."""
        return bool(name.partition(":")[2])

    def absolute(self, name: str) -> str:
        """The name with the absolute path of its file, if it names one."""
        path, _, function = name.rpartition(":")
        return f"{absolute_path(path)}:{function}" if path.endswith(".py") else name

    def load(self, name: str, weights: str | None, seed: int) -> Network:
        """Call a function.

        Args:
            name: `package.module:function` or `file.py:function`.
            weights: a file to load into the module, "random" to draw every parameter afresh from
                torch's global generator, or None for the module as the function returns it.
            seed: of that generator.

        Raises:
            NetworkError: if the function cannot be found, fails or returns something else; if the
                weights do not fit; or if a module does not know how to draw its parameters.
        """
        module = _call(name)
        network = module if isinstance(module, Network) else network_from_module(module, name=name)
        # Without the folder of a file, which differs from machine to machine.
        place, _, function = name.rpartition(":")
        network = replace(network, name=f"{Path(place).name}:{function}")
        if network.weights == AS_GIVEN:  # it says nothing of itself
            network = replace(network, weights="as the function returns them", source=name)
        if weights is None:
            return network
        if weights == RANDOM:
            draw_parameters(network.module)
        else:
            load_checkpoint(network.module, Path(weights))
        description = describe_weights(weights, seed)
        return replace(network, weights=description, trained=weights != RANDOM)


def draw_parameters(module: nn.Module) -> None:
    """Draw every parameter of a module afresh, each as its own class does it.

    Raises:
        NetworkError: if a submodule has parameters of its own and no `reset_parameters`.
    """
    for path, part in module.named_modules():
        reset = getattr(part, "reset_parameters", None)
        if callable(reset):
            reset()
        elif next(part.parameters(recurse=False), None) is not None:
            raise NetworkError(
                f"--weights random needs a method reset_parameters in every module that holds "
                f"parameters; {path or 'the network'} ({type(part).__name__}) has none"
            )


def _call(name: str) -> Any:
    with named_function(name) as function:
        try:
            returned = function()
        except (Exception, SystemExit) as error:  # sys.exit(0) would end as a success
            raise NetworkError(f"{name} failed: {error!r}") from error
    if not isinstance(returned, (nn.Module, Network)):
        raise NetworkError(f"{name} must return a torch module, not a {type(returned).__name__}")
    return returned


@contextmanager
def named_function(name: str) -> Iterator[Callable[..., Any]]:
    """The function that `package.module:function` or `file.py:function` names; its module is run.

    Within the block it may import what lies beside its file as well.

    Raises:
        NetworkError: if it cannot be found, or its module fails.
    """
    place, _, function_name = name.rpartition(":")
    is_file = place.endswith(".py")
    if not is_file and place.startswith("github:"):
        raise NetworkError(
            f"{name} would run the code of a repository, which is not fetched here: clone it, look "
            f"at it, and name the function of a file, FILE.py:FUNCTION"
        )
    with _importable(Path(place).resolve()) if is_file else nullcontext():
        module = _import_file(Path(place)) if is_file else _import_module(place)
        function = getattr(module, function_name, None)
        if not callable(function):
            raise NetworkError(f"{place} has no function {function_name!r}")
        yield function


def _import_module(place: str) -> Any:
    try:
        return importlib.import_module(place)
    except (Exception, SystemExit) as error:
        beside = Path(f"{place}.py")
        hint = f"; for the file here write {beside}:FUNCTION" if beside.is_file() else ""
        raise NetworkError(f"cannot import {place}: {error!r}{hint}") from error


@contextmanager
def _importable(file: Path) -> Iterator[None]:
    """Let a file import the modules beside it, as it can where Python runs it.

    They are forgotten afterwards: a file of another folder must not get these by the same name.
    Packages stay, since parts of them may be imported later by their full names.
    """
    before, writing = set(sys.modules), sys.dont_write_bytecode
    sys.path.insert(0, str(file.parent))
    sys.dont_write_bytecode = True  # see `_UncachedLoader`
    try:
        yield
    finally:
        sys.dont_write_bytecode = writing
        with suppress(ValueError):  # the file may have changed the path itself
            sys.path.remove(str(file.parent))
        for name in set(sys.modules) - before:
            module = sys.modules[name]
            path = Path(getattr(module, "__file__", None) or "/").resolve()
            if path.parent == file.parent and path != file and not hasattr(module, "__path__"):
                del sys.modules[name]


class _UncachedLoader(SourceFileLoader):
    """Compiles a file each time.

    Python takes compiled code for that of its source if that has the same size and, in whole
    seconds, the same date: a file that was changed since may be taken for what it was.
    """

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _import_file(path: Path) -> Any:
    if not path.is_file():
        raise NetworkError(f"there is no file {path}")
    # A name of its own for every path, so that two files called model.py do not meet.
    name = f"{path.stem}_{blake2b(str(path.resolve()).encode(), digest_size=8).hexdigest()}"
    loader = _UncachedLoader(name, str(path))
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    if spec is None:
        raise NetworkError(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look modules up there
    try:
        loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise NetworkError(f"cannot import {path}: {error!r}") from error
    return module
