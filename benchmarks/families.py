"""Grids of layers, held against those that timm's own networks make: a family a row.

    python benchmarks/families.py [FAMILY ...]

The smallest published network of every family whose `forward_intermediates` gives feature maps is
built with random weights. For each of its maps the modules are found that put out the same values
in whatever order, and net2vec's grid of each must be that map, or refused. Prints a table and ends
with 1 if a grid is wrong or does not change where a square is painted, or if a family has no layer
to probe by default or is taken for one that depends on its batch. The plain tests judge smaller
networks of most families.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import timm
import torch
from timm.models import _registry
from torch import nn

from net2vec.errors import NetworkError

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from builders_families import VERDICTS, build_model, judge

# The small ones of a family have such parts in their names, the smallest first.
_SMALL = ("test_", "atto", "femto", "pico", "nano", "xxs", "xxtiny", "_xs", "tiny", "_t0", "_s0")
_SMALL = (*_SMALL, "b0", "_n", "18", "lite", "mini", "small", "050", "_s", "26", "25", "12", "224")
_MAX_PARAMETERS = 150_000_000
_MAX_TRIES = 12
_SIZES = (128, 160, 192, 224, 256)


def families() -> dict[str, list[str]]:
    """Models by the module of timm that has their code, those with feature maps of their own."""
    found = {}
    for module, names in sorted(_registry._module_to_models.items()):
        source = inspect.getsource(importlib.import_module(f"timm.models.{module}"))
        if "def forward_intermediates" in source:
            found[module] = sorted(names, key=_smallness)
    return found


def _smallness(name: str) -> tuple[int, int, str]:
    ranks = [place for place, part in enumerate(_SMALL) if part in name]
    return (min(ranks, default=len(_SMALL)), len(name), name)


def build(names: list[str]) -> tuple[str, nn.Module, int]:
    """The first small model of a family that can be built and run, and the side of its input."""
    last: Exception | None = None
    for name in names[:_MAX_TRIES]:
        try:
            with torch.device("meta"):
                count = sum(p.numel() for p in timm.create_model(name).parameters())
        except Exception:
            count = 0
        if count > _MAX_PARAMETERS:
            continue
        config = timm.get_pretrained_cfg(name)
        usual = config.input_size[-1] if config else _SIZES[-1]
        for size in (*(side for side in _SIZES if side < usual), usual):
            try:
                return name, build_model(name, size), size
            except Exception as error:
                last = error
    reason = last or f"they have more than {_MAX_PARAMETERS:,} parameters"
    raise RuntimeError(f"none of {', '.join(names[:_MAX_TRIES])} can be built: {reason}")


def main(chosen: list[str]) -> int:
    """Print the table; 1 if something is wrong."""
    warnings.simplefilter("ignore")
    heading = "".join(f"{key:>{len(key) + 2}}" for key in (*VERDICTS, "layers"))
    print(f"{'family':26}{'model':40}{'side':>5}{heading}{'s':>6}")
    bad, total = [], Counter()
    for family, names in families().items():
        if chosen and family not in chosen:
            continue
        begun = time.perf_counter()
        try:
            name, module, size = build(names)
        except RuntimeError as error:
            print(f"{family:26}{str(error)[:120]}", flush=True)
            continue
        try:
            found = judge(module, size)
        except NetworkError as error:
            print(f"{family:26}{name:40}{size:5} {error}", flush=True)
            bad.append(family)
            continue
        verdicts = Counter(found.maps)
        counts = "".join(f"{verdicts[key]:{len(key) + 2}}" for key in VERDICTS)
        seconds, told = time.perf_counter() - begun, ", ".join([*found.dark, found.batch])
        row = f"{family:26}{name:40}{size:5}{counts}{len(found.layers):8}{seconds:6.1f}"
        print(f"{row} {told.strip(', ')}", flush=True)
        total.update(families=1, **verdicts)
        if not found.sound:
            bad.append(family)
    print(", ".join(f"{total[key]} {key}" for key in ("families", *VERDICTS)))
    print(f"to look at: {', '.join(bad) or 'none'}")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
