"""A small network of each of timm's families, and what net2vec makes of its layers, judged.

The witness is timm's own `forward_intermediates`. A second one needs nobody's word: a grid must
change the most where a coloured square is painted on noise.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import timm
import torch
from torch import nn

from net2vec.errors import NetworkError
from net2vec.networks import (
    LayerInfo,
    Network,
    list_layers,
    network_from_module,
    refuse_dependence,
    resolve_layers,
    run_layers,
)
from net2vec.networks.layers.outputs import main_tensor

# By the module of timm that has the code.
SMALL: dict[str, dict[str, Any]] = tomllib.loads(
    Path(__file__).with_name("families.toml").read_text(encoding="utf-8")
)


def small_model(family: str) -> tuple[nn.Module, int]:
    """The small network of a family, with random weights, and the side of its input."""
    settings = dict(SMALL[family])
    size = settings.pop("side")
    return build_model(settings.pop("model"), size, **settings), size


def build_model(name: str, size: int, **settings: Any) -> nn.Module:
    """One of timm's models with random weights, for images of a size.

    Raises:
        Exception: if it cannot be built, or cannot run.
    """
    for sized in ({"img_size": size}, {}):
        torch.manual_seed(0)
        try:
            module = timm.create_model(name, **settings, **sized).eval()
        except TypeError:  # it takes any size, or has another name for it
            if not sized:
                raise
        else:
            break
    _spread(module)
    with torch.no_grad():
        intermediates(module, torch.randn(1, 3, size, size))
    return module


def _spread(module: nn.Module) -> None:
    """Change parameters of branches that begin by adding nothing, so that all of it works."""
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


def _same_values(
    module: nn.Module, images: torch.Tensor
) -> Iterator[tuple[torch.Tensor, set[str]]]:
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


@dataclass
class Judgement:
    """What net2vec makes of a network.

    Attributes:
        maps: for each of timm's maps `wrong`, `right`, `refused` or `no layer`: the first that
            holds for one of the modules with its values.
        layers: those that are probed by default.
        dark: grids of layers that do not change the most where a square is painted.
        batch: why the network is taken for one that depends on its batch; empty for a sound one.
    """

    maps: list[str] = field(default_factory=list)
    layers: tuple[str, ...] = ()
    dark: list[str] = field(default_factory=list)
    batch: str = ""

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return "wrong" not in self.maps and bool(self.layers) and not self.dark and not self.batch


VERDICTS = ("wrong", "right", "refused", "no layer")


def judge(module: nn.Module, size: int) -> Judgement:
    """Hold the grids of a network's layers against timm's maps and against a painted square."""
    network = network_from_module(module, size=size)
    found = Judgement(layers=resolve_layers(network))
    images = torch.randn(1, 3, size, size, generator=torch.Generator().manual_seed(2))
    maps = list(_same_values(module, images))
    every = sorted({path for _, paths in maps for path in paths})
    infos = {info.path: info for info in list_layers(network, decided=every)}
    grids = run_layers(network, images, [path for path in every if infos[path].is_grid])
    right: dict[str, None] = {}
    for wanted, paths in maps:
        verdicts = {path: _verdict(infos[path], grids.get(path), wanted) for path in sorted(paths)}
        right |= dict.fromkeys([path for path, one in verdicts.items() if one == "right"][:1])
        seen = set(verdicts.values())
        found.maps.append(next((one for one in VERDICTS if one in seen), "no layer"))
    found.dark = dark_layers(network, list({**dict.fromkeys(found.layers), **right}))
    try:
        refuse_dependence(network, found.layers)
    except NetworkError as error:
        found.batch = str(error)
    return found


def _verdict(info: LayerInfo, grid: torch.Tensor | None, wanted: torch.Tensor) -> str:
    if wanted.shape[2:] == (1, 1) and info.shape is not None:
        return "right"
    if grid is None:
        return "refused" if info.refused else "no layer"
    close = grid.shape == wanted.shape and torch.allclose(
        grid, wanted, atol=1e-4 * float(wanted.abs().max())
    )
    return "right" if close else "wrong"


# Each place of a deep grid, which has few, sees nearly the whole image.
_NOISES, _MIN_SIDE = 4, 7


def dark_layers(network: Network, layers: list[str]) -> list[str]:
    """The layers whose grids do not change the most where a coloured square is painted on noise.

    A square fills a quarter of the image. Places in each corner of a grid must change more by the
    square in their own quarter than by one in another.
    """
    channels, side, _ = network.input_shape
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(_NOISES, 1, channels, side, side, generator=generator)
    images = noise.repeat(1, 5, 1, 1, 1)
    halves = slice(0, side // 2), slice(side // 2, side)
    for number, (rows, columns) in enumerate(product(halves, halves)):
        color = 2 * torch.randn(_NOISES, channels, 1, 1, generator=generator)
        images[:, 1 + number, :, rows, columns] = color
    dark = []
    for layer, found in run_layers(network, images.flatten(0, 1), layers).items():
        if found.ndim != 4 or found.shape[-1] < _MIN_SIDE:
            continue
        grids = found.unflatten(0, (_NOISES, 5))
        changes = (grids[:, 1:] - grids[:, :1]).square().sum(2).mean(0)
        # Of each place's changes, how much is by the square in each quarter. Grids may be shifted
        # against the image by half a place: only the corners are looked at.
        changes /= changes.sum(0)
        corner = (changes.shape[-1] + 2) // 4
        parts = slice(0, corner), slice(-corner, None)
        lit = torch.stack(
            [changes[:, rows, columns].mean((1, 2)) for rows, columns in product(parts, parts)]
        )
        if lit.argmax(1).tolist() != [0, 1, 2, 3]:
            dark.append(layer)
    return dark
