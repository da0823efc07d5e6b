"""The images of a dry pass, and what is noted of the outputs for them.

The first image is coarse noise, which passes layers that average fine noise away; the others are
the same with a coloured square in the upper right quarter. A grid must change there, and the first
image must give the same beside the others as alone.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate, pad

from net2vec.networks.layers.grids import CHANNELS_LAST, Layout

_CELLS = 8
_SKETCHED = 997
# A grid is turned if so many times more changes in another quarter than in the painted one.
_TURNED = 4.0
# Each place of a smaller grid sees nearly the whole image.
_MIN_SIDE = 7


def dry_images(count: int, shape: tuple[int, int, int]) -> Float[Tensor, "image c y x"]:
    """The images of a dry pass.

    Args:
        count: of images.
        shape: channels, rows and columns of each.
    """
    channels, *size = shape
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, channels, _CELLS, _CELLS, generator=generator)
    color = 2 * torch.randn(channels, 1, 1, generator=generator)
    cells = noise.repeat(count, 1, 1, 1)
    cells[1:, :, : _CELLS // 2, _CELLS // 2 :] = color
    return interpolate(cells, size=tuple(size), mode="nearest")


def sketch(output: Tensor) -> Float[Tensor, "number"]:
    """A few sums of an output's values, each with a random sign.

    The sketches of two outputs differ, by the sizes of the sketches, as much as the outputs do.

    Args:
        output: for one image.
    """
    values = output.detach().float().flatten()
    rows = pad(values, (0, -len(values) % _SKETCHED)).view(-1, _SKETCHED)
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (len(rows),), generator=generator).to(rows) * 2 - 1
    return (signs @ rows).cpu()


def is_turned(rows: Tensor, layout: Layout) -> bool:
    """Whether a grid changes elsewhere than in the quarter that is painted.

    Args:
        rows: an output's rows for dry images.
        layout: of a grid that is no row of tokens.
    """
    if min(layout.rows, layout.columns) < _MIN_SIDE or len(rows) < 2:
        return False
    change = (rows[1] - rows[0]).float().square()
    places = change.mean(-1 if layout.kind == CHANNELS_LAST else 0)
    middle, half = layout.rows // 2, layout.columns // 2
    upper, lower = places[:middle], places[-middle:]
    painted = upper[:, -half:].mean()
    others = (upper[:, :half], lower[:, :half], lower[:, -half:])
    return any(bool(other.mean() > _TURNED * painted) for other in others)
