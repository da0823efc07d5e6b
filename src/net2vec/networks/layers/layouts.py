"""How outputs are grids where their shape does not tell: the network is asked.

A few images are shown, each a mosaic of two pictures of noise with as many squares as the grid in
question has places; a code of the square's own says in which images it shows which picture. The
output at a place follows the code of the square that it belongs to, even behind layers that mix
all places, since the codes of the others cancel out. So of every layout that the shape allows it
is counted how often a place follows its own square's code more than another's: about always in
the true layout, half of the time in any other. Only a layout that alone agrees is taken.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from net2vec.networks.layers.grids import TOKENS, Layout, layouts_of
from net2vec.networks.layers.modes import (
    evaluating,
    fixed_batch_of,
    parameter_device,
    portions,
)
from net2vec.networks.layers.tracing import Output, Trace

# Of a layout that agrees, the share of comparisons that a place's own square wins; half by chance.
_AGREES = 0.8
_IMAGES = 8
# How many places are looked at, and with how many other squares each is compared.
_PLACES, _OTHERS = 64, 32


def with_layouts(trace: Trace, module: nn.Module, size: int, prefix_tokens: int = 0) -> Trace:
    """The trace with the layout of each output, or why it is refused.

    The network is run only if a shape allows several layouts, and is left as it was found. The
    images are the same each time.

    Args:
        trace: of the module.
        module: the network.
        size: side of its input in pixels.
        prefix_tokens: how many tokens before those of places it has.
    """
    possible = {
        (out.path, out.call): layouts_of(out.shape or (), prefix_tokens) for out in trace.outputs
    }
    open_: defaultdict[int, dict[tuple[str, int], list[Layout]]] = defaultdict(dict)
    for called, layouts in possible.items():
        # A single order of tokens is no certain one either.
        if len(layouts) > 1 or any(layout.kind == TOKENS for layout in layouts):
            for layout in layouts:
                open_[layout.side].setdefault(called, []).append(layout)
    agreeing: defaultdict[tuple[str, int], list[Layout]] = defaultdict(list)
    for side, asked in sorted(open_.items()):
        for called, share_of in _ask(module, size, side, asked).items():
            agreeing[called] += [layout for layout, share in share_of.items() if share > _AGREES]

    def decided(output: Output) -> Output:
        layouts = possible[output.path, output.call]
        if any((output.path, output.call) in asked for asked in open_.values()):
            agree = agreeing[output.path, output.call]
            if len(agree) == 1:
                return replace(output, layout=agree[0])
            return replace(output, activation=False, refused=_reason(output, agree))
        return replace(output, layout=layouts[0] if layouts else None)

    return replace(trace, outputs=tuple(decided(output) for output in trace.outputs))


@dataclass(frozen=True)
class _Mosaics:
    """Images for grids of a side, and what to compare.

    Attributes:
        images: (image, 3, size, size).
        codes: 1 or -1 for each image and square, the squares in rows; as many of one as of the
            other for each square.
        places: those that are looked at.
        others: for each of these, other squares.
    """

    images: Float[Tensor, "image 3 size size"]
    codes: Float[Tensor, "image square"]
    places: Tensor
    others: Tensor

    @classmethod
    def of(cls, side: int, size: int) -> _Mosaics:
        generator = torch.Generator().manual_seed(side)
        # Colour and texture: to some filters an even square is nothing.
        pictures = sum(
            _enlarged(torch.randn(2, 3, coarse, coarse, generator=generator), size)
            for coarse in (side, 4 * side)
        )
        squares = side * side
        codes = torch.rand(_IMAGES, squares, generator=generator).argsort(0) % 2 * 2.0 - 1
        shown = _enlarged(codes.view(_IMAGES, 1, side, side), size)
        places = torch.randperm(squares, generator=generator)[:_PLACES]
        apart = torch.randint(1, squares, (len(places), _OTHERS), generator=generator)
        others = (places[:, None] + apart) % squares
        return cls(torch.where(shown > 0, *pictures), codes, places, others)

    def share(self, vectors: Float[Tensor, "image place channel"]) -> float:
        """How often a place follows its own square's code more than another's; ties are half."""
        moved = (vectors - vectors.mean(0)).transpose(0, 1)
        products = torch.bmm(moved, moved.transpose(1, 2))

        def followed(squares: Tensor) -> Tensor:
            codes = self.codes[:, squares]
            return torch.einsum("pij,ipo,jpo->po", products, codes, codes)

        lead = followed(self.places[:, None]) - followed(self.others)
        # Of places that do not move, and of equal codes up to rounding, neither is ahead.
        slack = 1e-4 * products.diagonal(dim1=1, dim2=2).sum(1)[:, None]
        wins = (lead > slack).double() + 0.5 * (lead.abs() <= slack)
        return float(wins.mean())


class _Done(Exception):  # noqa: N818 - a signal to leave the pass, not an error
    """All that was asked for has been seen."""


def _ask(
    module: nn.Module, size: int, side: int, asked: Mapping[tuple[str, int], Iterable[Layout]]
) -> dict[tuple[str, int], dict[Layout, float]]:
    """For each call, how well each layout of a side agrees with what the network does."""
    mosaics = _Mosaics.of(side, size)
    seen: defaultdict[tuple[tuple[str, int], Layout], list[Tensor]] = defaultdict(list)
    calls: defaultdict[str, int] = defaultdict(int)
    waiting: set[tuple[str, int]] = set()

    def hook_of(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_: nn.Module, __: Any, result: Any) -> None:
            calls[path] += 1
            called = (path, calls[path])
            for layout in asked.get(called, ()):
                vectors = layout.vectors(result)[:, mosaics.places.to(result.device)]
                seen[called, layout].append(vectors.float().cpu())
            waiting.discard(called)
            if not waiting:
                raise _Done

        return hook

    with ExitStack() as stack:
        for path in {path for path, _ in asked}:
            hook = module.get_submodule(path).register_forward_hook(hook_of(path))
            stack.callback(hook.remove)
        stack.enter_context(evaluating(module))
        for portion in portions(
            mosaics.images.to(parameter_device(module)), fixed_batch_of(module)
        ):
            calls.clear()
            waiting.update(asked)
            with suppress(_Done):
                module(portion)
    found: defaultdict[tuple[str, int], dict[Layout, float]] = defaultdict(dict)
    for (called, layout), parts in seen.items():
        found[called][layout] = mosaics.share(torch.cat(parts)[:_IMAGES])
    return found


def _enlarged(grid: Tensor, size: int) -> Tensor:
    return interpolate(grid, size=(size, size), mode="nearest")


def _reason(output: Output, agree: Iterable[Layout]) -> str:
    shape = " x ".join(str(count) for count in output.shape or ())
    what = "tokens stand" if len(output.shape or ()) == 2 else "channels and places lie"
    known = "several known orders fit" if list(agree) else "no known order fits"
    return (
        f"puts out {shape}, and how its {what} in the image cannot be told: {known} what it does "
        f"when squares of the image change; take a layer before or after it"
    )
