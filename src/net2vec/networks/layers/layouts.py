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
from jaxtyping import Float, Int
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
# Places that plainly follow one square, which must be theirs, leave less to chance, and of a few
# places some are where they should be in a wrong order too.
_AGREES, _AGREES_PLAINLY, _FEW = 0.7, 0.9, 3
# Places follow some square's code if so much of their change is by one code, in the median.
_FOLLOWS = 0.6
_IMAGES = 8
# How many places are looked at, and with how many other squares each is compared.
_PLACES, _OTHERS = 64, 32

_Call = tuple[str, int]


def with_layouts(trace: Trace, module: nn.Module, size: int, prefix_tokens: int = 0) -> Trace:
    """The trace with the layout of each output, or why it is refused.

    The network is run only if a shape allows several layouts, and is left as it was found. The
    images are the same each time.

    Where places follow no code at all (a branch that looks at all places alike, or adds nothing
    yet), tokens are taken to stand as in the module around, to whose output they are added.

    Args:
        trace: of the module.
        module: the network.
        size: side of its input in pixels.
        prefix_tokens: how many tokens before those of places it has.
    """
    possible = {
        (out.path, out.call): layouts_of(out.shape or (), prefix_tokens) for out in trace.outputs
    }
    answers: defaultdict[_Call, dict[Layout, _Answer]] = defaultdict(dict)
    # A single order of tokens is no certain one either.
    asked_of = {
        call: layouts
        for call, layouts in possible.items()
        if len(layouts) > 1 or any(layout.kind == TOKENS for layout in layouts)
    }
    for side in sorted({layout.side for layouts in asked_of.values() for layout in layouts}):
        of_side = {
            call: [layout for layout in layouts if layout.side == side]
            for call, layouts in asked_of.items()
            if any(layout.side == side for layout in layouts)
        }
        for call, found in _ask(module, size, side, of_side).items():
            answers[call].update(found)
    agreeing = {
        call: [layout for layout, answer in found.items() if answer.agrees(layout)]
        for call, found in answers.items()
    }

    def decided(output: Output) -> Output:
        call = (output.path, output.call)
        if call not in asked_of:
            return replace(output, layout=next(iter(possible[call]), None))
        agree = agreeing.get(call, [])
        if (
            call in answers
            and not agree
            and not any(answer.follows for answer in answers[call].values())
        ):
            agree = _around(output, trace, agreeing)
        if len(agree) == 1:
            return replace(output, layout=agree[0])
        return replace(output, activation=False, refused=_reason(output, agree))

    return replace(trace, outputs=tuple(decided(output) for output in trace.outputs))


def _around(output: Output, trace: Trace, agreeing: Mapping[_Call, list[Layout]]) -> list[Layout]:
    """The layout of the nearest module around whose output has as many tokens."""
    if output.shape is None or len(output.shape) != 2 or output.shape[0] == output.shape[1]:
        return []
    path = output.path
    while path := path.rpartition(".")[0]:
        around = trace.find(path)
        if around is not None and (around.shape or ())[:1] == output.shape[:1]:
            agree = agreeing.get((around.path, around.call), [])
            if agree:
                return agree
    return []


@dataclass(frozen=True)
class _Answer:
    """What a network does by a layout.

    Attributes:
        share: how often a place follows its own square's code more than another's; ties are half.
        follows: whether places follow the code of one square, be it theirs or not.
    """

    share: float
    follows: bool

    def agrees(self, layout: Layout) -> bool:
        plain = self.follows or layout.side <= _FEW
        return self.share > (_AGREES_PLAINLY if plain else _AGREES)


@dataclass(frozen=True)
class _Mosaics:
    """Images for grids of a side, and what to compare.

    Attributes:
        images: (image, 3, size, size).
        places: those that are looked at.
        codes: of each of these, of its own square and then of others, 1 or -1 for each image.
        every: all codes that there are, once each.
    """

    images: Float[Tensor, "image 3 size size"]
    places: Int[Tensor, "place"]
    codes: Float[Tensor, "place square image"]
    every: Float[Tensor, "code image"]

    @classmethod
    def of(cls, side: int, size: int) -> _Mosaics:
        generator = torch.Generator().manual_seed(side)
        # Colour and texture: to some filters an even square is nothing.
        coarse, fine = (
            _enlarged(torch.randn(2, 3, count, count, generator=generator), size)
            for count in (side, 4 * side)
        )
        squares = side * side
        # As many images of one picture as of the other.
        order = torch.rand(_IMAGES, squares, generator=generator).argsort(0)
        codes = order % 2 * 2.0 - 1
        shown = _enlarged(codes.view(_IMAGES, 1, side, side), size)
        images = torch.where(shown > 0, coarse[0] + fine[0], coarse[1] + fine[1])
        places = torch.randperm(squares, generator=generator)[:_PLACES]
        apart = torch.randint(1, squares, (len(places), _OTHERS), generator=generator)
        compared = torch.cat([places[:, None], (places[:, None] + apart) % squares], 1)
        return cls(images, places, codes.t()[compared], torch.unique(codes.t(), dim=0))

    def answer(self, vectors: Float[Tensor, "image place channel"]) -> _Answer:
        """Hold what the places looked at do against the codes."""
        moved = (vectors - vectors.mean(0)).transpose(0, 1)
        products = torch.bmm(moved, moved.transpose(1, 2))
        whole = products.diagonal(dim1=1, dim2=2).sum(1)
        # The shares of each place's change that are by a code; none where it does not change.
        products = (
            products / (_IMAGES * whole.clamp_min(torch.finfo(whole.dtype).tiny))[:, None, None]
        )
        shares = (self.codes @ products * self.codes).sum(2)
        lead = shares[:, :1] - shares[:, 1:]
        same = lead.abs() < 1e-4  # equal codes, up to rounding
        wins = ((lead > 0) & ~same).double() + 0.5 * same
        by_one = (self.every @ products * self.every).sum(2).amax(1)
        return _Answer(float(wins.mean()), bool(by_one.median() > _FOLLOWS))


class _Done(Exception):  # noqa: N818 - a signal to leave the pass, not an error
    """All that was asked for has been seen."""


def _ask(
    module: nn.Module, size: int, side: int, asked: Mapping[_Call, Iterable[Layout]]
) -> dict[_Call, dict[Layout, _Answer]]:
    """For each call, how well each layout of a side agrees with what the network does."""
    mosaics = _Mosaics.of(side, size)
    seen: defaultdict[tuple[_Call, Layout], list[Tensor]] = defaultdict(list)
    calls: defaultdict[str, int] = defaultdict(int)
    waiting: set[_Call] = set()
    rows = 0

    def hook_of(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_: nn.Module, __: Any, result: Any) -> None:
            calls[path] += 1
            called = (path, calls[path])
            # What has no row for each image only happened to have as many in the dry pass.
            of_images = isinstance(result, Tensor) and len(result) == rows
            for layout in asked.get(called, ()) if of_images else ():
                vectors = layout.vectors(result, mosaics.places)
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
            rows = len(portion)
            calls.clear()
            waiting.update(asked)
            with suppress(_Done):
                module(portion)
    found: defaultdict[_Call, dict[Layout, _Answer]] = defaultdict(dict)
    for (called, layout), parts in seen.items():
        found[called][layout] = mosaics.answer(torch.cat(parts)[:_IMAGES])
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
