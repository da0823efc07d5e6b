"""Weights of a network from a file, whatever wrapping it was saved in."""

from __future__ import annotations

import pickle
import re
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from net2vec.errors import NetworkError

# What trainers put around a state dict; the first of these that holds tensors is taken.
_WRAPPINGS = ("state_dict", "model", "model_state_dict", "model_state", "net", "network", "params")
# Averages over training, and the networks of a distillation: taken where there is only one.
_OTHER_NETWORKS = (
    *("ema_state_dict", "state_dict_ema", "model_ema", "params_ema", "ema", "student", "teacher"),
)
# What data-parallel training and compilation put into its keys.
_TRANSPARENT = ("module", "_orig_mod")
_SHOWN = 8
# So deep at most are wrappings in each other; a damaged file may hold a dictionary in itself.
_LEVELS = 4
# Of batch normalisation; files may lack it.
_COUNT = "num_batches_tracked"


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name.

    Takes what `torch.save` writes, now and in its old format, and safetensors; a bare state dict
    or one inside a larger checkpoint.

    Raises:
        NetworkError: if the file is missing or damaged, holds pickled objects, no weights, or
            several networks.
    """
    if not path.is_file():
        raise NetworkError(f"there is no weights file {path}")
    content = _load_safetensors(path) if path.suffix == ".safetensors" else _load_pickle(path)
    for _ in range(_LEVELS):
        if not isinstance(content, Mapping):
            break
        inner = [key for key in _WRAPPINGS if _holds_tensors(content.get(key))][:1]
        inner = inner or [key for key in _OTHER_NETWORKS if _holds_tensors(content.get(key))]
        if len(inner) > 1:
            raise NetworkError(
                f"{path} holds {len(inner)} networks, {' and '.join(inner)}: "
                + _way_to_save(path, inner[0])
            )
        if not inner:
            break
        content = content[inner[0]]
    if not isinstance(content, Mapping):
        raise NetworkError(f"{path} holds a {type(content).__name__}, not a state dict")
    tensors = {
        key: value
        for key, value in content.items()
        if isinstance(key, str) and isinstance(value, Tensor)
    }
    if not tensors:
        inside = [str(key) for key, value in content.items() if _holds_tensors(value)]
        if not inside:
            raise NetworkError(f"{path} holds no weights: no key of it is a tensor")
        raise NetworkError(
            f"{path} holds no weights under a usual key; there are tensors in "
            f"{', '.join(inside[:_SHOWN])}: {_way_to_save(path, inside[0])}"
        )
    return tensors


def load_checkpoint(
    module: nn.Module,
    path: Path,
    *,
    rename: Callable[[str], str] = str,
    ignore: tuple[str, ...] = (),
) -> None:
    """Load a file's weights into a module, all of them and nothing else.

    Args:
        module: gets the weights.
        path: the file.
        rename: from the file's keys to the module's.
        ignore: beginnings of keys that the module leaves out on purpose (auxiliary heads).

    Raises:
        NetworkError: as in `read_state_dict`, or the weights do not fit; what is missing,
            unexpected or of another shape is listed.
    """
    fit_state_dict(module, read_state_dict(path), str(path), rename=rename, ignore=ignore)


def fit_state_dict(
    module: nn.Module,
    state: Mapping[str, Tensor],
    origin: str,
    *,
    rename: Callable[[str], str] = str,
    ignore: tuple[str, ...] = (),
) -> None:
    """Load a state dict strictly; see `load_checkpoint`. `origin` names it in errors."""
    wanted = module.state_dict()
    state = _inner(state, [key for key in wanted if not key.endswith(_COUNT)], origin)
    matched: dict[str, Tensor] = {}
    for key, tensor in state.items():
        name = rename(key)
        if name not in wanted:
            name = ".".join(part for part in name.split(".") if part not in _TRANSPARENT)
        if not name.startswith(ignore or ("\0",)):
            matched[name] = tensor
    for key, tensor in wanted.items():
        if key.endswith(_COUNT):  # not in files older than torch 0.4.1, and unused
            matched.setdefault(key, tensor)

    faults = [
        _listing("missing", wanted.keys() - matched.keys()),
        _listing("unexpected", matched.keys() - wanted.keys()),
        _listing(
            "of another shape",
            (
                f"{key} {tuple(matched[key].shape)} for {tuple(wanted[key].shape)}"
                for key in wanted.keys() & matched.keys()
                if matched[key].shape != wanted[key].shape
            ),
        ),
    ]
    if any(faults):
        raise NetworkError(
            f"the weights of {origin} do not fit {type(module).__name__}: "
            + "; ".join(fault for fault in faults if fault)
        )
    if any(tensor.is_meta for tensor in matched.values()):
        raise NetworkError(
            f"{origin} holds shapes without values (the meta device): save the state dict of a "
            f"network that has its weights"
        )
    module.load_state_dict(matched)


def _inner(
    state: Mapping[str, Tensor], parameters: Sequence[str], origin: str
) -> Mapping[str, Tensor]:
    """The part of a state dict that is a network's own: where a trainer's class holds it.

    Lightning calls it `model.` or `backbone.`, and has things of its own beside it.
    """
    if not parameters or any(key in state for key in parameters):
        return state
    begun = {key.removesuffix(parameters[0]) for key in state if key.endswith(f".{parameters[0]}")}
    prefixes = [
        prefix for prefix in sorted(begun) if all(prefix + key in state for key in parameters)
    ]
    if len(prefixes) > 1:
        raise NetworkError(
            f"{origin} holds {len(prefixes)} networks, under {' and '.join(prefixes)}: save the "
            f"state dict of one of them"
        )
    if not prefixes:
        return state
    return {
        key.removeprefix(prefixes[0]): tensor
        for key, tensor in state.items()
        if key.startswith(prefixes[0])
    }


def _load_safetensors(path: Path) -> Any:
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise NetworkError(f"{path} is no readable safetensors file: {error}") from error


def _load_pickle(path: Path) -> Any:
    if _is_program(path):
        raise NetworkError(
            f"{path} holds a program, not a state dict: a .pt2 of torch.export is named with "
            f"--network, and of TorchScript only the weights can be had: "
            f"torch.save(torch.jit.load('{path.name}').state_dict(), 'weights.pth')"
        )
    try:
        # Trainers keep their options in a Namespace, which has attributes and no code.
        with torch.serialization.safe_globals([Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # Damage and refusal end in the same error; only the latter names a global.
        if "GLOBAL" not in str(error):
            raise NetworkError(f"{path} is damaged or no PyTorch checkpoint") from error
        named = re.search(r"GLOBAL (\S+) was not", str(error))
        raise NetworkError(
            f"{path} holds pickled objects{f' ({named[1]})' if named else ''}, which could run any "
            f"code and are not loaded; if you trust it, convert it once: "
            f"c = torch.load('{path.name}', weights_only=False); torch.save(STATE, 'weights.pth'), "
            f"where STATE is c.state_dict() of a module, c['model'] of a dictionary with a state "
            f"dict, c['model'].state_dict() of one with a module"
        ) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError) as error:
        raise NetworkError(f"{path} is damaged or no PyTorch checkpoint") from error


def _is_program(path: Path) -> bool:
    """Whether it is TorchScript or a program of torch.export, which are archives with code."""
    try:
        with ZipFile(path) as archive:
            inside = [name.partition("/")[2] for name in archive.namelist()]
    except (BadZipFile, OSError):
        return False
    return any(name in ("constants.pkl", "archive_format") for name in inside)


def _holds_tensors(content: Any, levels: int = _LEVELS) -> bool:
    """Whether it is a dictionary with tensors in it, or in a dictionary of it, by names."""
    return (
        levels > 0
        and isinstance(content, Mapping)
        and any(
            isinstance(key, str)
            and (isinstance(value, Tensor) or _holds_tensors(value, levels - 1))
            for key, value in content.items()
        )
    )


def _way_to_save(path: Path, key: str) -> str:
    return (
        f"save the one you mean, for instance torch.save(torch.load('{path.name}')[{key!r}], "
        f"'weights.pth')"
    )


def _listing(heading: str, keys: Iterable[str]) -> str:
    names = sorted(keys)
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{len(names)} {heading} ({', '.join(names[:_SHOWN])}{more})"
