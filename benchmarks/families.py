"""Grids of layers, held against those that timm's own networks make: a family a row.

    python benchmarks/families.py [FAMILY ...]

Every family of timm whose `forward_intermediates` gives feature maps is built small, with random
weights. For each of its maps the modules are found that put out the same values in whatever order,
and net2vec's grid of each must be that map, or refused. Prints a table and ends with 1 if a grid is
wrong, a family has no layer to probe by default or is taken for one that depends on its batch.
"""

from __future__ import annotations

import importlib
import inspect
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator

import timm
import torch
from timm.models import _registry
from torch import nn

from net2vec.errors import NetworkError
from net2vec.networks import (
    list_layers,
    network_from_module,
    refuse_dependence,
    resolve_layers,
    run_layers,
)
from net2vec.networks.layers.outputs import main_tensor

# The small ones of a family have such parts in their names, the smallest first.
_SMALL = ("test_", "atto", "femto", "pico", "nano", "xxs", "xxtiny", "_xs", "tiny", "_t0", "_s0")
_SMALL = (*_SMALL, "b0", "_n", "18", "lite", "mini", "small", "050", "_s", "26", "25", "12", "224")
_MAX_PARAMETERS = 150_000_000
_MAX_TRIES = 12
_SIZES = (128, 160, 192, 224, 256)
# Of a map: the first that holds for one of the modules with its values.
_VERDICTS = ("wrong", "right", "refused", "no layer")


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
            for settings in ({"img_size": size}, {}):
                try:
                    torch.manual_seed(0)
                    module = timm.create_model(name, **settings).eval()
                    _spread(module)
                    with torch.no_grad():
                        intermediates(module, torch.randn(1, 3, size, size))
                except Exception as error:
                    last = error
                else:
                    return name, module, size
    reason = last or f"they have more than {_MAX_PARAMETERS:,} parameters"
    raise RuntimeError(f"none of {', '.join(names[:_MAX_TRIES])} can be built: {reason}")


def _spread(module: nn.Module) -> None:
    """Parameters of branches that begin by adding nothing, so that all of the network works."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d) and part.affine:
            nn.init.uniform_(part.weight, 0.5, 1.5)
    for name, parameter in module.named_parameters():
        if "gamma" in name or "layer_scale" in name or "alpha" in name:
            nn.init.uniform_(parameter, 0.5, 1.5)


def intermediates(module: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    """timm's own feature maps (image, channel, row, column)."""
    found = module.forward_intermediates(images, output_fmt="NCHW", intermediates_only=True)
    return [one for one in found if isinstance(one, torch.Tensor) and one.ndim == 4]


def same_values(module: nn.Module, images: torch.Tensor) -> Iterator[tuple[torch.Tensor, set[str]]]:
    """timm's maps, and the modules whose last output has the same values in some order."""
    outputs: dict[str, torch.Tensor] = {}

    def hook_of(path: str):
        def hook(_, __, result):
            tensor = main_tensor(result)
            if tensor is not None and tensor.is_floating_point():
                outputs[path] = tensor.detach().clone()

        return hook

    hooks = [part.register_forward_hook(hook_of(path)) for path, part in module.named_modules()]
    with torch.no_grad():
        maps = intermediates(module, images)
        outputs.clear()
        module(images)
    for hook in hooks:
        hook.remove()
    for one in maps:
        yield one, {path for path, output in outputs.items() if path and _holds(output, one)}


def _holds(output: torch.Tensor, wanted: torch.Tensor) -> bool:
    """Whether an output has the values of a map, in any order, and may be some tokens beside."""
    scale = 1e-5 * float(wanted.abs().max())
    if output.numel() == wanted.numel():
        values = wanted.flatten().sort().values
        return float((output.flatten().sort().values - values).abs().max()) <= scale
    channels, places = wanted.shape[1], wanted.shape[2] * wanted.shape[3]
    if output.ndim != 3 or output.shape[-1] != channels or output.shape[1] < places:
        return False
    # A token is known by the sum of its channels, each with a weight of its own.
    weights = torch.randn(channels, generator=torch.Generator().manual_seed(1)) / channels
    sums = (wanted[0].flatten(1).t() @ weights).sort().values
    own = (output[0] @ weights).sort().values
    after = torch.searchsorted(own, sums).clamp(1, len(own) - 1)
    nearest = torch.minimum((own[after] - sums).abs(), (own[after - 1] - sums).abs())
    return float(nearest.max()) <= scale


def judge(module: nn.Module, size: int) -> dict[str, int | str]:
    """How many of timm's maps are a layer's grid, are refused, are no layer, or are wrong."""
    network = network_from_module(module, size=size)
    layers = resolve_layers(network)
    verdicts: dict[str, int | str] = dict.fromkeys(_VERDICTS, 0)
    images = torch.randn(1, 3, size, size)
    for wanted, paths in same_values(module, images):
        infos = {info.path: info for info in list_layers(network, decided=paths)}
        seen = set()
        for path in sorted(paths):
            info = infos.get(path)
            if info is None or info.refused or info.shape is None:
                seen.add("refused" if info is not None and info.refused else "no layer")
                continue
            grid = run_layers(network, images, [path])[path]
            close = grid.shape == wanted.shape and torch.allclose(
                grid, wanted, atol=1e-4 * float(wanted.abs().max())
            )
            one_place = wanted.shape[2:] == (1, 1)
            seen.add("right" if close or one_place else "wrong")
        verdict = next((one for one in _VERDICTS if one in seen), "no layer")
        verdicts[verdict] = int(verdicts[verdict]) + 1
    verdicts["layers"] = len(layers)
    try:
        refuse_dependence(network, layers)
        verdicts["batch"] = ""
    except NetworkError as error:
        verdicts["batch"] = str(error)
    return verdicts


def main(chosen: list[str]) -> int:
    """Print the table; 1 if something is wrong."""
    warnings.simplefilter("ignore")
    heading = "".join(f"{key:>{len(key) + 2}}" for key in (*_VERDICTS, "layers"))
    print(f"{'family':26}{'model':40}{'side':>5}{heading}{'s':>6}")
    bad, total = [], defaultdict(int)
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
        counts = "".join(f"{found[key]:{len(key) + 2}}" for key in (*_VERDICTS, "layers"))
        seconds = time.perf_counter() - begun
        print(f"{family:26}{name:40}{size:5}{counts}{seconds:6.1f} {found['batch']}", flush=True)
        total["families"] += 1
        for key in _VERDICTS:
            total[key] += int(found[key])
        if found["wrong"] or found["batch"]:
            bad.append(family)
    print(", ".join(f"{count} {key}" for key, count in total.items()))
    print(f"to look at: {', '.join(bad) or 'none'}")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
