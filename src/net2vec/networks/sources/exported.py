"""Programs of `torch.export` (`.pt2`): networks without their Python code.

The layers of such a program are the nodes of its graph. Each node's result is passed through a
module of the node's name, so that nodes are listed, named and captured as modules are.
"""

from __future__ import annotations

import ast
import json
import logging
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

from net2vec.core.messages import first_line
from net2vec.errors import NetworkError
from net2vec.networks.network import Network
from net2vec.networks.preprocessing import imagenet_preprocessing
from net2vec.networks.sources.base import NetworkSource, absolute_path

# What torch would run while it loads a program: pickled objects, scripts, compiled libraries.
_CODE = ("/data/constants/custom_obj", "/data/constants/opaque_obj", "/data/aotinductor/")
# torch evaluates sizes that are written as expressions; these are the names in honest ones.
_SIZE_NAMES = frozenset(
    {
        *("Symbol", "Integer", "Rational", "Float", "Add", "Mul", "Pow", "Max", "Min", "Mod"),
        *("PythonMod", "FloorDiv", "CeilDiv", "CleanDiv", "TruncToInt", "Equality", "Unequality"),
        *("StrictLessThan", "LessThan", "StrictGreaterThan", "GreaterThan", "And", "Or", "Not"),
        *("Eq", "Ne", "Lt", "Le", "Gt", "Ge", "Piecewise", "oo", "int_oo"),
    }
)
_SIZE_SYNTAX = (
    *(ast.Expression, ast.Call, ast.Name, ast.Constant, ast.keyword, ast.Load, ast.Tuple),
    *(ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.Compare, ast.cmpop),
)
_SEE_WARNINGS = " Please check the warnings above for possible errors."
_WEIGHTS_ONLY = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"


class ExportedPrograms(NetworkSource):
    """Files that `torch.export.save` wrote."""

    usage = "FILE.pt2"
    has_random = False

    def recognises(self, name: str) -> bool:
        """Whether the name ends in `.pt2`."""
        return name.endswith(".pt2")

    def absolute(self, name: str) -> str:
        """The absolute path of the file."""
        return absolute_path(name)

    def load(self, name: str, weights: str | None, seed: int) -> Network:
        """Load a program.

        Raises:
            NetworkError: if the file is no such program, contains code, or does not take images;
                or if weights are given, since a program contains its own.
        """
        path = Path(name)
        if weights is not None:
            raise NetworkError(f"{path.name} holds its weights: leave out --weights {weights}")
        module = ExportedNetwork(_load_program(path))
        return Network(
            name=path.name,
            module=module,
            preprocessing=imagenet_preprocessing(module.size),
            weights=f"file:{path.name}",
            source=path.name,
        )


class GraphNode(nn.Module):
    """Passes a node's result on, so that its output is the node's."""

    def __init__(self, node: fx.Node) -> None:
        super().__init__()
        self._operator = str(node.target).removesuffix(".default")
        self._call = node.format_node() or node.name

    def forward(self, result: Any) -> Any:
        """The result as it is."""
        return result

    def extra_repr(self) -> str:
        """The node's call, which belongs to the architecture."""
        return self._call

    def _get_name(self) -> str:
        return self._operator


class ExportedNetwork(nn.Module):
    """An exported program whose graph nodes are submodules.

    Attributes:
        fixed_batch: how many images the program takes at once; None for any number.
        size: side of the images in pixels.
    """

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        """Take a program that was exported in evaluation mode.

        Args:
            program: takes one float batch of shape (image, 3, size, size).

        Raises:
            NetworkError: if it takes something else.
        """
        super().__init__()
        self.fixed_batch, self.size = _input_of(program)
        graph_module = program.module()
        for node in graph_module.graph.nodes:
            if node.op == "call_function":
                self.add_module(node.name, GraphNode(node))
        self.add_module("_program", graph_module)

    def forward(self, batch: Tensor) -> Any:
        """Run the program."""
        return _Interpreter(self).run(batch)

    def train(self, mode: bool = True) -> ExportedNetwork:
        """Set the flag alone: a program stays in the mode in which it was exported."""
        self.training = mode
        return self


class _Interpreter(fx.Interpreter):
    def __init__(self, network: ExportedNetwork) -> None:
        super().__init__(network.get_submodule("_program"))
        self._network = network

    def run_node(self, n: fx.Node) -> Any:
        if n.op == "call_module":  # the check of the input's sizes, which are right
            return None
        result = super().run_node(n)
        return self._network.get_submodule(n.name)(result) if n.op == "call_function" else result


def _load_program(path: Path) -> torch.export.ExportedProgram:
    if not path.is_file():
        raise NetworkError(f"there is no file {path}")
    try:
        _refuse_code(path)
        with _weights_only(), _quiet():
            return torch.export.load(path)
    except NetworkError:
        raise
    except Exception as error:  # torch gives no family of errors for damaged programs
        raise NetworkError(
            f"{path} is no readable exported program: "
            f"{first_line(error).removesuffix(_SEE_WARNINGS)}"
        ) from error


@contextmanager
def _weights_only() -> Iterator[None]:
    """torch.export falls back on unrestricted pickles unless the environment forbids them."""
    before = os.environ.get(_WEIGHTS_ONLY)
    os.environ[_WEIGHTS_ONLY] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[_WEIGHTS_ONLY]
        else:
            os.environ[_WEIGHTS_ONLY] = before


@contextmanager
def _quiet() -> Iterator[None]:
    """torch.export logs the tracebacks of damaged programs."""
    logger = logging.getLogger("torch.export")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _refuse_code(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if any(part in f"/{name}" for part in _CODE):
                raise NetworkError(
                    f"{path} holds {name}, which could run any code and is not loaded; export "
                    f"the network without objects of its own classes"
                )
            if "models/" in name and name.endswith(".json"):
                for size in _sizes(json.loads(archive.read(name))):
                    if not _is_honest(size):
                        raise NetworkError(f"{path} has a size that is no number: {size[:60]!r}")


def _sizes(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        for key, value in content.items():
            if key == "expr_str":
                yield str(value)
            else:
                yield from _sizes(value)
    elif isinstance(content, list):
        for value in content:
            yield from _sizes(value)


def _is_honest(size: str) -> bool:
    try:
        parts = list(ast.walk(ast.parse(size, mode="eval")))
    except SyntaxError:
        return False
    return all(
        isinstance(part, _SIZE_SYNTAX)
        and (not isinstance(part, ast.Call) or isinstance(part.func, ast.Name))
        and (not isinstance(part, ast.Name) or _is_size_name(part.id))
        and not (isinstance(part, ast.Constant) and not _is_size_constant(part.value))
        for part in parts
    )


def _is_size_name(name: str) -> bool:
    return name in _SIZE_NAMES or (name[0] in "suz" and name.lstrip("suzf").isdecimal())


def _is_size_constant(value: object) -> bool:
    return isinstance(value, (int, float)) or (isinstance(value, str) and _is_size_name(value))


def _input_of(program: torch.export.ExportedProgram) -> tuple[int | None, int]:
    """The number of images, if it is fixed, and the side of the program's input."""
    names = program.graph_signature.user_inputs
    inputs = [node.meta.get("val") for node in program.graph.nodes if node.name in names]
    # A size that is not fixed is a symbol, not an integer.
    shape: tuple[object, ...] = ()
    if len(inputs) == 1 and isinstance(inputs[0], Tensor):
        shape = tuple(inputs[0].shape)
    match shape:
        case (images, 3, int(height), width) if height == width:
            return (images if isinstance(images, int) else None), height
    raise NetworkError(
        f"the program must take one batch of square images, (image, 3, size, size), not "
        f"{len(inputs)} inputs {list(shape) or ''}"
    )
