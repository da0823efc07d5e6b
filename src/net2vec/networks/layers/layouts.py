"""Decide how an output is a grid where its shape leaves that open, by running the network.

The network gets a few images, each a mosaic of two pictures of noise with as many squares as the
grid in question has places. Every square has a binary code, which says in which images it shows
which of the two pictures. The output at a place follows the code of the square at that place, even
behind layers that mix all places, since the codes of the other squares cancel out. For each layout
that the shape allows, the share of comparisons is counted in which a place follows its own square's
code more than another square's: almost 1 in the true layout, about one half in any other. A layout
is taken only if no other one agrees too.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import interpolate

from net2vec.networks.layers.grids import TOKENS, Layout, Shape, layouts_of, probed_shape
from net2vec.networks.layers.modes import evaluating, fixed_batch_of, network_input, portions
from net2vec.networks.layers.outputs import main_tensor
from net2vec.networks.layers.tracing import Output, Trace

# A layout agrees if its share of comparisons is above the first threshold. The second one holds
# where less is left to chance: places plainly follow one square, or there are few places, some of
# which are right in a wrong order too.
_AGREES, _AGREES_PLAINLY, _MAX_PLACES_OF_FEW = 0.7, 0.9, 9
# Places follow one square if so much of their change is by one code, in the median.
_FOLLOWS = 0.6
# Half of the images are enough where one layout is above the first threshold, without ties, and
# every other one below the second.
_IMAGES = 8
_CLEAR, _CLEARLY_NOT = 0.95, 0.7
# How many places are compared, and each with how many other squares.
_PLACES, _OTHERS = 64, 32


class LayoutDecisions:
    """The layouts of a network's outputs, each decided when it is asked for.

    An output whose shape allows one layout has that one; for the others the network is run, once
    for each distinct tensor. The images are the same each time, and so are the decisions.
    """

    def __init__(
        self, trace: Trace, prefix_tokens: int = 0, input_size: tuple[int, int] = (1, 1)
    ) -> None:
        """Take over the outputs of a dry pass.

        Args:
            trace: of the network.
            prefix_tokens: how many tokens before those of places the network has.
            input_size: rows and columns of the network's input; by default any square.
        """
        self._input_size = input_size
        self._trace = trace
        self._first: dict[int, Output] = {}
        for output in trace.outputs:
            self._first.setdefault(output.tensor, output)
        self._possible = {
            tensor: layouts_of(output.shape or (), prefix_tokens, input_size)
            for tensor, output in self._first.items()
        }
        self._agreeing: dict[int, list[Layout]] = {}  # of each tensor that was decided
        self._follows_nothing: set[int] = set()

    def decide(
        self, outputs: Iterable[Output], module: nn.Module, input_shape: tuple[int, int, int]
    ) -> None:
        """Decide the layouts of outputs that were not decided before.

        Args:
            outputs: of the trace.
            module: the network, which is left as it was found.
            input_shape: channels, rows and columns of its input.
        """
        outputs = list(outputs)
        self._measure(outputs, module, input_shape)
        containers = (around for output in outputs for around in self._containers(output))
        self._measure(containers, module, input_shape)

    def layout(self, output: Output) -> Layout | None:
        """The decided layout of an output, or the usual one of its shape if none was decided yet.

        None where the output is no grid, or is refused.
        """
        if output.tensor in self._agreeing:
            agreeing = self._agreeing_with(output)
            return agreeing[0] if len(agreeing) == 1 else None
        return next(iter(self._possible[output.tensor]), None)

    def refusal(self, output: Output) -> str:
        """Why an output cannot be probed though its shape is that of a grid; else empty.

        Empty as well of tokens, and where channels or rows may be meant, until that is decided.
        """
        if output.turned:
            return (
                f"puts out {_by(output.shape)}, but changes elsewhere than where the image does: "
                f"its rows and columns are not those of the image; take a layer before or after it"
            )
        if output.tensor not in self._agreeing or self.layout(output) is not None:
            return ""
        subject = "tokens stand" if len(output.shape or ()) == 2 else "channels and places lie"
        known = "several known orders fit" if self._agreeing_with(output) else "no known order fits"
        return (
            f"puts out {_by(output.shape)}, and how its {subject} in the image cannot be told: "
            f"{known} what it does when squares of the image change; take a layer before or after "
            f"it"
        )

    def probed_shape(self, output: Output) -> Shape | None:
        """(channels, rows, columns) of a grid, (channels,) of a vector, None of anything else."""
        if output.shape is None or self.refusal(output):
            return None
        return probed_shape(output.shape, layout=self.layout(output), input_size=self._input_size)

    def _agreeing_with(self, output: Output) -> list[Layout]:
        """The layouts that agree with what an output does, or else its innermost container's."""
        tensors = (output.tensor, *(around.tensor for around in self._containers(output)))
        return next(filter(None, (self._agreeing.get(tensor) for tensor in tensors)), [])

    def _containers(self, output: Output) -> Iterator[Output]:
        """The containers, innermost first, that decide for an output which follows no code at all.

        Such are branches that attend to all places alike, or add nothing yet: their tokens are
        taken to stand as in the container to whose output they are added.
        """
        shape, path = output.shape or (), output.path
        if output.tensor not in self._follows_nothing or len(set(shape)) != 2:
            return
        while path := path.rpartition(".")[0]:
            around = self._trace.find(path)
            if around is not None and (around.shape or ())[:1] == shape[:1]:
                yield around

    def _measure(
        self, outputs: Iterable[Output], module: nn.Module, input_shape: tuple[int, int, int]
    ) -> None:
        """Run the network for those outputs whose layout is open and not decided."""
        asked = {
            first.tensor: possible
            for output in outputs
            for first in [self._first[output.tensor]]
            for possible in [self._possible[output.tensor]]
            # A single order of tokens is not certain either: they may stand in an unknown one.
            # Without squares, a grid's aspect may be that of the image by chance.
            if len(possible) > 1
            or any(layout.kind == TOKENS or layout.rows != layout.columns for layout in possible)
            if output.tensor not in self._agreeing
        }
        for images in (_IMAGES // 2, _IMAGES):
            scores: dict[int, dict[Layout, _Score]] = {tensor: {} for tensor in asked}
            grids = {_grid(layout) for possible in asked.values() for layout in possible}
            for grid in sorted(grids):
                calls = {
                    (self._first[tensor].path, self._first[tensor].call): (
                        [layout for layout in possible if _grid(layout) == grid],
                        scores[tensor],
                        self._first[tensor],
                    )
                    for tensor, possible in asked.items()
                    if any(_grid(layout) == grid for layout in possible)
                }
                _score_layouts(module, _Mosaics.of(grid, input_shape, images), calls)
            for tensor, found in scores.items():
                if images == _IMAGES:
                    self._agreeing[tensor] = [lay for lay, one in found.items() if one.agrees(lay)]
                    if found and not any(one.follows for one in found.values()):
                        self._follows_nothing.add(tensor)
                elif clear := _clear_layout(found):
                    self._agreeing[tensor] = [clear]
                    del asked[tensor]


@dataclass(frozen=True)
class _Score:
    """How far a layout agrees with what a network does.

    Attributes:
        share: of comparisons that a place's own square wins against another; ties count half.
        untied: the same among the comparisons without ties.
        follows: whether places follow the code of one square, be it theirs or not.
    """

    share: float
    untied: float
    follows: bool

    def agrees(self, layout: Layout) -> bool:
        plain = self.follows or layout.rows * layout.columns <= _MAX_PLACES_OF_FEW
        return self.share > (_AGREES_PLAINLY if plain else _AGREES)


def _clear_layout(scores: Mapping[Layout, _Score]) -> Layout | None:
    """The one layout that half of the images already tell from all others, if there is one."""
    if any(layout.rows * layout.columns <= _OTHERS for layout in scores):
        return None  # of few places, some follow a wrong square by chance
    possible = [layout for layout, score in scores.items() if score.untied > _CLEARLY_NOT]
    clear = len(possible) == 1 and scores[possible[0]].untied > _CLEAR
    return possible[0] if clear else None


@dataclass(frozen=True)
class _Mosaics:
    """Images for grids of one size, and the comparisons to make.

    Attributes:
        images: (image, channel, row, column).
        places: numbers of the places that are compared, in rows.
        codes: all codes that there are, once each, 1 or -1 for each image.
        compared: number of the code of each place's own square, and then of others'.
    """

    images: Float[Tensor, "image channel row column"]
    places: Int[Tensor, "place"]
    codes: Float[Tensor, "code image"]
    compared: Int[Tensor, "place square"]

    @classmethod
    def of(cls, grid: tuple[int, int], input_shape: tuple[int, int, int], count: int) -> _Mosaics:
        """Draw `count` images of a shape for grids of some rows and columns."""
        channels, *size = input_shape
        rows, columns = grid
        generator = torch.Generator().manual_seed(rows if rows == columns else rows << 16 | columns)
        # Colour and texture: some filters give nothing on an even square.
        coarse, fine = (
            _enlarged(torch.randn(2, channels, n * rows, n * columns, generator=generator), size)
            for n in (1, 4)
        )
        squares = rows * columns
        # As many images of one picture as of the other.
        order = torch.rand(count, squares, generator=generator).argsort(0)
        codes = order % 2 * 2.0 - 1
        shown = _enlarged(codes.view(count, 1, rows, columns), size)
        images = torch.where(shown > 0, coarse[0] + fine[0], coarse[1] + fine[1])
        places = torch.randperm(squares, generator=generator)[:_PLACES]
        apart = torch.randint(1, squares, (len(places), _OTHERS), generator=generator)
        compared = torch.cat([places[:, None], (places[:, None] + apart) % squares], 1)
        distinct, number = torch.unique(codes.t(), dim=0, return_inverse=True)
        return cls(images, places, distinct, number[compared])

    def vectors(self, output: Tensor, layouts: Sequence[Layout]) -> Float[Tensor, "image vector c"]:
        """A copy of those vectors of an output that one of the layouts has at a compared place.

        Args:
            output: with a row for each image.
            layouts: of one kind and grid.
        """
        numbers, _ = self._numbers(layouts)
        return layouts[0].vectors(output)[:, numbers.to(output.device)].float().cpu()

    def scores(
        self, vectors: Float[Tensor, "image vector c"], layouts: Sequence[Layout]
    ) -> list[_Score]:
        """Compare what the vectors do with the codes, by each layout."""
        _, inverse = self._numbers(layouts)
        moved = (vectors - vectors.mean(0)).transpose(0, 1)
        products = torch.bmm(moved, moved.transpose(1, 2))
        whole = products.diagonal(dim1=1, dim2=2).sum(1)
        # The share of each vector's change that is by each code; 0 where it does not change.
        outer = (self.codes[:, :, None] * self.codes[:, None]).flatten(1)
        shares = products.flatten(1) @ outer.t()
        shares /= (len(products[0]) * whole.clamp_min(torch.finfo(whole.dtype).tiny))[:, None]
        compared = shares[inverse[:, :, None], self.compared]
        lead = compared[:, :, :1] - compared[:, :, 1:]
        tied = lead.abs() < 1e-4  # equal codes, up to rounding
        wins = ((lead > 0) & ~tied).sum((1, 2)).double()
        ties = tied.sum((1, 2)).double()
        count = lead[0].numel()
        follows = shares.amax(1)[inverse].median(1).values > _FOLLOWS
        columns = (wins + 0.5 * ties) / count, wins / (count - ties).clamp_min(1), follows
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return [_Score(*row) for row in rows]

    def _numbers(self, layouts: Sequence[Layout]) -> tuple[Int[Tensor, "vector"], Tensor]:
        """Numbers of the vectors that are compared, and which of them each (layout, place) has."""
        numbers = torch.stack([layout.vector_numbers()[self.places] for layout in layouts])
        distinct, inverse = torch.unique(numbers, return_inverse=True)
        return distinct, inverse


def _grid(layout: Layout) -> tuple[int, int]:
    return layout.rows, layout.columns


class _Done(Exception):  # noqa: N818 - a signal to leave the pass, not an error
    """All outputs that were asked for have been seen."""


_Call = tuple[str, int]
_Asked = tuple[Sequence[Layout], dict[Layout, _Score], Output]


def _score_layouts(module: nn.Module, mosaics: _Mosaics, calls: Mapping[_Call, _Asked]) -> None:
    """Run a network on mosaics and score layouts by what it does.

    Args:
        module: the network.
        mosaics: for one grid.
        calls: for each module path and call the layouts in question, where to put their scores, and
            the output in the trace.
    """
    batches = portions(network_input(module, mosaics.images), fixed_batch_of(module))
    parts: defaultdict[tuple[_Call, str], list[Tensor]] = defaultdict(list)
    count: Counter[str] = Counter()
    waiting: set[_Call] = set()

    def hook_of(path: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(_: nn.Module, __: Any, result: Any) -> None:
            count[path] += 1
            call = (path, count[path])
            layouts, scores, output = calls.get(call, ((), {}, None))
            tensor = main_tensor(result)
            rows = tensor if tensor is None or output is None else output.image_rows(tensor)
            # An output without a row for each image only happened to have as many in the dry pass.
            if rows is not None and len(rows) == len(batches[0]):
                for kind, group in groupby(layouts, key=lambda layout: layout.kind):
                    of_kind, vectors = list(group), parts[call, kind]
                    vectors.append(mosaics.vectors(rows, of_kind))
                    if len(vectors) == len(batches):
                        found = torch.cat(vectors)[: len(mosaics.images)]
                        scores.update(zip(of_kind, mosaics.scores(found, of_kind), strict=True))
                        vectors.clear()
            waiting.discard(call)
            if not waiting:
                raise _Done

        return hook

    with ExitStack() as stack:
        for path in {path for path, _ in calls}:
            hook = module.get_submodule(path).register_forward_hook(hook_of(path))
            stack.callback(hook.remove)
        stack.enter_context(evaluating(module))
        for batch in batches:
            count.clear()
            waiting.update(calls)
            with suppress(_Done):
                module(batch)


def _by(shape: Shape | None) -> str:
    return " x ".join(map(str, shape or ()))


def _enlarged(grid: Tensor, size: Sequence[int]) -> Tensor:
    return interpolate(grid, size=tuple(size), mode="nearest")
