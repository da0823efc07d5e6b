"""Mosaics that show a network which square is which, and how its outputs follow them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import interpolate

from net2vec.networks.layers.grids import Layout
from net2vec.networks.layers.modes import evaluating, fixed_batch_of, network_input, portions
from net2vec.networks.layers.outputs import main_tensor
from net2vec.networks.layers.tracing import Output

# A layout agrees if its share of comparisons is above the first threshold. The second one holds
# where less is left to chance: places plainly follow one square, or there are few places, some of
# which are right in a wrong order too.
_AGREES, _AGREES_PLAINLY, _MAX_PLACES_OF_FEW = 0.7, 0.9, 9
# Places follow one square if so much of their change is by one code, in the median.
_FOLLOWS = 0.6
# How many places are compared, and each with how many other squares.
_PLACES, OTHERS = 64, 32


@dataclass(frozen=True)
class LayoutScore:
    """The agreement of a layout with what a network does.

    Attributes:
        share: of comparisons that a place's own square wins against another; ties count half.
        untied: the same among the comparisons without ties.
        follows: whether places follow the code of one square, be it theirs or not.
    """

    share: float
    untied: float
    follows: bool

    def agrees(self, layout: Layout) -> bool:
        """Whether enough comparisons are won for the layout to be the true one."""
        plain = self.follows or layout.rows * layout.columns <= _MAX_PLACES_OF_FEW
        return self.share > (_AGREES_PLAINLY if plain else _AGREES)


@dataclass(frozen=True)
class Mosaics:
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
    def of(cls, grid: tuple[int, int], input_shape: tuple[int, int, int], count: int) -> Mosaics:
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
        apart = torch.randint(1, squares, (len(places), OTHERS), generator=generator)
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
    ) -> list[LayoutScore]:
        """Compare what the vectors do with the codes, by each layout."""
        _, inverse = self._numbers(layouts)
        moved = (vectors - vectors.mean(0)).transpose(0, 1)
        products = torch.bmm(moved, moved.transpose(1, 2))
        total = products.diagonal(dim1=1, dim2=2).sum(1)
        # The share of each vector's change that is by each code; 0 where it does not change.
        outer = (self.codes[:, :, None] * self.codes[:, None]).flatten(1)
        shares = products.flatten(1) @ outer.t()
        shares /= (len(products[0]) * total.clamp_min(torch.finfo(total.dtype).tiny))[:, None]
        compared = shares[inverse[:, :, None], self.compared]
        lead = compared[:, :, :1] - compared[:, :, 1:]
        tied = lead.abs() < 1e-4  # equal codes, up to rounding
        wins = ((lead > 0) & ~tied).sum((1, 2)).double()
        ties = tied.sum((1, 2)).double()
        count = lead[0].numel()
        follows = shares.amax(1)[inverse].median(1).values > _FOLLOWS
        columns = (wins + 0.5 * ties) / count, wins / (count - ties).clamp_min(1), follows
        rows = zip(*(column.tolist() for column in columns), strict=True)
        return [LayoutScore(*row) for row in rows]

    def _numbers(self, layouts: Sequence[Layout]) -> tuple[Int[Tensor, "vector"], Tensor]:
        """Numbers of the vectors that are compared, and which of them each (layout, place) has."""
        numbers = torch.stack([layout.vector_numbers()[self.places] for layout in layouts])
        distinct, inverse = torch.unique(numbers, return_inverse=True)
        return distinct, inverse


class _Done(Exception):  # noqa: N818 - a signal to leave the pass, not an error
    """All outputs that were asked for have been seen."""


_Call = tuple[str, int]
_LayoutQuery = tuple[Sequence[Layout], dict[Layout, LayoutScore], Output]


def score_layouts(module: nn.Module, mosaics: Mosaics, calls: Mapping[_Call, _LayoutQuery]) -> None:
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
                        vector = torch.cat(vectors)[: len(mosaics.images)]
                        scores.update(zip(of_kind, mosaics.scores(vector, of_kind), strict=True))
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


def _enlarged(grid: Tensor, size: Sequence[int]) -> Tensor:
    return interpolate(grid, size=tuple(size), mode="nearest")
