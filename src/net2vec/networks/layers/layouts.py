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

from collections.abc import Iterable, Iterator, Mapping

from torch import nn

from net2vec.networks.layers.grids import TOKENS, Layout, Shape, layouts_of, probed_shape
from net2vec.networks.layers.mosaics import OTHERS, LayoutScore, Mosaics, score_layouts
from net2vec.networks.layers.tracing import Output, Trace

# Half of the images are enough where one layout wins more than the first share of comparisons,
# without ties, and every other one less than the second.
_IMAGES = 8
_CLEAR, _CLEARLY_NOT = 0.95, 0.7


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
        """The reason why an output of a grid's shape cannot be probed; else empty.

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
        queries = {
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
            scores: dict[int, dict[Layout, LayoutScore]] = {tensor: {} for tensor in queries}
            grids = {_grid(layout) for possible in queries.values() for layout in possible}
            for grid in sorted(grids):
                calls = {
                    (self._first[tensor].path, self._first[tensor].call): (
                        [layout for layout in possible if _grid(layout) == grid],
                        scores[tensor],
                        self._first[tensor],
                    )
                    for tensor, possible in queries.items()
                    if any(_grid(layout) == grid for layout in possible)
                }
                score_layouts(module, Mosaics.of(grid, input_shape, images), calls)
            for tensor, by_layout in scores.items():
                if images == _IMAGES:
                    self._agreeing[tensor] = [
                        lay for lay, one in by_layout.items() if one.agrees(lay)
                    ]
                    if by_layout and not any(one.follows for one in by_layout.values()):
                        self._follows_nothing.add(tensor)
                elif clear := _clear_layout(by_layout):
                    self._agreeing[tensor] = [clear]
                    del queries[tensor]


def _clear_layout(scores: Mapping[Layout, LayoutScore]) -> Layout | None:
    """The one layout that half of the images already tell from all others, if there is one."""
    if any(layout.rows * layout.columns <= OTHERS for layout in scores):
        return None  # of few places, some follow a wrong square by chance
    possible = [layout for layout, score in scores.items() if score.untied > _CLEARLY_NOT]
    clear = len(possible) == 1 and scores[possible[0]].untied > _CLEAR
    return possible[0] if clear else None


def _grid(layout: Layout) -> tuple[int, int]:
    return layout.rows, layout.columns


def _by(shape: Shape | None) -> str:
    return " x ".join(map(str, shape or ()))
